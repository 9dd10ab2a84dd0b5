"""Pieces: a sequence cut in time. A tape keeps the states where pieces begin, and the rest is computed again."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from templates.python.arguments import _read_lengths, _read_out, _read_x
from templates.python.given import (
    _PLAIN,
    _and_of_states,
    _beside,
    _handed,
    _hold_out,
    _inputs_of,
    _output_rows,
    _width,
)
from templates.python.parameters import Packed
from templates.python.tape import Tape

_SUMMED_TOGETHER = 256
"""Rows of the sums over time that C makes at once: pieces end where these do, so gradients are the same to the bit."""


class _Pieces:
    """What the backward pass needs: bounds of pieces in the order in which they run, their first states, the inputs."""

    def __init__(
        self,
        x: np.ndarray,
        lengths: np.ndarray | None,
        reverse: bool,
        steps: int,
        checkpoint: int,
        batch: int,
        sizes: dict[str, int],
    ) -> None:
        if isinstance(checkpoint, bool) or not hasattr(checkpoint, "__index__") or checkpoint < 1:
            raise ValueError(f"checkpoint: expected None or a number of steps, at least 1, found {checkpoint!r}")
        whole = _SUMMED_TOGETHER // math.gcd(_SUMMED_TOGETHER, batch)
        # One step alone adds its products in another order, so no piece has a single one: the last takes it on.
        length = max(-(-checkpoint // whole) * whole, 2)
        starts = range(0, max(steps - 1, min(steps, 1)), length)
        self.x, self.lengths, self.reverse, self.sizes = x, lengths, bool(reverse), sizes
        self.bounds = [*pairwise([*starts, steps])]
        if reverse:
            self.bounds.reverse()
        self.starts: list[dict[str, np.ndarray]] = []

    def given(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray | None, bool, dict[str, np.ndarray]]:
        """What a piece runs on: ``x``, lengths, the direction, the other inputs."""
        x, inputs = _inputs_of(self.x[start:stop], self.sizes)
        return x, self.lengths_of(start, stop), self.reverse, inputs

    def lengths_of(self, start: int, stop: int) -> np.ndarray | None:
        """The steps of each row within a piece."""
        return None if self.lengths is None else np.clip(self.lengths - start, 0, stop - start)


def _forward_in_pieces(
    infer: Callable[..., tuple[Any, dict[str, np.ndarray]]],
    packed: Packed,
    params: Mapping[str, ArrayLike],
    x: ArrayLike,
    state: Mapping[str, ArrayLike | None] | None,
    lengths: ArrayLike | None,
    reverse: bool,
    threads: int | None,
    out: Any,
    checkpoint: int,
    inputs: Mapping[str, ArrayLike] | None,
) -> tuple[Any, dict[str, np.ndarray], Tape]:
    """All steps, piece by piece; the tape has ``states`` at the pieces' ends alone."""
    x, sizes = _read_x(x, packed.sizes)
    x, sizes = _beside(x, inputs, sizes)
    if isinstance(out, np.ndarray) and np.may_share_memory(out, x):
        x = x.copy()
    steps, batch = x.shape[:2]
    pieces = _Pieces(x, _read_lengths(lengths, steps, batch), reverse, steps, checkpoint, max(batch, 1), sizes)
    y: np.ndarray | None = None
    current: Any = state
    for start, stop in pieces.bounds or [(0, 0)]:
        given = pieces.given(start, stop)
        part, after = infer(packed, given[0], current, *given[1:3], threads, inputs=given[3])
        if y is None:
            first = current or {}
            zeros = {name: np.zeros_like(each) for name, each in after.items()}
            current = {name: zeros[name] if first.get(name) is None else np.array(first[name]) for name in after}
            sizes = _and_of_states(sizes, after)
            dtype = next(iter(after.values())).dtype
            _hold_out(out, (steps, batch), sizes, dtype)
            y = _read_out("out", out if _PLAIN else None, (steps, batch, _width(sizes)), dtype)
        y[start:stop] = _output_rows(part, sizes)
        pieces.starts.append(current)
        current = after
    assert y is not None
    ends = [*pieces.starts, current][:: -1 if reverse else 1]
    states = {name: np.stack([each[name] for each in ends]) for name in current}
    tape = Tape(states, pieces, packed.sizes, params)
    return _handed(y, out, sizes), {name: array.copy() for name, array in current.items()}, tape
