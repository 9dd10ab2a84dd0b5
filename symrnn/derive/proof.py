"""The proof that a derivation is right: explicit scalars at small sizes, differentiated by SymPy's own rules.

Reads a `Cell`; returns a `Proof`. The author's equations are written out for every unit, each function in SymPy's own
terms; `Matrix.jacobian` differentiates each equation by the scalars that it reads, and the chain rule, from the inputs
on, multiplies these out. The derived adjoint, run once for each unit of each next state, must give the same: as
polynomials, where these can tell (`symrnn.derive.polynomial`), else in 50 digits at random points. The two sides share
the parsed equations and nothing of the derivation. Leaves out: kernels.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property
from typing import Any

import mpmath
import numpy as np
import sympy

from symrnn.derive.adjoint import adjoint
from symrnn.derive.evaluate import Arithmetic, Array, evaluate, run
from symrnn.derive.polynomial import Polynomial, Ring
from symrnn.errors import DerivationError
from symrnn.language.cell import Cell
from symrnn.language.functions import FUNCTIONS, Algebra
from symrnn.language.system import ONE, Equation, Role, System
from symrnn.language.tree import names

DIGITS = 50
"""Digits to which the two sides must agree where algebra does not decide."""

POINTS = 3
"""Random points at which numbers are compared."""

_GUARD = 15
_DENOMINATOR = 997

Jacobian = Mapping[str, Array]
"""For each input of a step, the derivatives of all units of the next states by all its entries: a matrix of scalars."""


@dataclass(frozen=True)
class Compared:
    """One gradient at one size.

    Attributes:
        array: the input that it is by.
        units: the number behind every size name.
        entries: of the Jacobian of all next states.
        symbolic: how many of the entries are equal as expressions; the others were compared as numbers.
        difference: the largest among those others, relative to 1 and the entry.
    """

    array: str
    units: int
    entries: int
    symbolic: int
    difference: float


@dataclass(frozen=True)
class Proof:
    """What was compared; ``ok`` where every entry is equal, or agrees to `DIGITS` digits."""

    cell: str
    compared: tuple[Compared, ...]

    @property
    def ok(self) -> bool:
        """Whether everything agrees."""
        return bool(self.compared) and all(item.difference <= 10.0**-DIGITS for item in self.compared)

    @property
    def symbolic(self) -> int:
        """Entries that are equal as expressions."""
        return sum(item.symbolic for item in self.compared)

    @property
    def numeric(self) -> int:
        """Entries that were compared as numbers."""
        return sum(item.entries for item in self.compared) - self.symbolic


def prove(cell: Cell, sizes: tuple[int, ...] = (1, 2, 3), seed: int = 0) -> Proof:
    """Compare the derived gradients of one step with those of its scalar expansion.

    Args:
        cell: any cell.
        sizes: numbers of units; every size name takes each of them in turn.
        seed: of the random points.

    Raises:
        DerivationError: a gradient is not finite at a random point, so that nothing can be compared.
    """
    backward = adjoint(cell.normal)
    return Proof(cell.name, tuple(item for units in sizes for item in _Comparison(cell, backward, units, seed).run()))


@dataclass(frozen=True)
class _Slopes:
    """The derivatives of one unit of an equation's target by the scalars that it depends on directly."""

    target: Algebra
    by: Mapping[Algebra, Algebra]


