"""A step of one row as C text: the places of its arrays, its stages, and the states it copies back.

Reads a `CCell`; returns a `CStep` for the templates. Leaves out: which stages these are, and where the next value of a state
may go (`symrnn.targets.c.row`).
"""

from __future__ import annotations

from collections.abc import Iterator

from symrnn.plan.size import Count
from symrnn.targets.c.arrays import of_buffer, of_state
from symrnn.targets.c.c_cell import CCell
from symrnn.targets.c.c_routine import stage_call
from symrnn.targets.c.context import CState, CStep
from symrnn.targets.c.row import Overwrite, overwrite, row_stages, writing
from symrnn.targets.c.stages import vectors_of


def c_step(cell: CCell) -> CStep:
    """The text of a step of one row of ``cell``."""
    by_name = {stage.name: stage for stage in cell.forward}
    states = tuple(_states(cell))
    lines = (*_states_at(states), *_buffers_at(cell))
    return CStep(lines, tuple(stage_call(by_name[name], "1") for name in cell.row_names), states)


def _states(cell: CCell) -> Iterator[CState]:
    """The states in order, each with where it begins among all of them."""
    begin = Count()
    for state in cell.program.cell.states:
        width = Count.size(cell.program.cell.size(state))
        now, following = of_state("now", state), of_state("next", state)
        yield CState(now, following, cell.names.count(width), cell.names.count(begin), _condition(cell, state))
        begin += width


def _condition(cell: CCell, state: str) -> str:
    """The C expression under which ``state`` is overwritten; empty if it always is."""
    stages = row_stages(cell.program.forward)
    match overwrite(state, stages):
        case Overwrite.ALWAYS:
            return ""
        case Overwrite.NEVER:
            return "0"
        case Overwrite.TWO_TILES:
            stage = writing(state, stages)
            return f"{cell.names.sizes[stage.size]} <= {2 * vectors_of(stage)} * LANES"


def _states_at(states: tuple[CState, ...]) -> Iterator[str]:
    """Lines that point the states, and their next values, at memory."""
    for state in states:
        source = f"state + {state.start}" if state.start != "0" else "state"
        yield f"row_array(&at, {state.now}, {source});"
        if not state.condition:
            yield f"row_array(&at, {state.next}, {source});"
            continue
        chosen = "free_memory" if state.condition == "0" else f"{state.condition} ? {source} : free_memory"
        yield f"row_array(&at, {state.next}, {chosen});"
        yield f"free_memory += WHOLE({state.width});"


def _buffers_at(cell: CCell) -> Iterator[str]:
    """Lines that point the buffers at the workspace."""
    buffers = {of_buffer(buffer.name) for buffer in cell.program.forward.buffers}
    for array in cell.arrays.table:
        if array.name in buffers:
            yield f"row_array(&at, {array.name}, free_memory);"
            yield f"free_memory += WHOLE({cell.names.count(array.width)});"
