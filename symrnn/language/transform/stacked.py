"""Stacks: several cells in one step, each reading what the one below returns.

Reads cells; returns one cell. Every name of the second cell but ``x`` begins with ``l2_``, and so on upwards. The first
cell keeps its names. The sizes of an upper cell are new ones, but its ``input``, which is the size of the output below.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import TypeVar

from symrnn.errors import CellError
from symrnn.language.axes import axes_of, has_axes, has_text, plain_axes, size_of
from symrnn.language.cell import Cell
from symrnn.language.given import described
from symrnn.language.own import DERIVATIVE, VALUE, Entry
from symrnn.language.size_tables import InputEntry, SizeEntry
from symrnn.language.system import HIDDEN, INPUT, ONE, Role
from symrnn.language.text import to_text
from symrnn.language.transform.draft import Draft, Transformation, draft, entry, finished, input_entry, refused
from symrnn.language.transform.numbers import read_choice, read_count
from symrnn.language.transform.recipe import joined_name, written
from symrnn.language.tree import Call, Constant, Expression, MatVec, Name, Power, Reduce, VectorCall, names, transform

Value = TypeVar("Value")

NAME = "stack"
MOST = 16
"""Layers of a stack."""


def stacked(cells: Sequence[Cell], /, *, share_hidden: bool | str = False) -> Cell:
    """See `symrnn.language.transform.public.stack`."""
    if not cells:
        raise CellError("stack: expected at least one cell, found none")
    first, *upper = cells
    if len(cells) > MOST:
        raise refused(NAME, first, f"expected at most {MOST} cells, found {len(cells)}")
    shared = read_choice(NAME, first, "share_hidden", share_hidden)
    made, below = draft(first), first
    value, size = _returned(first)
    number = 1
    for cell in upper:
        number = next(n for n in count(number + 1) if not _has_names(made, f"l{n}_"))
        if len(below.returned) > 1:
            message = f"it returns {', '.join(below.returned)}, and the cell above reads one output"
            raise refused(NAME, below, f"{message}; give the cell one `output`")
        if len(axes_of(size)) != len(axes_of(cell.size("x"))) and has_axes(size + cell.size("x")):
            message = (
                f"its output `{below.output}` {has_text(size)}, and `x` of the cell above {has_text(cell.size('x'))}"
            )
            raise refused(NAME, below, f"{message}; give the two as many axes")
        layer = _UpperLayer(cell, f"l{number}_", value, size, shared)
        made = _joined(made, layer.draft())
        value, size = layer.returned
        below = cell
    alike = all(cell == first for cell in upper)
    recipe = written(NAME, (str(len(cells)),), {"share_hidden": "true"} if shared else {}) if alike else ""
    whole = first if alike else replace(first, name=joined_name(cell.name for cell in cells), title=_titles(cells))
    references = dict.fromkeys(cell.reference for cell in upper if cell.reference != first.reference)
    change = Transformation(NAME, f"{len(cells)} layers in one step", "; ".join(filter(None, references)), recipe)
    return finished(replace(made, same_parameters=len(cells) == 1), whole, change)


def repeated(cell: Cell, layers: int | str, /, *, share_hidden: bool | str = False) -> Cell:
    """``cell`` several times, as a recipe has it: ``stack:2``."""
    layers_read = read_count(NAME, cell, "layers", layers)
    if layers_read > MOST:
        raise refused(NAME, cell, f"layers: expected at most {MOST}, found {described(layers)}")
    return stacked([cell] * layers_read, share_hidden=share_hidden)


def _has_names(made: Draft, prefix: str) -> bool:
    """Whether a name of the layers below begins so, as in a stack on top of a stack."""
    return any(name.startswith(prefix) for each in made.equations for name in (each[0], *names(each[1])))


def _titles(cells: Iterable[Cell]) -> str:
    return " below ".join(cell.title or cell.name for cell in cells)


def _returned(cell: Cell) -> tuple[str, str]:
    """The variable that a cell returns, and its size."""
    return cell.output_values[0], cell.size(cell.output_values[0])


class _UpperLayer:
    """A cell on top of another, with names of its own.

    Attributes:
        returned: the variable that it returns, and its size.
    """

    def __init__(self, cell: Cell, prefix: str, below: str, size: str, shared: bool) -> None:
        self._cell, self._prefix, self._below = cell, prefix, below
        of_x = axes_of(cell.size("x"))
        self._sizes = {name: prefix + name for name in cell.sizes} | {ONE: ONE}
        if len(of_x) == 1:
            self._sizes[INPUT] = size
        if shared:
            self._sizes[HIDDEN] = HIDDEN
        if len(of_x) > 1:
            self._sizes |= dict(zip(of_x, axes_of(size), strict=True))
        elif cell.input_is_hidden:
            self._sizes[HIDDEN] = size
        value, wide = _returned(cell)
        self.returned = prefix + value, self._size(wide)

    def draft(self) -> Draft:
        """The cell under its new names, every size declared."""
        found = draft(self._cell)
        declared = {
            self._prefix + each.name: self._shape(each.shape)
            for each in self._cell.variables
            if each.role not in (Role.INPUT, Role.NEXT)
        }
        return replace(
            found,
            equations=tuple(
                (self._prefix + target, transform(right, self._named)) for target, right in found.equations
            ),
            sizes=declared,
            constants=self._prefixed(found.constants),
            init=self._prefixed(found.init),
            domain=self._prefixed(found.domain),
            fixed=tuple(self._prefix + name for name in found.fixed),
            functions=self._functions(),
            inputs={self._prefix + name: self._input(name) for name in found.inputs},
            returned=tuple(self._prefix + name for name in found.returned),
            masks=self._prefixed(found.masks),
        )

    def _shape(self, shape: tuple[str, ...]) -> SizeEntry:
        return entry([self._size(size) for size in shape])

    def _size(self, size: str) -> str:
        return size_of(self._sizes[axis] for axis in plain_axes(size))

    def _input(self, name: str) -> InputEntry:
        given = self._cell.by_name[name]
        return input_entry(replace(given, shape=tuple(map(self._size, given.shape))))

    def _functions(self) -> dict[str, Entry]:
        """The functions of the cell's own; their formulas read constants."""
        found: dict[str, Entry] = {}
        for name, function in self._cell.functions.items():
            value, *derivatives = (
                to_text(transform(each.node, lambda node: self._named(node) if isinstance(node, Constant) else node))
                for each in (function.value, *function.derivatives)
            )
            found[self._prefix + name] = {VALUE: value, DERIVATIVE: derivatives}
        return found

    def _prefixed(self, table: Mapping[str, Value]) -> dict[str, Value]:
        return {self._prefix + name: value for name, value in table.items()}

    def _named(self, node: Expression) -> Expression:
        match node:
            case Name("x"):
                return Name(self._below)
            case Name(name):
                return Name(self._prefix + name)
            case MatVec(matrix):
                return replace(node, matrix=self._prefix + matrix)
            case Reduce(axis=axis) | VectorCall(axis=axis) if axis:
                return replace(node, axis=self._sizes.get(axis, axis))
            case Constant(name):
                return replace(node, name=self._prefix + name)
            case Call(written=name) if name:
                return replace(node, written=self._prefix + name)
            case Power(written=exponent) if exponent is not None:
                return replace(node, written=transform(exponent, self._named))
            case _:
                return node


def _joined(lower: Draft, upper: Draft) -> Draft:
    """Both in one step; what the upper one returns is returned."""
    return Draft(
        equations=(*lower.equations, *upper.equations),
        sizes={**lower.sizes, **upper.sizes},
        constants={**lower.constants, **upper.constants},
        init={**lower.init, **upper.init},
        domain={**lower.domain, **upper.domain},
        fixed=(*lower.fixed, *upper.fixed),
        functions={**lower.functions, **upper.functions},
        inputs={**lower.inputs, **upper.inputs},
        returned=upper.returned,
        masks={**lower.masks, **upper.masks},
    )
