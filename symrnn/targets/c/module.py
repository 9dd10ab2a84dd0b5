"""The Python module over a compiled cell: the public surface, with ctypes in place of array code.

Reads a `Program` and the digest of its interface; returns the text of ``<cell>_c.py``, which needs NumPy and the
library beside it. Argument types come from the table that gave the C prototypes (`symrnn.targets.c.interface`).
"""

from __future__ import annotations

import textwrap

from symrnn.emit.legend import step_lines
from symrnn.emit.provenance import provenance
from symrnn.emit.python_text import WIDTH, collection
from symrnn.emit.render import render
from symrnn.emit.request import Request
from symrnn.emit.surface import surface
from symrnn.plan.program import Program
from symrnn.targets.c.abi import LoaderContext
from symrnn.targets.c.interface import entries


def c_module(program: Program, digest: str, request: Request) -> str:
    """The text of ``<cell>_c.py``.

    Args:
        program: the cell's plan.
        digest: of the interface; the library must repeat it.
        request: what was asked for.
    """
    training = program.backward is not None
    shown = surface(program, request.dtype, request.sizes)
    sizes = program.cell.sizes
    streamed = dict.fromkeys(size for _, size in shown.states)
    context = {
        "s": shown,
        "header": _header(program, request),
        "loader": LoaderContext(program.cell.name, digest),
        "entries": _entries(training),
        "sizes": sizes,
        "names": _tuple(sizes),
        "streamed": _tuple(tuple(streamed)),
        "backward": training,
    }
    return render("c/module.py.jinja", context)


def _header(program: Program, request: Request) -> tuple[str, ...]:
    """The docstring's lines after the first."""
    cell = program.cell
    origin = provenance(cell, request)
    origin += f" Needs NumPy and the library that is compiled from {cell.name}.c."
    lines = ["", *_wrapped(origin)]
    if cell.reference:
        lines += ["", *_wrapped(cell.reference)]
    lines += ["", "The step:", "", *(f"    {line}" for line in step_lines(program)), ""]
    lines += _wrapped(
        f"Arrays are time-major: x is (T, B, input), y is (T, B, {cell.size(cell.output)}), a state (B, size), a matrix "
        "(rows, columns)."
    )
    text = "\n".join(lines).replace("\\", "\\\\").replace('"""', "'''")
    return tuple(line.rstrip() for line in text.splitlines())


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, break_on_hyphens=False, break_long_words=False)


def _entries(training: bool) -> tuple[str, ...]:
    """The entry points and the kinds of their arguments, in order."""
    lines = ["_ENTRIES = {"]
    for entry in entries(training):
        *before, last = collection(f'"{entry.name}": (', [f'"{argument.kind}"' for argument in entry.arguments], ")", 1)
        lines += [*before, f"{last},"]
    return (*lines, "}")


def _tuple(names: tuple[str, ...]) -> str:
    """The items of a tuple of names, as Python writes them."""
    return ", ".join(f'"{name}"' for name in names) + ("," if len(names) == 1 else "")
