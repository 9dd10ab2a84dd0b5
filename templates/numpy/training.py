"""The backward pass."""

from __future__ import annotations

from collections.abc import Mapping

from numpy.typing import ArrayLike

from templates.numpy.arrays import _turned
from templates.numpy.cell import _backward
from templates.numpy.run import _Run, _weights
from templates.python.arguments import _expect, _read_state, _read_threads
from templates.python.cell import _OUTPUT_SIZE
from templates.python.gradients import Grads, _fit, _hold_params, _into
from templates.python.parameters import _packed
from templates.python.tape import Tape


def backward(
    params: Mapping[str, ArrayLike],
    tape: Tape,
    dy: ArrayLike,
    dstate: Mapping[str, ArrayLike | None] | None = None,
    threads: int | None = None,
    out: Grads | None = None,
    accumulate: bool = False,
) -> Grads:
    """Gradients of ``sum(y * dy) + sum(state * dstate)``: returns `Grads`.

    Args:
        params: those of the forward pass, unchanged.
        tape: from `forward`.
        dy: (T, B, size of the output).
        dstate: gradients of the final states by name; None or a missing one means zeros.
        threads: as in `forward`.
        out: `Grads` to write to.
        accumulate: add to ``out`` instead.
    """
    _read_threads(threads)
    packed = _packed(params)
    if not isinstance(tape, Tape):
        raise TypeError(f"tape: expected the tape that forward returned, found {type(tape).__name__}")
    run: _Run = tape.dims
    _fit(packed, run.sizes)
    _hold_params(params, tape)
    steps, batch = run.x.shape[:2]
    weights = _weights(packed, run.sizes, run.dtype)
    dy = run.steps(_expect("dy", dy, (steps, batch, run.sizes[_OUTPUT_SIZE])))
    last = run.states(_read_state("dstate", dstate, batch, run.sizes)[0], batch)
    grads, dx, dfirst = _backward(weights, run.sizes, run.x, tape.data, run.idle, dy, last)
    result = Grads(grads, _turned(dx, run.reverse), dfirst)
    return result if out is None else _into(out, result, accumulate)
