"""The points of a check: dense draws, if they give finite numbers, and points near the cell's start."""

from __future__ import annotations

from types import ModuleType
from typing import Any, cast

import numpy as np
import pytest

import symrnn
from symrnn.check.cases import CASES, DENSE, EVERY, START, Case, draw
from symrnn.check.check import check
from symrnn.check.deviations import Report
from symrnn.check.kernels import TangentKernels
from symrnn.check.points import near_start, one_signed, outside
from symrnn.check.suite import Subjects, Suite, run_cases
from symrnn.errors import CheckError

SOME = tuple(case for case in CASES if case.hidden <= 7 and case.steps <= 20 and not case.others)

NORMALISER = """
i = exp(W_i @ x + b_i)
f = sigmoid(W_f @ x + U_f @ h)
n' = f * n + i
c' = f * c + i * tanh(W_c @ x + U_c @ h)
h' = sigmoid(W_o @ x) * c' / n'
"""

CELLS: dict[str, tuple[str, dict[str, str]]] = {
    "normaliser": (NORMALISER, {}),
    "log of a sum of exponentials": ("n' = n + exp(W @ x)\nh' = tanh(U @ h + log(n'))", {}),
    "log of the state before": ("h' = tanh(W @ x + U @ h + log(n))\nn' = n + exp(V @ x)", {}),
    "log within a kink": ("n' = n + exp(W @ x)\nh' = tanh(U @ h + relu(log(n')))", {}),
    "division by a small average": ("n' = 0.9 * n + 0.01 * exp(W @ x)\nh' = 0.001 * tanh(U @ h + W @ x) / n'", {}),
    "root of a sum of squares": ("s' = s + (W @ x)**2\nh' = (U @ h + V @ x) / s'**0.5", {}),
    "parameters above zero": ("h' = tanh(W @ x + U @ h) * sqrt(s) + log(t)", {"s": "ones", "t": "0.001"}),
    "division by a parameter": ("h' = tanh(W @ x + U @ h) / s", {"s": "2"}),
    "a parameter below zero": ("h' = tanh(W @ x + U @ h) * log(-s)", {"s": "-0.5"}),
}
"""Cells that are right, but defined only for some numbers."""


def suite(cell: symrnn.Cell, kernels: Any = None, cases: Any = SOME) -> Suite:
    numpy = cast(TangentKernels, kernels or symrnn.build(cell))
    return run_cases(Subjects(cell, numpy, {"numpy": numpy}, {}), cases)


@pytest.mark.parametrize("name", CELLS)
def test_no_alarm_outside_a_cell_s_domain(name: str) -> None:
    text, init = CELLS[name]
    cell = symrnn.Cell.from_equations(text, name="positive", init=init)
    found = check(cell, backends=("numpy",), cases=SOME)
    assert found.passed, found.table()
    (points,) = found.points
    assert points.start > 0
    left_out = [each for each in found.not_run if each.what.startswith(DENSE)]
    assert bool(left_out) == (points.dense < points.cases == len(SOME))


def test_a_cell_that_is_defined_everywhere_runs_on_both() -> None:
    found = suite(symrnn.load("lstm"))
    assert (found.points.cases, found.points.dense, found.points.start) == (len(SOME),) * 3
    assert not found.not_run
    assert {START in row.case for row in found.rows} == {True, False}
    assert str(found.points) == (
        f"lstm: {len(SOME)} of {len(SOME)} cases on dense draws, {len(SOME)} on points near [init], with states that the "
        "cell reaches from its start"
    )


def test_parameters_are_near_what_init_says() -> None:
    cell = symrnn.Cell.from_equations(
        "h' = tanh(W @ x + E @ h + Q @ h + a + b + c * h + d)",
        name="started",
        init={"E": "identity", "Q": "orthogonal", "a": "ones", "b": "zeros", "c": "-0.001"},
    )
    case = Case(3, 2, 3, 5, EVERY)
    dense, problem = draw(cell, case), near_start(cell, case)
    p = problem.params
    assert (dense.drawn, problem.drawn) == (DENSE, START)
    assert problem.title == f"{case.title} {START}"
    for name in ("W", "d"):
        assert p[name].tolist() == dense.params[name].tolist()
    near = 0.25 / np.sqrt(5)
    assert 0 < np.max(np.abs(p["E"] - np.eye(5))) <= near
    assert 0 < np.max(np.abs(p["b"])) <= near
    assert np.all(np.abs(p["a"] - 1) <= 0.25)
    assert np.all(np.abs(p["c"] + 0.001) <= 0.00025001)
    assert np.linalg.norm(p["Q"].T @ p["Q"] - np.eye(5)) < 2
    for array in p.values():
        assert np.unique(array).size > 2, "no entry is like the others by accident of the start"
        assert np.array_equal(array, array.astype(np.float32))


