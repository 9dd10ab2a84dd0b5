"""The largest eigenvalue of tridiagonal matrices, and the last entry of its vector, against those of matrices written out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from symrnn.flow.tridiagonal import largest_eigenvalue

Array = np.ndarray[Any, np.dtype[Any]]
SHAPE = (5, 3)


def written_out(diagonal: list[Array], beside: list[Array]) -> Array:
    count = len(diagonal)
    matrix = np.zeros((*diagonal[0].shape, count, count))
    for place, entry in enumerate(diagonal):
        matrix[..., place, place] = entry
    for place, entry in enumerate(beside):
        matrix[..., place, place + 1] = matrix[..., place + 1, place] = entry
    return matrix


@pytest.mark.parametrize("count", [1, 2, 3, 7, 24, 65])
@pytest.mark.parametrize("scale", [1e-120, 1.0, 1e90])
def test_it_is_that_of_the_matrix(count: int, scale: float) -> None:
    random = np.random.default_rng(count)
    diagonal = [scale * random.uniform(0, 1, SHAPE) for _ in range(count)]
    beside = [scale * random.uniform(1e-3, 1, SHAPE) for _ in range(count - 1)]
    value, last = largest_eigenvalue(diagonal, beside)
    values, vectors = np.linalg.eigh(written_out(diagonal, beside))
    np.testing.assert_allclose(value, values[..., -1], rtol=1e-13)
    np.testing.assert_allclose(last, np.abs(vectors[..., -1, -1]), rtol=1e-6, atol=1e-12)


def test_a_last_entry_that_is_tiny_is_told() -> None:
    """As in an iteration that has converged: numpy's own vector has nothing but rounding there."""
    count = 40
    diagonal = [np.array([1.0 if place == 0 else 0.1]) for place in range(count)]
    beside = [np.array([0.1])] * (count - 1)
    value, last = largest_eigenvalue(diagonal, beside)
    vector = [1.0]  # from the last entry on, by the equation of each row
    for place in range(count - 1, 0, -1):
        behind = vector[-2] if len(vector) > 1 else 0.0
        vector.append(((value[0] - diagonal[place][0]) * vector[-1] - 0.1 * behind) / 0.1)
    assert last[0] == pytest.approx(1 / np.linalg.norm(vector), rel=1e-9)
    assert last[0] < 1e-20


@pytest.mark.parametrize("count", [2, 6, 30])
def test_a_matrix_that_falls_apart_or_has_equal_eigenvalues(count: int) -> None:
    random = np.random.default_rng(count)
    diagonal = [random.choice([0.0, 0.5, 1.0], SHAPE) for _ in range(count)]
    beside = [random.choice([0.0, 1e-12, 0.25], SHAPE) for _ in range(count - 1)]
    value, _ = largest_eigenvalue(diagonal, beside)
    np.testing.assert_allclose(value, np.linalg.eigvalsh(written_out(diagonal, beside))[..., -1], rtol=4e-9, atol=1e-12)


def test_zeros_have_zero() -> None:
    value, last = largest_eigenvalue([np.zeros(2)] * 4, [np.zeros(2)] * 3)
    assert value.tolist() == [0, 0]
    assert np.isfinite(last).all()
