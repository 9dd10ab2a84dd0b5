"""Layer normalisation: matrix products in the arguments of functions are normalised over their units, each by itself.

Reads a cell; returns it with ``gain * (a - mean(a)) / sqrt(mean((a - mean(a))**2) + epsilon) + shift`` for each such
product ``a = W @ v``, with a gain and a shift of its own. A product counts where it stands in the argument of a
function, directly or under the name of an intermediate, with no matrix and no reduction between. So ``B @ v`` in ``A @
B @ v`` does not count, and neither does a product whose result is one number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from symrnn.language.cell import Cell
from symrnn.language.choices import where
from symrnn.language.decimals import Number
from symrnn.language.functions import operator_of
from symrnn.language.normalise import expression_size
from symrnn.language.origin import nearest, shown
from symrnn.language.system import ONE
from symrnn.language.transform.draft import (
    KEEP_UNITS,
    Assigned,
    Transformation,
    draft,
    finished,
    free_names,
    refused,
    renamed,
)
from symrnn.language.transform.numbers import number_text, read_above_zero
from symrnn.language.transform.recipe import written
from symrnn.language.tree import (
    PRIME,
    Binary,
    Broadcast,
    Call,
    Expression,
    MatVec,
    Name,
    Power,
    Reduce,
    VectorCall,
    children,
    integer,
    names,
    rebuild,
)

NAME = "layer_norm"
REFERENCE = "layer normalisation: Ba et al. 2016, arXiv:1607.06450"
EPSILON = "1e-5"


def with_layer_norm(cell: Cell, /, *states: str, epsilon: Number = EPSILON) -> Cell:
    """See `symrnn.language.transform.public.layer_norm`."""
    for state in states:
        if state not in cell.states:
            hint = nearest(str(state), cell.states) or f"; its states are {', '.join(cell.states)}"
            raise refused(NAME, cell, f"`{shown(str(state), 30)}` is not a state{hint}")
        if not any(state + PRIME in names(equation.expression) for equation in cell.equations):
            message = f"no equation reads `{state}'`, its value after the step, so there is nothing to normalise"
            raise refused(NAME, cell, f"{message}; leave `{state}` out")
    read_above_zero(NAME, cell, "epsilon", epsilon)
    rewriter = _ProductNormaliser(cell, states)
    for equation in cell.equations:
        rewriter.add(equation.target, equation.expression)
    if not rewriter.gains:
        message = "no function has a matrix product in its argument, so there is nothing to normalise"
        raise refused(NAME, cell, f"{message}; leave it out")
    made = draft(cell)
    made = replace(
        made,
        equations=tuple(rewriter.equations),
        constants={**made.constants, rewriter.epsilon: epsilon},
        init={**made.init, **dict.fromkeys(rewriter.gains, "ones"), **dict.fromkeys(rewriter.shifts, "zeros")},
        same_parameters=False,
    )
    given = {} if epsilon == EPSILON else {"epsilon": number_text(epsilon)}
    title = " ".join(("layer normalisation", *((f"({', '.join(states)} too)",) if states else ())))
    return finished(made, cell, Transformation(NAME, title, REFERENCE, written(NAME, states, given)))


class _ProductNormaliser:
    """Rewrites equations in order.

    Attributes:
        equations: rewritten ones, and those that normalise.
        gains: the new parameters that multiply.
        shifts: the new parameters that are added.
        epsilon: the name of the constant.
    """

    def __init__(self, cell: Cell, states: tuple[str, ...]) -> None:
        self.equations: list[Assigned] = []
        self.gains: list[str] = []
        self.shifts: list[str] = []
        self._free = free_names(cell)
        self.epsilon = self._free.fresh("epsilon")
        self._states = {state + PRIME for state in states}
        self._shapes = {variable.name: variable.shape for variable in cell.variables}
        self._arguments = _in_arguments(cell)
        self._known: dict[MatVec, Name] = {}
        self._values: dict[str, Expression] = {}

    def add(self, target: str, right: Expression) -> None:
        """Add an equation, behind those of what it reads."""
        self.equations.append((target, renamed(self._rewritten(right, target in self._arguments), self._values)))
        if target in self._states:
            self._values[target] = self._normalised(Name(target), target.removesuffix(PRIME))

    def _rewritten(self, node: Expression, counts: bool) -> Expression:
        """``node`` with normalised products; ``counts`` says whether it is in the argument of a function."""
        below = counts_below(node, counts)
        parts = tuple(self._rewritten(part, below) for part in children(node))
        new = rebuild(node, parts) if parts else node
        if not isinstance(node, MatVec) or not counts or expression_size(node, self._shapes) == ONE:
            return new
        assert isinstance(new, MatVec)
        if node not in self._known:
            product = self._free.fresh(f"product_{new.matrix}")
            self.equations.append((product, renamed(new, self._values)))
            self._known[node] = self._normalised(Name(product), new.matrix)
        return self._known[node]

    def _normalised(self, value: Name, stem: str) -> Name:
        """The name of ``value`` normalised."""
        gain, shift = self._free.fresh(f"gain_{stem}"), self._free.fresh(f"shift_{stem}")
        centred, normed = self._free.fresh(f"centred_{stem}"), self._free.fresh(f"normed_{stem}")
        self.gains.append(gain)
        self.shifts.append(shift)
        self.equations.append((centred, Binary("-", value, Reduce("mean", value))))
        variance = Reduce("mean", Power(Name(centred), integer(2).value))
        deviation = Call("sqrt", (Binary("+", variance, Name(self.epsilon)),))
        scaled = Binary("/", Binary("*", Name(gain), Name(centred)), deviation)
        self.equations.append((normed, Binary("+", scaled, Name(shift))))
        return Name(normed)


def counts_below(node: Expression, counts: bool) -> bool:
    """Whether the parts of ``node`` are in the argument of a function, with no matrix and no reduction between.

    Operators and choices are no such functions: a side of ``where`` counts as the whole does.
    """
    if isinstance(node, Broadcast):
        return counts
    if not isinstance(node, KEEP_UNITS):
        return False
    if isinstance(node, Call):
        return counts or (node.function != where.name and not operator_of(node.function))
    return counts or isinstance(node, VectorCall)


def _in_arguments(cell: Cell) -> set[str]:
    """The intermediates that stand in the argument of a function, or in an intermediate that does."""
    found: set[str] = set()
    for equation in reversed(cell.equations):  # a name is read below its assignment alone
        found |= set(_read_in_arguments(equation.expression, equation.target in found))
    return found


def _read_in_arguments(node: Expression, counts: bool) -> Iterator[str]:
    if isinstance(node, Name) and counts:
        yield node.name
    for part in children(node):
        yield from _read_in_arguments(part, counts_below(node, counts))
