"""Pieces, backward: each is run again with a tape, the last one first, and adds its gradients to those so far."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from templates.python.given import _and_of_states, _columns, _input_gradients, _outputs_of, _read_dy
from templates.python.gradients import Grads
from templates.python.parameters import Packed
from templates.python.pieces import _Pieces
from templates.python.tape import Tape


def _backward_in_pieces(
    forward: Callable[..., tuple[Any, dict[str, np.ndarray], Tape]],
    add: Callable[..., Grads],
    packed: Packed,
    pieces: _Pieces,
    dy: Any,
    dstate: Mapping[str, ArrayLike | None] | None,
    threads: int | None,
) -> Grads:
    """Gradients of a sequence that was run in pieces.

    Args:
        forward: runs a piece with a tape.
        add: gradients of a piece; the last argument is None, or those so far, to whose parameters it adds.
        packed: the parameters.
        pieces: from the forward pass.
        dy: as `backward` takes it.
        dstate: gradients of the final states by name, or None.
        threads: as `backward` takes it.
    """
    x, starts = pieces.x, pieces.starts
    sizes = _and_of_states(pieces.sizes, starts[0])
    given = _read_dy(dy, x.shape[:2], sizes, x.dtype)
    dx: np.ndarray | None = None
    total: Grads | None = None
    last: Any = dstate
    for (start, stop), state in zip(pieces.bounds[::-1] or [(0, 0)], pieces.starts[::-1], strict=True):
        part, *how, inputs = pieces.given(start, stop)
        _, _, tape = forward(packed, part, state, *how, threads, inputs=inputs)
        total = add(tape, _outputs_of(given[start:stop], sizes), last, threads, total)
        if dx is None:
            dx = np.zeros(x.shape, total.x.dtype)
        for name, array in {"x": total.x, **total.inputs}.items():
            _columns(dx[start:stop], sizes)[name][...] = array
        last = total.state
    assert total is not None
    assert dx is not None
    of_x, of_inputs = _input_gradients(dx, sizes)
    return Grads(total.params, of_x, total.state, of_inputs)
