"""Timers in a generated C file: the same text, with a clock around every function that an entry point calls.

Reads the text of a generated ``.c`` file; returns it with timers, and the names of what is timed. No function is known by
its name: whatever an entry point calls and returns nothing is a phase. Leaves out: what a phase computes
(`benchmarks.profile`), and threads: the timers are for one.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from dataclasses import dataclass

from symrnn.errors import CheckError

_FUNCTION = re.compile(
    r"^(?P<head>[A-Za-z_][^\n;{}#]*?\b(?P<name>\w+)\([^;{}]*?\))\n\{\n(?P<body>.*?)^\}\n", re.MULTILINE | re.DOTALL
)

_CLOCK = """
#include <time.h>
static double symrnn_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}
static double symrnn_seconds[%d];
static size_t symrnn_calls[%d];
void symrnn_profile(double *seconds, size_t *calls);
void symrnn_profile(double *seconds, size_t *calls)
{
    for (size_t i = 0; i < %d; ++i) {
        seconds[i] = symrnn_seconds[i];
        calls[i] = symrnn_calls[i];
        symrnn_seconds[i] = 0;
        symrnn_calls[i] = 0;
    }
}
/* A phase that is called by another is part of it. */
static int symrnn_depth;
#define SYMRNN_TIMED(i, call) do { \\
    const double symrnn_start = symrnn_depth++ ? 0 : symrnn_now(); \\
    call; \\
    if (!--symrnn_depth) { symrnn_seconds[i] += symrnn_now() - symrnn_start; ++symrnn_calls[i]; } \\
} while (0)
"""


@dataclass(frozen=True)
class Instrumented:
    """A C file with timers.

    Attributes:
        text: the file.
        phases: functions that are timed, in the order of their timers.
        entries: for each, the entry points that call it.
    """

    text: str
    phases: tuple[str, ...]
    entries: dict[str, tuple[str, ...]]

    def read(self, library: ctypes.CDLL) -> dict[str, tuple[float, int]]:
        """Seconds and calls of each phase since the last reading."""
        seconds = (ctypes.c_double * len(self.phases))()
        calls = (ctypes.c_size_t * len(self.phases))()
        library.symrnn_profile(seconds, calls)
        return {name: (seconds[i], calls[i]) for i, name in enumerate(self.phases)}


@dataclass(frozen=True)
class _Function:
    name: str
    head: str
    body: str
    end: int

    @property
    def exported(self) -> bool:
        return not self.head.startswith("static")

    @property
    def silent(self) -> bool:
        """Whether it returns nothing: then a call is a statement, and a timer fits around it."""
        return re.match(r"static (?:inline )?void\b", self.head) is not None


def instrument(text: str, precision: str) -> Instrumented:
    """``text`` with timers in the functions of one precision, ``f32`` or ``f64``.

    Raises:
        CheckError: there is nothing to time.
    """
    functions = {f.name: f for f in _functions(text) if f.name.endswith(f"_{precision}") or f"_{precision}_" in f.name}
    entries = {f.name: _reached(f, functions) for f in functions.values() if f.exported}
    phases = tuple(
        name for name, f in functions.items() if f.silent and any(name in called for called in entries.values())
    )
    if not phases:
        raise CheckError(f"profile: no function of the generated file returns nothing in {precision}, so none is timed")
    callers = {name: tuple(entry for entry, called in entries.items() if name in called) for name in phases}
    return Instrumented(_with_timers(text, [functions[name] for name in phases]), phases, callers)


def _functions(text: str) -> Iterator[_Function]:
    for match in _FUNCTION.finditer(text):
        yield _Function(match["name"], match["head"], match["body"], match.end())


def _reached(entry: _Function, functions: dict[str, _Function]) -> tuple[str, ...]:
    """What an entry point calls, and what is called by those of them that return a status."""
    found: dict[str, None] = {}
    waiting = [entry]
    while waiting:
        for name in re.findall(r"\b(\w+)\(", waiting.pop().body):
            if name in functions and name not in found:
                found[name] = None
                if not functions[name].silent and not functions[name].exported:
                    waiting.append(functions[name])
    return tuple(found)


def _with_timers(text: str, phases: list[_Function]) -> str:
    """A macro after the definition of each phase: calls below it are timed; a name in parentheses is no macro."""
    pieces, at = [], 0
    for index, function in sorted(enumerate(phases), key=lambda pair: pair[1].end):
        pieces.append(text[at : function.end])
        pieces.append(f"#define {function.name}(...) SYMRNN_TIMED({index}, ({function.name})(__VA_ARGS__))\n")
        at = function.end
    pieces.append(text[at:])
    clock = _CLOCK % ((len(phases),) * 3)
    includes = re.search(r"^#include <string\.h>\n", text, re.MULTILINE)
    head = "".join(pieces)
    place = includes.end() if includes else 0
    return f"#define _POSIX_C_SOURCE 199309L\n{head[:place]}{clock}{head[place:]}"