class _Comparison:
    """The two sides at one size: every size name stands for ``units``."""

    def __init__(self, cell: Cell, backward: System, units: int, seed: int) -> None:
        self._cell = cell
        self._backward = backward
        self._units = units
        self._seed = seed
        self._sizes = {**dict.fromkeys(cell.sizes, units), ONE: 1}
        self._symbols = {v.name: self._filled(v.name, sympy.Symbol) for v in cell.variables}

    def run(self) -> list[Compared]:
        """Every gradient: by algebra, and what that leaves open by numbers."""
        undecided = {name: ~equal for name, equal in self._equal().items()}
        apart = dict.fromkeys(undecided, 0.0)
        points = range(POINTS) if any(each.any() for each in undecided.values()) else ()
        for found in map(self._differences, points):
            for name, each in undecided.items():
                apart[name] = max([apart[name], *(float(value) for value in found[name][each])])
        return [
            Compared(name, self._units, each.size, each.size - int(each.sum()), apart[name])
            for name, each in undecided.items()
        ]

    def _filled(self, name: str, make: Callable[[str], Any]) -> Array:
        """An array of the shape of a variable, each entry made from its name and place."""
        variable = self._cell.by_name[name] if name in self._cell.by_name else self._backward.by_name[name]
        array = np.empty(tuple(self._sizes[size] for size in variable.shape), object)
        for index in np.ndindex(*array.shape):
            array[index] = make(f"{name}{list(index)}")
        return array

    @cached_property
    def _slopes(self) -> tuple[_Slopes, ...]:
        """The author's equations, one after the other, by SymPy."""
        scalars = Arithmetic(
            {name: np.frompyfunc(row.meaning, row.arity, 1) for name, row in FUNCTIONS.items()},
            lambda value: sympy.Rational(value.numerator, value.denominator),
        )
        return tuple(slopes for equation in self._cell.equations for slopes in self._differentiated(equation, scalars))

    def _differentiated(self, equation: Equation, scalars: Arithmetic) -> list[_Slopes]:
        targets = self._symbols[equation.target]
        value = np.broadcast_to(evaluate(equation.expression, self._symbols, self._sizes, scalars), targets.shape)
        read = [symbol for name in names(equation.expression) for symbol in self._symbols[name].ravel()]
        matrix = sympy.Matrix(list(value)).jacobian(read) if read else sympy.zeros(len(targets), 0)
        rows = (
            {symbol: slope for symbol, slope in zip(read, matrix.row(k), strict=True) if slope != 0}
            for k in range(len(targets))
        )
        return [_Slopes(target, by) for target, by in zip(targets, rows, strict=True)]

    def _chained(self, read: Callable[[Algebra], Any], zero: Any) -> Jacobian:
        """The Jacobian by the chain rule from the inputs on; ``read`` gives a derivative as a scalar of any kind."""
        inputs = {symbol for name in self._cell.inputs for symbol in self._symbols[name].ravel()}
        total: dict[Algebra, dict[Algebra, Any]] = {}
        for slopes in self._slopes:
            row = total[slopes.target] = {}
            for symbol, slope in slopes.by.items():
                local = read(slope)
                for given, inner in {symbol: None}.items() if symbol in inputs else total[symbol].items():
                    part = local if inner is None else local * inner
                    row[given] = row[given] + part if given in row else part
        outputs = [symbol for name in self._cell.outputs for symbol in self._symbols[name]]
        return {
            name: np.array(
                [[total[output].get(symbol, zero) for symbol in self._symbols[name].ravel()] for output in outputs]
            )
            for name in self._cell.inputs
        }

    def _derived(self, values: Mapping[str, Array], scalars: Arithmetic) -> Jacobian:
        """The Jacobian by the derived adjoint, a row for each unit of each next state; ``values`` are the step's."""
        backward, zero, one = self._backward, scalars.number(Fraction(0)), scalars.number(Fraction(1))
        seeds = {v.of: v.name for v in backward.of_role(Role.ADJOINT) if v.name in backward.inputs}
        returned = {backward.by_name[name].of: name for name in backward.outputs}
        rows: dict[str, list[Array]] = {name: [] for name in self._cell.inputs}
        for output in self._cell.outputs:
            for unit in range(len(self._symbols[output])):
                given = {**values, **{seed: self._filled(seed, lambda _: zero) for seed in seeds.values()}}
                given[seeds[output]][unit] = one
                after = run(backward.equations, backward.by_name, given, self._sizes, scalars)
                for name, row in rows.items():
                    row.append(
                        after[returned[name]].ravel()
                        if name in returned
                        else self._filled(name, lambda _: zero).ravel()
                    )
        return {name: np.array(row) for name, row in rows.items()}

    def _equal(self) -> dict[str, Array]:
        """For each gradient, which entries are equal as polynomials."""
        ring = Ring()
        scalars = Arithmetic({name: _over(ring, name) for name in FUNCTIONS}, ring.number)
        point = {name: self._filled(name, ring.atom) for name in self._cell.inputs}
        author = self._values(self._cell, point, scalars, ring)
        known = {
            symbol: value
            for name in author
            for symbol, value in zip(self._symbols[name].ravel(), author[name].ravel(), strict=True)
        }
        expected = self._chained(lambda slope: ring.normal(ring.read(slope, known)), ring.number(Fraction(0)))
        found = self._derived(self._values(self._cell.normal, point, scalars, ring), scalars)
        same = np.vectorize(lambda a, b: ring.vanishes(a - b), otypes=[bool])
        return {name: same(found[name], expected[name]) for name in found}

    def _values(self, system: System, point: Mapping[str, Array], scalars: Arithmetic, ring: Ring) -> dict[str, Array]:
        """The values of a step, where a sum that the author named is an atom: what reads it stays short."""
        values = dict(point)
        for equation in system.equations:
            values = run([equation], system.by_name, values, self._sizes, scalars)
            if equation.target in self._cell.by_name:
                values[equation.target] = np.array([ring.named(value) for value in values[equation.target]])
        return values

    def _differences(self, number: int) -> Jacobian:
        """How far the two sides are apart at a random point, in many digits."""
        draw = random.Random(f"{self._seed} {self._cell.name} {self._units} {number}")
        with mpmath.workdps(DIGITS + _GUARD):
            point = {
                name: self._filled(name, lambda _: mpmath.mpf(draw.randint(-_DENOMINATOR, _DENOMINATOR)) / _DENOMINATOR)
                for name in self._cell.inputs
            }
            try:
                apart = self._apart(point)
            except ZeroDivisionError as error:
                raise self._not_finite("a quotient") from error
        for name, differences in apart.items():
            if not all(mpmath.isfinite(value) for value in differences.ravel()):
                raise self._not_finite(f"the gradient by {name!r}")
        return apart

    def _apart(self, point: Mapping[str, Array]) -> Jacobian:
        numbers, normal = _many_digits(), self._cell.normal
        author = run(self._cell.equations, self._cell.by_name, point, self._sizes, numbers)
        expected = self._chained(self._numbers(author).__getitem__, mpmath.mpf(0))
        found = self._derived(run(normal.equations, normal.by_name, point, self._sizes, numbers), numbers)
        return {name: abs(found[name] - expected[name]) / (1 + abs(expected[name])) for name in found}

    def _not_finite(self, what: str) -> DerivationError:
        return DerivationError(
            f"cell {self._cell.name!r}: {what} is not finite at a random point with {self._units} to each size, so "
            "nothing can be compared there; keep denominators and the arguments of log away from zero"
        )

    def _numbers(self, values: Mapping[str, Array]) -> dict[Algebra, Any]:
        """Every derivative of the expansion at a point."""
        slopes, arguments = self._compiled
        return dict(zip(slopes, arguments(*(values[v.name].ravel() for v in self._cell.variables)), strict=True))

    @cached_property
    def _compiled(self) -> tuple[tuple[Algebra, ...], Callable[..., Any]]:
        """The derivatives of the expansion, each once, and a function from the values of a step to theirs."""
        slopes = tuple(dict.fromkeys(slope for each in self._slopes for slope in each.by.values()))
        arguments = [list(self._symbols[v.name].ravel()) for v in self._cell.variables]
        return slopes, sympy.lambdify(arguments, slopes, "mpmath", cse=True)


def _over(ring: Ring, name: str) -> Callable[..., Array]:
    """A function of the table on arrays of polynomials."""
    row = FUNCTIONS[name]
    arguments = sympy.symbols(f"a0:{row.arity}")
    meaning = row.meaning(*arguments)

    def scalar(*values: Polynomial) -> Polynomial:
        return ring.read(meaning, dict(zip(arguments, values, strict=True)))

    return np.vectorize(scalar, otypes=[object])


@cache
def _many_digits() -> Arithmetic:
    """Numbers of as many digits as mpmath works in, and the function table on arrays of them."""
    functions = {}
    for name, row in FUNCTIONS.items():
        arguments = sympy.symbols(f"a0:{row.arity}")
        scalar = sympy.lambdify(arguments, row.meaning(*arguments), "mpmath")
        functions[name] = np.frompyfunc(scalar, row.arity, 1)
    return Arithmetic(functions, lambda value: mpmath.mpf(value.numerator) / value.denominator)
