"""Singular values and exponents against matrices written out, for every cell."""

from __future__ import annotations

import math

import numpy as np
import pytest

import symrnn
from symrnn.flow import singular
from symrnn.flow.flow import flow
from symrnn.flow.gradient import normalised
from symrnn.flow.paths import Times, step_paths
from symrnn.flow.singular import dense, largest_of_products, largest_of_steps
from symrnn.flow.sweep import sweep
from symrnn.flow.trajectory import run_steps
from tests.flow.conftest import BATCH, STEPS, Array, Problem, problem_of

DISTANCES = (0, 1, 2, 5, STEPS)


def products(matrices: Array) -> Array:
    """The products of the last steps, by distance."""
    found = []
    for distance in DISTANCES:
        product = np.broadcast_to(np.eye(matrices.shape[-1]), matrices.shape[1:])
        for t in range(STEPS - distance, STEPS):
            product = matrices[t] @ product
        found.append(product)
    return np.array(found)


def determinants(problem: Problem) -> Array:
    """Ln of the determinants of the step Jacobians; -inf for a singular one, whose determinant is rounding alone."""
    matrices = problem.matrices()
    values = np.linalg.svd(matrices, compute_uv=False)
    return np.where(values[..., -1] > 1e-10 * values[..., 0], np.linalg.slogdet(matrices)[1], -np.inf)


