"""Singular values and exponents against matrices written out, for every cell."""

from __future__ import annotations

import numpy as np
import pytest

import symrnn
from symrnn.flow.paths import step_paths
from symrnn.flow.record import flow
from symrnn.flow.run import run_steps
from symrnn.flow.singular import dense, largest_of_products, largest_of_steps
from tests.flow.conftest import BATCH, STEPS, Array, Problem

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
def test_values_that_are_all_but_equal_are_found(hidden: int, scale: float) -> None:
    """All singular values within a thousandth of each other: what is left of a vector is rounding and little else."""
    cell = symrnn.Cell.from_equations("h' = tanh(U @ h + W @ x)")
    rng = np.random.default_rng(0)
    params = {"U": scale * np.linalg.qr(rng.normal(size=(hidden, hidden)))[0], "W": np.eye(hidden)}
    paths = step_paths(symrnn.derive(cell), run_steps(cell, params, 1e-3 * rng.normal(size=(20, BATCH, hidden))))
    expected = np.linalg.svd(dense(paths, slice(0, 20)), compute_uv=False)[..., 0]
    np.testing.assert_allclose(np.exp(largest_of_steps(paths)), expected, rtol=2e-5)


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
