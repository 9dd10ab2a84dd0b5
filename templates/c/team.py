"""Threads: the team that runs the parts of a call, and the most threads."""

from __future__ import annotations

import ctypes
import os
import queue
import threading
import time
from typing import Any

import numpy as np

from templates.c.cell import _LED, _WORKER_BYTES
from templates.c.choice import _Choice
from templates.c.library import _BOUND, _SERVE
from templates.c.memory import _address, _empty
from templates.python.cell import CELL

_OFTEN_NS = 100_000
"""Calls that follow one another within this time share the cost of waking a thread, which then waits for the next one."""
_ALONE_NS = 10_000_000
"""How long calls go without threads that did not come in time: they find no free core. A call that takes as long by itself
loses less by waiting in vain."""


class _Worker:
    """What a thread of the team works with. It waits in C for a call to come soon, and sleeps in Python after that.

    In C, it needs no lock of the interpreter, so a call wakes nobody. Asleep, it is out of the library.
    """

    def __init__(self) -> None:
        self._memory = _empty(_WORKER_BYTES // 8, np.dtype(np.float64))
        self._memory[...] = 0
        self._state = ctypes.c_uint.from_address(_address(self._memory))
        self._bell: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self.address = _address(self._memory)

    def work(self) -> None:
        """Wait for calls, after each sound of the bell, until it tells the thread to end."""
        while self._bell.get():
            _SERVE(self.address)

    def away(self) -> bool:
        """Whether no thread waits here for a call."""
        return self._state.value == 0

    def wake(self) -> None:
        """Let the thread wait for calls; once is enough."""
        if self._bell.empty():
            self._bell.put(True)

    def end(self) -> None:
        """Let the thread end when it is done."""
        self._bell.put(False)


class _Team:
    """Threads that run the parts of a call beside the caller; started when first needed, and again in a forked child."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Start anew: a forked child has this object but none of its threads."""
        self._lock = threading.Lock()
        self._workers: tuple[_Worker, ...] = ()
        self._pointers: Any = (ctypes.c_void_p * 0)()
        self._last = self._alone_until = 0

    def run(
        self,
        dtype: np.dtype,
        name: str,
        arguments: tuple[Any, ...],
        parts: int,
        woken: int,
        choice: _Choice | None = None,
    ) -> int:
        """Call the entry ``name`` in ``parts`` parts, or in ``woken`` if threads must be woken; returns the worst status.

        Threads that do not come in time, or work for another caller, are left out: the results are the same. The call
        returns when every part is done. So a signal's handler, which may raise here at any time, runs before or after
        all of them.

        Args:
            dtype: the precision.
            name: of the entry.
            arguments: those before the part: addresses, None for a null pointer, and numbers.
            parts: how many parts pay if the threads wait for a call.
            woken: how many pay if they sleep, unless calls follow one another closely.
            choice: of such calls, which takes the place of ``parts`` and learns from this one.
        """
        row = (ctypes.c_void_p * len(arguments))(*arguments)
        return self.run_row(dtype, name, ctypes.addressof(row), parts, woken, choice)

    def run_row(
        self, dtype: np.dtype, name: str, row: int, parts: int, woken: int, choice: _Choice | None = None
    ) -> int:
        """Do the same with arguments that stand in a row at an address."""
        if choice is not None:
            parts = choice.parts
            woken = min(parts, woken)
        begun = time.perf_counter_ns()
        parts, late = self._gather(parts, woken) if parts > 1 else (1, [])
        workers = self._pointers  # held until the call returns, even if the team grows
        parts, ran = min(parts, len(workers) + 1), ctypes.c_size_t()
        status: int = _BOUND[dtype, "lead"](
            _LED.index(name), row, ctypes.addressof(workers), parts, bool(late), ctypes.byref(ran)
        )
        self._last = time.perf_counter_ns()
        if choice is not None:
            choice.note(parts, self._last - begun)  # what it costs to ask for so many, whether or not they come
        missed = ran.value < parts and any(worker.away() for worker in late)
        if missed and self._last - begun < _ALONE_NS:
            self._alone_until = self._last + _ALONE_NS
        return status

    def _gather(self, parts: int, woken: int) -> tuple[int, list[_Worker]]:
        """How many parts to run in, and the threads, woken just now, that are worth waiting for."""
        if len(self._workers) < parts - 1:
            self._grow(parts - 1)
        asleep = [worker for worker in self._workers[: parts - 1] if worker.away()]
        if not asleep:
            return parts, []
        now = time.perf_counter_ns()
        if now < self._alone_until:
            return woken, []
        if now - self._last > _OFTEN_NS:
            parts = woken
        late = asleep[: parts - 1]
        for worker in late:
            worker.wake()
        return parts, late

    def _grow(self, threads: int) -> None:
        """Start threads until there are so many, unless another caller is doing so."""
        lock, held = self._lock, list[bool]()
        workers = [*self._workers]
        try:
            # A loop in C: no handler comes between taking the lock and noting it.
            held.extend(map(lock.acquire, (False,)))
            if held[0]:
                workers = [*self._workers]
                while len(workers) < threads:
                    # Before its thread starts: if a handler raised in between, nobody would end it.
                    workers.append(_Worker())
                    name = f"{CELL}-{len(workers)}"
                    threading.Thread(target=workers[-1].work, name=name, daemon=True).start()
                self._pointers = (ctypes.c_void_p * len(workers))(*[worker.address for worker in workers])
                self._workers = tuple(workers)
        except BaseException:  # Ctrl-C too: no thread is left behind
            if held == [True]:
                self.restart()
                for worker in workers:
                    worker.end()
            raise
        finally:
            if held == [True]:
                lock.release()


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
