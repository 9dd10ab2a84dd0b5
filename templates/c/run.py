"""Runs: everything that depends on the shapes of a call, kept for the next call of these shapes."""

from __future__ import annotations

import collections
import ctypes
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from templates.c.cell import _MOST_PARTS
from templates.c.choice import _Choice
from templates.c.library import _BOUND, _check, _dims, _query
from templates.c.memory import _address, _empty, _new, _places, _views
from templates.c.packing import _packing, _real, _Weights
from templates.c.team import _TEAM, _cores
from templates.python.arguments import _read_lengths, _read_out, _read_state, _read_threads, _read_x
from templates.python.cell import _INPUTS, _OUTPUTS, _STATE_SIZES, DTYPES
from templates.python.given import _PLAIN, _beside, _handed, _hold_out, _width
from templates.python.parameters import Packed, _packed
from templates.python.sizes import _axes

_SINGLE, _DOUBLE = np.dtype(np.float32), np.dtype(np.float64)
_WHOLE = np.dtype(DTYPES[0])
"""The precision of whole numbers."""
_ABSENT = next((dtype for dtype in (_SINGLE, _DOUBLE) if dtype.name not in DTYPES), None)
"""The precision that this library was generated without."""


def _precision(name: str, dtype: np.dtype) -> np.dtype:
    """The precision that numbers of a dtype run in: float64 in double, any other in float."""
    found = _DOUBLE if dtype == _DOUBLE else _SINGLE
    if found is _ABSENT:
        raise TypeError(
            f"{name}: {dtype} runs in {found}, which this module does not have: give it {DTYPES[0]}, or generate the "
            "module without --dtype"
        )
    return found


def _floating(x: ArrayLike) -> np.ndarray:
    """Whole numbers as floating point; the precision follows ``x``."""
    array = np.asarray(x)
    return array.astype(_WHOLE) if array.dtype.kind in "biu" else array


_KEPT = 16
"""The number of runs kept: the newest, each for one shape of a call."""
_KEPT_NUMBERS = 1 << 18
"""The largest workspace, in numbers, that stays with its run; a larger one goes back to the blocks."""


class _Run:
    """Everything that depends on the shapes of a call: its dims structure, number of parts and sizes of blocks."""

    def __init__(
        self,
        sizes: dict[str, int],
        dtype: np.dtype,
        steps: int,
        batch: int,
        lengths: np.ndarray | None,
        reverse: bool,
        threads: int | None,
        most: int = 1,
    ) -> None:
        self.sizes, self.dtype, self.lengths, self.batch = sizes, dtype, lengths, batch
        self.dims = _dims(sizes, steps, batch, lengths, reverse)
        self.byref, self.address = ctypes.byref(self.dims), ctypes.addressof(self.dims)
        self.parts = self.woken = threads or 1
        self.threads = threads
        if threads is None:
            self.parts, self.woken = [_query(dtype, "useful_parts", self.dims, most, awake) for awake in (1, 0)]
        self.choices: dict[str, _Choice] = {}
        self.states = {name: (batch, *_axes(size, sizes)) for name, size in _STATE_SIZES.items()}
        self.numbers = sum(math.prod(shape) for shape in self.states.values())
        self.state_places, self.packing = _places(self.states), _packing(sizes, dtype)
        self.output_shape = (batch, _width(sizes))
        self.spare: dict[str, list[tuple[np.ndarray, int]]] = collections.defaultdict(list)
        self.spare_steps: list[tuple[np.ndarray, int]] = []
        self.sizes_of: dict[tuple[Any, ...], int] = {}
        self.key, self.step_numbers = self.packing.key, self.numbers + math.prod(self.output_shape)
        self.step_entry = _BOUND[dtype, "step"]

    def call(
        self,
        name: str,
        weights: _Weights,
        *arrays: np.ndarray | None,
        numbers: tuple[int, ...] = (),
    ) -> None:
        """Call an entry on arrays; the rest is that of `call_at`."""
        pointers = [None if array is None else _address(array) for array in arrays]
        self.call_at(name, weights.address, *pointers, numbers=numbers)

    def call_at(self, name: str, weights: int, *pointers: int | None, numbers: tuple[int, ...] = ()) -> None:
        """Call an entry with its dims, weights, pointers (None for a null one), workspace and numbers, part by part."""
        spare = self.spare[name]
        try:
            workspace, address = spare.pop()
        except IndexError:  # the first call, or another thread took it
            workspace = _empty(self.size(f"{name}_workspace_size", self.parts), self.dtype)
            address = _address(workspace)
        if self.parts == 1:
            status = _BOUND[self.dtype, name](self.byref, weights, *pointers, address, *numbers, 0, 1, None)
        else:
            arguments = (self.address, weights, *pointers, address, *numbers)
            if self.threads is None and name not in self.choices:
                self.choices[name] = _Choice(self.parts)
            choice = self.choices.get(name)
            status = _TEAM.run(self.dtype, name, arguments, self.parts, self.woken, choice)
        if workspace.size <= _KEPT_NUMBERS:
            spare.append((workspace, address))
        if status:
            _check(name, status)

    def size(self, query: str, *numbers: int) -> int:
        """The answer of a query, which runs once."""
        key = (query, *numbers)
        if key not in self.sizes_of:
            self.sizes_of[key] = _query(self.dtype, query, self.dims, *numbers)
        return self.sizes_of[key]

    def weights(self, packed: Packed) -> _Weights:
        """The packed weights in the precision of this run, made at first use."""
        weights: _Weights | None = packed.panels.get(self.key)
        if weights is None:
            weights = packed.panels[self.key] = self.packing.pack_again(packed, self.threads)
        return weights

    def step(self, weights: _Weights, x: np.ndarray, block: np.ndarray, y: np.ndarray | None) -> None:
        """One step of every row; ``block`` holds the states, takes the next ones, and the output if ``y`` is None."""
        try:
            spare = self.spare_steps.pop()
        except IndexError:  # the first call, or another thread took it
            workspace = _empty(self.size("infer_workspace_size", 1), self.dtype)
            spare = (workspace, _address(workspace))
        states = _address(block)
        output = states + self.numbers * self.dtype.itemsize if y is None else _address(y)
        status = self.step_entry(self.byref, weights.address, _address(x), states, output, spare[1])
        self.spare_steps.append(spare)
        if status:
            _check("step", status)

    def block(self, given: str, state: Mapping[str, np.ndarray | None]) -> np.ndarray | None:
        """All states one after the other, as C takes them; None if all are zero."""
        if all(array is None for array in state.values()):
            return None
        block = np.zeros(self.numbers, self.dtype)
        for name, part in _views(block, self.state_places).items():
            array = state[name]
            if array is not None:
                part[...] = _real(f"{given}[{name!r}]", array)
        return block

    def new_block(self) -> np.ndarray:
        """Room for all states."""
        return np.empty(self.numbers, self.dtype)


