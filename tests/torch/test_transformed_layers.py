"""Layers of transformed cells, with masks, beside loops over steps in PyTorch."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

import symrnn

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
home = importlib.import_module("symrnn.torch")  # what fails here is ours, and no reason to skip

STEPS, ROWS, INPUTS, UNITS = 6, 3, 4, 5
RECIPE = "gru+layer_norm+recurrent_dropout:0.3+zoneout:0.4"


def drawn(**options: Any) -> dict[str, Any]:
    arrays = symrnn.masks(RECIPE, STEPS, ROWS, hidden=UNITS, dtype="float64", **options)
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def test_a_layer_in_training_and_in_inference_is_the_loop() -> None:
    torch.manual_seed(0)
    layer = home.Layer(RECIPE, INPUTS, UNITS, dtype=torch.float64)
    x = torch.randn(STEPS, ROWS, INPUTS, dtype=torch.float64, requires_grad=True)
    p = {name.removesuffix("_l0"): each for name, each in layer.named_parameters()}
    for name in p:
        torch.nn.init.uniform_(p[name], -0.6, 0.6)

    def normed(name: str, v: Any) -> Any:
        a = v @ p[name].T
        return torch.nn.functional.layer_norm(a, (UNITS,), p[f"gain_{name}"], p[f"shift_{name}"], 1e-5)

    for training in (True, False):
        masks = drawn(training=training)
        h, outputs = torch.zeros(ROWS, UNITS, dtype=torch.float64), []
        for t in range(STEPS):
            m, k = masks["dropout_h"][t], masks["zoneout_h"][t]
            z = torch.sigmoid(normed("W_xz", x[t]) + normed("W_hz", m * h) + p["b_z"])
            r = torch.sigmoid(normed("W_xr", x[t]) + normed("W_hr", m * h) + p["b_r"])
            n = torch.tanh(normed("W_xh", x[t]) + normed("W_hh", m * (r * h)) + p["b_h"])
            h = k * h + (1 - k) * (z * h + (1 - z) * n)
            outputs.append(h)
        expected = torch.stack(outputs)
        y, _ = layer(x, inputs=masks)
        torch.testing.assert_close(y, expected, rtol=1e-10, atol=1e-12)
        weights = torch.randn_like(y)
        found = torch.autograd.grad((weights * y).sum(), (x, *p.values()))
        right = torch.autograd.grad((weights * expected).sum(), (x, *p.values()))
        for one, other in zip(found, right, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-11)


def test_a_stack_is_two_layers_with_masks_of_their_own() -> None:
    layer = home.Layer("rnn+zoneout:0.5+stack:2", INPUTS, UNITS, l2_hidden=3, dtype=torch.float64)
    below, above = (
        home.Layer("rnn+zoneout:0.5", *sizes, dtype=torch.float64) for sizes in ((INPUTS, UNITS), (UNITS, 3))
    )
    for name, each in layer.named_parameters():
        upper = name.startswith("l2_")
        dict((above if upper else below).named_parameters())[name.removeprefix("l2_")].data.copy_(each.data)
    arrays = symrnn.masks(layer.cell, STEPS, ROWS, hidden=UNITS, l2_hidden=3, dtype="float64")
    masks = {name: torch.from_numpy(array) for name, array in arrays.items()}
    x = torch.randn(STEPS, ROWS, INPUTS, dtype=torch.float64)
    y, (lower, upper_state) = layer(x, inputs=masks)
    between, first = below(x, inputs={"zoneout_h": masks["zoneout_h"]})
    expected, second = above(between, inputs={"zoneout_h": masks["l2_zoneout_h"]})
    torch.testing.assert_close(y, expected)
    torch.testing.assert_close(lower, first)
    torch.testing.assert_close(upper_state, second)


def test_parameters_of_a_framework_fit_a_cell_with_masks() -> None:
    """Zoneout keeps the parameters and so the layout of the cell."""
    theirs = torch.nn.LSTM(INPUTS, UNITS, dtype=torch.float64)
    ours = home.Layer("lstm+zoneout", INPUTS, UNITS, dtype=torch.float64, layout="torch")
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(STEPS, ROWS, INPUTS, dtype=torch.float64)
    arrays = symrnn.masks("lstm+zoneout:0", STEPS, ROWS, hidden=UNITS, dtype="float64")
    y, _ = ours(x, inputs={name: torch.from_numpy(array) for name, array in arrays.items()})
    torch.testing.assert_close(y, theirs(x)[0])
