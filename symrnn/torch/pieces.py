"""A sequence cut in time: the states where pieces begin are kept, and each piece is computed again in the backward pass.

Reads functions that run a sequence, and its tensors; returns what they would return for the whole. Leaves out: cutting in C,
which ``templates/torch_operators/symrnn_torch.h`` does in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

SUMMED_TOGETHER = 256
"""Rows of the sums over time that C makes at once: where a piece ends on their end, gradients are the same to the bit."""
_POWERS = tuple(2**k for k in range(1, SUMMED_TOGETHER.bit_length()))
"""The powers of two that may divide rows and `SUMMED_TOGETHER`."""


def piece_length(checkpoint: int, rows: int) -> int:
    """The steps from one piece's begin to the next one's: ``checkpoint`` or a few more; ``rows`` may be symbolic."""
    # The greatest common divisor in whole numbers alone, so that a program for one number of rows is one for all.
    shared = 1
    for power in _POWERS:
        divides = 1 - (rows % power + power - 1) // power
        shared = shared + power // 2 * divides
    whole = SUMMED_TOGETHER // shared
    length: int = torch.sym_max((checkpoint + whole - 1) // whole * whole, 2)
    return length


def piece_count(checkpoint: int, steps: int, rows: int) -> int:
    """The number of pieces; ``steps`` and ``rows`` may be symbolic.

    One step alone adds its products in another order in C, so no piece has a single one: the last takes it on.
    """
    length = piece_length(checkpoint, rows)
    count: int = torch.sym_max((steps + length - 2) // length, torch.sym_min(steps, 1))
    return count


def pieces_of(
    x: Tensor, lengths: Tensor | None, reverse: bool, checkpoint: int
) -> list[tuple[int, int, Tensor | None]]:
    """First step, last step and lengths of every piece, in the order in which they run."""
    steps, rows = x.shape[:2]
    if lengths is not None and rows and (int(lengths.min()) < 0 or int(lengths.max()) > steps):
        raise ValueError(f"lengths: expected numbers from 0 to {steps}; a length exceeds the steps, or is negative")
    length = piece_length(checkpoint, rows)
    bounds = [*pairwise([*(order * length for order in range(piece_count(checkpoint, steps, rows))), steps])]
    ordered = reversed(bounds) if reverse else bounds
    return [
        (start, stop, None if lengths is None else (lengths - start).clamp(0, stop - start)) for start, stop in ordered
    ]


def forward_in_pieces(
    infer: Callable[..., tuple[Tensor, Sequence[Tensor]]],
    params: Sequence[Tensor],
    x: Tensor,
    state: Sequence[Tensor],
    lengths: Tensor | None,
    reverse: bool,
    checkpoint: int,
) -> tuple[Tensor, ...]:
    """Outputs, final states, and for every state what it was where pieces begin."""
    parts: dict[int, Tensor] = {}
    starts: list[Sequence[Tensor]] = []
    for start, stop, within in pieces_of(x, lengths, reverse, checkpoint):
        parts[start], after = infer(params, x[start:stop], state, within, reverse)
        starts.append(state or [torch.zeros_like(each) for each in after])
        state = after
    if not parts:
        y, after = infer(params, x, state, lengths, reverse)
        return (y, *after, *(each.new_zeros(0, *each.shape) for each in after))
    y = torch.cat([parts[start] for start in sorted(parts)])
    return (y, *state, *(torch.stack(each) for each in zip(*starts, strict=True)))


def backward_in_pieces(
    forward: Callable[..., tuple[Tensor, Sequence[Tensor], Sequence[Tensor]]],
    backward: Callable[..., tuple[Tensor, Sequence[Tensor], Sequence[Tensor]]],
    params: Sequence[Tensor],
    x: Tensor,
    lengths: Tensor | None,
    reverse: bool,
    checkpoint: int,
    starts: Sequence[Tensor],
    dy: Tensor,
    dfinal: Sequence[Tensor],
    fixed: Sequence[int] = (),
) -> tuple[Tensor, Sequence[Tensor], Sequence[Tensor]]:
    """Gradients of the input, of the parameters but those at these places, and of the initial states."""
    dx, last = torch.zeros_like(x), dfinal
    total = [torch.zeros_like(each) for place, each in enumerate(params) if place not in fixed]
    pieces = pieces_of(x, lengths, reverse, checkpoint)
    for order, (start, stop, within) in reversed([*enumerate(pieces)]):
        state: list[Any] = [each[order] for each in starts]
        part = x[start:stop]
        _, _, kept = forward(params, part, state, within, reverse)
        dx[start:stop], found, last = backward(params, part, state, within, reverse, kept, dy[start:stop], last)
        total = [a + b for a, b in zip(total, found, strict=True)]
    return dx, total, last or [each.new_zeros(each.shape[1:]) for each in starts]
