"""The compiled ``roofline.c``, called by several threads at once; the limits' participants time it.

Reads numbers of threads and bytes; returns calls and how much work they are. Leaves out: the timing (`benchmarks.worker`).
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks.participants import Prepared
from benchmarks.workload import Array
from symrnn.targets.c.library import compile_library
from symrnn.targets.c.march import chosen_march
from symrnn.targets.c.toolchain import Options

SECONDS, SECONDS_TOGETHER = 0.002, 0.01
"""How long a call takes on one thread, and on several: shorter than a turn of the scheduler, longer than waking threads."""

_FLOPS_PER_LANE = 24
_GRAIN = 128  # numbers: eight vectors of the widest
_LINE = 64


@cache
def library() -> ctypes.CDLL:
    """The library, from the cache of compiled kernels.

    Raises:
        BuildError: no compiler is found, or it has no vector types.
    """
    source = Path(__file__).with_name("roofline.c")
    text = source.read_text(encoding="utf-8")
    options = Options(march=chosen_march(None))
    found = ctypes.CDLL(str(compile_library({source.name: text}, "roofline", options=options)))
    found.roofline_lanes.restype = ctypes.c_size_t
    found.roofline_peak.argtypes, found.roofline_peak.restype = (ctypes.c_size_t,), ctypes.c_float
    found.roofline_read.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t)
    found.roofline_read.restype = ctypes.c_float
    return found


def peak(threads: int) -> Prepared:
    """Multiply-adds on every thread; ``work`` is in FLOPs."""
    function = library().roofline_peak
    iterations = _calibrated(lambda n: function(n), 1000, threads)
    flops = iterations * _FLOPS_PER_LANE * library().roofline_lanes() * threads
    return Prepared(_at_once([lambda: function(iterations)] * threads), work=float(flops))


def reading(threads: int, size: int) -> Prepared:
    """Reading ``size`` bytes over and over, each thread its share; ``work`` is in bytes."""
    function = library().roofline_read
    count = max(size // 4 // threads // _GRAIN, 1) * _GRAIN
    blocks = [_aligned(count) for _ in range(threads)]
    repeats = _calibrated(lambda n: function(blocks[0].ctypes.data, count, n), 1, threads)

    def read(block: Array) -> Callable[[], float]:
        return lambda: float(function(block.ctypes.data, count, repeats))

    return Prepared(_at_once([read(block) for block in blocks]), work=float(4 * count * repeats * threads))


def _calibrated(call: Callable[[int], object], start: int, threads: int) -> int:
    """The number of repeats for a call of the right length."""
    wanted = SECONDS if threads == 1 else SECONDS_TOGETHER
    repeats = start
    while True:
        began = time.perf_counter()
        call(repeats)
        taken = time.perf_counter() - began
        if taken > wanted / 2:
            return max(round(repeats * wanted / taken), 1)
        repeats *= 2


def _at_once(calls: list[Callable[[], float]]) -> Callable[[], object]:
    if len(calls) == 1:
        return calls[0]
    pool = ThreadPoolExecutor(len(calls) - 1)

    def run() -> list[float]:
        others = [pool.submit(call) for call in calls[1:]]
        return [calls[0](), *(other.result() for other in others)]

    return run


def _aligned(count: int) -> Array:
    block = np.ones(count + _LINE // 4, np.float32)
    start = -block.ctypes.data % _LINE // 4
    return block[start : start + count]
