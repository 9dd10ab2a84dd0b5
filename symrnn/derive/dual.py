"""Derivatives of a step in many digits, without expressions: numbers that carry their derivatives, by the chain rule.

Reads the author's equations and a point; returns the Jacobian there. The rules of arithmetic stand here; the derivative
of a function is SymPy's derivative of its `meaning`. Each operation applies one rule for each input that reaches it, so
the cost does not grow with the expression. It shares nothing with the derived adjoint. Leaves out: which point
(`symrnn.derive.proof`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import mpmath
import numpy as np
import sympy

from symrnn.derive.evaluate import Arithmetic, Array, run
from symrnn.language.choices import SURROGATES
from symrnn.language.functions import FUNCTIONS
from symrnn.language.system import System

Slopes = Mapping[int, Any]
"""Derivatives by the number of each input; a missing one is zero."""


@dataclass(frozen=True, slots=True, eq=False)
class Dual:
    """A number of many digits and its derivatives."""

    value: Any
    slopes: Slopes

    def __add__(self, other: Dual) -> Dual:
        return Dual(self.value + other.value, _sum((1, self.slopes), (1, other.slopes)))

    def __sub__(self, other: Dual) -> Dual:
        return Dual(self.value - other.value, _sum((1, self.slopes), (-1, other.slopes)))

    def __neg__(self) -> Dual:
        return Dual(-self.value, _sum((-1, self.slopes)))

    def __mul__(self, other: Dual) -> Dual:
        return Dual(self.value * other.value, _sum((other.value, self.slopes), (self.value, other.slopes)))

    def __truediv__(self, other: Dual) -> Dual:
        quotient = self.value / other.value
        return Dual(quotient, _sum((1 / other.value, self.slopes), (-quotient / other.value, other.slopes)))

    def __pow__(self, exponent: int | Dual) -> Dual:
        power = exponent.value if isinstance(exponent, Dual) else exponent
        if power == 0:
            return Dual(mpmath.mpf(1), {})
        return Dual(real(self.value**power), _sum((real(power * self.value ** (power - 1)), self.slopes)))


def _sum(*parts: tuple[Any, Slopes]) -> Slopes:
    """Slopes times factors, added up."""
    total: dict[int, Any] = {}
    for factor, slopes in parts:
        for place, slope in slopes.items():
            term = factor * slope
            total[place] = total[place] + term if place in total else term
    return total


def real(value: Any) -> Any:
    """``value`` as a real number of many digits.

    Raises:
        ArithmeticError: it is complex: an argument is outside the domain of its function.
    """
    number = mpmath.mpmathify(value)
    if isinstance(number, mpmath.mpc):
        raise ArithmeticError("a value is not real")
    return number


def jacobian_at(system: System, point: Mapping[str, Array], sizes: Mapping[str, int]) -> Mapping[str, Array]:
    """For each input of ``system``, the derivatives of all units of its outputs, ``(units, entries of the input)``.

    Args:
        system: the author's equations.
        point: every input, of numbers of many digits.
        sizes: the number behind each size name.

    Raises:
        ArithmeticError: a value is not real there, or a denominator is zero.
    """
    given, first = {}, {}
    count = 0
    for name, array in point.items():
        first[name] = count
        given[name] = np.empty(array.shape, object)
        for index in np.ndindex(*array.shape):
            given[name][index] = Dual(array[index], {count: mpmath.mpf(1)})
            count += 1
    after = run(system.equations, system.by_name, given, sizes, dual_numbers())
    units = [unit for output in system.outputs for unit in after[output]]
    zero = mpmath.mpf(0)
    return {
        name: np.array([[unit.slopes.get(start + k, zero) for k in range(point[name].size)] for unit in units])
        for name, start in first.items()
    }


@cache
def dual_numbers() -> Arithmetic:
    """Dual numbers, and the functions that equations may call on arrays of them."""
    called = [*(name for name, row in FUNCTIONS.items() if row.in_equations), *SURROGATES.values()]
    functions = {name: np.frompyfunc(_over(name), FUNCTIONS[name].arity, 1) for name in called}
    return Arithmetic(functions, lambda value: Dual(mpmath.mpf(value.numerator) / value.denominator, {}))


def _over(name: str) -> Callable[..., Dual]:
    """A function of the table on dual numbers, by SymPy's derivatives of what it means."""
    row = FUNCTIONS[name]
    arguments = sympy.symbols(f"a0:{row.arity}")
    meaning = row.meaning(*arguments)
    scalar, *partials = (
        sympy.lambdify(arguments, each, "mpmath") for each in (meaning, *(meaning.diff(a) for a in arguments))
    )

    def dual(*given: Dual) -> Dual:
        at = [each.value for each in given]
        slopes = [(real(partial(*at)), each.slopes) for partial, each in zip(partials, given, strict=True)]
        return Dual(real(scalar(*at)), _sum(*slopes))

    return dual


@cache
def many_digits() -> Arithmetic:
    """Real numbers of as many digits as mpmath works in, and the function table on arrays of them."""
    functions = {}
    for name, row in FUNCTIONS.items():
        arguments = sympy.symbols(f"a0:{row.arity}")
        scalar = sympy.lambdify(arguments, row.meaning(*arguments), "mpmath")
        functions[name] = np.frompyfunc(lambda *given, scalar=scalar: real(scalar(*given)), row.arity, 1)
    return Arithmetic(functions, _exact)


def _exact(value: Fraction) -> Any:
    return mpmath.mpf(value.numerator) / value.denominator
