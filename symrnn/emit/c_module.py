"""The Python module over a compiled cell: the public surface, with ctypes in place of array code.

Reads a `Program` and the digest of its interface; returns the text of ``<cell>_c.py``, which needs NumPy and the
library beside it. Argument types come from the table that gave the C prototypes (`symrnn.emit.c_interface`).
"""

from __future__ import annotations

from dataclasses import dataclass

from symrnn.emit.abi import LoaderContext
from symrnn.emit.c_interface import entries
from symrnn.emit.render import render
from symrnn.emit.surface import DTYPE, surface
from symrnn.plan.program import Program


@dataclass(frozen=True)
class Entry:
    """An entry point and the kinds of its arguments, in order."""

    name: str
    kinds: tuple[str, ...]


def c_module(program: Program, digest: str, dtype: str = DTYPE) -> str:
    """The text of ``<cell>_c.py``.

    Args:
        program: the cell's plan.
        digest: of the interface; the library must repeat it.
        dtype: what ``init_params`` makes unless told otherwise.
    """
    training = program.backward is not None
    context = {
        "s": surface(program, dtype),
        "loader": LoaderContext(program.cell.name, digest),
        "entries": tuple(Entry(e.name, tuple(a.kind for a in e.arguments)) for e in entries(training)),
        "sizes": program.cell.sizes,
        "backward": training,
    }
    return render("python/c.py.jinja", context)
