"""The backward pass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import ArrayLike

from templates.numpy.arrays import _turned
from templates.numpy.calls import forward
from templates.numpy.cell import _backward
from templates.numpy.run import _Run, _weights
from templates.python.arguments import _read_state, _read_threads
from templates.python.given import _input_gradients, _read_dy, _states_of
from templates.python.gradients import Grads, _fit, _hold_params, _into
from templates.python.parameters import _packed
from templates.python.pieces import _Pieces
from templates.python.pieces_back import _backward_in_pieces
from templates.python.tape import Tape


def backward(
    params: Mapping[str, ArrayLike],
    tape: Tape,
    dy: Any,
    dstate: Mapping[str, ArrayLike | None] | None = None,
    threads: int | None = None,
    out: Grads | None = None,
    accumulate: bool = False,
) -> Grads:
    """Gradients of ``sum(y * dy) + sum(state * dstate)``: returns `Grads`.

    Args:
        params: those of the forward pass, unchanged.
        tape: from `forward`.
        dy: (T, B, size of the output); of several outputs by name, where None or a missing one means zeros.
        dstate: gradients of the final states by name; None or a missing one means zeros.
        threads: as in `forward`.
        out: `Grads` to write to.
        accumulate: add to ``out`` instead.
    """
    _read_threads(threads)
    packed = _packed(params)
    if not isinstance(tape, Tape):
        raise TypeError(f"tape: expected the tape that forward returned, found {type(tape).__name__}")
    in_pieces = isinstance(tape.data, _Pieces)
    _fit(packed, tape.dims if in_pieces else tape.dims.sizes)
    _hold_params(params, tape)
    if in_pieces:
        result = _backward_in_pieces(forward, _added, packed, tape.data, dy, dstate, threads)
        return result if out is None else _into(out, result, accumulate)
    run: _Run = tape.dims
    steps, batch = run.x.shape[:2]
    weights = _weights(packed, run.sizes, run.dtype)
    given = run.steps(_read_dy(dy, (steps, batch), run.sizes, run.dtype))
    last = run.states(_read_state("dstate", dstate, batch, run.sizes)[0], batch)
    grads, dx, dfirst = _backward(weights, run.sizes, run.x, tape.data, run.idle, given, last)
    dx, dinputs = _input_gradients(_turned(dx, run.reverse), run.sizes)
    grads = {name: array.reshape(packed[name].shape) for name, array in grads.items()}
    result = Grads(grads, dx, _states_of(dfirst, run.sizes), dinputs)
    return result if out is None else _into(out, result, accumulate)


def _added(
    tape: Tape,
    dy: Any,
    dstate: Mapping[str, ArrayLike | None] | None,
    threads: int | None,
    total: Grads | None,
) -> Grads:
    """Gradients of a piece, those of the parameters added to the others so far."""
    grads = backward(tape.params, tape, dy, dstate, threads)
    if total is not None:
        for name, array in grads.params.items():
            total.params[name] += array
        grads.params = total.params
    return grads
