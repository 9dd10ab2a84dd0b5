"""Messages between the parent and a worker: frozen records, sent over a pipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.workload import Array, Task


@dataclass(frozen=True)
class Hello:
    """The participants that will follow; answered by versions of packages, or by `Failed`."""

    who: tuple[str, ...]


@dataclass(frozen=True)
class Prepare:
    """Prepare a call, make it once, and return its result; answered by `Ready` or `Failed`."""

    who: str
    task: Task


@dataclass(frozen=True)
class Ready:
    """A call is prepared.

    Attributes:
        handle: its name in `TimeCall`.
        result: what the call computed, by label; empty where there is nothing to compare.
        work: as `Prepared.work`.
        first_call: seconds from the task to this result, which contain what a library compiles.
    """

    handle: int
    result: Mapping[str, Array]
    work: float
    first_call: float = 0.0


@dataclass(frozen=True)
class TimeCall:
    """Time a call for about ``seconds``, once at least and ``runs`` times at most; answered by a list of seconds."""

    handle: int
    seconds: float
    runs: int


@dataclass(frozen=True)
class Forget:
    """Drop every prepared call; answered by None."""


@dataclass(frozen=True)
class Failed:
    """The reason why there is no answer.

    Attributes:
        reason: one line.
        expected: whether the participant does not compute this, which is no error.
        trace: the traceback.
    """

    reason: str
    expected: bool
    trace: str = ""
