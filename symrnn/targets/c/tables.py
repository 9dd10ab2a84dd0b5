"""The tables of a cell in C: the numbers that the runtime needs, its arrays, and enumerations of both.

Reads a `CCell`; returns a `CTables` for the templates. Leaves out: what the parts of packed weights hold
(`symrnn.targets.c.packed`).
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from symrnn.targets.c.arrays import FIXED
from symrnn.targets.c.c_cell import CCell
from symrnn.targets.c.context import CGradients, CRow, CTables
from symrnn.targets.c.gradients import gives_input_gradient
from symrnn.targets.c.packed import parts_of


def c_tables(cell: CCell, gradients: CGradients | None) -> CTables:
    """The tables of ``cell``.

    Args:
        cell: whose tables.
        gradients: its deferred gradients; None for inference alone.
    """
    table = cell.arrays.table
    return CTables(
        limits=tuple(_limits(cell, len(gradients.rights) if gradients else 0)),
        arrays=tuple(CRow(a.name, a.memory, a.motion, cell.names.count(a.width)) for a in table),
        array_names=_wrapped(_enumeration([a.name for a in table[len(FIXED) :]], "AT_STATES", "ARRAYS")),
        part_names=_wrapped(_enumeration([part.name for part in parts_of(cell)], "0", "BLOCKS")),
    )


def _limits(cell: CCell, rights: int) -> Iterator[tuple[str, int]]:
    """The macros that the runtime needs."""
    program = cell.program
    stages = (*cell.forward, *cell.backward)
    forms = [form for stage in stages for form in (stage.forms, stage.fused) if form]
    yield "MOST_SUMS", max([1, *(form.sums * form.width.most for form in forms)])
    yield "MOST_OPERANDS", max([1, *(len(form.segments) for form in forms)])
    yield "MOST_STAGES", len(stages)
    yield "MOST_ARRAYS", len(cell.arrays.table)
    yield "MOST_RIGHTS", max(1, rights)
    yield "RIGHTS", rights
    yield "STATES", len(program.cell.states)
    yield "TAGGED", len(cell.names.open)
    yield "FUSES", int(program.forward.fused is not None)
    yield "TRAINS", int(program.backward is not None)
    yield "GIVES_DX", int(program.backward is not None and gives_input_gradient(program.backward))
    sizes = {stage.size for routine in program.routines for stage in routine.stages} - {"1"}
    if sizes <= set(cell.fixed):
        yield "MOST_UNITS", max([1, *(cell.fixed[size] for size in sizes)])


def _enumeration(names: Sequence[str], first: str, end: str) -> list[str]:
    """The items of a C enumeration that counts ``names`` from ``first`` on, and ends with their number."""
    return [f"{names[0]} = {first}", *names[1:], end] if names else [f"{end} = {first}"]


def _wrapped(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(textwrap.wrap(", ".join(names), 110, break_long_words=False))
