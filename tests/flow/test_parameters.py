"""Gradient flow of cells with fixed parameters and domains."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import symrnn
from symrnn.flow.flow import flow
from symrnn.flow.sweep import Setup, sweep
from symrnn.language.cell import Cell

MEMORY = symrnn.load(Path(__file__).parents[1] / "given_memory.toml")


def test_parameters_without_gradient_have_none_here() -> None:
    derivation = symrnn.derive(MEMORY)
    k = symrnn.build(MEMORY, dtype="float64")
    params = k.init_params(3, 5, 4)
    x = np.random.default_rng(0).standard_normal((6, 2, 3))
    y, _, tape = k.forward(params, x)
    expected = k.backward(params, tape, np.ones_like(y))
    found = flow(derivation, params, x, dy=np.ones_like(y)).gradients
    assert list(found) == [each.name for each in MEMORY.trainable]
    for name, array in found.items():
        np.testing.assert_allclose(array, expected.params[name], rtol=1e-9, atol=1e-12)


def test_a_sweep_leaves_parameters_with_a_domain_at_their_start() -> None:
    text = "f = sigmoid(W @ x + b_f + p_f)\nh' = f * h + tanh(U @ h + P @ h)"
    cell = Cell.from_equations(text, name="kept", domain={"p_f": "positive", "P": "positive"})
    found = sweep([cell], scales=(0.5,), biases=(2.0,), setup=Setup(5, 2, 3, 4))
    assert found.recurrent == {"kept": ("U",)}
    assert found.holding == {"kept": {"h": ("b_f",)}}
    only = Cell.from_equations("h' = tanh(P @ h + W @ x)", name="only", domain={"P": "positive"})
    (point,) = sweep([only], scales=(0.5, 2.0), setup=Setup(5, 2, 3, 4)).points
    assert point.scale is None
