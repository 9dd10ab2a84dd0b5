"""Calls: all steps, one step, and a stream."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from templates.c.library import _BOUND, _check
from templates.c.memory import _empty, _places, _views
from templates.c.packing import _real
from templates.c.run import _RUNS, _WHOLE, _floating, _key, _output, _precision, _prepare, _returned, _run
from templates.python.arguments import _read_state, _read_x
from templates.python.cell import _INPUT_SIZE, _INPUTS, _STATE_SIZES
from templates.python.given import _PLAIN, _beside, _outputs_of
from templates.python.parameters import _packed, pack
from templates.python.sizes import _axes, _names_of, _units


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
    """All steps, without a tape: returns ``(y, state)``.

    Args:
        params: parameters by name, or the result of `pack`.
        x: (T, B, input), or with an axis for each of its own.
        state: initial states by name, (B, size) each; None or a missing one means zeros.
        lengths: (B,) steps of each row; beyond, its state keeps its value and its output is zero.
        reverse: run each row from its last step to its first; output t stays at index t.
        threads: a number, or None for as many as pay for the work, SYMRNN_NUM_THREADS at most; it changes no result.
        out: an array for ``y``; of several outputs, arrays by name.
        inputs: the inputs beside ``x`` by name, (T, B, size) each, where the cell has some.

    Where the cell has several outputs, ``y`` holds them by name.
    """
    run, weights, x, block = _prepare(params, x, state, lengths, reverse, threads, inputs)
    y, x = _output(out, (x.shape[0], *run.output_shape), x, run.sizes)
    final = run.new_block()
    run.call("infer", weights, x, block, y, final)
    return _returned(y, out, run.sizes), _views(final, run.state_places)


def step(
    params: Mapping[str, ArrayLike],
    x_t: ArrayLike,
    state: Mapping[str, ArrayLike | None] | None = None,
    out: Any = None,
    inputs: Mapping[str, ArrayLike] | None = None,
) -> tuple[Any, dict[str, np.ndarray]]:
    """One step: returns ``(y_t, state)`` for ``x_t`` (B, input), and for the other inputs, (B, size) each."""
    packed = _packed(params)
    x_t, sizes = _read_x(_floating(x_t), packed.sizes, "x_t", 2)
    if _INPUTS or inputs:
        x_t, sizes = _beside(x_t, inputs, sizes)
    dtype = _precision("x_t", _real("x_t", x_t).dtype)
    given, sizes = _read_state("state", state, x_t.shape[0], sizes)
    # Looked up here first: `_run` is slow for so small a thing.
    run = _RUNS.get(_key(sizes, dtype, 1, x_t.shape[0], False, 1)) or _run(
        sizes, dtype, 1, x_t.shape[0], None, False, 1
    )
    x, shape = np.ascontiguousarray(x_t, dtype), run.output_shape
    block = np.zeros(run.step_numbers, dtype)  # states and output in one: one address to ask for
    if out is None:
        y = block[run.numbers :].reshape(shape)
    else:
        y, x = _output(out, shape, x, run.sizes)
    after = _views(block, run.state_places)
    for name, array in given.items():
        if array is not None:
            if array.dtype.kind == "c":
                _real(f"state[{name!r}]", array)
            after[name][...] = array
    run.step(run.weights(packed), x, block, None if out is None else y)
    return (y if out is None and _PLAIN else _returned(y, out, run.sizes)), after


class _Stream:
    """A layer run step by step, its state kept in place, pointers bound once.

    Call it with ``x_t`` (B, input), and the other inputs.
    """

    def __init__(self, packed: Mapping[str, ArrayLike], batch: int) -> None:
        self._packed, self._batch = pack(packed), batch
        sizes = self._packed.sizes
        missing = [size for size in _names_of(*_STATE_SIZES.values()) if size not in sizes]
        if missing:
            raise ValueError(f"packed: no parameter has the size {missing[0]}, so the layer cannot be streamed")
        if isinstance(batch, bool) or not hasattr(batch, "__index__") or batch < 0:
            raise ValueError(f"batch: expected a whole number of rows, found {batch!r}")
        self._dtype = _precision("packed", np.result_type(*self._packed.values())) if self._packed else _WHOLE
        shapes = {name: (batch, *_axes(size, sizes)) for name, size in _STATE_SIZES.items()}
        self._block = np.zeros(sum(math.prod(shape) for shape in shapes.values()), self._dtype)
        self.state = _views(self._block, _places(shapes))
        self._x: np.ndarray | None = None
        self._sizes: dict[str, int] = sizes
        if set(_names_of(_INPUT_SIZE, *_INPUTS.values())) <= sizes.keys():
            self._bind(sizes)

    def _bind(self, sizes: dict[str, int]) -> None:
        """Make the arrays for rows of these sizes, and point at them."""
        run = _run(sizes, self._dtype, 1, self._batch, None, False, 1)
        width = sum([_units(size, sizes) for size in (_INPUT_SIZE, *_INPUTS.values())])
        self._sizes, self._x = sizes, np.zeros((self._batch, width), self._dtype)
        self._y = np.zeros(run.output_shape, self._dtype)
        weights, workspace = run.weights(self._packed), _empty(run.size("infer_workspace_size", 1), self._dtype)
        self._kept = (run, weights, workspace)
        arrays = (self._x, self._block, self._y, workspace)
        self._function = _BOUND[self._dtype, "step"]
        pointers = (weights.address, *(array.ctypes.data for array in arrays))
        self._arguments = (run.byref, *map(ctypes.c_void_p, pointers))

    def reset(self) -> None:
        """Set the state to zeros."""
        self._block[...] = 0

    def __call__(self, x_t: ArrayLike, inputs: Mapping[str, ArrayLike] | None = None) -> Any:
        x_t, sizes = _real("x_t", np.asarray(x_t)), self._sizes
        if "*" in _INPUT_SIZE:
            x_t, sizes = _read_x(x_t, sizes, "x_t", 2)
            if len(x_t) != self._batch:
                raise ValueError(f"x_t: expected {self._batch} rows, found {len(x_t)}")
        else:
            width = sizes.get(_INPUT_SIZE, x_t.shape[-1] if x_t.ndim else 0)
            if x_t.shape != (self._batch, width):
                expected = (self._batch, sizes.get(_INPUT_SIZE, "input"))
                raise ValueError(f"x_t: expected shape {expected}, found {x_t.shape}")
        if _INPUTS or inputs:
            x_t, sizes = _beside(x_t, inputs, sizes)
        if self._x is None:  # no parameter has the number of inputs: the first call gives it
            self._bind(sizes if "*" in _INPUT_SIZE else {**sizes, _INPUT_SIZE: width})
        assert self._x is not None
        self._x[...] = x_t
        status = self._function(*self._arguments)
        if status:
            _check("step", status)
        return _outputs_of(self._y.copy(), self._sizes)


def stream(packed: Mapping[str, ArrayLike], batch: int = 1) -> _Stream:
    """The layer as a callable that keeps its state, in the dtype of the parameters: ``s(x_t, inputs)``, ``s.state``."""
    return _Stream(packed, batch)
