"""The proof for prepared parameters: their derived adjoint against SymPy's derivatives of every entry, at small sizes.

Reads a `Cell` that prepares parameters; returns a `Compared` for each of these. Every entry of what is prepared is one scalar
expression of the entries of the parameters, which SymPy differentiates; the derived adjoint, run once for each such entry,
must give the same: as polynomials where these decide, else in 50 digits at random points, where numbers carry their
derivatives. Beyond `MOST_OPERATIONS` no algebra is tried. Leaves out: the step (`symrnn.derive.proof`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import sympy

from symrnn.derive.compared import DIGITS, GUARD, POINTS, Compared, over
from symrnn.derive.draws import Draw, entry, near_start, positive, signed
from symrnn.derive.dual import Dual, dual_numbers, many_digits
from symrnn.derive.evaluate import Arithmetic, Array
from symrnn.derive.polynomial import Ring
from symrnn.derive.preparation import Preparation, run_tables
from symrnn.errors import DerivationError
from symrnn.language.axes import Numbers
from symrnn.language.cell import Cell
from symrnn.language.functions import FUNCTIONS
from symrnn.language.system import ONE

MOST_OPERATIONS = 2_000
"""The most operations in all entries of what is prepared for which algebra is tried."""

Jacobian = Mapping[str, Array]
"""For each parameter, the derivatives of all entries of what is prepared by all its entries."""


def compare_prepared(cell: Cell, preparation: Preparation, units: int, seed: int) -> list[Compared]:
    """Compare the derived adjoint of what ``cell`` prepares with the derivatives of its scalar expansion.

    Args:
        cell: it prepares parameters.
        preparation: what was derived.
        units: the number behind every size name.
        seed: of the random points.

    Raises:
        DerivationError: a value is not finite at every random point.
    """
    comparison = _PreparedComparison(cell, preparation, units, seed)
    undecided = {name: ~equal for name, equal in comparison.equal().items()}
    apart = dict.fromkeys(undecided, 0.0)
    for number in range(POINTS) if any(each.any() for each in undecided.values()) else ():
        for name, differences in comparison.differences(number).items():
            apart[name] = max([apart[name], *(float(value) for value in differences[undecided[name]])])
    return [
        Compared(name, units, each.size, each.size - int(each.sum()), apart[name]) for name, each in undecided.items()
    ]


class _PreparedComparison:
    def __init__(self, cell: Cell, preparation: Preparation, units: int, seed: int) -> None:
        self._cell, self._derived, self._units, self._seed = cell, preparation, units, seed
        self._sizes = Numbers({**dict.fromkeys(cell.sizes, units), ONE: 1})
        self._given = preparation.forward.inputs
        self._by = tuple(name for name in self._given if name in preparation.gradients)

    def _filled(self, make: Callable[[str, str], Any]) -> dict[str, Array]:
        """Every parameter that is read, each entry made from the name and its place."""
        point = {}
        for name in self._given:
            point[name] = np.empty([self._sizes[size] for size in self._cell.by_name[name].shape], object)
            for index in np.ndindex(*point[name].shape):
                point[name][index] = make(name, f"{name}{list(index)}")
        return point

    def equal(self) -> Jacobian:
        """Which entries are equal as polynomials; none if that would take too long."""
        symbols = self._filled(lambda _, text: sympy.Symbol(text))
        meanings = {name: np.frompyfunc(row.meaning, row.arity, 1) for name, row in FUNCTIONS.items()}
        scalars = Arithmetic(meanings, lambda value: sympy.Rational(value.numerator, value.denominator))
        values = run_tables(self._derived.forward, symbols, self._sizes, scalars)
        entries = [scalar for name in self._derived.seeds for scalar in values[name].ravel()]
        if sum(int(scalar.count_ops()) for scalar in entries) > MOST_OPERATIONS:
            return {name: np.zeros((len(entries), symbols[name].size), bool) for name in self._by}
        ring = Ring()
        point = self._filled(lambda _, text: ring.atom(text))
        known = {s: a for name in self._given for s, a in zip(symbols[name].flat, point[name].flat, strict=True)}
        found = self._pulled(point, Arithmetic({name: over(ring, name) for name in FUNCTIONS}, ring.number))
        same = np.vectorize(lambda a, b: ring.vanishes(a - b), otypes=[bool])
        expected = {
            name: np.array([[ring.read(scalar.diff(by), known) for by in symbols[name].flat] for scalar in entries])
            for name in self._by
        }
        return {name: same(found[name], expected[name]) for name in self._by}

    def _pulled(self, point: Mapping[str, Array], scalars: Arithmetic) -> Jacobian:
        """The Jacobian by the derived adjoint, a row for each entry of what is prepared."""
        derived, zero, one = self._derived, scalars.number(Fraction(0)), scalars.number(Fraction(1))
        values = run_tables(derived.forward, point, self._sizes, scalars)
        rows: dict[str, list[Array]] = {name: [] for name in self._by}
        for output in derived.seeds:
            for place in range(values[output].size):
                seeds = {seed: np.full(values[name].size, zero, object) for name, seed in derived.seeds.items()}
                seeds[derived.seeds[output]][place] = one
                after = run_tables(derived.adjoint, {**values, **seeds}, self._sizes, scalars)
                for name, row in rows.items():
                    row.append(after[derived.gradients[name]].ravel())
        return {name: np.array(row) for name, row in rows.items()}

    def differences(self, number: int) -> Jacobian:
        """How far the two sides are apart at a random point, in many digits."""
        causes = []
        with mpmath.workdps(DIGITS + GUARD):
            for draw in (signed, near_start, positive):
                try:
                    return self._apart(self._point(draw, number))
                except (ArithmeticError, ValueError) as error:
                    causes.append(str(error) or "a quotient is not finite")
        raise DerivationError(
            f"cell {self._cell.name!r}: what is prepared has no finite value at random points where each size is "
            f"{self._units}: {causes[0]}; keep denominators and the arguments of log and sqrt away from zero"
        )

    def _point(self, draw: Draw, number: int) -> dict[str, Array]:
        rng = random.Random(f"{self._seed} {self._cell.name} prepared {self._units} {number}")
        starts, domains = self._cell.init, self._cell.domain

        def make(name: str, text: str) -> Any:
            return entry(draw, rng, starts.get(name, "uniform"), domains.get(name, ""), text)

        return self._filled(make)

    def _apart(self, point: Mapping[str, Array]) -> Jacobian:
        found, expected = self._pulled(point, many_digits()), self._by_duals(point)
        apart = {name: abs(found[name] - expected[name]) / (1 + abs(expected[name])) for name in self._by}
        if not all(mpmath.isfinite(value) for each in apart.values() for value in each.ravel()):
            raise ArithmeticError("a gradient is not finite")
        return apart

    def _by_duals(self, point: Mapping[str, Array]) -> Jacobian:
        """The Jacobian by numbers that carry their derivatives."""
        given, first, count = {}, {}, 0
        for name, array in point.items():
            first[name], given[name] = count, np.empty(array.shape, object)
            for index in np.ndindex(*array.shape):
                given[name][index] = Dual(array[index], {count: mpmath.mpf(1)})
                count += 1
        values = run_tables(self._derived.forward, given, self._sizes, dual_numbers())
        entries = [scalar for name in self._derived.seeds for scalar in values[name].ravel()]
        zero = mpmath.mpf(0)
        return {
            name: np.array([[e.slopes.get(first[name] + k, zero) for k in range(point[name].size)] for e in entries])
            for name in self._by
        }
