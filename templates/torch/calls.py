"""The public functions: a sequence with a tape or without, and one step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from templates.python.cell import _INPUT_SIZE, DTYPE
from templates.python.sizes import _hold_domains, _initial_values
from templates.torch.arguments import _read_params
from templates.torch.cell import _forward
from templates.torch.given import _outputs_of
from templates.torch.run import Given, Tape, _Run


def _initial(
    shapes: Mapping[str, tuple[int, ...]],
    hidden_size: int,
    seed: int,
    dtype: torch.dtype | None,
    device: torch.device | str | None,
    given: Mapping[str, Given] | None,
) -> dict[str, Tensor]:
    """Initial values of parameters of these shapes."""
    if isinstance(given, Mapping):
        given = {name: v.detach().cpu() if isinstance(v, Tensor) else v for name, v in given.items()}
    values = _initial_values(shapes, hidden_size, seed, given)
    dtype = getattr(torch, DTYPE) if dtype is None else dtype
    params = {name: torch.tensor(np.ascontiguousarray(v), dtype=dtype, device=device) for name, v in values.items()}
    _hold_domains(params)
    return params


def pack(params: Mapping[str, Given]) -> dict[str, Tensor]:
    """The parameters as tensors. Nothing is computed before a call: its results follow every change of a parameter."""
    return _read_params(params)[0]


def forward(
    params: Mapping[str, Given],
    x: Given,
    state: Mapping[str, Given | None] | None = None,
    lengths: Any = None,
    reverse: bool = False,
    inputs: Mapping[str, Given] | None = None,
) -> tuple[Any, dict[str, Tensor], Tape]:
    """Run a sequence and keep a tape: returns outputs, final states by name, and the tape for `backward`.

    PyTorch differentiates what it computes like any other operations, where an argument requires that.

    Args:
        params: parameters by name, all of one floating dtype and on one device.
        x: (T, B, input), or with an axis for each of its own, of that dtype and device.
        state: initial states by name, (B, size) each; None or a missing one means zeros.
        lengths: (B,) steps of each row; beyond, its state keeps its value and its output is zero.
        reverse: run each row from its last step to its first; output t stays at index t.
        inputs: the inputs beside ``x`` by name, (T, B, size) each, where the cell has some.

    Where the cell has several outputs, they are returned by name.
    """
    run = _Run(params, x, state, lengths, reverse, inputs)
    y, final, states, tape = _forward(run.level, run.sizes, run.x, run.state, run.idle, True)
    y = _outputs_of(run.turned(y), run.sizes)
    over_time = run.named({name: run.turned(each) for name, each in states.items()})
    return y, run.named(final), Tape(over_time, run, states, tape)


def infer(
    params: Mapping[str, Given],
    x: Given,
    state: Mapping[str, Given | None] | None = None,
    lengths: Any = None,
    reverse: bool = False,
    inputs: Mapping[str, Given] | None = None,
) -> tuple[Any, dict[str, Tensor]]:
    """Run a sequence without a tape and without gradients: returns outputs and final states by name.

    The arguments are those of `forward`.
    """
    with torch.no_grad():
        run = _Run(params, x, state, lengths, reverse, inputs)
        y, final, _, _ = _forward(run.level, run.sizes, run.x, run.state, run.idle, False)
        return _outputs_of(run.turned(y), run.sizes), run.named(final)


def step(
    params: Mapping[str, Given],
    x_t: Given,
    state: Mapping[str, Given | None] | None = None,
    inputs: Mapping[str, Given] | None = None,
) -> tuple[Any, dict[str, Tensor]]:
    """Run one step of ``x_t`` (B, input), without gradients: returns the output (B, size) and the next states.

    Other inputs are (B, size) each; several outputs are returned by name.
    """
    x = torch.as_tensor(x_t)
    axes = _INPUT_SIZE.split("*")
    if x.ndim != 1 + len(axes):
        expected = ", ".join(["B", *axes]) if len(axes) > 1 else "B, input"
        raise ValueError(f"x_t: expected ({expected}), found shape {tuple(x.shape)}")
    others = None if inputs is None else {name: torch.as_tensor(each)[None] for name, each in inputs.items()}
    y, final = infer(params, x[None], state, inputs=others)
    return {name: each[0] for name, each in y.items()} if isinstance(y, dict) else y[0], final
