"""Workers in turn: one call runs at a time, each worker has a short turn, round after round, until all are measured.

Reads contestants and how long to measure; returns times. So a drift of the machine affects all of them alike. Leaves out: what
is measured (`benchmarks.peers`) and the clock (`benchmarks.worker`).
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.grid import Settings
from benchmarks.messages import Failed, Forget, Hello, Prepare, Ready, TimeCall
from symrnn.errors import CheckError, SymrnnError

_STANDARD_ERROR = 2
"""The place for libraries' output: standard output is for results."""

ROOT = Path(__file__).parents[1]

SETTLE_SECONDS = 0.005
"""Pause between turns on several cores, in which waiting threads of the last turn stop spinning."""


CLOSE_SECONDS = 10.0
"""A worker that does not end by itself in this time is stopped: it may be compiling."""


class TookTooLong(SymrnnError):
    """A worker gave no answer within its limit and was stopped; the message says whose."""


class WorkerDied(SymrnnError):
    """A worker's process ended; the message says whose and how."""


class WorkerHandle:
    """The parent's end of a `benchmarks.worker`.

    Attributes:
        name: for messages.
        cores: the most that it may use.
        versions: package to version, once `hello` was answered.
    """

    def __init__(
        self, name: str, who: Sequence[str], cores: Sequence[int], environment: Mapping[str, str] | None = None
    ) -> None:
        self.name, self.cores = name, len(cores)
        self.versions: Mapping[str, str] = {}
        ours, theirs = multiprocessing.Pipe()
        threads = str(len(cores))
        given = {**os.environ, "OMP_NUM_THREADS": threads, "JAX_PLATFORMS": "cpu", **(environment or {})}
        descriptor = theirs.fileno()
        command = [sys.executable, "-m", "benchmarks.worker", str(descriptor), ",".join(map(str, cores))]
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=given,
            pass_fds=[descriptor],
            stdin=subprocess.DEVNULL,
            stdout=_STANDARD_ERROR,
            start_new_session=True,  # so that compilers which it runs can be stopped with it
        )
        theirs.close()
        self._connection: Connection = ours
        self._connection.send(Hello(tuple(who)))

    def hello(self) -> Failed | None:
        """Wait until its libraries are loaded; why they cannot be, or None."""
        answer = self._receive()
        if isinstance(answer, Failed):
            return answer
        assert isinstance(answer, dict)
        self.versions = answer
        return None

    def ask(self, message: Prepare | TimeCall | Forget, limit: float | None = None) -> object:
        """Send a message and wait for its answer.

        Args:
            message: the message.
            limit: the most seconds to wait; then the worker is stopped.

        Raises:
            WorkerDied: the process has ended.
            TookTooLong: there was no answer within the limit.
        """
        try:
            self._connection.send(message)
        except OSError as error:
            raise self._died() from error
        if limit is not None and not self._connection.poll(limit):
            self.stop()
            raise TookTooLong(f"the process of {self.name} gave no answer in {limit:g} s")
        return self._receive()

    def _receive(self) -> object:
        try:
            return self._connection.recv()
        except (EOFError, OSError) as error:
            raise self._died() from error

    def _died(self) -> WorkerDied:
        return WorkerDied(f"the process of {self.name} ended with status {self._process.wait()}")

    def close(self) -> None:
        """End the process: it ends by itself, or it is stopped."""
        self._connection.close()
        try:
            self._process.wait(CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self.stop()

    def stop(self) -> None:
        """Stop the process and all that it runs."""
        self._connection.close()
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


@dataclass
class Contestant:
    """A prepared call.

    Attributes:
        name: unique in its race.
        worker: the worker that makes the call.
        ready: the worker's answer.
        runs: least number of calls.
        seconds: least seconds in total.
        times: seconds of each call so far.
    """

    name: str
    worker: WorkerHandle
    ready: Ready
    runs: int
    seconds: float
    times: list[float] = field(default_factory=list)

    @property
    def done(self) -> bool:
        """Whether it was measured long enough."""
        return len(self.times) >= self.runs and sum(self.times) >= self.seconds


def race(contestants: Sequence[Contestant], settings: Settings, progress: Callable[[], None]) -> None:
    """Fill in the times of ``contestants``.

    Args:
        contestants: at least one.
        settings: length of a turn.
        progress: called after every turn.

    Raises:
        WorkerDied: one of them has died.
        CheckError: a call that worked before fails.
    """
    while True:
        waiting = [contestant for contestant in contestants if not contestant.done]
        if not waiting:
            return
        for contestant in waiting:
            if contestant.worker.cores > 1:
                time.sleep(SETTLE_SECONDS)
            answer = contestant.worker.ask(TimeCall(contestant.ready.handle, settings.turn, 1_000_000))
            if isinstance(answer, Failed):
                raise CheckError(f"{contestant.name}: {answer.reason}\n{answer.trace}")
            assert isinstance(answer, list)
            contestant.times += answer
            progress()
