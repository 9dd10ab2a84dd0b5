"""The table of reductions: one row for each way to make one number of all units of a vector.

A row holds what a reduction means and its derivative's rule; adjoint, tangent, Jacobians and figures are derived from
these. Leaves out: how a target spells it (`functions.py` in the target's folder, one entry for each row that is not
made of others).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from typing import Any, Protocol

from symrnn.language.axes import SCALAR, axes_of, without
from symrnn.language.tree import Binary, Broadcast, Call, Expression, Name, Reduce, SizeOf, integer


class Scalars(Protocol):
    """The numbers of a vector: floats, SymPy expressions, polynomials."""

    @property
    def functions(self) -> Mapping[str, Callable[..., Any]]:
        """The function table on arrays of such numbers."""

    @property
    def number(self) -> Callable[[Fraction], Any]:
        """An exact number as one of them."""


@dataclass(frozen=True)
class Reduced:
    """A reduction or a vector function in a step, where its derivative is taken or its parts are named.

    Attributes:
        operand: the vector.
        value: the result.
        size: the size name of the vector.
        axis: the axes that it runs over; empty for all units.
        named: ``(hint, expression, size) -> expression``: gives a part of the derivative a name where the caller's
            equations need one (of a call, or the operand of a further reduction), or returns it as it is.
    """

    operand: Name
    value: Name
    size: str
    named: Callable[[str, Expression, str], Expression]
    axis: str = ""

    @property
    def left(self) -> str:
        """The size of the result of a reduction."""
        return without(self.size, axes_of(self.axis)) if self.axis else SCALAR

    @property
    def over(self) -> str:
        """The size of what a reduction runs over."""
        return self.axis or self.size

    def reduced(self, kind: str, operand: Expression) -> Reduce:
        """A reduction of ``operand`` over the same axes."""
        return Reduce(kind, operand, self.axis, self.size if self.axis else "")

    def repeated(self, node: Expression) -> Expression:
        """``node``, which has the size of the result, at the size of the vector."""
        return Broadcast(node, self.left, self.size) if self.axis else node


@dataclass(frozen=True)
class Reduction:
    """One row of the table.

    Attributes:
        name: as written in equations.
        meaning: ``(vector, scalars) -> value``, from an array ``(…, units)`` to ``(…, 1)``.
        latex: the operator.
        averages: whether it is a linear reduction that divides the sum by the number of units.
        analytic: whether the complex step is valid everywhere.
        smooth: whether central differences are valid everywhere.
        exact: whether the rule compares units with the result: it then needs the very numbers that the result was made
            of. Computed again, they may differ in the last place.
        rule: the derivative of the result by each unit. None: the reduction is linear, the sum or the average.
        made_of: the same in other reductions and functions, which a plan computes in its place. None: targets spell it.
    """

    name: str
    meaning: Callable[[Any, Scalars], Any]
    latex: str
    averages: bool = False
    analytic: bool = True
    smooth: bool = True
    exact: bool = False
    rule: Callable[[Reduced], Expression] | None = None
    made_of: Callable[[Reduced], Expression] | None = None

    def adjoint(self, incoming: Expression, at: Reduced) -> Expression:
        """What the adjoint of the operand receives, where ``incoming`` is the adjoint of the result."""
        if self.rule is not None:
            return Binary("*", at.repeated(incoming), self.rule(at))
        return Binary("/", at.repeated(incoming), SizeOf(at.over)) if self.averages else at.repeated(incoming)

    def tangent(self, dot: Name, at: Reduced) -> Expression:
        """The tangent of the result, where ``dot`` is that of the operand."""
        if self.rule is None:
            return at.reduced(self.name, dot)
        return at.reduced("sum", at.named("dot_in", Binary("*", self.rule(at), dot), at.size))


def _sum(vector: Any, scalars: Scalars) -> Any:
    return vector.sum(axis=-1, keepdims=True)


def _mean(vector: Any, scalars: Scalars) -> Any:
    return _sum(vector, scalars) / scalars.number(Fraction(vector.shape[-1]))


def _max(vector: Any, scalars: Scalars) -> Any:
    if vector.dtype == object:
        return reduce(scalars.functions["maximum"], (vector[..., i : i + 1] for i in range(vector.shape[-1])))
    largest = vector.real.max(axis=-1, keepdims=True)
    if largest.dtype == vector.dtype:
        return largest
    # Units that tie have equal shares of the slope, which is in the imaginary part.
    tied = vector.real == largest
    return largest + 1j * (vector.imag * tied).sum(axis=-1, keepdims=True) / tied.sum(axis=-1, keepdims=True)


def _max_rule(at: Reduced) -> Expression:
    """Units that tie for the largest share its derivative equally."""
    below = at.named("below", Call("positive", (Binary("-", at.repeated(at.value), at.operand),)), at.size)
    tied = at.named("tied", Binary("-", integer(1), below), at.size)
    return Binary("/", tied, at.repeated(at.named("ties", at.reduced("sum", tied), at.left)))


def shifted_exponentials(vector: Any, scalars: Scalars) -> tuple[Any, Any]:
    """A shift, and the exponentials of the units less the shift, none of which overflows.

    Only floating point needs it: other scalars have no largest number, and a formula without a shift has no kink.
    """
    exponential = scalars.functions["exp"]
    if vector.dtype == object:
        return 0, exponential(vector)
    shift = vector.real.max(axis=-1, keepdims=True)
    return shift, exponential(vector - shift)


def named_exponentials(at: Reduced) -> tuple[Expression, Expression, Expression]:
    """The largest unit, the exponentials of the units less that, and their sum, each by a name."""
    largest = at.named("max", at.reduced("max", at.operand), at.left)
    powers = at.named("exp", Call("exp", (Binary("-", at.operand, at.repeated(largest)),)), at.size)
    return largest, powers, at.named("sum", at.reduced("sum", powers), at.left)


def _logsumexp(vector: Any, scalars: Scalars) -> Any:
    shift, powers = shifted_exponentials(vector, scalars)
    total = scalars.functions["log"](powers.sum(axis=-1, keepdims=True))
    return total if vector.dtype == object else shift + total


def _logsumexp_rule(at: Reduced) -> Expression:
    return at.named("share", Call("exp", (Binary("-", at.operand, at.repeated(at.value)),)), at.size)


def _logsumexp_parts(at: Reduced) -> Expression:
    largest, _, total = named_exponentials(at)
    return Binary("+", largest, Call("log", (total,)))


_ROWS = (
    Reduction("mean", _mean, r"\operatorname{mean}", averages=True),
    Reduction("sum", _sum, r"\operatorname{sum}"),
    Reduction("max", _max, r"\max", analytic=False, smooth=False, exact=True, rule=_max_rule),
    Reduction("logsumexp", _logsumexp, r"\operatorname{logsumexp}", rule=_logsumexp_rule, made_of=_logsumexp_parts),
)

REDUCTIONS: dict[str, Reduction] = {row.name: row for row in _ROWS}
"""Every row by name."""
