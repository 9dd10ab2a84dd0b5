"""Float functions of the vector text against libm's in double, over ranges of bit patterns.

Reads loaded libraries of `tests.targets.c.vector_library`; returns a `Finding` for each. The work is done in C
(`precision_harness.c`), in threads. Leaves out: which errors are allowed.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from tests.targets.c.vector_library import HERE, Array, load

PATTERNS = 2**32
_CHUNK = 2**24


@dataclass(frozen=True)
class Finding:
    """What was found of one function.

    Attributes:
        ulp: the largest error, in units in the last place of the exact value.
        at: where.
        wrong: how often one of result and exact value was NaN and the other was not, or their signs differed.
        wrong_at: where, for one of them.
    """

    ulp: float
    at: float
    wrong: int
    wrong_at: float


class _Found(ctypes.Structure):
    _fields_ = (
        ("ulp", ctypes.c_double),
        ("wrong", ctypes.c_uint64),
        ("at", ctypes.c_uint32),
        ("wrong_at", ctypes.c_uint32),
    )


def build_reference() -> ctypes.CDLL:
    """The harness that compares, without contraction: its doubles are libm's and IEEE arithmetic's."""
    source = (HERE / "precision_harness.c").read_text()
    return load({"precision_harness.c": source}, ("-O3", "-march=native", "-ffp-contract=off"))


def exact_values(reference: ctypes.CDLL, name: str, x: Array) -> Array:
    """The values of ``name``, without its prefix, that `scan` compares with."""
    y = np.empty_like(x)
    reference[f"exact_{name}"](ctypes.c_void_p(x.ctypes.data), ctypes.c_void_p(y.ctypes.data), ctypes.c_size_t(x.size))
    return y


def scan(
    reference: ctypes.CDLL,
    libraries: Sequence[ctypes.CDLL],
    name: str,
    stride: int = 1,
    start: int = 0,
    stop: int = PATTERNS,
    against: str = "",
) -> list[Finding]:
    """``name`` in each library at every ``stride``-th bit pattern from ``start`` to ``stop``.

    Args:
        reference: of `build_reference`.
        libraries: of `vector_library.build`.
        name: with its prefix, ``f_exp`` or ``v_expm1``.
        stride: 1 for every number there is.
        start: the first pattern.
        stop: the end of the patterns.
        against: what it is compared with, where not itself.
    """
    functions = [ctypes.cast(library[f"run_{name}_f32"], ctypes.c_void_p).value for library in libraries]
    exact = ctypes.cast(reference[f"exact_{against or name[2:]}"], ctypes.c_void_p)
    array = (ctypes.c_void_p * len(functions))(*functions)

    def chunk(first: int) -> list[_Found]:
        found = (_Found * len(functions))()
        count = -(-(min(first + _CHUNK * stride, stop) - first) // stride)
        sizes = [ctypes.c_uint64(number) for number in (first, stride, count)]
        reference.scan(exact, array, ctypes.c_size_t(len(functions)), *sizes, found)
        return list(found)

    with ThreadPoolExecutor(_threads()) as pool:
        chunks = list(pool.map(chunk, range(start, stop, _CHUNK * stride)))
    return [_together([found[k] for found in chunks]) for k in range(len(functions))]


def _threads() -> int:
    """The processors that this process may use, shared with other test processes beside it."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    return max(1, (os.cpu_count() or 1) // workers)


def _together(found: list[_Found]) -> Finding:
    worst = max(found, key=lambda one: float(one.ulp))
    wrong = [one for one in found if one.wrong]
    at, wrong_at = np.array([worst.at, wrong[0].wrong_at if wrong else 0], dtype=np.uint32).view(np.float32).tolist()
    return Finding(float(worst.ulp), at, sum(int(one.wrong) for one in wrong), wrong_at)
