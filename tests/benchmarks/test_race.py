"""Turns, and the processes that take them."""

from __future__ import annotations

import multiprocessing
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import pytest

from benchmarks import race
from benchmarks.grid import QUICK, Mode, Point, Settings, available_cores
from benchmarks.messages import Failed, Forget, Hello, Prepare, Ready, TimeCall
from benchmarks.participants import NUMPY, OURS
from benchmarks.race import Contestant, TookTooLong, WorkerDied, WorkerHandle
from benchmarks.worker import serve
from benchmarks.workload import Task
from symrnn.errors import CheckError

SETTINGS = Settings(runs=3, seconds=0.5, limit_seconds=0.1, turn=0.2)
TASK = Task("rnn", Point(3, 2, 4), Mode.INFERENCE, 1)


@dataclass
class Scripted:
    """A worker whose calls take a given time; it notes each request in a shared list."""

    name: str
    seconds: float
    log: list[str] = field(default_factory=list)
    cores: int = 1

    def ask(self, message: object) -> object:
        assert isinstance(message, TimeCall)
        assert message.seconds == SETTINGS.turn
        self.log.append(self.name)
        return [self.seconds] * max(1, round(message.seconds / self.seconds))


def contestant(name: str, seconds: float, log: list[str]) -> Contestant:
    worker = cast(WorkerHandle, Scripted(name, seconds, log))
    return Contestant(name, worker, Ready(1, {}, 0.0), SETTINGS.runs, SETTINGS.seconds)


def test_turns_alternate_until_everybody_has_runs_and_seconds_enough() -> None:
    log: list[str] = []
    quick, slow = contestant("quick", 0.1, log), contestant("slow", 1.0, log)
    turns: list[None] = []
    race.race([quick, slow], SETTINGS, lambda: turns.append(None))
    assert log == ["quick", "slow"] * 3
    assert (len(quick.times), len(slow.times), len(turns)) == (6, 3, 6)


def test_threads_settle_between_turns_on_several_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    one, two = contestant("one", 1.0, []), contestant("two", 1.0, [])
    two.worker.cores = 2
    race.race([one, two], SETTINGS, lambda: None)
    assert slept == [race.SETTLE_SECONDS] * 3


def test_a_call_that_fails_while_it_is_timed_is_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    one = contestant("one", 0.1, [])
    monkeypatch.setattr(one.worker, "ask", lambda message: Failed("it broke", expected=False))
    with pytest.raises(CheckError, match="one: it broke"):
        race.race([one], SETTINGS, lambda: None)


@pytest.fixture
def worker() -> WorkerHandle:
    return WorkerHandle("ours", (OURS, NUMPY), available_cores()[:1])


def test_a_worker_prepares_calls_and_times_them(worker: WorkerHandle) -> None:
    assert worker.hello() is None
    assert worker.versions["numpy"] == np.__version__
    ready = worker.ask(Prepare(NUMPY, TASK))
    assert isinstance(ready, Ready)
    assert ready.result["y"].shape == (3, 2, 4)
    assert 0 < ready.first_call < 600
    times = worker.ask(TimeCall(ready.handle, seconds=10.0, runs=4))
    assert isinstance(times, list)
    assert len(times) == 4
    assert all(seconds > 0 for seconds in times)
    assert worker.ask(Forget()) is None
    failed = worker.ask(TimeCall(ready.handle, QUICK.turn, 1))
    assert isinstance(failed, Failed)
    assert "KeyError" in failed.reason
    worker.close()


def test_a_library_that_is_not_there_is_named() -> None:
    worker = WorkerHandle("nobody", ("nobody",), available_cores()[:1])
    failed = worker.hello()
    worker.close()
    assert isinstance(failed, Failed)
    assert "nobody" in failed.reason
    assert not failed.expected


def test_a_worker_that_gives_no_answer_within_its_limit_is_stopped(worker: WorkerHandle) -> None:
    assert worker.hello() is None
    with pytest.raises(TookTooLong, match="the process of ours gave no answer in 0 s"):
        worker.ask(Prepare(NUMPY, TASK), limit=0)
    assert worker._process.returncode == -9


def test_a_worker_ends_when_nobody_waits_for_its_answer() -> None:
    ours, theirs = multiprocessing.Pipe()
    ours.send(Hello(()))
    ours.close()
    serve(theirs)
    with pytest.raises(ConnectionError):
        theirs.send(None)


def test_a_worker_that_does_not_end_by_itself_is_stopped(worker: WorkerHandle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(race, "CLOSE_SECONDS", 0.0)
    worker.close()  # it is still loading what it needs
    assert worker._process.returncode == -9


def test_a_process_that_dies_is_noticed(worker: WorkerHandle) -> None:
    assert worker.hello() is None
    worker._process.kill()
    with pytest.raises(WorkerDied, match="the process of ours ended with status -9"):
        worker.ask(Prepare(NUMPY, TASK))
    worker.close()
