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


@pytest.mark.parametrize("recipe", [RECIPE, "lstm+zoneout:h=0.1,c=0.05", "rnn+recurrent_dropout:0.5+stack:2"])
def test_a_layer_in_eval_mode_takes_the_expectation_of_masks(recipe: str) -> None:
    layer = home.Layer(recipe, INPUTS, UNITS, dtype=torch.float64, **others(recipe)).eval()
    x = torch.randn(STEPS, ROWS, INPUTS, dtype=torch.float64)
    arrays = symrnn.masks(layer.cell, STEPS, ROWS, hidden=UNITS, training=False, dtype="float64", **others(recipe))
    masks = {name: torch.from_numpy(array) for name, array in arrays.items()}
    expected, final = layer(x, inputs=masks)
    same(layer(x), (expected, final))
    some = dict(list(masks.items())[1:])
    same(layer(x, inputs=some), (expected, final))
    same(layer(x[:, 0])[0], expected[:, 0])
    lengths = [STEPS, STEPS - 2, 1]
    packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths)
    padded, _ = torch.nn.utils.rnn.pad_packed_sequence(layer(packed)[0])
    same(padded, layer(x, inputs=masks, lengths=torch.tensor(lengths))[0])
    same(layer.step(x[0])[0], expected[0])
    layer.batch_first = True
    same(layer(x.transpose(0, 1))[0], expected.transpose(0, 1))


def test_masks_that_are_passed_are_used_in_eval_mode_too() -> None:
    layer = home.Layer(RECIPE, INPUTS, UNITS, dtype=torch.float64)
    x = torch.randn(STEPS, ROWS, INPUTS, dtype=torch.float64)
    masks = drawn(training=True)
    trained, _ = layer(x, inputs=masks)
    same(layer.eval()(x, inputs=masks)[0], trained)
    assert not torch.equal(layer(x)[0], trained)


def test_a_mask_that_is_missing_in_training_is_an_error_that_says_how_to_make_it() -> None:
    layer = home.Layer(RECIPE, INPUTS, UNITS)
    x = torch.randn(STEPS, ROWS, INPUTS)
    with pytest.raises(ValueError, match="inputs: the mask 'dropout_h' is missing; with masks = ") as told:
        layer(x)
    assert f"symrnn.masks(cell, steps, rows, hidden={UNITS})" in str(told.value)
    assert "in eval mode needs none" in str(told.value)
    function = home.functional(layer.cell)
    params = {name.removesuffix("_l0"): each for name, each in layer.named_parameters()}
    with pytest.raises(ValueError, match=r"steps, rows, hidden=…\)"):
        function(x, params)


def test_layers_with_other_rates_share_kernels_and_have_expectations_of_their_own() -> None:
    first, second = (home.Layer(f"rnn+zoneout:{rate}", INPUTS, UNITS).eval() for rate in (0.5, 0.0))
    second.load_state_dict(first.state_dict())
    x, plain = torch.randn(STEPS, ROWS, INPUTS), home.Layer("rnn", INPUTS, UNITS)
    plain.load_state_dict(first.state_dict())
    torch.testing.assert_close(second(x)[0], plain(x)[0])
    assert not torch.allclose(first(x)[0], plain(x)[0])


def others(recipe: str) -> dict[str, int]:
    return {"l2_hidden": 3} if "stack" in recipe else {}


def same(found: Any, expected: Any) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
