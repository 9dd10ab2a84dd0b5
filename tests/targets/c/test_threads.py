"""Threads of the C modules: any number of parts gives the same bits, from any thread and after a fork."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import symrnn
from symrnn.targets.c.toolchain import Options
from tests.processors import LEVELS, compiler_or_skip, load, load_at
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
    compiler_or_skip()
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


APART = {
    "s4d": {"state": 5},
    "mlstm": {"head": 5, "key": 6, "value": 7},
    "gated_deltanet": {"key": 19, "value": 9},
    "linear_transformer": {"key": 9, "value": 6},
    "mingru": {},
}
"""Cells whose steps have no product of a state: parts take rows also where these fill no tile, and lines of a single row."""


@pytest.mark.parametrize("name", sparing(APART, ("mlstm", "mingru")))
def test_parts_share_lines_and_rows_without_products(name: str) -> None:
    compare_parts(name, 9, ((3, 1), (9, 8)), (2, 3, 7), **APART[name])


def test_parts_that_hoist_together_do_not_overtake_one_another() -> None:
    """More steps than are hoisted at a time, of fewer rows than fill a tile."""
    compare_parts("mingru", 64, ((1000, 3),), (2,) * 8)


def compare_parts(name: str, width: int, shapes: Any, several: Any, **sizes: int) -> None:
    k = build(name)
    params = k.init_params(width, width, **sizes)
    rng = np.random.default_rng(1)
    for steps, batch in shapes:
        x = rng.standard_normal((steps, batch, width)).astype(np.float32)
        one = results(k, params, x, 1)
        for threads in several:
            found = results(k, params, x, threads)
            assert all(np.array_equal(a, b) for a, b in zip(one, found, strict=True)), (steps, batch, threads)


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


def run(text: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(text)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.usefixtures("kernels")
def test_a_process_may_fork_while_others_call(tmp_path: Path) -> None:
    run(FORKED, tmp_path)


FORKED = """
import os, threading
import numpy as np, symrnn

k = symrnn.build(symrnn.load("gru"), backend="c")
p, x = k.pack(k.init_params(4, 20)), np.ones((6, 9, 4), "float32")
expected, stop = k.infer(p, x, threads=1)[0], threading.Event()

def call():
    while not stop.is_set():
        assert np.array_equal(k.infer(p, x, threads=3)[0], expected)

callers = [threading.Thread(target=call) for _ in range(2)]
for caller in callers:
    caller.start()
