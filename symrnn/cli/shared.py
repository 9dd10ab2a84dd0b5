"""What several commands need: the requested cells, backends and precisions, JSON, and a line of progress.

Reads parsed arguments; returns values and text. Leaves out: the commands (`symrnn.cli.commands`).
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
import time
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TextIO

from symrnn.emit.request import Request
from symrnn.errors import GenerateError
from symrnn.language.bundled import cells, first_cells
from symrnn.language.cell import Cell
from symrnn.language.cellfile import load
from symrnn.language.similar import doubts
from symrnn.language.system import HIDDEN, INPUT
from symrnn.parts import ALL
from symrnn.pipeline import requested
from symrnn.targets import registry
from symrnn.targets.description import PRECISIONS

DONE, DIFFERS = 0, 1
"""Exit codes; trouble raises."""

_REDRAWN = 1.0
"""Seconds after which the line of progress is drawn again."""
_QUICK = 2
"""Seconds after which it shows the time."""
_WIDE = 80
"""Columns of a terminal that does not report them."""

Outcome = tuple[int, str]
"""An exit code, and the text for standard output."""


def chosen_cells(arguments: Namespace) -> tuple[Cell, ...]:
    """The named cells, each once. The default is the first bundled cells; --all means every bundled cell.

    Raises:
        CellError: a cell cannot be loaded.
        GenerateError: two cells have one name, so that their files would be the same.
    """
    found: dict[str, Cell] = {}
    bundled = cells() if arguments.all else first_cells()
    with progress() as say:
        for name in dict.fromkeys(arguments.cells or bundled):
            say(f"reading {name}")
            cell = load(name)
            if cell.name in found:
                other = found[cell.name].source
                remedy = "run the command for one of them" if cell.changes else "rename one of them"
                raise GenerateError(f"{cell.source} and {other} are both named {cell.name!r}; {remedy}")
            found[cell.name] = cell
    return tuple(found.values())


def note(sentence: str) -> None:
    """Say something on standard error that is no trouble; standard output does not change."""
    if sys.stderr is not None:
        print(f"symrnn: note: {sentence}", file=sys.stderr)


def note_doubtful(cells: Iterable[Cell]) -> None:
    """Say on standard error which parameters may be mistakes; standard output does not change."""
    for cell in cells if sys.stderr is not None else ():
        for sentence in doubts(cell):
            note(f"{cell.source}: {sentence}")


def chosen_backends(arguments: Namespace) -> tuple[str, ...]:
    """The requested backends."""
    return registry.working() if arguments.backend == ALL else (arguments.backend,)


def chosen_dtypes(arguments: Namespace) -> tuple[str, ...]:
    """The requested precisions."""
    return PRECISIONS if arguments.dtype == ALL else (arguments.dtype,)


def chosen_request(arguments: Namespace, cell: Cell) -> Request:
    """The request for the files of ``cell``.

    Raises:
        TargetError: no requested backend supports it.
        GenerateError: the cell has no such size.
    """
    return requested(
        cell,
        chosen_backends(arguments),
        backward=not arguments.no_backward,
        dtypes=() if arguments.dtype == ALL else (arguments.dtype,),
        sizes=chosen_sizes(arguments),
        single_file=arguments.single_file,
    )


def chosen_sizes(arguments: Namespace) -> dict[str, int]:
    """The given sizes by name.

    Raises:
        GenerateError: a size is given twice.
    """
    named = [(INPUT, arguments.input), (HIDDEN, arguments.hidden), *arguments.size]
    given = [(name, number) for name, number in named if number is not None]
    found = dict(given)
    if len(found) < len(given):
        twice = next(name for name, _ in given if [other for other, _ in given].count(name) > 1)
        raise GenerateError(f"{twice} is given twice; leave one out")
    return found


def to_json(value: object) -> str:
    """``value`` as JSON that people can read too."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """A function that shows the current work in one line on standard error; silent if that is not a terminal.

    The line is drawn again every second with the time since the start, so a user sees that long work goes on. It is removed
    when the work ends.
    """
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda line: None
        return
    line = _ProgressLine(sys.stderr)
    try:
        yield line.say
    finally:
        line.wipe()


@contextmanager
def progress_in_lines() -> Iterator[Callable[[str], None]]:
    """As `progress`; if standard error is not a terminal, every call prints a line. For work that seldom reports."""
    if sys.stderr is None or sys.stderr.isatty():
        with progress() as say:
            yield say
    else:
        yield lambda line: print(f"symrnn: {line}", file=sys.stderr, flush=True)


class _ProgressLine:
    """A line of a terminal, and the thread that redraws it."""

    def __init__(self, terminal: TextIO) -> None:
        self._terminal = terminal
        self._text = ""
        self._start = time.monotonic()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep_alive, name="symrnn progress", daemon=True)
        self._thread.start()

    def say(self, text: str) -> None:
        """Draw ``text`` in place of the old text."""
        with self._lock:
            self._text = text
            self._draw()

    def wipe(self) -> None:
        """Leave the line empty for what is printed next."""
        self._ended.set()
        self._thread.join()
        self._text = ""
        self._draw()

    def _keep_alive(self) -> None:
        while not self._ended.wait(_REDRAWN):
            with self._lock:
                if self._text:
                    self._draw()

    def _draw(self) -> None:
        seconds = int(time.monotonic() - self._start)
        columns = _columns(self._terminal) - 1
        after = f"  {seconds} s" if self._text and seconds >= _QUICK else ""
        print(f"\r\x1b[K{self._text[: max(columns - len(after), 0)]}{after}", end="", file=self._terminal, flush=True)


def _columns(terminal: TextIO) -> int:
    """Columns as the environment gives them; else those of standard output, or of this terminal."""
    try:
        wide = os.get_terminal_size(terminal.fileno()).columns or _WIDE
    except (OSError, ValueError):  # it has no size, or no file number
        wide = _WIDE
    return shutil.get_terminal_size(fallback=(wide, 0)).columns
