"""Bounds hold at every step for every cell, and come from the terms of the Jacobians."""

from __future__ import annotations

import numpy as np
import pytest

import symrnn
from symrnn.flow.flow import flow
from tests.flow.conftest import Problem, problem_of


def test_no_block_and_no_step_exceeds_its_bound(problem: Problem) -> None:
    found, paths, matrices = problem.flow(), problem.paths(), problem.matrices()
    logs = {(bound.output, bound.input): bound.log for bound in found.bounds}
    for (after, before), jacobian in paths.jacobians.items():
        block = matrices[..., paths.blocks[after], paths.blocks[before]]
        norms = np.linalg.norm(block, 2, axis=(-2, -1))
        assert (norms <= np.exp(logs[jacobian.output, before]) * (1 + 1e-12)).all()
    assert (np.linalg.norm(matrices, 2, axis=(-2, -1)) <= np.exp(found.log_bound) * (1 + 1e-12)).all()


def test_a_direct_path_is_bounded_by_its_diagonal_alone() -> None:
    found = problem_of("lstm").flow()
    texts = {(bound.output, bound.input): bound.text for bound in found.bounds}
    assert texts["c'", "c"] == "max|f|"
    assert texts["h'", "h"] == ("max|tanh_c * (o * (1 - o))| * sigma_max(W_ho) + max|o * (1 - tanh_c**2)| * |J[c', h]|")
    (direct,) = found.direct
    bound = next(bound for bound in found.bounds if (bound.output, bound.input) == ("c'", "c"))
    np.testing.assert_allclose(bound.log, np.log(direct.diagonal.max(axis=-1)), rtol=1e-12)


def test_a_mean_over_units_is_bounded_by_its_norm() -> None:
    cell = symrnn.Cell.from_equations("h' = h - mean(h) + W @ x")
    found = flow(cell, {"W": np.ones((4, 2))}, np.ones((3, 1, 2)))
    (bound,) = [bound for bound in found.bounds if bound.output == "h'"]
    assert bound.text == "1 + max|-1| * sqrt(hidden) * 1/sqrt(hidden)"
    np.testing.assert_allclose(np.exp(bound.log), 2.0)


@pytest.mark.parametrize(
    ("equations", "text"),
    [
        ("h' = 0.5 * h + 0.25 * h + tanh(W @ x)", "0.75"),
        ("h' = u * h + tanh(u * h)", "u + (1 - tanh_h**2) * u"),
    ],
)
def test_direct_paths_are_added_up(equations: str, text: str) -> None:
    cell = symrnn.Cell.from_equations(equations)
    params = {name: np.full(shape, 0.5) for name, shape in symrnn.build(cell).param_shapes(2, 3).items()}
    found = flow(cell, params, np.ones((4, 1, 2)), {"h": np.full((1, 3), 0.3)})
    (direct,) = found.direct
    np.testing.assert_allclose(found.log_gradient[0] - found.log_gradient[-1], direct.log[0], rtol=1e-9)
    assert len(direct.text) >= len(text) // 2
