"""Rows of the function table that jump or choose: steps, roundings, comparisons and ``where``.

A comparison is a function of two arguments with the values 0 and 1, and the condition of ``where``; it has no derivative.
``where`` is a choice and no product: neither its value nor its gradient reads a number from the side not taken. Its own
derivatives are choices again, which `symrnn.language.symbolic.Restorer` keeps as choices.
"""

from __future__ import annotations

from typing import Any

import sympy

from symrnn.language.function import Algebra, Function, Written, row, word, zero

_JUMPS: dict[str, Any] = {"analytic": False, "smooth": False, "arithmetic": True}


class _Rounding(sympy.Function):  # type: ignore[misc] # SymPy has no types
    """A rounding in the terms of the proof: SymPy's own has no derivative, this one that of a constant.

    Class names are those of mpmath's functions.
    """

    nargs = (1,)

    def fdiff(self, argindex: int = 1) -> Algebra:
        return sympy.Integer(0)


class floor(_Rounding):
    """The largest whole number that is not above the argument."""

    @classmethod
    def eval(cls, a: Algebra) -> Algebra:
        """Its value for a number."""
        return sympy.floor(a) if a.is_number and a.is_finite else None


class nint(_Rounding):
    """The nearest whole number, of two the even one."""

    @classmethod
    def eval(cls, a: Algebra) -> Algebra:
        """Its value for a number."""
        if not (a.is_number and a.is_finite):
            return None
        above = sympy.floor(a + sympy.Rational(1, 2))
        return above - 1 if above - a == sympy.Rational(1, 2) and above % 2 == 1 else above


def _compared(name: str, operator: str, latex: str, holds: Any, formula: Any = None) -> Function:
    """A comparison, 1 where it holds and 0 where not; ``holds`` is SymPy's."""
    return row(
        name,
        (zero, zero),
        lambda a, b: sympy.Piecewise((1, holds(a, b)), (0, True)),
        latex=Written("", "[", "]", f" {latex} "),
        public=False,
        operator=operator,
        formula=formula,
        **_JUMPS,
    )


step = row("step", (zero,), lambda a: sympy.Piecewise((1, a >= 0), (0, True)), latex=word("step"), **_JUMPS)
flooring = row("floor", (zero,), floor, latex=Written("", r"\left\lfloor ", r"\right\rfloor"), **_JUMPS)
rounding = row("round", (zero,), nint, latex=word("round"), **_JUMPS)

less = _compared("less", "<", "<", sympy.Lt)
less_equal = _compared("less_equal", "<=", r"\le", sympy.Le)
equal = _compared("equal", "==", "=", sympy.Eq)
greater = _compared("greater", ">", ">", sympy.Gt, lambda a, b: less.symbol(b, a))
greater_equal = _compared("greater_equal", ">=", r"\ge", sympy.Ge, lambda a, b: less_equal.symbol(b, a))
not_equal = _compared("not_equal", "!=", r"\ne", sympy.Ne, lambda a, b: 1 - equal.symbol(a, b))

where: Function = row(
    "where",
    (
        zero,
        lambda y, c, a, b: where.symbol(c, sympy.Integer(1), sympy.Integer(0)),
        lambda y, c, a, b: where.symbol(c, sympy.Integer(0), sympy.Integer(1)),
    ),
    lambda c, a, b: sympy.Piecewise((a, c > 0), (b, True)),
    latex=word("where"),
    **_JUMPS,
)


def _surrogate(name: str, count: int) -> Function:
    """The value of a function of a cell's own with the derivatives that it declares.

    Arguments are the value, a derivative for each operand, and the operands. Value and derivatives are trees in the
    operands, and count as constants here.
    """

    def partial(place: int) -> Any:
        return zero if place <= count else lambda y, *arguments: arguments[place - count]

    found = row(
        name,
        tuple(partial(place) for place in range(2 * count + 1)),
        lambda *arguments: found.symbol(*arguments),
        latex=word("surrogate"),
        public=False,
        **_JUMPS,
    )
    # Its value in numbers, and in what SymPy prints for others.
    found.symbol._eval_evalf = lambda self, precision: self.args[0]._eval_evalf(precision)
    found.symbol._mpmathcode = lambda self, printer, **_: printer._print(self.args[0])
    return found


surrogate, surrogate_of_two = _surrogate("surrogate", 1), _surrogate("surrogate_of_two", 2)

SURROGATES = {1: surrogate.name, 2: surrogate_of_two.name}
"""The function behind a function of a cell's own, by the number of its operands."""

CHOICES = (
    step,
    flooring,
    rounding,
    where,
    surrogate,
    surrogate_of_two,
    less,
    less_equal,
    equal,
    greater,
    greater_equal,
    not_equal,
)
"""These rows, in the order of the table."""

COMPARISONS = {each.operator: each.name for each in CHOICES if each.operator}
"""The function of each comparison, by its operator."""
