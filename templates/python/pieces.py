"""Pieces: a sequence cut in time. A tape keeps the states where pieces begin, and the rest is computed again."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from templates.python.arguments import _read_lengths, _read_out, _read_x
from templates.python.parameters import Packed
from templates.python.tape import Tape

_SUMMED_TOGETHER = 256
"""Rows of the sums over time that C makes at once: pieces end where these do, so gradients are the same to the bit."""


class _Pieces:
    """What the backward pass needs: bounds of pieces in the order in which they run, their first states, the input."""

    def __init__(
        self, x: np.ndarray, lengths: np.ndarray | None, reverse: bool, steps: int, checkpoint: int, batch: int
    ) -> None:
        if isinstance(checkpoint, bool) or not hasattr(checkpoint, "__index__") or checkpoint < 1:
            raise ValueError(f"checkpoint: expected None or a number of steps, at least 1, found {checkpoint!r}")
        whole = _SUMMED_TOGETHER // math.gcd(_SUMMED_TOGETHER, batch)
        length = -(-checkpoint // whole) * whole
        self.x, self.lengths, self.reverse = x, lengths, bool(reverse)
        self.bounds = [(start, min(start + length, steps)) for start in range(0, steps, length)]
        if reverse:
            self.bounds.reverse()
        self.starts: list[dict[str, np.ndarray]] = []

    def lengths_of(self, start: int, stop: int) -> np.ndarray | None:
        """The steps of each row within a piece."""
        return None if self.lengths is None else np.clip(self.lengths - start, 0, stop - start)


def _forward_in_pieces(
    infer: Callable[..., tuple[np.ndarray, dict[str, np.ndarray]]],
    packed: Packed,
    params: Mapping[str, ArrayLike],
    x: ArrayLike,
    state: Mapping[str, ArrayLike | None] | None,
    lengths: ArrayLike | None,
    reverse: bool,
    threads: int | None,
    out: np.ndarray | None,
    checkpoint: int,
) -> tuple[np.ndarray, dict[str, np.ndarray], Tape]:
    """All steps, piece by piece; the tape has ``states`` at the pieces' ends alone."""
    x, _ = _read_x(x, packed.sizes)
    if out is not None and np.may_share_memory(out, x):
        x = x.copy()
    steps, batch = x.shape[:2]
    pieces = _Pieces(x, _read_lengths(lengths, steps, batch), reverse, steps, checkpoint, max(batch, 1))
    y: np.ndarray | None = None
    current: Any = state
    for start, stop in pieces.bounds or [(0, 0)]:
        part, after = infer(packed, x[start:stop], current, pieces.lengths_of(start, stop), reverse, threads)
        if y is None:
            given = current or {}
            zeros = {name: np.zeros_like(each) for name, each in after.items()}
            current = {name: zeros[name] if given.get(name) is None else np.array(given[name]) for name in after}
            y = _read_out("out", out, (steps, *part.shape[1:]), part.dtype)
        y[start:stop] = part
        pieces.starts.append(current)
        current = after
    assert y is not None
    ends = [*pieces.starts, current][:: -1 if reverse else 1]
    states = {name: np.stack([each[name] for each in ends]) for name in current}
    return y, {name: array.copy() for name, array in current.items()}, Tape(states, pieces, packed.sizes, params)
