"""Fixed parameters and domains in `check`: no gradient is compared for the first, and every draw keeps to the second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symrnn
from symrnn.check.cases import CASES, EVERY, Case, draw
from symrnn.check.check import check
from symrnn.check.points import near_start
from symrnn.language.cell import Cell
from symrnn.language.starts import DOMAINS
from tests.check.test_points import SOME

MEMORY = symrnn.load(Path(__file__).parents[1] / "given_memory.toml")
FIXED = ("A", "B", "g", "V")
FEW = tuple(case for case in SOME if case.hidden <= 5) + tuple(case for case in CASES if case.others in (1, 3))[:3]


def test_all_but_fixed_parameters_are_compared() -> None:
    found = check(MEMORY, backends=("numpy",), cases=FEW)
    assert found.passed, found.table()
    arrays = {each.array for each in found.deviations}
    assert {f"grad {each.name}" for each in MEMORY.trainable} <= arrays
    assert not {f"grad {name}" for name in FIXED} & arrays
    (said,) = [each for each in found.not_run if each.what.startswith("gradients")]
    assert (said.what, said.reason) == ("gradients of A, B, g, V", "these parameters are fixed and have none")


@pytest.mark.parametrize("domain", DOMAINS)
def test_draws_are_in_the_domain(domain: str) -> None:
    tables: dict[str, Any] = {"domain": {"p": domain, "M": domain, "s": domain}}
    starts: dict[str, Any] = {"positive": {"kind": "log_uniform", "low": 3, "high": 9}, "unit": 0.97, "nonzero": -4}
    inits: tuple[dict[str, Any], ...] = ({}, {"p": starts[domain]})
    for init in inits:
        cell = Cell.from_equations("h' = p * (M @ x) + s", sizes={"s": 1}, init=init, **tables)
        for case in CASES:
            for problem in (draw(cell, case), near_start(cell, case)):
                for name, array in problem.params.items():
                    row = DOMAINS[domain]
                    assert all(row.holds(number, number) for number in array.ravel()), (name, problem.title)
                    assert np.array_equal(array, array.astype(np.float32))
        near = near_start(cell, Case(3, 2, 3, 50, EVERY)).params["p"]
        if init:
            expected = {"positive": (3, 9), "unit": (0.485, 0.985), "nonzero": (-5, -3)}[domain]
            assert expected[0] <= near.min() < near.max() <= expected[1] + 1e-6


def test_a_cell_that_needs_its_domain_runs_on_every_dense_draw() -> None:
    text = "h' = tanh(W @ x + U @ h) * log(p) + sqrt(1 - u) / z"
    domain = {"p": "positive", "u": "unit", "z": "nonzero"}
    found = check(Cell.from_equations(text, name="bounded", domain=domain), backends=("numpy",), cases=SOME)
    assert found.passed, found.table()
    assert found.points[0].dense == found.points[0].cases == len(SOME)
    free = check(Cell.from_equations(text, name="free", init={"p": "1.5"}), backends=("numpy",), cases=SOME)
    assert free.points[0].dense < len(SOME)


def test_points_near_a_start_with_options_are_in_its_range() -> None:
    init: dict[str, Any] = {
        "W": {"kind": "uniform", "low": 2, "high": 3},
        "U": {"kind": "orthogonal", "blocks": 5},
        "a": {"kind": "normal", "std": 0.01},
        "b": "log_uniform",
    }
    p = near_start(Cell.from_equations("h' = W @ x + U @ h + a + b", init=init), Case(3, 2, 3, 70, EVERY)).params
    assert 2 <= p["W"].min() < 2.1 < 2.9 < p["W"].max() <= 3
    assert 0.005 < p["a"].std() < 0.02
    assert 1e-3 <= p["b"].min() < 2e-3 < 5e-2 < p["b"].max() <= 0.1 + 1e-8
    assert np.linalg.norm(p["U"].T @ p["U"] - np.eye(70)) < 5
