"""What is measured: cells, points, modes, and how long.

Reads texts of the command line; returns frozen records. Leaves out: the measuring (`benchmarks.peers`).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import symrnn
from symrnn.language.cell import Cell

OWN_CELLS = Path(__file__).parent / "cells"
"""Cell files of the benchmarks."""


class Mode(StrEnum):
    """What is timed: the forward pass without a tape, or the forward pass and every gradient."""

    INFERENCE = "inference"
    TRAINING = "training"


@dataclass(frozen=True)
class Point:
    """Sizes of one measurement.

    Attributes:
        steps: T.
        batch: B.
        hidden: H, and I where ``input`` is 0.
        ragged: whether rows have lengths of their own, uniform in 1..T.
        input: I, if it differs from H.
    """

    steps: int
    batch: int
    hidden: int
    ragged: bool = False
    input: int = 0

    @property
    def input_size(self) -> int:
        """I."""
        return self.input or self.hidden

    @property
    def text(self) -> str:
        """As the command line takes it."""
        return f"{self.steps}x{self.batch}x{self.hidden}" + (" ragged" if self.ragged else "")


@dataclass(frozen=True)
class Settings:
    """How long a call is timed.

    Attributes:
        runs: least number of calls.
        seconds: least seconds in total.
        limit_seconds: the same for peak, bandwidth and elementwise work.
        turn: seconds of one participant's turn.
    """

    runs: int
    seconds: float
    limit_seconds: float
    turn: float


FULL = Settings(runs=5, seconds=0.5, limit_seconds=0.1, turn=0.1)
"""The protocol: the median of at least five runs and half a second."""
QUICK = Settings(runs=3, seconds=0.05, limit_seconds=0.02, turn=0.02)

CELLS = ("lstm", "gru_reset_after", "rnn", "gru", "peephole_lstm", "layernorm_lstm")
RAGGED = Point(100, 32, 256, ragged=True)
GRID = (
    Point(100, 1, 32),
    Point(100, 1, 128),
    Point(100, 1, 512),
    Point(100, 16, 128),
    Point(100, 32, 256),
    Point(50, 64, 512),
    Point(25, 64, 1024),
    Point(1000, 1, 64),
    RAGGED,
)


def parse_point(text: str) -> Point:
    """``TxBxH``, or ``ragged`` for the ragged point of the grid; ``TxBxHxragged`` for another.

    >>> parse_point("100x1x32")
    Point(steps=100, batch=1, hidden=32, ragged=False, input=0)

    Raises:
        ValueError: the text is neither.
    """
    if text == "ragged":
        return RAGGED
    numbers = text.removesuffix("xragged").split("x")
    if len(numbers) != 3 or not all(number.isdecimal() and int(number) for number in numbers):
        raise ValueError(f"point {text!r}: expected TxBxH in whole numbers from 1, such as 100x32x256, or ragged")
    steps, batch, hidden = map(int, numbers)
    return Point(steps, batch, hidden, ragged=text.endswith("xragged"))


def parse_threads(text: str) -> int:
    """A number of threads, or ``all``: the cores that this process may run on.

    Raises:
        ValueError: the text is neither, or there are fewer cores.
    """
    cores = len(available_cores())
    if text == "all":
        return cores
    if not text.isdecimal() or not 1 <= int(text) <= cores:
        raise ValueError(f"threads {text!r}: expected all, or a whole number from 1 to {cores}, the number of cores")
    return int(text)


def available_cores() -> tuple[int, ...]:
    """The cores that this process may run on; if the system does not report them, all cores of the machine."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def pin(cores: Iterable[int]) -> None:
    """Keep this process and its children on these cores; do nothing if the system cannot."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, set(cores))


def load_cell(name: str) -> Cell:
    """A bundled cell, a cell of the benchmarks, or the cell of a file.

    Raises:
        CellError: no cell has this name.
    """
    own = OWN_CELLS / f"{name}.toml"
    return symrnn.load(own if own.is_file() else name)