def test_states_are_reached_by_running_the_cell() -> None:
    cell = symrnn.Cell.from_equations("n' = n + 1\nh' = tanh(W @ x + U @ h + n)", name="counter")
    case = Case(3, 2, 3, 5, EVERY)
    state = near_start(cell, case).state
    assert state is not None
    assert state["n"].tolist() == np.full((2, 5), 5.0).tolist()
    assert near_start(cell, Case(3, 2, 3, 5, EVERY, at_rest=True)).state is None
    again = near_start(cell, case).state
    assert again is not None
    assert again["h"].tolist() == state["h"].tolist()


def test_signs_that_a_cell_keeps() -> None:
    cell = symrnn.Cell.from_equations(f"{NORMALISER}m' = -n'", name="signs", init={"b_i": "2"})
    signs = one_signed(cell)
    assert signs == {"n": 1.0, "m": -1.0}
    dense = draw(cell, Case(3, 2, 3, 5, EVERY))
    assert outside(cell, dense, signs) == ("n", "m", "b_i")
    assert outside(cell, near_start(cell, dense.case), signs) == ()


@pytest.mark.long
def test_the_report_names_what_was_compared_in_numbers_alone() -> None:
    cell = symrnn.Cell.from_equations("h' = " + " * ".join(f"(a{k} * x + b{k} * h)" for k in range(16)), name="factors")
    found = check(cell, backends=("numpy",), cases=(Case(2, 1, 2, 2, EVERY),))
    assert found.passed, found.table()
    (line,) = (line for line in found.table().splitlines() if line.startswith("factors scalar expansion: "))
    assert line.endswith(
        "in 50 digits; at 2 and 3 units the expansion is beyond its budget, so all entries are compared in numbers"
    )
    (case,) = {row.case for row in found.rows if row.backend == "sympy"}
    assert line.endswith(case)


def test_a_cell_that_is_defined_nowhere_is_an_error() -> None:
    cell = symrnn.Cell.from_equations("h' = log(-exp(W @ x + h))", name="never")
    with pytest.raises(CheckError, match=r"equation 1 \(h' = …\) cannot be evaluated"):
        suite(cell)


def test_a_size_at_which_a_cell_is_not_defined_is_left_out_and_named() -> None:
    cell = symrnn.Cell.from_equations(
        "a = W @ x + U @ h\nm = mean(a)\nh' = (a - m) / sqrt(mean((a - m)**2))", name="normalised"
    )
    found = check(cell, backends=("numpy",), cases=(Case(2, 1, 1, 1, EVERY), Case(3, 2, 2, 5, EVERY)))
    assert found.passed, found.table()
    whats = [each.what for each in found.not_run]
    assert whats == [
        "dense draws in 1 of 2 cases",
        "points from its start in 1 of 2 cases",
        "scalar expansion at 1 unit",
    ]
    assert "float division by zero" in found.not_run[0].reason


@pytest.mark.parametrize("array", ["grad U", "grad state n"])
@pytest.mark.parametrize("wrong", [np.nan, 1.001], ids=["not a number", "a thousandth"])
def test_a_fault_is_never_put_down_to_the_domain(array: str, wrong: float) -> None:
    """Kernels that are wrong, or give no numbers where the cell has some, fail."""
    cell = symrnn.Cell.from_equations("n' = n + exp(W @ x)\nh' = tanh(U @ h + log(n'))", name="positive")
    right = symrnn.build(cell)
    faulty = ModuleType("faulty")
    faulty.__dict__.update(right.__dict__)

    def backward(*args: Any, **kwargs: Any) -> Any:
        found = right.backward(*args, **kwargs)
        gradient = found.params["U"] if array == "grad U" else found.state["n"]
        gradient *= wrong
        return found

    faulty.__dict__["backward"] = backward
    rows = suite(cell, faulty).rows
    beyond = {row.array for row in rows if not row.passed and not row.rounded}
    assert beyond == {array}


def test_a_forward_pass_without_numbers_is_a_fault() -> None:
    cell = symrnn.Cell.from_equations("h' = tanh(W @ x + U @ h)", name="plain")
    right = symrnn.build(cell)
    faulty = ModuleType("faulty")
    faulty.__dict__.update(right.__dict__)

    def forward(*args: Any, **kwargs: Any) -> Any:
        y, state, tape = right.forward(*args, **kwargs)
        y *= np.nan
        return y, state, tape

    faulty.__dict__["forward"] = forward
    for cases in (SOME, [Case(3, 2, 3, 5)]):
        rows = suite(cell, faulty, cases).rows
        assert not Report(rows).passed
        assert "y" in {row.array for row in rows if not row.passed}
