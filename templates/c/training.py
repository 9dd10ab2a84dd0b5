"""Training: the forward pass with a tape, and the backward pass."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from templates.c.calls import infer
from templates.c.cell import _BLOCK_NUMBERS
from templates.c.memory import _address, _empty, _new, _views
from templates.c.packing import _real
from templates.c.run import _output, _prepare, _returned, _run
from templates.python.arguments import _read_state
from templates.python.given import _input_gradients, _read_dy
from templates.python.gradients import Grads, _are_of, _fit, _hold_params, _into
from templates.python.parameters import _packed
from templates.python.pieces import _forward_in_pieces, _Pieces
from templates.python.pieces_back import _backward_in_pieces
from templates.python.tape import Tape


def forward(
    params: Mapping[str, ArrayLike],
    x: ArrayLike,
    state: Mapping[str, ArrayLike | None] | None = None,
    lengths: ArrayLike | None = None,
    reverse: bool = False,
    threads: int | None = None,
    out: Any = None,
    checkpoint: int | None = None,
    inputs: Mapping[str, ArrayLike] | None = None,
) -> tuple[Any, dict[str, np.ndarray], Tape]:
    """All steps, with a tape for `backward`: returns ``(y, state, tape)``; arguments as those of `infer`.

    `backward` reads ``x`` and the parameters again. Do not change them in place before it: its gradients would be wrong
    without an error. Other arrays that hold other numbers are an error. With ``checkpoint``, the tape keeps the states
    alone, every so many steps, or a few more; `backward` computes the rest again, and the gradients are the same.
    """
    if checkpoint is not None:
        packed = _packed(params)
        return _forward_in_pieces(infer, packed, params, x, state, lengths, reverse, threads, out, checkpoint, inputs)
    run, weights, x, block = _prepare(params, x, state, lengths, reverse, threads, inputs)
    y, x = _output(out, (x.shape[0], *run.output_shape), x, run.sizes)
    final = run.new_block()
    tape = _empty(run.size("tape_size"), run.dtype)
    run.call("forward", weights, x, block, y, final, tape)
    states = _tape_states(tape, x.shape[0], run.states)
    dims = (run.sizes, run.lengths, bool(reverse))
    kept = Tape(states, (tape, x.view(), weights), dims, params)
    return _returned(y, out, run.sizes), _views(final, run.state_places), kept


def _tape_states(tape: np.ndarray, steps: int, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """The states over time: they are first in the tape, each rounded up to whole blocks of numbers."""
    states, start = {}, 0
    for name, shape in shapes.items():
        count = (steps + 1) * math.prod(shape)
        states[name] = tape[start : start + count].reshape(steps + 1, *shape)
        start += -(-count // _BLOCK_NUMBERS) * _BLOCK_NUMBERS
    return states


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
        params: those of `forward`, unchanged.
        tape: from `forward`; it may be used again.
        dy: (T, B, size of the output); of several outputs by name, where None or a missing one means zeros.
        dstate: gradients by the final states, by name; None or a missing one means zeros.
        threads: as in `infer`.
        out: earlier `Grads` to write into.
        accumulate: add to ``out`` instead.
    """
    if not isinstance(tape, Tape):
        raise TypeError(f"tape: expected the tape that forward returned, found {type(tape).__name__}")
    in_pieces = isinstance(tape.data, _Pieces)
    if in_pieces or not _are_of(params, tape):
        packed = _packed(params)
        _fit(packed, tape.dims if in_pieces else tape.dims[0])
        _hold_params(params, tape)
    if in_pieces:
        result = _backward_in_pieces(forward, _added, packed, tape.data, dy, dstate, threads)
    else:
        result = _added(tape, dy, dstate, threads, None)
    return result if out is None else _into(out, result, accumulate)


def _added(
    tape: Tape,
    dy: Any,
    dstate: Mapping[str, ArrayLike | None] | None,
    threads: int | None,
    total: Grads | None,
) -> Grads:
    """Gradients; those of the parameters are added to the others of ``total``, in its arrays, if there is one."""
    sizes, lengths, reverse = tape.dims
    block, x, weights = tape.data
    T, B = x.shape[:2]
    run = _run(sizes, x.dtype, T, B, lengths, reverse, threads)
    given = np.ascontiguousarray(_real("dy", _read_dy(dy, (T, B), sizes, run.dtype)), run.dtype)
    dlast = run.block("dstate", _read_state("dstate", dstate, B, sizes)[0])
    numbers = _empty(run.packing.grad_numbers, run.dtype) if total is None else total.block
    pointers = run.packing.grad_starts + _address(numbers)
    dx, dfirst = _new(x.shape, x.dtype), run.new_block()
    adds = int(total is not None)
    run.call("backward", weights, x, block, given, dlast, pointers, dx, dfirst, numbers=(adds,))
    of_x, of_inputs = _input_gradients(dx, sizes)
    grads = Grads(_views(numbers, run.packing.grads), of_x, _views(dfirst, run.state_places), of_inputs)
    grads.block = numbers
    return grads
