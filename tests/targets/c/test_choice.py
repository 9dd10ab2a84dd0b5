"""The number of parts of a call follows what calls take: on simulated times, and in a module that was built."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest

import symrnn
from templates.c.choice import _AT_FIRST, _FIRST_TRIALS, _TRIALS, _Choice
from tests.processors import compiler_or_skip

pytestmark = pytest.mark.usefixtures("quick_compiler")

MOST = 8


def simulate(choice: _Choice, time_of: Callable[[int], float], calls: int) -> list[int]:
    """The numbers of parts that so many calls ran in."""
    found = []
    for _ in range(calls):
        found.append(choice.parts)
        choice.note(found[-1], int(time_of(found[-1])))
    return found


def test_each_number_is_tried_and_the_quickest_stays() -> None:
    for best in (1, 2, 4, 8):
        times = {parts: 1_000_000 * (1 + abs(parts - best)) for parts in (1, 2, 4, 8)}
        found = simulate(_Choice(MOST), times.__getitem__, 500)
        assert found.count(best) > 450
        assert max(found.count(parts) for parts in times if parts != best) < 20


def test_a_first_call_with_cold_memory_decides_nothing() -> None:
    cold = iter([10_000_000])
    found = simulate(_Choice(2), lambda parts: next(cold, 1_000_000 if parts == 2 else 1_500_000), 100)
    assert found[0] == 2
    assert found.count(2) > 50


def test_a_long_call_is_not_made_longer_to_try() -> None:
    """A second of one thread is tried only when a hundredth of the time has paid for it."""
    times = {2: 500_000_000, 1: 1_000_000_000}
    found = simulate(_Choice(2), times.__getitem__, 300)
    assert found[:90] == [2] * 90
    assert found.count(1) <= 3


def test_threads_that_find_their_core_busy_are_left_out_until_it_is_free() -> None:
    choice = _Choice(2)
    assert simulate(choice, lambda parts: 2_000_000 / parts, 200).count(2) > 150
    busy = simulate(choice, lambda parts: 80_000_000 if parts == 2 else 2_000_000, 1000)
    assert busy.count(2) < 5
    free = simulate(choice, lambda parts: 2_000_000 / parts, 40_000)
    assert free[-1000:].count(2) > 950


def test_trials_take_a_small_share_of_the_time() -> None:
    times = {2: 5_000_000, 1: 2_000_000}
    found = simulate(_Choice(2), times.__getitem__, 20_000)
    lost = sum(times[parts] - times[1] for parts in found)
    assert 0 < lost <= _FIRST_TRIALS * _AT_FIRST + 2 * _TRIALS * times[1] * len(found)


@pytest.fixture(scope="module")
def kernels() -> ModuleType:
    compiler_or_skip()
    return symrnn.build(symrnn.load("gru"), backend="c")


def test_calls_of_a_module_are_timed_for_each_entry(kernels: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYMRNN_NUM_THREADS", "2")
    monkeypatch.setattr(kernels, "_RUNS", {})
    packed, x = kernels.pack(kernels.init_params(64, 128)), np.zeros((20, 32, 64), np.float32)
    for _ in range(3):
        y, _, tape = kernels.forward(packed, x)
        kernels.backward(packed, tape, y)
        kernels.infer(packed, x)
    (run,) = kernels._RUNS.values()
    assert run.parts == 2
    assert set(run.choices) == {"forward", "backward", "infer"}
    assert all(choice._times for choice in run.choices.values())
    kernels.infer(packed, x, threads=2)
    assert [len(run.choices) for run in kernels._RUNS.values()] == [3, 0]