_RUNS: dict[tuple[Any, ...], _Run] = {}


_ALWAYS_ALONE = 0
"""The bound of a run that one thread does soonest however many processors there are: these need not be counted for it."""


def _key(sizes: dict[str, int], dtype: np.dtype, steps: int, batch: int, reverse: bool, bound: int) -> tuple[Any, ...]:
    """What a run without lengths is kept under; ``bound`` is a number of threads, or minus the most of them."""
    return (dtype, steps, batch, bool(reverse), bound, *sizes.values())


def _keep(key: tuple[Any, ...], run: _Run) -> _Run:
    """Keep a run while it is among the newest; returns it."""
    for oldest in list(_RUNS)[: 1 - _KEPT]:
        _RUNS.pop(oldest, None)
    _RUNS[key] = run
    return run


def _run(
    sizes: dict[str, int],
    dtype: np.dtype,
    steps: int,
    batch: int,
    lengths: np.ndarray | None,
    reverse: bool,
    threads: int | None,
    most: int = _MOST_PARTS,
) -> _Run:
    """The run of these shapes; without lengths, it is kept while it is among the newest.

    Where ``threads`` is None, ``most`` bounds their number, beside SYMRNN_NUM_THREADS.
    """
    threads = _read_threads(threads)
    if threads is not None and threads > _MOST_PARTS:
        raise ValueError(f"threads: expected at most {_MOST_PARTS}, found {threads}")
    if lengths is not None:
        most = min(_cores(), most) if threads is None else threads
        return _Run(sizes, dtype, steps, batch, lengths, reverse, threads, most)
    if threads is not None:
        key = _key(sizes, dtype, steps, batch, reverse, threads)
        return _RUNS.get(key) or _keep(key, _Run(sizes, dtype, steps, batch, None, reverse, threads))
    alone = _key(sizes, dtype, steps, batch, reverse, _ALWAYS_ALONE)
    run = _RUNS.get(alone)
    if run is not None:
        return run
    most = min(_cores(), most)
    key = _key(sizes, dtype, steps, batch, reverse, -most)  # a bound alone does not choose a number
    run = _RUNS.get(key)
    if run is not None:
        return run
    run = _Run(sizes, dtype, steps, batch, None, reverse, None, most)
    always = run.parts == 1 and _query(dtype, "useful_parts", run.dims, _MOST_PARTS, 1) == 1
    return _keep(alone if always else key, run)


def _prepare(
    params: Mapping[str, ArrayLike],
    x: ArrayLike,
    state: Mapping[str, ArrayLike | None] | None,
    lengths: ArrayLike | None,
    reverse: bool,
    threads: int | None,
    inputs: Mapping[str, ArrayLike] | None,
) -> tuple[_Run, _Weights, np.ndarray, np.ndarray | None]:
    """A run, its weights, its inputs in one precision and dense, and its initial states."""
    packed = _packed(params)
    x, sizes = _read_x(_floating(x), packed.sizes)
    if _INPUTS or inputs:
        x, sizes = _beside(x, inputs, sizes)
    dtype = _precision("x", _real("x", x).dtype)
    T, B = x.shape[:2]
    given, sizes = _read_state("state", state, B, sizes)
    lengths = _read_lengths(lengths, T, B)
    lengths = None if lengths is None else lengths.astype(np.uintp)
    run = _run(sizes, dtype, T, B, lengths, reverse, threads)
    return run, run.weights(packed), np.ascontiguousarray(x, dtype), run.block("state", given)


def _output(out: Any, shape: tuple[int, ...], x: np.ndarray, sizes: Mapping[str, int]) -> tuple[np.ndarray, np.ndarray]:
    """A dense array for the outputs; and the input, copied if the two share memory."""
    if out is None:
        return _new(shape, x.dtype), x
    if not _PLAIN:
        _hold_out(out, shape[:-1], sizes, x.dtype)
        each = out.values() if len(_OUTPUTS) > 1 else [out]
        shared = any(one is not None and np.may_share_memory(one, x) for one in each)
        return _new(shape, x.dtype), x.copy() if shared else x
    _read_out("out", out, shape, x.dtype)
    y = out if out.flags.c_contiguous else np.empty(shape, x.dtype)
    return y, x.copy() if np.may_share_memory(out, x) else x


def _returned(y: np.ndarray, out: Any, sizes: Mapping[str, int]) -> Any:
    """The outputs that a function returns."""
    if not _PLAIN:
        return _handed(y, out, sizes)
    if out is None or y is out:
        return y
    out[...] = y
    return out
