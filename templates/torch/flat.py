"""Flat: the same calls with sequences of tensors in place of mappings and of a tape, as autograd has them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from templates.python.cell import _INPUTS, _SHAPES, STATES
from templates.torch.cell import _KEPT, _backward, _forward
from templates.torch.run import _Run


def _flat_run(
    params: Sequence[Tensor],
    x: Tensor,
    state: Sequence[Tensor],
    lengths: Any,
    reverse: bool,
    inputs: Sequence[Sequence[int]],
) -> _Run:
    given: Mapping[str, Tensor] = dict(zip(STATES, state, strict=False))
    p = dict(zip(_SHAPES, params, strict=True))
    if not inputs:
        return _Run(p, x, given, lengths, reverse)
    parts = x.split([math.prod(axes) for axes in inputs], -1)
    x, *others = [
        part.reshape(*part.shape[:-1], *axes) if len(axes) > 1 else part
        for part, axes in zip(parts, inputs, strict=True)
    ]
    return _Run(p, x, given, lengths, reverse, dict(zip(_INPUTS, others, strict=True)))


def forward_flat(
    params: Sequence[Tensor],
    x: Tensor,
    state: Sequence[Tensor],
    lengths: Any,
    reverse: bool,
    inputs: Sequence[Sequence[int]] = (),
) -> tuple[Tensor, tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Run a sequence: returns outputs, final states, and what `backward_flat` needs.

    Args:
        params: in the order of `param_shapes`.
        x: (T, B, numbers in a row): the inputs side by side; and so are the outputs.
        state: in the order of ``STATES``; none for zeros.
        lengths: as in `forward`.
        reverse: as in `forward`.
        inputs: the numbers of the axes of each input, where there are several or one has several axes.
    """
    run = _flat_run(params, x, state, lengths, reverse, inputs)
    y, final, states, kept = _forward(run.level, run.sizes, run.x, run.state, run.idle, True)
    return run.turned(y), tuple(run.named(final).values()), (*states.values(), *kept.values())


def infer_flat(
    params: Sequence[Tensor],
    x: Tensor,
    state: Sequence[Tensor],
    lengths: Any,
    reverse: bool,
    inputs: Sequence[Sequence[int]] = (),
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run a sequence and keep nothing: returns outputs and final states. PyTorch differentiates what it computes."""
    run = _flat_run(params, x, state, lengths, reverse, inputs)
    y, final, _, _ = _forward(run.level, run.sizes, run.x, run.state, run.idle, False)
    return run.turned(y), tuple(run.named(final).values())


def backward_flat(
    params: Sequence[Tensor],
    x: Tensor,
    state: Sequence[Tensor],
    lengths: Any,
    reverse: bool,
    kept: Sequence[Tensor],
    dy: Tensor,
    dstate: Sequence[Tensor],
    inputs: Sequence[Sequence[int]] = (),
) -> tuple[Tensor, tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Gradients of the input, of the parameters that are not fixed, and of the initial states.

    The first arguments are those of `forward_flat`, and ``kept`` is from it; ``dy`` and ``dstate`` are gradients of the
    outputs and of the final states, none of these for zeros.
    """
    run = _flat_run(params, x, state, lengths, reverse, inputs)
    states = dict(zip(STATES, kept, strict=False))
    others = dict(zip(_KEPT, kept[len(STATES) :], strict=True))
    last = run.states(dict(zip(STATES, dstate or [None] * len(STATES), strict=True)))
    grads, dx, dfirst = _backward(run.level, run.sizes, run.x, states, others, run.idle, run.steps(dy), last)
    found = tuple(each.reshape(run.params[name].shape) for name, each in grads.items())
    return run.turned(dx), found, tuple(run.named(dfirst).values())
