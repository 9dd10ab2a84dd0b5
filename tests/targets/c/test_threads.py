"""Threads of the C modules: any number of parts gives the same bits, from any thread and after a fork."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import symrnn
from symrnn.errors import BuildError
from symrnn.targets.c.toolchain import Options, find_compiler
from tests.processors import LEVELS, load, load_at
from tests.sparing import ONE, sparing

CELLS = Path(__file__).resolve().parents[2] / "cells"
NAMES = ("lstm", "gru", str(CELLS / "layernorm_lstm.toml"), str(CELLS / "shared_transpose.toml"))
SHAPES = (
    *((5, 1, 33, 70), (3, 1, 5, 24), (2, 2, 1, 8), (7, 9, 5, 17), (4, 40, 6, 33)),
    *((0, 4, 3, 3), (4, 0, 3, 3), (1, 2, 1, 16)),
)


@pytest.fixture(scope="module")
def kernels() -> ModuleType:
    return build("gru")


def build(name: str | Path) -> ModuleType:
    try:
        find_compiler()
    except BuildError as error:
        pytest.skip(str(error))
    return symrnn.build(symrnn.load(name), backend="c")


def results(
    k: ModuleType, params: Any, x: Any, threads: int | None, lengths: Any = None, reverse: bool = False
) -> list[Any]:
    """Every array that a forward, an inference and a backward pass return."""
    y, state, tape = k.forward(params, x, lengths=lengths, reverse=reverse, threads=threads)
    grads = k.backward(params, tape, np.ones_like(y), threads=threads)
    again, final = k.infer(params, x, lengths=lengths, reverse=reverse, threads=threads)
    return [y, *state.values(), again, *final.values(), grads.x, *grads.params.values(), *grads.state.values()]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", sparing(NAMES, ONE), ids=lambda name: Path(name).stem)
def test_the_number_of_threads_changes_no_bit(name: str, level: str) -> None:
    cell = symrnn.load(name)
    k = load_at(level, symrnn.render(cell, backends=("c",)), cell.name)
    for steps, batch, inputs, hidden in SHAPES:
        width = hidden if cell.input_is_hidden else inputs
        params = k.init_params(width, hidden)
        rng = np.random.default_rng(hidden)
        for dtype in (np.float32, np.float64):
            x = rng.standard_normal((steps, batch, width)).astype(dtype)
            for lengths in (None, rng.integers(0, steps, size=batch, endpoint=True)):
                one = results(k, params, x, 1, lengths, reverse=lengths is not None)
                for threads in (2, 3, 7):
                    several = results(k, params, x, threads, lengths, reverse=lengths is not None)
                    assert all(np.array_equal(a, b) for a, b in zip(one, several, strict=True)), (steps, batch, threads)


@pytest.mark.usefixtures("kernels")
def test_a_matrix_between_input_and_state_gets_its_gradient_from_one_part_at_a_time(tmp_path: Path) -> None:
    (tmp_path / "both_sides.toml").write_text('name = "both_sides"\nequations = "h\' = tanh(W @ h + W.T @ x + b)"\n')
    cell = symrnn.load(tmp_path / "both_sides.toml")
    k = load(symrnn.render(cell, backends=("c",)), cell.name, Options("-O1"))
    params, rng = k.init_params(160, 160), np.random.default_rng(0)
    x = rng.standard_normal((40, 16, 160), np.float32)
    for _ in range(5):
        one, several = results(k, params, x, 1), results(k, params, x, 3)
        assert all(np.array_equal(a, b) for a, b in zip(one, several, strict=True))


def test_several_python_threads_may_call_at_once(kernels: ModuleType) -> None:
    params = kernels.pack(kernels.init_params(8, 24))
    x = np.random.default_rng(0).standard_normal((30, 12, 8), np.float32)
    expected = results(kernels, params, x, 1)
    found: list[list[Any]] = []
    callers = [threading.Thread(target=lambda: found.append(results(kernels, params, x, 2))) for _ in range(6)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(found) == len(callers)
    assert all(np.array_equal(a, b) for each in found for a, b in zip(expected, each, strict=True))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_starts_its_own_threads(kernels: ModuleType, tmp_path: Path) -> None:
    script = tmp_path / "fork.py"
    script.write_text(
        "import os, sys, numpy as np\n"
        f"sys.path.insert(0, {str(Path(str(kernels.__file__)).parent)!r})\n"
        "import symrnn\n"
        "k = symrnn.build(symrnn.load('gru'), backend='c')\n"
        "p = k.init_params(4, 20); x = np.ones((6, 9, 4), 'float32')\n"
        "before = k.infer(p, x, threads=3)[0]\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    os._exit(0 if np.array_equal(before, k.infer(p, x, threads=3)[0]) else 1)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no interval timer")
def test_a_signal_handler_may_raise_at_any_time(kernels: ModuleType, tmp_path: Path) -> None:
    script = tmp_path / "interrupted.py"
    script.write_text(INTERRUPTED)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


INTERRUPTED = """
import random, signal, threading, time
import numpy as np, symrnn

class Interrupt(Exception):
    pass

def handler(*_):
    raise Interrupt

k = symrnn.build(symrnn.load("gru"), backend="c")
packed, x = k.pack(k.init_params(4, 64)), np.ones((1, 2, 4), "float32")
expected, interrupts = k.infer(packed, x, threads=2)[0], 0
signal.signal(signal.SIGALRM, handler)
while interrupts < 200:
    try:
        signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-5, 2e-4))
        while True:
            k.infer(packed, x, threads=2)
    except Interrupt:
        interrupts += 1
    assert np.array_equal(k.infer(packed, x, threads=2)[0], expected)
    assert not k._TEAM._lock.locked()
while threading.active_count() > 8:  # threads that leak never end
    time.sleep(0.01)
"""


def test_the_environment_bounds_the_choice(kernels: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    params = kernels.init_params(64, 256)
    x = np.zeros((50, 64, 64), np.float32)
    monkeypatch.setenv("SYMRNN_NUM_THREADS", "2")
    monkeypatch.setattr(kernels, "_RUNS", {})
    packed = kernels.pack(params)
    kernels.infer(packed, x)
    (run,) = kernels._RUNS.values()
    assert run.parts == 2
    kernels.infer(packed, x[:1, :1])
    assert [run.parts for run in kernels._RUNS.values()] == [2, 1]
    monkeypatch.setenv("SYMRNN_NUM_THREADS", "1")
    kernels.infer(packed, x)
    assert [run.parts for run in kernels._RUNS.values()] == [2, 1, 1]
    monkeypatch.setenv("SYMRNN_NUM_THREADS", "many")
    with pytest.raises(ValueError, match="SYMRNN_NUM_THREADS: expected a whole number of at least 1, found 'many'"):
        kernels.infer(packed, x)


@pytest.mark.parametrize("threads", [0, -1, 2.5, True, 5000, "2"])
def test_a_wrong_number_of_threads_is_refused(kernels: ModuleType, threads: Any) -> None:
    with pytest.raises(
        ValueError, match=r"threads: expected (None or a whole number of at least 1|at most 1024), found"
    ):
        kernels.infer(kernels.init_params(2, 3), np.zeros((1, 1, 2), np.float32), threads=threads)
