"""Numbers that carry their derivatives, against mpmath's own differences, and SymPy's derivatives of the same step."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest

import symrnn
from symrnn.derive.dual import jacobian_at, many_digits
from symrnn.derive.evaluate import Array, run
from symrnn.language.functions import FUNCTIONS, PUBLIC

EVERYTHING = """
a = W @ x + P.T @ (U @ h) - b / (2 + c**2)
m = mean(a * c) - sum(h) / 3
c' = -c * sigmoid(a) + m**3 + (1 + a * a)**0.5 + k
h' = tanh(c') * c - maximum(a, m) / (1 + exp(a)) + h**0
"""


def point_of(cell: symrnn.Cell, sizes: dict[str, int]) -> dict[str, Array]:
    rng = np.random.default_rng(3)
    point = {}
    for name in cell.inputs:
        shape = tuple(sizes[size] for size in cell.by_name[name].shape)
        numbers = [mpmath.mpf(int(n)) / 997 for n in rng.integers(-900, 900, size=int(np.prod(shape)))]
        point[name] = np.array(numbers, object).reshape(shape)
    return point


def outputs(cell: symrnn.Cell, point: dict[str, Array], sizes: dict[str, int]) -> list[Any]:
    after = run(cell.equations, cell.by_name, point, sizes, many_digits())
    return [unit for name in cell.outputs for unit in after[name]]


def assert_is_the_jacobian(cell: symrnn.Cell, sizes: dict[str, int]) -> None:
    """Every entry, by a difference over a step of 1e-40 in 120 digits."""
    with mpmath.workdps(120):
        point = point_of(cell, sizes)
        found = jacobian_at(cell, point, sizes)
        step = mpmath.mpf(10) ** -40
        for name, array in point.items():
            for column, index in enumerate(np.ndindex(*array.shape)):
                sides = []
                for change in (step, -step):
                    moved = {**point, name: array.copy()}
                    moved[name][index] += change
                    sides.append(outputs(cell, moved, sizes))
                for unit, (after, before) in enumerate(zip(*sides, strict=True)):
                    assert abs((after - before) / (2 * step) - found[name][unit, column]) < mpmath.mpf(10) ** -70


def test_every_operation() -> None:
    cell = symrnn.Cell.from_equations(EVERYTHING, constants={"k": "0.1"}, sizes={"U": ["inner", "hidden"]})
    assert_is_the_jacobian(cell, {"input": 3, "hidden": 2, "inner": 4, "1": 1})


@pytest.mark.parametrize("name", sorted(set(PUBLIC) & set(FUNCTIONS)))
def test_every_function(name: str) -> None:
    positive = name in ("log", "log1p", "sqrt", "rsqrt")
    by_count = {1: "2 + a * h" if positive else "a * h + b * x", 2: "a * h, b - x", 3: "a * h < b - x, h * x, h + x"}
    arguments = by_count[FUNCTIONS[name].arity]
    cell = symrnn.Cell.from_equations(f"h' = {name}({arguments})")
    assert_is_the_jacobian(cell, {"input": 2, "hidden": 2, "1": 1})


def test_a_value_that_is_not_real_is_told() -> None:
    cell = symrnn.Cell.from_equations("h' = log(-exp(h)) + x")
    sizes = {"input": 1, "hidden": 1, "1": 1}
    with mpmath.workdps(50), pytest.raises(ArithmeticError, match="not real"):
        jacobian_at(cell, point_of(cell, sizes), sizes)
    with mpmath.workdps(50), pytest.raises(ArithmeticError, match="not real"):
        outputs(cell, point_of(cell, sizes), sizes)
