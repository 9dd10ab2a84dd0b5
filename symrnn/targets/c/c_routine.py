"""The stages of a routine as C text: each with its statements, the sources of its sums, and its phase.

Reads a `CCell`; returns the records `CRoutine` and `CStageText` for the templates. Leaves out: the statements
(`symrnn.targets.c.stages`), and how stages run, which the runtime does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from symrnn.emit.source import block, within
from symrnn.language.axes import plain_axes
from symrnn.plan.program import Routine
from symrnn.plan.routine import AFTER, BEFORE, LAST, LOOP, ONCE
from symrnn.targets.c.arrays import PACKED
from symrnn.targets.c.c_cell import CCell
from symrnn.targets.c.context import CRoutine, CStageText
from symrnn.targets.c.names import CNames
from symrnn.targets.c.stage_records import CSegment, CStage

_PHASES = {BEFORE.name: "HOIST", LOOP.name: "LOOP", LAST.name: "LAST", AFTER.name: "DEFERRED"}
"""The runtime's name of each phase that has stages."""


def c_routine(cell: CCell, routine: Routine, stages: Sequence[CStage]) -> CRoutine:
    """The text of ``routine`` of ``cell``, whose stages are ``stages``."""
    by_name = {stage.name: stage for stage in stages}
    once = tuple(stage_call(by_name[stage.name], "0") for stage in routine.stages_of(ONCE))
    return CRoutine(tuple(_text(cell, stage) for stage in stages), once, tuple(_added(routine, by_name)))


def stage_call(stage: CStage, fused: str) -> str:
    """The call that makes the runtime's record of ``stage``; ``fused`` says whether it computes hoisted values itself."""
    return f"S({stage.name}_stage)({f'dims, {fused}' if stage.fused else 'dims'})"


def _added(routine: Routine, stages: Mapping[str, CStage]) -> Iterator[str]:
    """Lines that add the stages of ``routine`` to the runtime's record, phase by phase."""
    for phase in routine.phases:
        if phase.name == ONCE.name:
            continue
        add = f"add_stage(r, {_PHASES[phase.name]}, "
        plain = [f"{add}{stage_call(stages[stage.name], 'fuses(r)')});" for stage in phase.stages]
        if phase.name == BEFORE.name and routine.fused is not None:
            fused = [f"{add}{stage_call(stages[stage.name], 'fuses(r)')});" for stage in routine.fused.before]
            yield from _either("fuses(r)", fused, plain)
        else:
            yield from plain


def _text(cell: CCell, stage: CStage) -> CStageText:
    function = within(
        stage.name,
        block([f"STAGE{'_ALONG' if stage.outer else ''}({stage.name}, {stage.side})", "{", *stage.lines, "}"]),
    )
    on_row = f"ON_ROW({stage.name}, {_sums_at_most(stage)})" if stage.name in cell.row_names else ""
    if on_row and stage.outer:
        on_row = f"ON_ROW_ALONG({stage.name})"
    return CStageText(stage.name, tuple(function), on_row, tuple(_forms(cell, stage)), stage.fused is not None)


def _forms(cell: CCell, stage: CStage) -> Iterator[str]:
    """The body of the function that gives the sources of the sums of ``stage``."""
    names = cell.names
    if not _sizes_of(stage) & set(names.open):
        yield "    (void)dims;"
    masked = "MASKED" if stage.masked else "ALL_ROWS"
    sums, vectors = _sums_and_vectors(stage)
    units = names.sizes[stage.size]
    if stage.outer:
        vectors = f"({units} + LANES - 1) / LANES"
    new = f'new_stage("{stage.name}", S({stage.name}), {units}, {sums}, {vectors}, {masked}, {stage.work})'
    yield f"    S(stage) s = {new};"
    if stage.outer:
        yield f"    set_lines(&s, {stage.outer}, {stage.side if stage.apart else 0});"
    if stage.name in cell.row_names:
        yield f"    s.row = S({stage.name}_row);"
    operands = [_operand(segment, names) for segment in stage.forms.segments]
    if stage.fused:
        operands = [*_either("fused", [_operand(segment, names) for segment in stage.fused.segments], operands)]
    yield from (f"    {line}" for line in operands)


def _sizes_of(stage: CStage) -> set[str]:
    """The sizes that the stage's units and operands depend on."""
    segments = [s for form in (stage.forms, stage.fused) if form for s in form.segments]
    return {
        *plain_axes(stage.size),
        *(size for s in segments for size in (*s.panel.depth.sizes, *s.source.before.sizes)),
    }


def _sums_and_vectors(stage: CStage) -> tuple[str, str]:
    """C expressions of a stage's sums, and of the vectors of units in its tiles at most."""
    sums, vectors = str(stage.forms.sums), stage.forms.width.text
    if stage.fused and stage.fused.sums != stage.forms.sums:
        sums = f"fused ? {stage.fused.sums} : {sums}"
    if stage.fused and stage.fused.width != stage.forms.width:
        vectors = f"fused ? {stage.fused.width.text} : {vectors}"
    return sums, vectors


def _sums_at_most(stage: CStage) -> str:
    """The sums of ``stage``, 0 where its two forms differ, and the vectors of its tiles at most."""
    ways = [form for form in (stage.forms, stage.fused) if form]
    sums = {form.sums for form in ways}
    widest = max((form.width for form in ways), key=lambda width: width.most)
    return f"{ways[0].sums if len(sums) == 1 else 0}, {widest.text}"


def _operand(segment: CSegment, names: CNames) -> str:
    """The call that adds a segment to a stage."""
    panel, address = segment.panel, segment.source
    call, source = ("add_packed", address.block) if address.array == PACKED else ("add_operand", address.array)
    column, depth = names.count(address.before), names.count(panel.depth)
    note = f"{segment.text} of the step before in this loop" if segment.later else segment.text
    return (
        f"{call}(&s, {source}, {column}, {depth}, {panel.name}, {segment.first}, {panel.count}, {int(segment.later)}); "
        f"/* {note} */"
    )


def _either(condition: str, true: Sequence[str], false: Sequence[str]) -> Iterator[str]:
    """Lines of C that run the statements ``true`` where ``condition`` holds, else ``false``.

    What both begin or end with stands once. The order within each is kept: a statement may need what an earlier one did.
    """
    begin = 0
    while begin < min(len(true), len(false)) and true[begin] == false[begin]:
        begin += 1
    end = 0
    while end < min(len(true), len(false)) - begin and true[-1 - end] == false[-1 - end]:
        end += 1
    yield from true[:begin]
    yield from _branches(condition, true[begin : len(true) - end], false[begin : len(false) - end])
    yield from true[len(true) - end :]


def _branches(condition: str, true: Sequence[str], false: Sequence[str]) -> Iterator[str]:
    """An `if` in C, with the branches that have statements."""
    if not true:
        condition, true, false = f"!{condition}", false, true
    if not true:
        return
    braces = len(true) > 1 or bool(false)
    yield f"if ({condition}) {{" if braces else f"if ({condition})"
    yield from (f"    {line}" for line in true)
    if false:
        yield "} else {"
        yield from (f"    {line}" for line in false)
    if braces:
        yield "}"
