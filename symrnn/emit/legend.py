"""What a generated file says of a cell before its code: numbered equations, and the arrays that its routines share.

Reads a `Program`; returns lines of plain text without comment marks. Leaves out: how a language writes a comment.
"""

from __future__ import annotations

from collections.abc import Iterator

from symrnn.language.listing import labelled, own_lines, written_lines
from symrnn.plan.program import Buffer, Extent, Program
from symrnn.plan.size import Count


def step_lines(program: Program) -> tuple[str, ...]:
    """The author's equations under their numbers, the parts of them that have names of their own, the cell's functions.

    Where equations were written out, they stand behind those that the author wrote.
    """
    cell = program.cell
    given = [*written_lines(cell.written, indent=""), "written out:"] if cell.written else []
    own = own_lines(cell.functions.values(), indent="")
    return (*given, *labelled([*cell.equations, *cell.parts], indent=""), *own)


def adjoint_lines(program: Program) -> tuple[str, ...]:
    """The derived adjoint of a step under its numbers, and of what is prepared; nothing for kernels of inference alone."""
    if program.backward is None:
        return ()
    equations = (*program.backward.system.equations, *program.preparation.adjoint.equations)
    return tuple(line.strip() for line in labelled(equations))


def buffer_lines(program: Program) -> tuple[str, ...]:
    """Each buffer with its rows, its columns and what it is for; the tape's first, in the order of the routines."""
    routines = [routine for routine in (program.forward, program.backward) if routine is not None]
    buffers = [buffer for routine in routines for buffer in routine.buffers]
    rows = [(buffer.name, _shape(buffer), _meaning(buffer)) for buffer in buffers]
    widths = [max((len(row[i]) for row in rows), default=0) for i in range(2)]
    return tuple(line for row in rows for line in _wrapped(row, widths))


def _shape(buffer: Buffer) -> str:
    rows = {Extent.ONCE: "1", Extent.STEP: "B", Extent.SEQUENCE: "T*B"}[buffer.extent]
    width = Count.of(*((column.size,) for column in buffer.columns))
    return f"{rows} x ({width.spelt(str, times=' ')})"


def _meaning(buffer: Buffer) -> str:
    columns = " | ".join(column.value for column in buffer.columns)
    return f"{columns}: {buffer.note}{', on the tape' if buffer.taped else ''}"


def _wrapped(row: tuple[str, str, str], widths: list[int], most: int = 104) -> Iterator[str]:
    """A row of a table; long text wraps below the start of its column."""
    head = f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  "
    line = ""
    for word in row[2].split():
        if line and len(head) + len(line) + len(word) + 1 > most:
            yield head + line
            head, line = " " * len(head), ""
        line = f"{line} {word}" if line else word
    yield head + line
