"""Calls: all steps, one step, a stream, and the derivative in a direction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import ArrayLike

from templates.numpy.cell import _TANGENTS, _Directions, _steps_of_stream, _tangent
from templates.numpy.run import _Run, _weights
from templates.python.arguments import _array, _expect, _names, _read_state, _read_threads, _read_x
from templates.python.cell import _INPUT_SIZE, _SHAPES, _STATE_SIZES, OUTPUT
from templates.python.parameters import _packed, pack
from templates.python.pieces import _forward_in_pieces
from templates.python.tape import Tape


def forward(
    params: Mapping[str, ArrayLike],
    x: ArrayLike,
    state: Mapping[str, ArrayLike | None] | None = None,
    lengths: ArrayLike | None = None,
    reverse: bool = False,
    threads: int | None = None,
    out: np.ndarray | None = None,
    checkpoint: int | None = None,
) -> tuple[np.ndarray, dict[str, np.ndarray], Tape]:
    """All steps, with a tape for `backward`: returns ``(y, state, tape)``.

    `backward` reads ``x`` and the parameters again. Do not change them in place before it: its gradients would be wrong
    without an error. Other arrays that hold other numbers are an error.

    Args:
        params: parameters by name, or the result of `pack`.
        x: (T, B, input).
        state: initial states by name, (B, size) each; None or a missing one means zeros.
        lengths: (B,) steps of each row; beyond, its state keeps its value and its output is zero.
        reverse: run each row from its last step to its first; output t stays at index t.
        threads: None or a number; NumPy's BLAS decides for itself.
        out: an array for ``y``.
        checkpoint: keep the states alone, every so many steps, or a few more; `backward` computes the rest again.
    """
    _read_threads(threads)
    if checkpoint is not None:
        packed = _packed(params)
        return _forward_in_pieces(infer, packed, params, x, state, lengths, reverse, threads, out, checkpoint)
    run = _Run(params, x, state, lengths, reverse, out)
    final, states, data = run.forward(True)
    over_time = {name: array[::-1] if run.reverse else array[:] for name, array in states.items()}
    data.update({f"{name} states": array for name, array in states.items()})
    return run.y, {name: array.copy() for name, array in final.items()}, Tape(over_time, data, run, params)


def infer(
    params: Mapping[str, ArrayLike],
    x: ArrayLike,
    state: Mapping[str, ArrayLike | None] | None = None,
    lengths: ArrayLike | None = None,
    reverse: bool = False,
    threads: int | None = None,
    out: np.ndarray | None = None,
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """All steps, without a tape: returns ``(y, state)``; arguments as those of `forward`."""
    _read_threads(threads)
    run = _Run(params, x, state, lengths, reverse, out)
    final, _, _ = run.forward(False)
    return run.y, {name: array.copy() for name, array in final.items()}


def step(
    params: Mapping[str, ArrayLike],
    x_t: ArrayLike,
    state: Mapping[str, ArrayLike | None] | None = None,
    out: np.ndarray | None = None,
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """One step: returns ``(y_t, state)`` for ``x_t`` (B, input)."""
    packed = _packed(params)
    x_t, _ = _read_x(x_t, packed.sizes, "x_t", 2)
    if out is not None and not isinstance(out, np.ndarray):
        raise ValueError(f"out: expected a writable array, found {type(out).__name__}")
    y, final = infer(packed, x_t[np.newaxis], state, out=None if out is None else out[np.newaxis])
    return y[0], final


class _Stream:
    """A layer run step by step, its state kept in place; call it with ``x_t`` (B, input)."""

    def __init__(self, packed: Mapping[str, ArrayLike], batch: int) -> None:
        self._packed = pack(packed)
        sizes = self._packed.sizes
        missing = [size for size in _STATE_SIZES.values() if size not in sizes]
        if missing:
            raise ValueError(f"packed: no parameter has the size {missing[0]}, so the layer cannot be streamed")
        if isinstance(batch, bool) or not hasattr(batch, "__index__") or batch < 0:
            raise ValueError(f"batch: expected a whole number of rows, found {batch!r}")
        dtype = np.result_type(*self._packed.values())
        self.state = {name: np.zeros((batch, sizes[size]), dtype) for name, size in _STATE_SIZES.items()}
        self._x = np.zeros((1, batch, sizes.get(_INPUT_SIZE, 0)), dtype)
        self._steps = self._begin()

    def _begin(self) -> Iterator[None]:
        weights = _weights(self._packed, self._packed.sizes, self._x.dtype)
        return _steps_of_stream(weights, self._packed.sizes, self._x, self.state.copy())

    def reset(self) -> None:
        """Set the state to zeros."""
        for array in self.state.values():
            array[...] = 0

    def __call__(self, x_t: ArrayLike) -> np.ndarray:
        x_t = np.asarray(x_t)
        if x_t.shape != self._x.shape[1:]:
            if _INPUT_SIZE in self._packed.sizes or x_t.ndim != 2 or len(x_t) != self._x.shape[1]:
                raise ValueError(f"x_t: expected shape {self._x.shape[1:]}, found {x_t.shape}")
            self._x = np.zeros((1, *x_t.shape), self._x.dtype)  # no parameter has the number of inputs
            self._steps = self._begin()
        self._x[0] = x_t
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            next(self._steps)
        return self.state[OUTPUT].copy()


def stream(packed: Mapping[str, ArrayLike], batch: int = 1) -> _Stream:
    """The layer as a callable that keeps its state, in the dtype of the parameters: ``s(x_t)``, ``s.state``."""
    return _Stream(packed, batch)


def jvp(
    params: Mapping[str, ArrayLike],
    x: ArrayLike,
    state: Mapping[str, ArrayLike | None] | None,
    dparams: Mapping[str, ArrayLike] | None,
    dx: ArrayLike | None,
    dstate: Mapping[str, ArrayLike | None] | None,
    lengths: ArrayLike | None = None,
    reverse: bool = False,
    threads: int | None = None,
    out: np.ndarray | None = None,
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The derivative of ``(y, state)`` in a direction: returns ``(dy, dstate)``; None means a direction of zeros."""
    _read_threads(threads)
    packed = _packed(params)
    _names("dparams", {} if dparams is None else dparams, tuple(_SHAPES))
    along = {} if dparams is None else {n: _expect(f"dparams[{n!r}]", a, packed[n].shape) for n, a in dparams.items()}
    x = _array("x", x)
    dx = None if dx is None else _expect("dx", dx, x.shape)
    batch = x.shape[1] if x.ndim == 3 else 0
    others = [array for array in (*along.values(), dx) if array is not None]
    run = _Run(packed, x, state, lengths, reverse, out, others)
    tangent = run.states(_read_state("dstate", {} if dstate is None else dstate, batch, run.sizes)[0], batch)
    p = {name: np.ascontiguousarray(array, run.dtype) for name, array in packed.items()}
    both = dict(run.state)
    for name, of in _TANGENTS.items():
        if of in tangent:
            both[name] = tangent[of]
        else:
            p[name] = along[of].astype(run.dtype, copy=False) if of in along else np.zeros_like(p[of])
    dx = run.steps(np.zeros_like(run.x) if dx is None else dx)
    dy = run.y[::-1] if run.reverse else run.y
    final, _, _ = _tangent(_Directions(p, run.sizes), run.sizes, run.x, dx, both, run.idle, False, dy)
    return run.y, {of: final[name].copy() for name, of in _TANGENTS.items() if of in tangent}
