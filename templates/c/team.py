"""Threads: the team that runs the parts of a call, and the most threads."""

from __future__ import annotations

import ctypes
import functools
import operator
import os
import queue
import threading
from collections.abc import Callable
from typing import Any

from templates.c.cell import _BARRIER_BYTES
from templates.python.cell import CELL

_call: Callable[[Any], Any] = operator.call


class _Team:
    """Threads that run the parts of a call beside the caller; started when first needed, and again in a forked child."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Start anew: a forked child has this object but none of its threads."""
        self._lock = threading.Lock()
        self._jobs: list[queue.SimpleQueue[Any]] = []

    def run(
        self, function: Callable[..., int], arguments: tuple[Any, ...], parts: int, *, meet: bool, kept: Any
    ) -> int:
        """Call ``function(*arguments, part, parts[, barrier])`` for each part at once; returns the worst status.

        If the team is busy with another thread's call, one part does all the work: the results are the same. A signal's
        handler may raise here at any time: ``kept`` holds the memory behind ``arguments`` until every part is done.
        """
        if parts == 1:
            return function(*arguments, 0, 1, None) if meet else function(*arguments, 0, 1)
        lock, jobs = self._lock, self._jobs
        held: list[bool] = []
        statuses: list[Any] = []
        try:
            # A loop in C: no handler comes between taking the lock and noting it, nor between the start of the parts,
            # which wait for one another.
            held.extend(map(lock.acquire, (False,)))
            if not held[0]:
                return function(*arguments, 0, 1, None) if meet else function(*arguments, 0, 1)
            self._grow(jobs, parts - 1)
            barrier = ctypes.create_string_buffer(_BARRIER_BYTES)
            done: queue.SimpleQueue[int] = queue.SimpleQueue()
            last = (parts, ctypes.addressof(barrier)) if meet else (parts,)
            calls = [
                functools.partial(jobs[part - 1].put, (function, (*arguments, part, *last), done, (kept, barrier)))
                for part in range(1, parts)
            ]
            statuses.extend(map(_call, [*calls, functools.partial(function, *arguments, 0, *last)]))
            worst: int = max(statuses[-1], *(done.get() for _ in calls))
            return worst
        except BaseException:  # Ctrl-C too: threads that wait for a part that never came must end
            if held == [True]:
                self._part_with(jobs)
            raise
        finally:
            if held == [True]:
                lock.release()

    def _part_with(self, jobs: list[queue.SimpleQueue[Any]]) -> None:
        """Let the threads end when they are done; the next call starts others."""
        self.restart()
        for waiting in jobs:
            waiting.put(None)

    def _grow(self, jobs: list[queue.SimpleQueue[Any]], threads: int) -> None:
        while len(jobs) < threads:
            waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
            thread = threading.Thread(target=_work, args=(waiting,), name=f"{CELL}-{len(jobs) + 1}", daemon=True)
            jobs.append(waiting)  # before it runs: if a handler raised in between, nobody would end it
            thread.start()


def _work(jobs: queue.SimpleQueue[Any]) -> None:
    """Run jobs as they come, until a None."""
    while job := jobs.get():
        function, arguments, done, _ = job
        done.put(function(*arguments))
        del job, _  # not to hold the memory of a call while waiting for the next


_TEAM = _Team()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_TEAM.restart)


def _cores() -> int:
    """Processors that this process may run on, or SYMRNN_NUM_THREADS if set."""
    text = os.environ.get("SYMRNN_NUM_THREADS", "")
    if not text:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"SYMRNN_NUM_THREADS: expected a whole number of at least 1, found {text!r}")
    return int(text)
