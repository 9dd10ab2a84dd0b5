"""A run that amplifies: a change in the last place of the numbers separates rounding from mistakes."""

from __future__ import annotations

from types import ModuleType
from typing import Any, cast

import numpy as np
import pytest

import symrnn
from symrnn.check.cases import EVERY, Case
from symrnn.check.deviations import Deviation
from symrnn.check.kernels import TangentKernels
from symrnn.check.measure import CENTRAL, INTERPRETER
from symrnn.check.suite import run_suite

WILD = symrnn.Cell.from_equations("h' = sin(4 * W @ h + V @ x)", name="wild")
"""Chaotic: a difference grows with every step."""
TWO_UNITS = symrnn.Cell.from_equations(
    """
    z = sigmoid(W_z @ x + U_z @ h + b_z)
    s = sigmoid(W_s @ x + V_s @ m + b_s)
    a = W_n @ x + U_n @ (z * h) + b_n
    mu = mean(a)
    n = tanh(gain * (a - mu) / sqrt(mean((a - mu)**2) + 1e-5) + bias)
    c = z * h + (1 - z) * n
    m' = 0.9 * m + 0.1 * c
    h' = c + s * (P @ x) + s * m'
    """,
    name="two_units",
)
"""Normalises, by a spread that is nearly 0 now and then where units are few."""
SHORT, LONG = Case(3, 2, 2, 3, EVERY), Case(50, 1, 3, 5, EVERY)


def failures(cell: symrnn.Cell, kernels: Any, *cases: Case) -> list[Deviation]:
    found = run_suite(cell, cast(TangentKernels, kernels), {"numpy": kernels}, cases)
    return [row for row in found if not row.passed]


def test_misses_of_a_chaotic_run_are_as_rounding_makes_them() -> None:
    missed = failures(WILD, symrnn.build(WILD), SHORT, LONG)
    assert {INTERPRETER, CENTRAL} <= {row.oracle for row in missed}
    assert all(row.rounded for row in missed), missed
    assert all(row.case.startswith(LONG.title) for row in missed)
    errors = [row.error / row.rounding for row in missed if row.oracle == INTERPRETER]
    assert all(1e-3 < ratio < 30 for ratio in errors), "the measure predicts the error"


def test_misses_of_a_small_spread_are_as_rounding_makes_them() -> None:
    missed = failures(TWO_UNITS, symrnn.build(TWO_UNITS), Case(20, 3, 1, 2, EVERY, ragged=True, reverse=True))
    assert missed
    assert all(row.rounded for row in missed), missed


@pytest.mark.parametrize("size", [1.0, 1e-6], ids=["gross", "slight"])
def test_a_mistake_in_the_same_cell_is_not_put_down_to_rounding(size: float) -> None:
    right = symrnn.build(WILD)
    wrong = ModuleType("wrong")
    wrong.__dict__.update(right.__dict__)

    def backward(*args: Any, **kwargs: Any) -> Any:
        found = right.backward(*args, **kwargs)
        found.params["V"][...] += size * np.max(np.abs(found.params["V"]))
        return found

    wrong.__dict__["backward"] = backward
    beyond = [row for row in failures(WILD, wrong, SHORT, LONG) if not row.rounded]
    assert {row.array for row in beyond} == {"grad V"}
