"""Subnormal numbers slow neither the vector functions nor whole calls of kernels by more than a half.

An operation that meets a subnormal number takes a hundred times as long on many processors; additions seldom do. Times
are of the processor's, and a ratio is one of medians of calls that took turns.
"""

from __future__ import annotations

import ctypes
import math
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from symrnn import build as build_kernels
from symrnn.emit import vector
from tests.emit.vector_library import COMPILER, REAL, SMALLEST, TARGETS, Array, build, run, runs, write_text

pytestmark = pytest.mark.skipif(COMPILER is None, reason="no C compiler")

MOST = 1.5
NAMES = ("v_exp", "v_expm1", "v_log", "v_log1p", "v_tanh", "v_sigmoid", "f_softplus")
"""Functions whose text keeps operations from meeting subnormal numbers. A product of the equations' own is no such one,
nor are ``silu`` and ``gelu``, which are products."""
COUNT = 4096


def ratio(ordinary: Callable[[], object], other: Callable[[], object], rounds: int) -> float:
    """How many times as long ``other`` takes: the least of up to three measurements, for other processes disturb one."""
    found = math.inf
    for _ in range(3):
        times: tuple[list[int], list[int]] = [], []
        for _ in range(rounds):
            for call, into in zip((ordinary, other), times, strict=True):
                start = time.thread_time_ns()
                call()
                into.append(time.thread_time_ns() - start)
        found = min(found, statistics.median(times[1]) / statistics.median(times[0]))
        if found <= MOST:
            break
    return found


# ---- functions ----


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("subnormal")
    write_text(directory)
    return directory


@pytest.fixture(scope="module", params=["native", "avx2", "sse2", "plain"])
def library(request: pytest.FixtureRequest, sources: Path) -> ctypes.CDLL:
    """The harness, compiled for one target and loaded."""
    if not runs(request.param):
        pytest.skip(f"this machine does not run what is for {TARGETS[request.param].title}")
    return build(sources, request.param)


def arguments(precision: str) -> dict[str, Array]:
    """Subnormal numbers, and arguments whose exponential is one."""
    real = REAL[precision]
    smallest = np.finfo(real).smallest_normal
    tiny = np.linspace(0, 1, COUNT, dtype=real) * smallest
    low = np.linspace((SMALLEST[precision] + 1) * math.log(2), math.log(smallest), COUNT)
    return {"subnormal": tiny, "to subnormal": low.astype(real), "below zero": -tiny}


@pytest.mark.parametrize("precision", vector.PRECISIONS)
@pytest.mark.parametrize("name", NAMES)
def test_functions(library: ctypes.CDLL, name: str, precision: str) -> None:
    ordinary = np.linspace(0.1 if name == "v_log" else -0.9, 4, COUNT, dtype=REAL[precision])
    for kind, x in arguments(precision).items():
        found = ratio(lambda: run(library, name, ordinary), lambda x=x: run(library, name, x), 25)  # type: ignore[misc]
        assert found <= MOST, f"{name} of {kind} numbers takes {found:.2f} times as long, {precision}"


# ---- kernels ----


@pytest.fixture(scope="module", params=["lstm", "gru"])
def kernels(request: pytest.FixtureRequest) -> ModuleType:
    return build_kernels(request.param, backend="c")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("rows", "units"), [(1, 64), (8, 32)])
def test_kernels(kernels: ModuleType, rows: int, units: int, dtype: str) -> None:
    random, steps = np.random.default_rng(3), 40
    smallest = float(np.finfo(dtype).smallest_normal)

    def numbers(*shape: int) -> Array:
        return random.uniform(-1, 1, shape).astype(dtype)

    def tiny(values: dict[str, Array]) -> dict[str, Array]:
        return {name: (value * smallest).astype(dtype) for name, value in values.items()}

    params = kernels.init_params(units, units, seed=1, dtype=dtype)
    ordinary: dict[str, Any] = {"params": params, "x": {"x": numbers(steps, rows, units)}}
    y, states = kernels.infer(params, ordinary["x"]["x"])
    ordinary["state"] = {name: numbers(*value.shape) for name, value in states.items()}
    ordinary["dy"] = {"dy": numbers(*y.shape)}

    def infer(given: dict[str, Any]) -> object:
        return kernels.infer(given["params"], given["x"]["x"], given["state"], threads=1)

    def train(given: dict[str, Any]) -> object:
        _, _, tape = kernels.forward(given["params"], given["x"]["x"], given["state"], threads=1)
        return kernels.backward(given["params"], tape, given["dy"]["dy"], threads=1)

    for changed in (("x",), ("state",), ("params",), ("dy",), ("x", "state"), ("x", "state", "params", "dy")):
        given = ordinary | {name: tiny(ordinary[name]) for name in changed}
        for call in (infer, train):
            found = ratio(lambda call=call: call(ordinary), lambda call=call, given=given: call(given), 11)  # type: ignore[misc]
            assert found <= MOST, (
                f"{call.__name__} with subnormal {' and '.join(changed)} takes {found:.2f} times as long"
            )
