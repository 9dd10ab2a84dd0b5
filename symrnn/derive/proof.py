"""The proof that a derivation is right: explicit scalars at small sizes, differentiated by SymPy's own rules.

Reads a `Cell`; returns a `Proof`. The author's equations are written out for every unit, with each function in SymPy's
own terms, and `Matrix.jacobian` differentiates them; the derived adjoint, row by row, must give the same numbers in 50
digits at a random point. The two share the parsed equations and nothing of the derivation. Leaves out: kernels.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
import sympy

from symrnn.derive.adjoint import adjoint
from symrnn.derive.evaluate import Arithmetic, Array, run
from symrnn.errors import DerivationError
from symrnn.language.cell import Cell
from symrnn.language.functions import FUNCTIONS
from symrnn.language.system import ONE, Role, Variable

DIGITS = 50
"""Digits to which the two sides must agree."""

_GUARD = 15
_DENOMINATOR = 997


@dataclass(frozen=True)
class Compared:
    """One gradient at one size: of what, how many entries, and the largest difference found."""

    array: str
    units: int
    entries: int
    difference: float


@dataclass(frozen=True)
class Proof:
    """What was compared; ``ok`` where every entry agrees to `DIGITS` digits."""

    cell: str
    compared: tuple[Compared, ...]

    @property
    def ok(self) -> bool:
        """Whether everything agrees."""
        return bool(self.compared) and all(item.difference <= 10.0**-DIGITS for item in self.compared)


def prove(cell: Cell, sizes: tuple[int, ...] = (1, 2, 3), seed: int = 0) -> Proof:
    """Compare the derived gradients of one step with those of its scalar expansion.

    Args:
        cell: any cell.
        sizes: numbers of units; every size name takes each of them in turn.
        seed: of the random point.

    Raises:
        DerivationError: a value at the random point is not finite, so that nothing can be compared.
    """
    return Proof(cell.name, tuple(item for units in sizes for item in _compare(cell, units, seed)))


def _compare(cell: Cell, units: int, seed: int) -> list[Compared]:
    numbers = {**dict.fromkeys(cell.sizes, units), ONE: 1}
    draw = random.Random(f"{seed} {cell.name} {units}")
    given = [cell.by_name[name] for name in cell.inputs]
    with mpmath.workdps(DIGITS + _GUARD):
        point = {
            v.name: _filled(v, numbers, lambda _: mpmath.mpf(draw.randint(-_DENOMINATOR, _DENOMINATOR)) / _DENOMINATOR)
            for v in given
        }
        expected = _expansion(cell, numbers, point)
        found = _derived(cell, numbers, point)
        result = []
        for variable in given:
            difference = max(
                (abs(a - b) / (1 + abs(b)) for a, b in zip(found[variable.name], expected[variable.name], strict=True)),
                default=mpmath.mpf(0),
            )
            if not mpmath.isfinite(difference):
                raise DerivationError(f"{cell.name}: the gradient by {variable.name} is not finite at a random point")
            result.append(Compared(variable.name, units, len(expected[variable.name]), float(difference)))
        return result


def _filled(variable: Variable, numbers: Mapping[str, int], make: Callable[[str], Any]) -> Array:
    shape = tuple(numbers[size] for size in variable.shape)
    array = np.empty(shape, object)
    for index in np.ndindex(*shape):
        array[index] = make(f"{variable.name}{list(index)}")
    return array


def _expansion(cell: Cell, numbers: Mapping[str, int], point: Mapping[str, Array]) -> dict[str, list[Any]]:
    """The Jacobian of all next states by each input, flat, by SymPy from explicit scalars."""
    symbols = {name: _filled(cell.by_name[name], numbers, sympy.Symbol) for name in cell.inputs}
    arithmetic = Arithmetic(
        {name: np.frompyfunc(row.meaning, row.arity, 1) for name, row in FUNCTIONS.items()},
        lambda value: sympy.Rational(value.numerator, value.denominator),
    )
    values = run(cell.equations, cell.by_name, symbols, numbers, arithmetic)
    outputs = sympy.Matrix([entry for name in cell.outputs for entry in values[name].ravel()])
    flat = [symbol for name in cell.inputs for symbol in symbols[name].ravel()]
    evaluated = sympy.lambdify(flat, outputs.jacobian(flat), "mpmath", cse=True)
    matrix = evaluated(*(entry for name in cell.inputs for entry in point[name].ravel()))
    result: dict[str, list[Any]] = {}
    start = 0
    for name in cell.inputs:
        width = symbols[name].size
        result[name] = [matrix[i, start + j] for i in range(len(outputs)) for j in range(width)]
        start += width
    return result


def _derived(cell: Cell, numbers: Mapping[str, int], point: Mapping[str, Array]) -> dict[str, list[Any]]:
    """The same Jacobian by the derived adjoint, one row for each unit of each next state."""
    arithmetic = Arithmetic(_many_digits(), lambda value: mpmath.mpf(value.numerator) / value.denominator)
    values = run(cell.normal.equations, cell.normal.by_name, point, numbers, arithmetic)
    backward = adjoint(cell.normal)
    seeds = {v.of: v for v in backward.variables if v.role is Role.ADJOINT and v.name in backward.inputs}
    outgoing = {backward.by_name[name].of: name for name in backward.outputs}
    rows: dict[str, list[Any]] = {name: [] for name in cell.inputs}
    for output in cell.outputs:
        for unit in range(numbers[cell.size(output)]):
            given = dict(values)
            for name, variable in seeds.items():
                given[variable.name] = _filled(variable, numbers, lambda _: mpmath.mpf(0))
                if name == output:
                    given[variable.name][unit] = mpmath.mpf(1)
            after = run(backward.equations, backward.by_name, given, numbers, arithmetic)
            for name in cell.inputs:
                known = outgoing.get(name)
                rows[name] += list(after[known].ravel()) if known else [mpmath.mpf(0)] * point[name].size
    return rows


def _many_digits() -> dict[str, Callable[..., Array]]:
    """The function table in mpmath."""
    functions = {}
    for name, row in FUNCTIONS.items():
        arguments = sympy.symbols(f"a0:{row.arity}")
        scalar = sympy.lambdify(arguments, row.meaning(*arguments), "mpmath")
        functions[name] = np.frompyfunc(scalar, row.arity, 1)
    return functions
