"""Cells with given matrices do what these are for, once a caller gives them."""

from __future__ import annotations

import numpy as np
import pytest

import symrnn
from tests.atlas.written import Array

ORDER, WINDOW, STEPS = 8, 20, 90


def legendre(order: int, window: float) -> tuple[Array, Array]:
    """The matrices of a memory that holds a window of its signal as coefficients of Legendre polynomials, one step long."""
    i, j = np.mgrid[:order, :order]
    A = (2 * i + 1) / window * np.where(i < j, -1.0, (-1.0) ** (i - j + 1))
    B = (2 * i[:, 0] + 1) * (-1.0) ** i[:, 0] / window
    values, vectors = np.linalg.eig(A)
    held: Array = (vectors @ np.diag(np.exp(values)) @ np.linalg.inv(vectors)).real
    return held, np.linalg.solve(A, (held - np.eye(order)) @ B)


@pytest.mark.parametrize("delay", [0.25, 0.5, 1.0])
def test_a_legendre_memory_recalls_its_window(delay: float) -> None:
    held, taken = legendre(ORDER, WINDOW)
    kernels = symrnn.build("lmu", backend="numpy", dtype="float64")
    given = {"A_bar": held, "B_bar": taken, "e_x": np.ones(1), "e_h": np.zeros(3), "e_m": np.zeros(ORDER)}
    params = kernels.init_params(1, 3, memory=ORDER, given=given)
    signal = np.sin(2 * np.pi * np.arange(STEPS) / 60)
    _, after = kernels.infer(params, signal[:, np.newaxis, np.newaxis])
    recalled = np.polynomial.legendre.legval(2 * delay - 1, after["m"][0])
    # A held input is, on average, half a step late.
    expected = np.sin(2 * np.pi * (STEPS - 0.5 - delay * WINDOW) / 60)
    np.testing.assert_allclose(recalled, expected, atol=0.01)


def test_an_edge_of_stability_keeps_the_length_of_a_state() -> None:
    kernels = symrnn.build("es2n", backend="numpy", dtype="float64")
    params = kernels.init_params(2, 50, outputs=1, given={"W_r": np.zeros((50, 50)), "W_in": np.zeros((50, 2))})
    start = np.random.default_rng(1).standard_normal((1, 50))
    _, after = kernels.infer(params, np.zeros((7, 1, 2)), {"h": start})
    np.testing.assert_allclose(np.linalg.norm(after["h"]), 0.9**7 * np.linalg.norm(start), rtol=1e-12)


def test_a_memory_that_turns_is_retention_of_turned_queries_and_keys() -> None:
    """The parallel form of the paper: (Q * Theta)(K * conj(Theta)), faded by the distance, times V."""
    head, value, pairs = 2, 3, 4
    kernels = symrnn.build("retnet", backend="numpy", dtype="float64")
    params = kernels.init_params(5, 5, seed=2, head=head, value=value, key=pairs)
    x = np.random.default_rng(3).standard_normal((STEPS, 5))
    y, _ = kernels.infer(params, x[:, np.newaxis])
    step = np.arange(STEPS)
    cos, sin = np.cos(np.outer(step, params["theta"])), np.sin(np.outer(step, params["theta"]))
    for each in range(head):
        q, k = (
            np.hstack([re * cos - im * sin, re * sin + im * cos])
            for re, im in ((x @ params[f"W_{c}_re"][each].T, x @ params[f"W_{c}_im"][each].T) for c in "QK")
        )
        faded = np.tril(params["gamma"][each] ** abs(step[:, np.newaxis] - step))
        expected = (q @ k.T * faded) @ (x @ params["W_V"][each].T)
        np.testing.assert_allclose(y[:, 0, each], expected, rtol=1e-10, atol=1e-12)
