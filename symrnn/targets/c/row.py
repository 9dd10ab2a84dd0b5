"""A step of one row in C: straight to the stages, with no array that the caller does not bring.

Reads the forward routine of a program; returns the lines that point the stages at one row's values. A state is
overwritten in place where no later read meets its new value; elsewhere its next value goes to the workspace and is
copied. Leaves out: the stages themselves (`symrnn.targets.c.stages`, `templates/c/row.c.jinja`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from symrnn.plan.program import Buffer, Extent, Kind, Routine, Stage, reductions
from symrnn.targets.c.arrays import Array, Arrays
from symrnn.targets.c.names import CNames
from symrnn.targets.c.stages import vectors_of

PRECISION, SUFFIX = "{real}", "{s}"
"""What a template replaces in a line: the type, and the ending of identifiers."""


@dataclass(frozen=True)
class CState:
    """A state: its name, its size, and the numbers per row before it in a block of all states."""

    field: str
    width: str
    start: str


@dataclass(frozen=True)
class CRow:
    """A step of one row.

    Attributes:
        bind: lines that point the arrays of ``at`` at their memory.
        stages: names, in order.
        copies: a C condition, the next value's array, where the state stands in the caller's block, its size.
    """

    bind: tuple[str, ...]
    stages: tuple[str, ...]
    copies: tuple[tuple[str, str, str, str], ...]


def row_stages(routine: Routine) -> tuple[Stage, ...]:
    """What a single step runs: the linear forms of the input stay in its sums."""
    return tuple(stage for phase in routine.fused_phases if phase.rows is not Extent.ONCE for stage in phase.stages)


def c_row(routine: Routine, arrays: Arrays, names: CNames, states: Sequence[CState]) -> CRow:
    """How ``routine``, the forward one, runs a single step of a single row.

    Args:
        routine: of the program.
        arrays: of that routine.
        names: C identifiers.
        states: where each state stands in the caller's block.
    """
    stages = row_stages(routine)
    fields = {array.field: array for array in arrays.all()}
    bind, copies = ["at.x = x;"] if "x" in fields else [], []
    if "output" in fields:
        bind.append("at.output = y;")
    for state in states:
        bind += _state_lines(state, in_place(state.field, stages, names), fields)
        copies += _copies(state, in_place(state.field, stages, names), fields)
    for buffer in routine.buffers:
        if buffer.name in fields:
            bind += _buffer_lines(buffer, fields[buffer.name])
    return CRow(tuple(bind), tuple(stage.name for stage in stages), tuple(copies))


def in_place(state: str, stages: Sequence[Stage], names: CNames) -> str:
    """The C condition under which the stages may write the next value of ``state`` over its value; ``0`` for never.

    A stage reads units of a vector before it writes them, and the forms of a tile, or of the only two, before anything of
    them is written. So what forbids it is a later stage that reads the old value, a reduction over it in the same
    stage, and forms of another tile.
    """
    writing = next(i for i, stage in enumerate(stages) if _writes(stage, state))
    stage = stages[writing]
    later = any(state in (*s.reads, *s.operands, *reductions(s)) for s in stages[writing + 1 :])
    if later or state in reductions(stage):
        return "0"
    if state not in stage.operands:
        return "1"
    return f"{names.sizes[stage.size]} <= {2 * vectors_of(stage)} * LANES{SUFFIX}"


def _writes(stage: Stage, state: str) -> bool:
    return any(write.place.kind is Kind.NEXT and write.place.array == state for write in stage.writes)


def _state_lines(state: CState, condition: str, fields: dict[str, Array]) -> list[str]:
    now, following = f"{state.field}_now", f"{state.field}_next"
    source = f"state + ({state.start})"
    lines = [f"at.{now} = {source};"] if now in fields else []
    if condition == "1":
        return [*lines, f"at.{following} = {source};"]
    chosen = "free_memory" if condition == "0" else f"{condition} ? {source} : free_memory"
    lines.append(f"at.{following} = {chosen};")
    return [*lines, f"free_memory += {_whole(state.width)};"]


def _copies(state: CState, condition: str, fields: dict[str, Array]) -> list[tuple[str, str, str, str]]:
    if condition == "1":
        return []
    test = f"!({condition})" if condition != "0" else "1"
    return [(test, f"at.{state.field}_next", f"state + ({state.start})", state.width)]


def _buffer_lines(buffer: Buffer, array: Array) -> list[str]:
    if buffer.extent is Extent.ONCE:
        return [f"at.{buffer.name} = ({PRECISION} *)packed + at.layout.once;"]  # packing wrote it
    return [f"at.{buffer.name} = free_memory;", f"free_memory += {_whole(array.width)};"]


def _whole(width: str) -> str:
    return f"WHOLE({width})"
