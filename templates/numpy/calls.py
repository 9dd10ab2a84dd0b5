"""Calls: all steps, one step, a stream, and the derivative in a direction."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from templates.numpy.cell import _TANGENTS, _Directions, _steps_of_stream, _tangent
from templates.numpy.run import _Run, _weights
from templates.python.arguments import _array, _expect, _names, _read_state, _read_threads, _read_x
from templates.python.cell import _INPUT_SIZE, _INPUTS, _NO_GRADIENT, _OUTPUTS, _SHAPES, _STATE_SIZES, OUTPUT, STATES
from templates.python.given import (
    _and_of_states,
    _beside,
    _handed,
    _hold_out,
    _inputs_of,
    _output_rows,
    _outputs_of,
    _states_of,
    _width,
)
from templates.python.parameters import _packed, pack
from templates.python.pieces import _forward_in_pieces
from templates.python.sizes import _level_params, _names_of, _units
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
    """All steps, with a tape for `backward`: returns ``(y, state, tape)``.

    `backward` reads ``x`` and the parameters again. Do not change them in place before it: its gradients would be wrong
    without an error. Other arrays that hold other numbers are an error.

    Args:
        params: parameters by name, or the result of `pack`.
        x: (T, B, input), or with an axis for each of its own.
        state: initial states by name, (B, size) each; None or a missing one means zeros.
        lengths: (B,) steps of each row; beyond, its state keeps its value and its output is zero.
        reverse: run each row from its last step to its first; output t stays at index t.
        threads: None or a number; NumPy's BLAS decides for itself.
        out: an array for ``y``; of several outputs, arrays by name.
        checkpoint: keep the states alone, every so many steps, or a few more; `backward` computes the rest again.
        inputs: the inputs beside ``x`` by name, (T, B, size) each, where the cell has some.

    Where the cell has several outputs, ``y`` holds them by name.
    """
    _read_threads(threads)
    if checkpoint is not None:
        packed = _packed(params)
        return _forward_in_pieces(infer, packed, params, x, state, lengths, reverse, threads, out, checkpoint, inputs)
    run = _Run(params, x, state, lengths, reverse, out, inputs)
    final, states, data = run.forward(True)
    over_time = {name: array[::-1] if run.reverse else array[:] for name, array in states.items()}
    data.update({f"{name} states": array for name, array in states.items()})
    last = {name: array.copy() for name, array in final.items()}
    tape = Tape(_states_of(over_time, run.sizes), data, run, params)
    return run.outputs(), _states_of(last, run.sizes), tape


def infer(
    params: Mapping[str, ArrayLike],
    x: ArrayLike,
    state: Mapping[str, ArrayLike | None] | None = None,
    lengths: ArrayLike | None = None,
    reverse: bool = False,
    threads: int | None = None,
    out: Any = None,
    inputs: Mapping[str, ArrayLike] | None = None,
) -> tuple[Any, dict[str, np.ndarray]]:
    """All steps, without a tape: returns ``(y, state)``; arguments as those of `forward`."""
    _read_threads(threads)
    run = _Run(params, x, state, lengths, reverse, out, inputs)
    final, _, _ = run.forward(False)
    return run.outputs(), _states_of({name: array.copy() for name, array in final.items()}, run.sizes)


def step(
    params: Mapping[str, ArrayLike],
    x_t: ArrayLike,
    state: Mapping[str, ArrayLike | None] | None = None,
    out: Any = None,
    inputs: Mapping[str, ArrayLike] | None = None,
) -> tuple[Any, dict[str, np.ndarray]]:
    """One step: returns ``(y_t, state)`` for ``x_t`` (B, input), and for the other inputs, (B, size) each."""
    packed = _packed(params)
    x_t, sizes = _read_x(x_t, packed.sizes, "x_t", 2)
    x_t, sizes = _beside(x_t, inputs, sizes)
    if len(_OUTPUTS) == 1 and out is not None and not isinstance(out, np.ndarray):
        raise ValueError(f"out: expected a writable array, found {type(out).__name__}")
    _hold_out(out, x_t.shape[:1], sizes, x_t.dtype)
    x, others = _inputs_of(x_t[np.newaxis], sizes)
    one = out[np.newaxis] if len(_OUTPUTS) == 1 and out is not None else None
    y, final = infer(packed, x, state, out=one, inputs=others)
    if len(_OUTPUTS) == 1:
        return y[0], final
    sizes = _and_of_states(sizes, final)
    return _handed(_output_rows({name: each[0] for name, each in y.items()}, sizes), out, sizes), final


_STATE_ALONE = tuple(_OUTPUTS) == (OUTPUT,) and OUTPUT in STATES
"""Whether the output is a state, and the only one."""


class _Stream:
    """A layer run step by step, its state kept in place; call it with ``x_t`` (B, input), and the other inputs."""

    def __init__(self, packed: Mapping[str, ArrayLike], batch: int) -> None:
        self._packed = pack(packed)
        sizes = self._packed.sizes
        missing = [size for size in _names_of(*_STATE_SIZES.values()) if size not in sizes]
        if missing:
            raise ValueError(f"packed: no parameter has the size {missing[0]}, so the layer cannot be streamed")
        if isinstance(batch, bool) or not hasattr(batch, "__index__") or batch < 0:
            raise ValueError(f"batch: expected a whole number of rows, found {batch!r}")
        self._batch, self._dtype = batch, np.result_type(*self._packed.values())
        shapes = {name: (batch, _units(size, sizes)) for name, size in _STATE_SIZES.items()}
        self._state = {name: np.zeros(shape, self._dtype) for name, shape in shapes.items()}
        self.state = _states_of(self._state, sizes)
        self._x = self._y = np.zeros((1, 0, 0), self._dtype)
        self._sizes: dict[str, int] = sizes
        if set(_names_of(_INPUT_SIZE, *_INPUTS.values())) <= sizes.keys():
            self._begin(sizes)

    def _begin(self, sizes: dict[str, int]) -> None:
        """Make the arrays for rows of these sizes, and the steps that read and write them."""
        widths = [_units(size, sizes) for size in (_INPUT_SIZE, *_INPUTS.values())]
        self._sizes, self._x = sizes, np.zeros((1, self._batch, sum(widths)), self._dtype)
        self._y = np.zeros((1, self._batch, _width(sizes)), self._dtype)
        weights = _weights(self._packed, sizes, self._dtype)
        self._steps = _steps_of_stream(weights, sizes, self._x, self._state.copy(), self._y)

    def reset(self) -> None:
        """Set the state to zeros."""
        for array in self.state.values():
            array[...] = 0

    def __call__(self, x_t: ArrayLike, inputs: Mapping[str, ArrayLike] | None = None) -> Any:
        x_t = np.asarray(x_t)
        in_parts = _INPUTS or inputs or "*" in _INPUT_SIZE
        if in_parts:
            x_t, sizes = self._read(x_t, inputs)
        if x_t.shape != self._x.shape[1:]:
            if not in_parts:
                x_t, sizes = self._read(x_t, None)
            self._begin(sizes)  # no parameter has the number of inputs
        self._x[0] = x_t
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            next(self._steps)
        return self.state[OUTPUT].copy() if _STATE_ALONE else _outputs_of(self._y[0].copy(), self._sizes)

    def _read(self, x_t: np.ndarray, inputs: Mapping[str, ArrayLike] | None) -> tuple[np.ndarray, dict[str, int]]:
        """The inputs of a step side by side, and the sizes."""
        packed = self._packed.sizes
        if "*" in _INPUT_SIZE:
            x_t, sizes = _read_x(x_t, packed, "x_t", 2)
            if len(x_t) != self._batch:
                raise ValueError(f"x_t: expected {self._batch} rows, found {len(x_t)}")
            return _beside(x_t, inputs, sizes)
        if x_t.ndim != 2 or len(x_t) != self._batch or x_t.shape[1] != packed.get(_INPUT_SIZE, x_t.shape[1]):
            raise ValueError(
                f"x_t: expected shape {(self._batch, packed.get(_INPUT_SIZE, 'input'))}, found {x_t.shape}"
            )
        return _beside(x_t, inputs, {**packed, _INPUT_SIZE: x_t.shape[1]})


def stream(packed: Mapping[str, ArrayLike], batch: int = 1) -> _Stream:
    """The layer as a callable that keeps its state, in the dtype of the parameters: ``s(x_t, inputs)``, ``s.state``."""
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
    out: Any = None,
    inputs: Mapping[str, ArrayLike] | None = None,
    dinputs: Mapping[str, ArrayLike | None] | None = None,
) -> tuple[Any, dict[str, np.ndarray]]:
    """The derivative of ``(y, state)`` in a direction: returns ``(dy, dstate)``; None means a direction of zeros."""
    _read_threads(threads)
    packed = _packed(params)
    _names("dparams", {} if dparams is None else dparams, tuple(_SHAPES))
    for name in _NO_GRADIENT:
        if dparams is not None and name in dparams:
            raise ValueError(f"dparams: {name!r} is fixed, so it has no tangent; leave it out")
    along = {} if dparams is None else {n: _expect(f"dparams[{n!r}]", a, packed[n].shape) for n, a in dparams.items()}
    x = _array("x", x)
    direction = _direction(x, dx, inputs, dinputs)
    others = [*along.values(), *([] if direction is None else [direction])]
    run = _Run(packed, x, state, lengths, reverse, out, inputs, others)
    batch = run.x.shape[1]
    tangent = run.states(_read_state("dstate", {} if dstate is None else dstate, batch, run.sizes)[0], batch)
    p = _level_params({name: np.ascontiguousarray(array, run.dtype) for name, array in packed.items()}, run.sizes)
    both = dict(run.state)
    for name, of in _TANGENTS.items():
        if of in tangent:
            both[name] = tangent[of]
        else:
            p[name] = along[of].astype(run.dtype, copy=False) if of in along else np.zeros_like(p[of])
            p[name] = p[name].reshape(p[of].shape)
    given = run.steps(np.zeros_like(run.x) if direction is None else direction)
    dy = run.y[::-1] if run.reverse else run.y
    final, _, _ = _tangent(_Directions(p, run.sizes), run.sizes, run.x, given, both, run.idle, False, dy)
    last = {of: final[name].copy() for name, of in _TANGENTS.items() if of in tangent}
    return run.outputs(), _states_of(last, run.sizes)


def _direction(
    x: np.ndarray,
    dx: ArrayLike | None,
    inputs: Mapping[str, ArrayLike] | None,
    dinputs: Mapping[str, ArrayLike | None] | None,
) -> np.ndarray | None:
    """The direction of all inputs that have one, side by side; None for zeros."""
    one = None if dx is None else _in_rows(_expect("dx", dx, x.shape))
    if not _INPUTS and not dinputs:
        return one
    given: Mapping[str, Any] = {} if dinputs is None else dinputs
    values: Mapping[str, Any] = {} if inputs is None else inputs
    _names("dinputs", given, tuple(_INPUTS))
    for name in _NO_GRADIENT:
        if name in given:
            raise ValueError(f"dinputs: {name!r} has no gradient, so it has no tangent; leave it out")
    parts = [_in_rows(np.zeros_like(x)) if one is None else one]
    for name in (name for name in _INPUTS if name not in _NO_GRADIENT):
        shape = np.shape(values.get(name, 0))
        part = np.zeros(shape) if given.get(name) is None else _expect(f"dinputs[{name!r}]", given[name], shape)
        parts.append(_in_rows(part))
    # Where an input does not fit, the run says so.
    fits = all(part.shape[:-1] == x.shape[:2] for part in parts)
    return np.concatenate(parts, axis=-1) if fits else one


def _in_rows(array: np.ndarray) -> np.ndarray:
    """Values of every step and row with one axis, whatever axes they have."""
    return array.reshape(*array.shape[:2], math.prod(array.shape[2:]))
