"""Recurrent dropout: what recurrent matrices read is multiplied by a mask that is the same for all steps.

Reads a cell and a rate; returns the cell with ``W @ (dropout_h * h)`` for ``W @ h``. A matrix is recurrent where it reads
a state of the step before: the state itself, or what is computed from it with no matrix and no reduction between, under
names of its own or not. Operands of the same states share a mask.
"""

from __future__ import annotations

from dataclasses import replace

from symrnn.language.cell import Cell
from symrnn.language.decimals import Number
from symrnn.language.mask import Mask
from symrnn.language.normalise import expression_size
from symrnn.language.transform.draft import (
    KEEP_UNITS,
    Transformation,
    draft,
    finished,
    free_names,
    mask_entry,
    refused,
)
from symrnn.language.transform.numbers import number_text, read_rate
from symrnn.language.transform.recipe import written
from symrnn.language.tree import Binary, Expression, MatVec, Name, children, is_next, transform

NAME, STEM = "recurrent_dropout", "dropout"
REFERENCE = "recurrent dropout: Gal and Ghahramani 2016, arXiv:1512.05287"
DEFAULT = 0.25


def with_recurrent_dropout(cell: Cell, rate: Number | None = None, /) -> Cell:
    """See `symrnn.language.transform.public.recurrent_dropout`."""
    given = DEFAULT if rate is None else rate
    number = read_rate(NAME, cell, "rate", given, below_one=True)
    rewriter = _OperandMasker(cell)
    equations = tuple((each.target, rewriter.rewrite(each.target, each.expression)) for each in cell.equations)
    if not rewriter.masks:
        message = f"no matrix reads a state of the step before; its states are {', '.join(cell.states)}"
        raise refused(NAME, cell, f"{message}, so there is nothing to drop: leave it out")
    mask = Mask(1 - number, 1 / (1 - number), every_step=False)
    made = draft(cell)
    made = replace(
        made,
        equations=equations,
        inputs={**made.inputs, **{name: mask_entry(size) for (_, size), name in rewriter.masks.items()}},
        masks={**made.masks, **dict.fromkeys(rewriter.masks.values(), mask)},
    )
    recipe = written(NAME, () if rate is None else (number_text(rate),))
    return finished(made, cell, Transformation(NAME, f"recurrent dropout ({number_text(given)})", REFERENCE, recipe))


class _OperandMasker:
    """Puts masks into equations.

    Attributes:
        masks: the name of each mask by the states that its operands are made of, and their size.
    """

    def __init__(self, cell: Cell) -> None:
        self.masks: dict[tuple[tuple[str, ...], str], str] = {}
        self._cell = cell
        self._states = cell.states
        self._free = free_names(cell)
        self._shapes = {variable.name: variable.shape for variable in cell.variables}
        self._made_of: dict[str, frozenset[str]] = {state: frozenset({state}) for state in cell.states}

    def rewrite(self, target: str, right: Expression) -> Expression:
        """The right side with a mask in front of each recurrent operand; equations come in order."""
        if not is_next(target):
            self._made_of[target] = self._read(right)
        return transform(right, self._masked)

    def _read(self, node: Expression) -> frozenset[str]:
        """The states of the step before that ``node`` is made of, with no matrix and no reduction between."""
        match node:
            case Name(name):
                return self._made_of.get(name, frozenset())
            case _ if isinstance(node, KEEP_UNITS):
                return frozenset().union(*map(self._read, children(node)))
            case _:
                return frozenset()

    def _masked(self, node: Expression) -> Expression:
        if not isinstance(node, MatVec):
            return node
        read = self._read(node.operand)
        if not read:
            return node
        size = expression_size(node.operand, self._shapes)
        key = tuple(state for state in self._states if state in read), size
        if key not in self.masks:
            self.masks[key] = self._free.fresh("_".join((STEM, *key[0])))
        return replace(node, operand=Binary("*", Name(self.masks[key]), node.operand))
