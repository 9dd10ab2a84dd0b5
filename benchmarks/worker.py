"""A process that holds participants: prepares calls and times them, one at a time, when it is asked.

Reads messages from a pipe and answers each; its cores and environment are set before any library is loaded, because libraries
choose their number of threads then. Leaves out: whose turn it is (`benchmarks.race`).
"""

from __future__ import annotations

import gc
import importlib
import sys
import time
import traceback
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.grid import pin
from benchmarks.messages import Failed, Forget, Hello, Prepare, Ready, TimeCall
from benchmarks.participants import FUNCTIONS, Prepared, Unsupported
from benchmarks.workload import Task

WARM_SECONDS = 0.02
"""A call of up to this many seconds is made once untimed at the beginning of each turn: another process used the caches."""


class _Worker:
    def __init__(self) -> None:
        self._calls: dict[int, Prepared] = {}
        self._last: dict[int, float] = {}
        self._given = 0

    def answer(self, message: object) -> object:
        match message:
            case Hello(who):
                return self._hello(who)
            case Prepare(who, task):
                return self._prepare(who, task)
            case TimeCall(handle, seconds, runs):
                return self._run(handle, seconds, runs)
            case Forget():
                self._calls.clear()
                self._last.clear()
                gc.collect()
                return None
            case _:
                raise TypeError(f"worker: {type(message).__name__} is not a message")

    def _hello(self, who: tuple[str, ...]) -> dict[str, str]:
        found: dict[str, str] = {}
        for name in who:
            found |= _module(name).versions()
        return found

    def _prepare(self, who: str, task: Task) -> Ready:
        function = getattr(_module(who), FUNCTIONS[who][1])
        began = time.perf_counter()
        prepared: Prepared = function(task)
        returned = prepared.call()
        first_call = time.perf_counter() - began
        result = prepared.labelled(returned) if prepared.labelled is not None else {}
        self._given += 1
        self._calls[self._given] = prepared
        copies = {label: array.copy() for label, array in result.items()}
        return Ready(self._given, copies, prepared.work, first_call)

    def _run(self, handle: int, seconds: float, runs: int) -> list[float]:
        call = self._calls[handle].call
        times: list[float] = []
        gc.disable()
        try:
            if self._last.get(handle, 0.0) < WARM_SECONDS:
                call()
            began = time.perf_counter()
            while not times or (len(times) < runs and time.perf_counter() - began < seconds):
                start = time.perf_counter()
                call()
                times.append(time.perf_counter() - start)
        finally:
            gc.enable()
        self._last[handle] = times[-1]
        return times


def _module(who: str) -> Any:
    return importlib.import_module(f"benchmarks.participants.{FUNCTIONS[who][0]}")


def serve(connection: Connection) -> None:
    """Answer messages until the other end is closed."""
    worker = _Worker()
    while True:
        try:
            message = connection.recv()
        except (EOFError, ConnectionError):
            return
        answer = _answered(worker, message)
        try:
            connection.send(answer)
        except ConnectionError:  # the parent was stopped while this worked
            return


def _answered(worker: _Worker, message: object) -> object:
    try:
        return worker.answer(message)
    except ModuleNotFoundError as error:
        return Failed(f"{error.name} is not installed", expected=False, trace=traceback.format_exc())
    except Unsupported as error:
        return Failed(str(error), expected=True)
    except Exception as error:  # the parent reports whatever a library raises
        first = (str(error).strip().splitlines() or [""])[0]
        return Failed(f"{type(error).__name__}: {first}", expected=False, trace=traceback.format_exc())


def main(arguments: list[str]) -> None:
    """``descriptor core,core,…``: serve the pipe on these cores."""
    descriptor, cores = arguments
    pin(map(int, cores.split(",")))
    serve(Connection(int(descriptor)))


if __name__ == "__main__":
    main(sys.argv[1:])
