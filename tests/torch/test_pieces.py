"""``checkpoint=``: a tape that keeps states alone; what is computed again gives the same gradients to the bit."""

from __future__ import annotations

import importlib
import math
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
home = importlib.import_module("symrnn.torch")  # what fails here is ours, and no reason to skip

from symrnn.torch.cell_kernels import kernels_of  # noqa: E402  # after what skips without PyTorch
from symrnn.torch.operators import register  # noqa: E402
from symrnn.torch.pieces import (  # noqa: E402
    SUMMED_TOGETHER,
    backward_in_pieces,
    forward_in_pieces,
    piece_count,
    piece_length,
    pieces_of,
)

CELLS = Path(__file__).parents[1] / "cells"
HEADERS = Path(__file__).parents[2] / "templates"
NAMES = ("lstm", "gru", str(CELLS / "layernorm_lstm.toml"))


def results(layer: Any, x: Any, lengths: Any) -> list[Any]:
    layer.zero_grad()
    given = x.clone().requires_grad_()
    y, hx = layer(given, lengths=lengths)
    states = [hx] if isinstance(hx, torch.Tensor) else list(hx)
    generator = torch.Generator().manual_seed(1)
    sum((each * torch.rand(each.shape, generator=generator)).sum() for each in (y, *states)).backward()
    return [y, *states, given.grad, *(each.grad for each in layer.parameters())]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("rows", [1, 8, 256])
@pytest.mark.parametrize("name", NAMES, ids=lambda name: Path(name).stem)
def test_gradients_are_the_same_to_the_bit(name: str, rows: int, threads: int) -> None:
    layer = home.Layer(name, 5, 7, num_layers=2, bidirectional=True, threads=threads)
    length = piece_length(1, rows)
    # After two pieces, one step is left alone, or several.
    for steps, ragged in ((2 * length + 5, False), (2 * length + 5, True), (2 * length + 1, False)):
        x = torch.randn(steps, rows, 5)
        lengths = torch.randint(0, steps + 1, (rows,)) if ragged else None
        layer.checkpoint = None
        whole = results(layer, x, lengths)
        layer.checkpoint = 1
        assert all(torch.equal(a, b) for a, b in zip(results(layer, x, lengths), whole, strict=True))


@pytest.mark.parametrize("in_c", [True, False], ids=["C", "ctypes"])
def test_the_tape_keeps_the_states_alone(in_c: bool) -> None:
    kernels = kernels_of("lstm")
    operators = register(kernels, f"in_pieces_{in_c}", in_c=in_c)
    params = list(kernels.operations.init_params(5, 7).values())
    x, states = torch.randn(100, 8, 5), [torch.randn(8, 7), torch.randn(8, 7)]
    arguments = (x, params, (), (5, 7), states, None, False, 1)
    y, _, tape, packed = operators.forward(*arguments, 0)
    again, _, starts, _ = operators.forward(*arguments, 20)
    assert torch.equal(y, again)
    assert starts.numel() == 4 * 8 * 14  # pieces of 32 steps, the last of 4
    assert starts.numel() < tape.numel() / 20
    back = (x, params, (), (5, 7), tape, packed, y, states, None, False, 1)
    whole = operators.backward(*back, 0)
    pieces = operators.backward(*back[:4], starts, *back[5:], 20)
    for a, b in zip(whole, pieces, strict=True):
        assert all(map(torch.equal, a, b)) if isinstance(a, list) else torch.equal(a, b)


@pytest.mark.parametrize("reverse", [False, True], ids=["ahead", "back"])
@pytest.mark.parametrize("steps", [0, 70])
def test_operations_of_pytorch_in_pieces(steps: int, reverse: bool) -> None:
    module = kernels_of("lstm").operations
    params = list(module.init_params(5, 7, dtype=torch.float64).values())
    x, lengths = torch.randn(steps, 8, 5, dtype=torch.float64), torch.randint(0, steps + 1, (8,))
    state = [torch.randn(8, 7, dtype=torch.float64) for _ in range(2)]
    y, final, kept = module.forward_flat(params, x, state, lengths, reverse)
    again = forward_in_pieces(module.infer_flat, params, x, state, lengths, reverse, 20)
    torch.testing.assert_close(list(again[:3]), [y, *final])
    dy, dfinal = torch.randn_like(y), [torch.randn_like(each) for each in final]
    whole = module.backward_flat(params, x, state, lengths, reverse, kept, dy, dfinal)
    runs = module.forward_flat, module.backward_flat
    found = backward_in_pieces(*runs, params, x, lengths, reverse, 20, again[3:], dy, dfinal)
    for a, b in zip(found, whole, strict=True):
        torch.testing.assert_close(a, b) if isinstance(a, torch.Tensor) else torch.testing.assert_close([*a], [*b])


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # PyTorch's own
def test_under_torch_compile_and_differentiated_twice() -> None:
    layer = home.Layer("gru", 5, 7, checkpoint=1, dtype=torch.float64)
    x = torch.randn(70, 8, 5, dtype=torch.float64, requires_grad=True)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x)[0], layer(x)[0])
    (grad,) = torch.autograd.grad(layer(x)[0].square().sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(grad.square().sum(), x)
    layer.checkpoint = None
    (grad,) = torch.autograd.grad(layer(x)[0].square().sum(), x, create_graph=True)
    torch.testing.assert_close(second, torch.autograd.grad(grad.square().sum(), x)[0])


def test_a_piece_ends_where_sums_in_c_do() -> None:
    for rows in range(1, 600):
        whole = SUMMED_TOGETHER // math.gcd(SUMMED_TOGETHER, rows)
        expected = [max(math.ceil(n / whole) * whole, 2) for n in (1, 100, 256)]
        assert [piece_length(n, rows) for n in (1, 100, 256)] == expected
    for file, name in (("c/symrnn.h", "CHUNK"), ("torch_operators/symrnn_torch.h", "SUMMED_TOGETHER")):
        assert f"#define {name} {SUMMED_TOGETHER}\n" in HEADERS.joinpath(file).read_text(encoding="utf-8")


@pytest.mark.parametrize("rows", [1, 8, 256])
def test_no_piece_has_a_single_step_but_of_a_single_one(rows: int) -> None:
    for steps in range(600):
        bounds = [(start, stop) for start, stop, _ in pieces_of(torch.empty(steps, rows, 0), None, False, 3)]
        assert len(bounds) == piece_count(3, steps, rows)
        assert [step for start, stop in bounds for step in range(start, stop)] == list(range(steps))
        assert steps == 1 or all(stop - start > 1 for start, stop in bounds)


@pytest.mark.parametrize("checkpoint", [0, -1, 2.5, True, "3"])
def test_a_wrong_number_of_steps_is_refused(checkpoint: Any) -> None:
    with pytest.raises(ValueError, match="checkpoint: expected None or a number of steps, at least 1, found"):
        home.Layer("gru", 5, 7, checkpoint=checkpoint)
