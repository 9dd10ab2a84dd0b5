"""One step at a time: its cost in C, with open and with fixed sizes, and the cost that Python adds.

Reads a cell and numbers of units; returns a `Streamed` record for each, and a table of them. In C a step has one row and
one input, and a dense layer of one output after it, like the reference. Leaves out: batches (`benchmarks.peers`).
"""

from __future__ import annotations

import ctypes
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.matrix_products import sizes_of
from benchmarks.statistics import median
from benchmarks.workload import Array
from symrnn.errors import CheckError
from symrnn.language.cell import Cell
from symrnn.pipeline import build, render
from symrnn.targets.c.library import compile_library

UNITS = (8, 16, 32, 64)
REFERENCE = {8: 57.0, 16: 113.0, 32: 167.0, 64: 732.0}
"""Nanoseconds of a step of RTNeural's LSTM, sizes known to its compiler, by units: stated for this kind of machine (one
input, a dense layer of one output, Eigen, GCC 12, ``-O3 -march=native``), and not measured here."""
REFERENCE_CELL = "lstm"

RUNS, _RUN_SECONDS, _CALLS = 301, 0.0002, 30
"""Many short runs: most lie within a turn of the scheduler, so that the median is that of a machine left alone."""


@dataclass(frozen=True)
class Streamed:
    """The cost of a step, in seconds.

    Attributes:
        units: hidden size.
        general: in C, kernels for any size.
        fixed: in C, kernels for this size.
        stream: a call of ``stream`` from Python, in which kernels for any size run.
        step: a call of ``step`` from Python.
        reference: RTNeural's, as stated; None if unknown.
    """

    units: int
    general: float
    fixed: float
    stream: float
    step: float
    reference: float | None

    @property
    def stream_overhead(self) -> float:
        """The cost of ``stream`` beyond its kernel."""
        return self.stream - self.general

    @property
    def step_overhead(self) -> float:
        """The cost of ``step`` beyond its kernel."""
        return self.step - self.general


def measure(cell: Cell, units: int, *, runs: int = RUNS) -> Streamed:
    """Time a step of ``cell`` with one input and this many units; the median of ``runs``.

    Raises:
        BuildError: no compiler is found.
        CheckError: the kernels refuse the sizes, or Python and C disagree.
    """
    known = sizes_of(cell, units if cell.input_is_hidden else 1, units)
    sizes = {name: known[name] for name in cell.sizes}
    kernels = build(cell, "c", backward=False)
    others = {name: n for name, n in sizes.items() if name not in ("input", "hidden")}
    params: dict[str, Array] = kernels.init_params(sizes["input"], units, **others)
    general, fixed = _step_in_c(cell, sizes, params, {}), _step_in_c(cell, sizes, params, sizes)
    timed: dict[str, list[float]] = {"general": [], "fixed": []}
    for _ in range(runs):  # in turn: other work on the machine affects both
        timed["general"].append(general())
        timed["fixed"].append(fixed())
    packed = kernels.pack(params)
    stream, x = kernels.stream(packed), np.full((1, sizes["input"]), 0.5, np.float32)
    y, state = kernels.step(packed, x)
    if not np.allclose(stream(x), y, atol=1e-6):
        raise CheckError(f"{cell.name}: stream and step disagree at {units} units")
    return Streamed(
        units,
        median(timed["general"]),
        median(timed["fixed"]),
        _call(lambda: stream(x), runs),
        _call(lambda: kernels.step(packed, x, state), runs),
        REFERENCE[units] * 1e-9 if cell.name == REFERENCE_CELL and units in REFERENCE else None,
    )


def table(measured: Sequence[Streamed]) -> str:
    """The results for people."""
    lines = [
        "one row, one input, nanoseconds for a step in C with a dense layer of one output; microseconds in Python",
        "units  any size  this size  RTNeural  of it   stream, beyond C   step, beyond C",
    ]
    for m in measured:
        reference = "" if m.reference is None else f"{m.reference * 1e9:10.0f}{m.fixed / m.reference:7.2f}"
        lines.append(
            f"{m.units:5}{m.general * 1e9:10.0f}{m.fixed * 1e9:11.0f}{reference:17}"
            f"{m.stream * 1e6:9.2f}{m.stream_overhead * 1e6:10.2f}{m.step * 1e6:7.2f}{m.step_overhead * 1e6:10.2f}"
        )
    if any(m.reference is not None for m in measured):
        lines.append(
            "RTNeural: as stated for this kind of machine (Eigen, GCC 12, -O3 -march=native), not measured here"
        )
    return "\n".join(lines) + "\n"


def harness(cell: Cell, sizes: Mapping[str, int], fixed: Mapping[str, int]) -> dict[str, str]:
    """The sources of the timed program: the cell's, those of this folder, and the header that names the cell."""
    files = render(cell, backends=("c",), backward=False, sizes=fixed)
    sources = {name: text for name, text in files.items() if name.endswith((".c", ".h"))}
    designators = ", ".join(f".{name} = sizes[{place}]" for place, name in enumerate(sizes))
    sources["stream_cell.h"] = (
        f'#include "{cell.name}.h"\n#define STREAM(entry) {cell.name}_f32_##entry\n'
        f"#define STREAM_DIMS {cell.name}_dims\n#define STREAM_SIZES {designators}\n"
    )
    sources["stream.c"] = Path(__file__).with_name("stream.c").read_text(encoding="utf-8")
    return sources


def _step_in_c(
    cell: Cell, sizes: Mapping[str, int], params: Mapping[str, Array], fixed: Mapping[str, int]
) -> Callable[[], float]:
    """A function that runs steps for a fifth of a millisecond, and returns the seconds of one."""
    library = ctypes.CDLL(str(compile_library(harness(cell, sizes, fixed), "stream")))
    arrays = [np.ascontiguousarray(params[variable.name], np.float32) for variable in cell.parameters]
    pointers = (ctypes.c_void_p * len(arrays))(*[array.ctypes.data for array in arrays])
    numbers = (ctypes.c_size_t * len(sizes))(*sizes.values())
    states = sum(sizes[cell.size(state)] for state in cell.states)
    shape = (ctypes.c_size_t(states), ctypes.c_size_t(sizes[cell.size(cell.output)]))

    def run(steps: int) -> float:
        seconds, sink = ctypes.c_double(), ctypes.c_float()
        counts = (ctypes.c_size_t(steps), ctypes.c_size_t(1))
        failed = library.stream_time(numbers, *shape, pointers, *counts, ctypes.byref(seconds), ctypes.byref(sink))
        if failed or not math.isfinite(sink.value):
            raise CheckError(f"{cell.name}: the kernels refuse {dict(sizes)}, or give {sink.value} (status {failed})")
        return seconds.value

    steps = max(1, round(_RUN_SECONDS / run(1000)))
    return lambda: run(steps)


def _call(function: Callable[[], object], runs: int) -> float:
    """The median time of a call."""
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        for _ in range(_CALLS):
            function()
        times.append((time.perf_counter() - began) / _CALLS)
    return median(times)