for _ in range(10):
    child = os.fork()
    if child == 0:
        os._exit(0 if all(np.array_equal(k.infer(p, x, threads=3)[0], expected) for _ in range(3)) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
stop.set()
for caller in callers:
    caller.join()
"""


@pytest.mark.parametrize(
    "end",
    ["", "atexit.register(call)", "at_the_end = AtTheEnd()", "threading.Thread(target=call, daemon=True).start()"],
)
@pytest.mark.usefixtures("kernels")
def test_the_interpreter_ends_while_a_thread_waits(end: str, tmp_path: Path) -> None:
    run(f"{ENDING}{end}\ncall()\n", tmp_path)


ENDING = """
import atexit, threading
import numpy as np, symrnn

k = symrnn.build(symrnn.load("gru"), backend="c")
p, x = k.pack(k.init_params(4, 20)), np.ones((6, 9, 4), "float32")

def call(k=k, p=p, x=x):
    for _ in range(20):
        k.infer(p, x, threads=3)

class AtTheEnd:
    def __del__(self, call=call):
        call()

"""


MANY_CALLS = 20_000
"""After so many, a thread that was told will not come."""


def asleep(kernels: ModuleType) -> Any:
    """The first worker of a team, once nobody waits in C."""
    (worker, *_) = kernels._TEAM._workers
    while not worker.away():
        time.sleep(0.001)
    return worker


def came(worker: Any) -> bool:
    """Whether a worker ran a part since the last question."""
    part = worker._memory.view(np.uintp)[1:2]
    found = bool(part[0])
    part[0] = 0
    return found


@pytest.fixture
def team(kernels: ModuleType, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Kernels with a worker that has slept, and with no memory of earlier calls."""
    monkeypatch.setenv("SYMRNN_NUM_THREADS", "2")
    monkeypatch.setattr(kernels, "_RUNS", {})
    monkeypatch.setattr(kernels, "_ALONE_NS", 0)
    kernels.infer(kernels.init_params(4, 20), np.ones((6, 9, 4), np.float32), threads=2)
    came(asleep(kernels))
    return kernels


def test_a_thread_sleeps_when_nobody_calls_and_wakes_for_work(team: ModuleType) -> None:
    params, x = team.pack(team.init_params(4, 20)), np.ones((6, 9, 4), np.float32)
    worker = asleep(team)
    expected = team.infer(params, x, threads=1)[0]
    assert worker.away()
    assert not came(worker)
    for _ in range(MANY_CALLS):  # on a busy machine, a call may go on without it
        np.testing.assert_array_equal(team.infer(params, x, threads=2)[0], expected)
        if came(worker):
            break
    else:
        raise AssertionError("it never came")
    asleep(team)


def small(team: ModuleType) -> tuple[Any, Any]:
    """Parameters and an input whose call pays for a second thread only if that waits for it."""
    params = team.pack(team.init_params(64, 64))
    for rows in range(1, 64):
        x = np.ones((10, rows, 64), np.float32)
        run = team._run(params.sizes, x.dtype, *x.shape[:2], None, False, None)
        if (run.parts, run.woken) == (2, 1):
            return params, x
    raise AssertionError("no such input")


def test_a_small_call_now_and_then_wakes_nobody(team: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    params, x = small(team)
    worker = asleep(team)
    monkeypatch.setattr(team, "_OFTEN_NS", 0)
    for _ in range(10):
        team.infer(params, x)
    assert worker.away()
    assert worker._bell.empty()
    assert not came(worker)


def test_small_calls_one_after_the_other_get_a_second_thread(team: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    params, x = small(team)
    worker = asleep(team)
    monkeypatch.setattr(team, "_OFTEN_NS", 1 << 62)
    expected = team.infer(params, x, threads=1)[0]
    for _ in range(MANY_CALLS):
        np.testing.assert_array_equal(team.infer(params, x)[0], expected)
        if came(worker):
            break
    else:
        raise AssertionError("it never came")


def test_calls_go_on_without_a_thread_that_never_comes(team: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    params, x = team.pack(team.init_params(4, 20)), np.ones((6, 9, 4), np.float32)
    expected, worker = team.infer(params, x, threads=1)[0], asleep(team)
    monkeypatch.setattr(team._TEAM, "_alone_until", 0)  # and what it was again, when other tests follow
    told: list[bool] = []
    monkeypatch.setattr(type(worker), "wake", lambda _: told.append(True))
    np.testing.assert_array_equal(team.infer(params, x, threads=2)[0], expected)
    assert told == [True]
    monkeypatch.setattr(team, "_ALONE_NS", 1 << 62)
    for _ in range(3):  # the first still tells it, and learns that it does not come
        np.testing.assert_array_equal(team.infer(params, x, threads=2)[0], expected)
    assert told == [True, True]
    assert not came(worker)


@pytest.mark.usefixtures("kernels")
def test_no_thread_is_in_a_library_that_nobody_calls(tmp_path: Path) -> None:
    """So it may be unloaded; a thread that came back from it would end the process by a fault."""
    if sys.platform == "win32":
        pytest.skip("Windows unloads a library in another way")
    run(UNLOADED, tmp_path)


UNLOADED = """
import _ctypes, time
import numpy as np, symrnn

k = symrnn.build(symrnn.load("gru"), backend="c")
k.infer(k.init_params(4, 20), np.ones((6, 9, 4), "float32"), threads=3)
while not all(worker.away() for worker in k._TEAM._workers):
    time.sleep(0.001)
_ctypes.dlclose(k._C._handle)
for worker in k._TEAM._workers:
    worker.end()
"""


def test_another_caller_grows_the_team(team: ModuleType) -> None:
    """A handler that calls while the team grows finds the lock held, and works with the threads that are there."""
    params, x = team.pack(team.init_params(4, 20)), np.ones((6, 9, 4), np.float32)
    expected, before = team.infer(params, x, threads=1)[0], team._TEAM._workers
    with team._TEAM._lock:
        np.testing.assert_array_equal(team.infer(params, x, threads=len(before) + 3)[0], expected)
        assert team._TEAM._workers == before
    team.infer(params, x, threads=len(before) + 3)
    assert len(team._TEAM._workers) == len(before) + 2
    assert team._TEAM._workers[: len(before)] == before


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
    except (Interrupt, RuntimeError) as error:
        # Python's `Thread.start`, interrupted between two steps of its own lock, answers with an error of that lock.
        while not isinstance(error, Interrupt):
            if error is None:
                raise
            error = error.__context__
        interrupts += 1
    assert np.array_equal(k.infer(packed, x, threads=2)[0], expected)
    assert not k._TEAM._lock.locked()
    for worker in k._TEAM._workers:
        worker.end()
    k._TEAM.restart()  # so that the next handler may come while the team grows
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
