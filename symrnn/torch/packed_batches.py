"""Packed batches: padded for the kernels, which take lengths, and packed again as they came.

Reads and returns `torch.nn.utils.rnn.PackedSequence`. Leaves out: what runs between.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from symrnn.torch.functional import hold_row


def pad(
    x: PackedSequence, inputs: Mapping[str, Any] | None, axes: Sequence[int]
) -> tuple[Tensor, dict[str, Tensor], Tensor]:
    """The batch (T, B, input), the inputs beside it in the same shape, and the steps of each row.

    Args:
        x: packed.
        inputs: beside ``x`` by name, packed likewise.
        axes: of a row of ``x``.

    Raises:
        ValueError: a row of ``x`` has another number of numbers, or one of an input another number of steps.
        TypeError: an input is not packed.
    """
    padded, counts = pad_packed_sequence(x)
    hold_row("x", padded, axes)
    others = {}
    for name, each in (inputs or {}).items():
        if not isinstance(each, PackedSequence):
            raise TypeError(f"inputs[{name!r}]: expected a packed batch, as x is one, found {type(each).__name__}")
        others[name], steps = pad_packed_sequence(each)
        if not torch.equal(steps, counts):
            raise ValueError(
                f"inputs[{name!r}]: expected rows of {counts.tolist()} steps, as x has, found {steps.tolist()}"
            )
    return padded, others, counts


def packed_rows(y: Tensor, like: PackedSequence, counts: Tensor) -> Tensor:
    """The rows of a padded output (T, B, size) in the order in which ``like`` has its rows."""
    if like.sorted_indices is not None:
        y, counts = y.index_select(1, like.sorted_indices), counts[like.sorted_indices.cpu()]
    return pack_padded_sequence(y, counts).data


def packed_as(rows: Tensor, like: PackedSequence) -> PackedSequence:
    """Rows in the order of a packed batch as such a batch."""
    return PackedSequence(rows, like.batch_sizes, like.sorted_indices, like.unsorted_indices)
