"""Pieces, backward: each is run again with a tape, the last one first, and adds its gradients to those so far."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from templates.python.arguments import _expect
from templates.python.gradients import Grads
from templates.python.parameters import Packed
from templates.python.pieces import _Pieces
from templates.python.tape import Tape


def _backward_in_pieces(
    forward: Callable[..., tuple[np.ndarray, dict[str, np.ndarray], Tape]],
    add: Callable[..., Grads],
    packed: Packed,
    pieces: _Pieces,
    dy: ArrayLike,
    dstate: Mapping[str, ArrayLike | None] | None,
    threads: int | None,
    width: int,
) -> Grads:
    """Gradients of a sequence that was run in pieces.

    Args:
        forward: runs a piece with a tape.
        add: gradients of a piece; the last argument is None, or those so far, to whose parameters it adds.
        packed: the parameters.
        pieces: from the forward pass.
        dy: (T, B, ``width``).
        dstate: gradients of the final states by name, or None.
        threads: as `backward` takes it.
        width: the size of the output.
    """
    x = pieces.x
    dy = _expect("dy", dy, (*x.shape[:2], width))
    dx: np.ndarray | None = None
    total: Grads | None = None
    last: Any = dstate
    for (start, stop), state in zip(pieces.bounds[::-1] or [(0, 0)], pieces.starts[::-1], strict=True):
        lengths = pieces.lengths_of(start, stop)
        _, _, tape = forward(packed, x[start:stop], state, lengths, pieces.reverse, threads)
        total = add(packed, tape, dy[start:stop], last, threads, total)
        if dx is None:
            dx = np.empty(x.shape, total.x.dtype)
        dx[start:stop], last = total.x, total.state
    assert total is not None
    assert dx is not None
    return Grads(total.params, dx, total.state)
