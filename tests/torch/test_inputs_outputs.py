"""Layers of cells with inputs beside ``x`` and several outputs, beside the kernels in NumPy and finite differences."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symrnn

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
home = importlib.import_module("symrnn.torch")  # what fails here is ours, and no reason to skip
rnn = torch.nn.utils.rnn

MEMORY = Path(__file__).parents[1] / "cells" / "given" / "memory.toml"
SIZES = {"keys": 3, "classes": 4}
STEPS, ROWS = 6, 3


def drawn(*shape: int) -> dict[str, Any]:
    torch.manual_seed(1)
    return {
        "k": torch.randn(*shape, 3, dtype=torch.float64, requires_grad=True),
        "decay": torch.rand(*shape, 1, dtype=torch.float64, requires_grad=True),
        "gate": torch.rand(*shape, 7) < 0.8,
    }


@pytest.fixture(scope="module")
def layer() -> Any:
    torch.manual_seed(0)
    return home.Layer(MEMORY, 5, 7, dtype=torch.float64, **SIZES)


def test_a_layer_does_what_the_kernels_do(layer: Any) -> None:
    kernels = symrnn.build(MEMORY, "numpy", dtype="float64")
    x, inputs = torch.randn(STEPS, ROWS, 5, dtype=torch.float64), drawn(STEPS, ROWS)
    y, states = layer(x, inputs=inputs, lengths=[6, 2, 4])
    given = {name: each.detach().numpy() for name, each in inputs.items()}
    params = layer.numpy_params()
    expected, state, tape = kernels.forward(params, x.numpy(), inputs=given, lengths=[6, 2, 4])
    for name, array in expected.items():
        np.testing.assert_allclose(y[name].detach(), array, rtol=1e-12, atol=1e-14)
    for name, found in zip(layer.states, states, strict=True):
        np.testing.assert_allclose(found[0].detach(), state[name], rtol=1e-12, atol=1e-14)
    sum(each.sum() for each in y.values()).backward()
    grads = kernels.backward(params, tape, {name: np.ones_like(array) for name, array in expected.items()})
    for name, array in grads.inputs.items():
        np.testing.assert_allclose(inputs[name].grad, array, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize(
    "options", [{}, {"bidirectional": True}, {"checkpoint": 2}], ids=["plain", "both ways", "pieces"]
)
def test_gradients_are_finite_differences(options: dict[str, Any]) -> None:
    made = home.Layer(MEMORY, 2, 3, dtype=torch.float64, keys=2, classes=2, **options)
    x, k, decay = (torch.randn(4, 2, n, dtype=torch.float64, requires_grad=True) for n in (2, 2, 1))
    gate = torch.rand(4, 2, 3) < 0.8

    def outputs(x: Any, k: Any, decay: Any) -> tuple[Any, ...]:
        y, _ = made(x, inputs={"k": k, "decay": decay, "gate": gate}, lengths=torch.tensor([4, 3]))
        return tuple(y.values())

    assert torch.autograd.gradcheck(outputs, (x, k, decay))
    assert torch.autograd.gradgradcheck(outputs, (x, k, decay))


def test_pieces_give_the_same_gradients_to_the_bit() -> None:
    whole = home.Layer(MEMORY, 5, 7, dtype=torch.float64, **SIZES)
    pieces = home.Layer(MEMORY, 5, 7, dtype=torch.float64, checkpoint=256, **SIZES)
    pieces.load_state_dict(whole.state_dict())
    x, inputs = torch.randn(600, 2, 5, dtype=torch.float64), drawn(600, 2)
    found = []
    for each in (whole, pieces):
        y, _ = each(x, inputs=inputs)
        found.append(torch.autograd.grad(y["y"].square().sum(), (inputs["k"], inputs["decay"], *each.parameters())))
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_layouts_of_a_batch(layer: Any) -> None:
    x, inputs = torch.randn(STEPS, ROWS, 5, dtype=torch.float64), drawn(STEPS, ROWS)
    y, _ = layer(x, inputs=inputs)
    first = home.Layer(MEMORY, 5, 7, dtype=torch.float64, batch_first=True, **SIZES)
    first.load_state_dict(layer.state_dict())
    turned, _ = first(x.transpose(0, 1), inputs={name: each.transpose(0, 1) for name, each in inputs.items()})
    assert torch.equal(turned["y"].transpose(0, 1), y["y"])
    one, _ = layer(x[:, 1], inputs={name: each[:, 1] for name, each in inputs.items()})
    torch.testing.assert_close(one["c"], y["c"][:, 1])
    step, _ = layer.step(x[0], inputs={name: each[0] for name, each in inputs.items()})
    torch.testing.assert_close(step["y"], y["y"][0])
    lone, _ = layer.step(x[0, 1], inputs={name: each[0, 1] for name, each in inputs.items()})
    torch.testing.assert_close(lone["y"], y["y"][0, 1])


def test_packed_batches(layer: Any) -> None:
    x, inputs, lengths = torch.randn(STEPS, ROWS, 5, dtype=torch.float64), drawn(STEPS, ROWS), [6, 2, 4]
    y, _ = layer(x, inputs=inputs, lengths=lengths)

    def pack(each: Any) -> Any:
        return rnn.pack_padded_sequence(each, lengths, enforce_sorted=False)

    found, _ = layer(pack(x), inputs={name: pack(each) for name, each in inputs.items()})
    torch.testing.assert_close(rnn.pad_packed_sequence(found["y"])[0], y["y"])
    with pytest.raises(TypeError, match=r"inputs\['k'\]: expected a packed batch, as x is one, found Tensor"):
        layer(pack(x), inputs=inputs)
    other = {name: rnn.pack_padded_sequence(each, [6, 4, 2], enforce_sorted=False) for name, each in inputs.items()}
    with pytest.raises(
        ValueError, match=r"inputs\['k'\]: expected rows of \[6, 2, 4\] steps, as x has, found \[6, 4, 2\]"
    ):
        layer(pack(x), inputs=other)


def test_autocast_takes_inputs_as_they_are() -> None:
    """What comes from another layer is narrow there, and what comes from a file is not."""
    cell = symrnn.Cell.from_equations("h' = tanh(W @ x + U @ h + v * dt)", name="timed", inputs={"dt": 1})
    timed, x, dt = home.Layer(cell, 4, 4), torch.randn(3, 2, 4), torch.rand(3, 2, 1)
    with torch.autocast("cpu", torch.bfloat16):
        y, _ = timed(x.bfloat16(), inputs={"dt": dt})
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y, timed(x.bfloat16().float(), inputs={"dt": dt})[0].bfloat16())
    with pytest.raises(TypeError, match=r"inputs\['dt'\]: expected torch.float32 on cpu"), torch.autocast("cpu"):
        timed(x, inputs={"dt": dt.double()})


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # PyTorch's own
def test_a_compiled_layer(layer: Any) -> None:
    x, inputs = torch.randn(STEPS, ROWS, 5, dtype=torch.float64), drawn(STEPS, ROWS)
    found, _ = torch.compile(layer, fullgraph=True, backend="aot_eager")(x, inputs=inputs)
    torch.testing.assert_close(found["y"], layer(x, inputs=inputs)[0]["y"])


def test_a_function_of_tensors(layer: Any) -> None:
    x, inputs = torch.randn(STEPS, ROWS, 5, dtype=torch.float64), drawn(STEPS, ROWS)
    params = {name: torch.from_numpy(each) for name, each in layer.numpy_params().items()}
    y, state = home.functional(MEMORY)(x, params, inputs=inputs)
    torch.testing.assert_close(y["y"], layer(x, inputs=inputs)[0]["y"])
    assert set(state) == set(layer.states)


def test_a_deep_layer_reads_inputs_in_every_layer() -> None:
    cell = symrnn.Cell.from_equations("h' = tanh(W @ x + U @ h + v * dt)", inputs={"dt": 1})
    deep = home.Layer(cell, 4, 4, num_layers=2, dtype=torch.float64)
    x, dt = torch.randn(3, 2, 4, dtype=torch.float64), torch.rand(3, 2, 1, dtype=torch.float64)
    y, _ = deep(x, inputs={"dt": dt})
    below, above = (home.Layer(cell, 4, 4, dtype=torch.float64) for _ in range(2))
    for level, each in enumerate((below, above)):
        each.load_state_dict({f"{name}_l0": getattr(deep, f"{name}_l{level}") for name in ("W", "U", "v")})
    expected, _ = above(below(x, inputs={"dt": dt})[0], inputs={"dt": dt})
    torch.testing.assert_close(y, expected)


def test_refusals(layer: Any) -> None:
    x, inputs = torch.randn(STEPS, ROWS, 5, dtype=torch.float64), drawn(STEPS, ROWS)
    with pytest.raises(ValueError, match="inputs: 'k' is missing; expected k, decay, gate"):
        layer(x)
    with pytest.raises(ValueError, match="inputs: unknown name 'z'"):
        layer(x, inputs={**inputs, "z": x})
    with pytest.raises(ValueError, match=r"inputs\['decay'\]: expected shape \(6, 3, 1\), found \(5, 3, 1\)"):
        layer(x, inputs={**inputs, "decay": inputs["decay"][1:]})
    with pytest.raises(TypeError, match=r"inputs\['k'\]: expected torch.float64 on cpu, as x is, found torch.float32"):
        layer(x, inputs={**inputs, "k": inputs["k"].float()})
    with pytest.raises(
        ValueError, match=r"inputs\['gate'\]: the cell says that it has no gradient, but it requires one"
    ):
        layer(x, inputs={**inputs, "gate": torch.rand(STEPS, ROWS, 7, dtype=torch.float64, requires_grad=True)})
    with pytest.raises(TypeError, match=r"inputs\['k'\]: expected a tensor, found list"):
        layer(x, inputs={**inputs, "k": [1]})
    with pytest.raises(
        ValueError, match="num_layers: a layer on top of another needs one output, and this cell has y, c"
    ):
        home.Layer(MEMORY, 5, 7, num_layers=2, **SIZES)
    with pytest.raises(ValueError, match="inputs: this cell has no input beside x"):
        home.Layer("rnn", 2, 3)(torch.zeros(1, 1, 2), inputs={"m": x})