@pytest.fixture(params=["decomposed", "written out", "passed through"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each way to the largest singular values, whatever the number of units."""
    monkeypatch.setattr(singular, "SMALL", 10**6 if request.param == "decomposed" else 0)
    monkeypatch.setattr(singular, "WRITTEN_OUT", 0 if request.param == "passed through" else 10**6)


@pytest.mark.usefixtures("way")
def test_singular_values_are_those_of_matrices(problem: Problem) -> None:
    found = problem.flow(distances=DISTANCES, spectra=True)
    matrices = problem.matrices()
    of_steps = np.linalg.svd(matrices, compute_uv=False)
    of_products = np.linalg.svd(products(matrices), compute_uv=False)
    np.testing.assert_allclose(np.exp(found.log_sigma), of_steps[..., 0], rtol=1e-5)
    np.testing.assert_allclose(np.exp(found.log_sigma_product), of_products[..., 0], rtol=1e-5)
    assert found.spectrum is not None
    assert found.spectrum_product is not None
    np.testing.assert_allclose(np.exp(found.spectrum), of_steps, rtol=1e-8, atol=1e-14)
    told = of_products > 1e-6 * of_products[..., :1]
    np.testing.assert_allclose(np.exp(found.spectrum_product)[told], of_products[told], rtol=1e-6)


def test_tiny_singular_values_have_the_determinant(problem: Problem) -> None:
    found = problem.flow(distances=DISTANCES, spectra=True)
    assert found.spectrum_product is not None
    for place, distance in enumerate(DISTANCES):
        expected = determinants(problem)[STEPS - distance :].sum(axis=0)
        if np.isfinite(expected).all():
            np.testing.assert_allclose(found.spectrum_product[place].sum(axis=-1), expected, rtol=1e-3, atol=1e-6)


def test_every_exponent_together_is_the_growth_of_volume(problem: Problem) -> None:
    found = problem.flow(exponents=99)
    expected = determinants(problem)
    if np.isfinite(expected).all():
        np.testing.assert_allclose(found.lyapunov.sum(axis=-1), expected.mean(axis=0), rtol=1e-8)
    assert (np.diff(found.lyapunov, axis=-1) <= 0).all()


@pytest.mark.parametrize("hidden", [8, 40])
@pytest.mark.parametrize("scale", [0.5, 1.5])
@pytest.mark.usefixtures("way")
def test_values_that_are_all_but_equal_are_found(hidden: int, scale: float) -> None:
    """All singular values within a thousandth of each other: what is left of a vector is rounding and little else."""
    cell = symrnn.Cell.from_equations("h' = tanh(U @ h + W @ x)")
    rng = np.random.default_rng(0)
    params = {"U": scale * np.linalg.qr(rng.normal(size=(hidden, hidden)))[0], "W": np.eye(hidden)}
    paths = step_paths(symrnn.derive(cell), run_steps(cell, params, 1e-3 * rng.normal(size=(20, BATCH, hidden))))
    expected = np.linalg.svd(dense(paths, slice(0, 20)), compute_uv=False)[..., 0]
    np.testing.assert_allclose(np.exp(largest_of_steps(paths)), expected, rtol=2e-5)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("distances", [[1], [1, 2, 3], [0, 1]])
def test_values_that_are_all_but_equal_are_found_in_products(distances: list[int]) -> None:
    """The vectors of an iteration stay apart, also where a few matrices are left and none of them cancels much."""
    cell = symrnn.Cell.from_equations("h' = tanh(U @ h + W @ x)")
    rng = np.random.default_rng(0)
    params = {"U": np.linalg.qr(rng.normal(size=(64, 64)))[0], "W": rng.uniform(-0.25, 0.25, size=(64, 16))}
    paths = step_paths(symrnn.derive(cell), run_steps(cell, params, 0.2 * rng.normal(size=(12, BATCH, 16))))
    matrices = dense(paths, slice(0, 12))
    found = largest_of_products(paths, np.array(distances))
    for distance, values in zip(distances, found, strict=True):
        product = np.broadcast_to(np.eye(64), matrices.shape[1:])
        for t in range(12 - distance, 12):
            product = matrices[t] @ product
        np.testing.assert_allclose(np.exp(values), np.linalg.svd(product, compute_uv=False)[..., 0], rtol=2e-5)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(("name", "scale", "bias"), [("rnn", 1.0, None), ("gru", 0.5, 0.0)])
def test_a_product_of_one_step_is_that_step(name: str, scale: float, bias: float | None) -> None:
    """At points of the README's figure, where vectors that were kept apart but once gave values a sixth too large."""
    biases = () if bias is None else (bias,)
    (entry,) = sweep([symrnn.load(name)], scales=[scale], biases=biases).entries
    assert entry.flow.distances[0] == 1
    np.testing.assert_allclose(entry.flow.log_sigma_product[0], entry.flow.log_sigma[-1], rtol=0, atol=1e-5)
    assert (entry.flow.log_sigma <= entry.flow.log_bound + 1e-9).all()


def test_products_are_written_out_some_distances_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = problem_of("lstm").paths()
    asked = np.array([5, 0, STEPS, 2, 5])
    whole = largest_of_products(paths, asked)
    monkeypatch.setattr(singular, "MEMORY", 1)
    np.testing.assert_allclose(largest_of_products(paths, asked), whole, rtol=0, atol=1e-12)


@pytest.mark.parametrize("rows", [1, 15, 64, 65, 200])
def test_a_product_in_blocks_is_the_product(rows: int) -> None:
    rng = np.random.default_rng(rows)
    vector, matrix = rng.normal(size=(rows, 2, 64)), rng.normal(size=(64, 48))
    np.testing.assert_allclose(Times(matrix.T, matrix).push(vector, 0), vector @ matrix, rtol=1e-12, atol=1e-12)


def test_lengths_from_the_smallest_numbers_to_the_largest() -> None:
    vector = np.array([[3e-320, 4e-320], [3e-200, 4e-200], [3e-10, 4e-10], [3e200, 4e200], [0, 0]])
    for rows in (vector, vector[2:3], vector[3:]):
        unit, length = normalised(rows)
        expected = [math.hypot(*row) for row in rows]
        np.testing.assert_allclose(length, [math.log(each) if each else -np.inf for each in expected], rtol=1e-12)
        np.testing.assert_allclose(
            np.linalg.norm(unit, axis=-1), [1.0 if each else 0.0 for each in expected], rtol=1e-3
        )


def test_a_jacobian_of_zeros_has_no_length() -> None:
    cell = symrnn.Cell.from_equations("h' = tanh(W @ x) + 0 * h")
    found = flow(cell, {"W": np.ones((3, 2))}, np.ones((4, 1, 2)))
    assert np.isneginf(found.log_sigma).all()
    assert np.isneginf(found.log_gradient[:-1]).all()
    assert found.log_gradient[-1] == pytest.approx(0)
    assert found.paths == ()


def test_products_take_distances_in_any_order(problem: Problem) -> None:
    paths = problem.paths()
    some, others = np.array([5, 0, STEPS, 2]), np.array([0, 2, 5, STEPS])
    np.testing.assert_allclose(
        largest_of_products(paths, some), largest_of_products(paths, others)[[2, 0, 3, 1]], rtol=1e-5, atol=1e-8
    )
