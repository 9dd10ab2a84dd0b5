"""Stages as C: their segments of linear forms, the rows they touch, their statements as text.

Reads a routine of a program; returns one `CStage` per stage for `templates/c/stage.c.jinja`. A segment is a run of
operands that lie side by side in memory and feed the same accumulators: one pass of the register tile. Leaves out:
where arrays and panels begin (`symrnn.targets.c.arrays`, `symrnn.targets.c.files`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from symrnn.language.system import ONE
from symrnn.language.text import to_text
from symrnn.language.tree import Reduce
from symrnn.plan.program import Extent, Form, Kind, Place, Program, Routine, Stage, Statement, Write, reductions
from symrnn.targets.c.arrays import Arrays, total
from symrnn.targets.c.expression import CPrinter
from symrnn.targets.c.names import CNames, pointer_key

PRECISIONS = {"f32": "float", "f64": "double"}
UNDER_WAY = 4
"""Multiply-adds that must not wait for one another: as many as fit into the latency of one."""
UNDER_WAY_NARROW = 8
"""The same for vectors of less than 64 bytes, of which two are multiplied at a time."""


@dataclass(frozen=True)
class CForm:
    """How one matrix enters a panel.

    Attributes:
        parameter: field of the structure of parameters.
        row_stride: C expression: from one unit to the next in the matrix.
        depth_stride: C expression: from one element of the operand to the next.
        start: C expression: where the operand begins within the segment's depth.
        depth: C expression: elements of the operand.
        column: the accumulator that it feeds, counted within the segment.
        add: whether another matrix was laid out there before.
    """

    parameter: str
    row_stride: str
    depth_stride: str
    start: str
    depth: str
    column: int
    add: bool


@dataclass(frozen=True)
class CSegment:
    """Operands side by side, and the accumulators that they feed.

    Attributes:
        panel: field of the layout of packed weights.
        source: C expression of the operand's row ``row``.
        depth: C expression: elements of the operands together.
        first: first accumulator of the stage that it feeds.
        count: how many accumulators.
        guard: pointer that is null when the segment is to be skipped; empty where it never is.
        fresh: whether its accumulators hold nothing before it.
        forms: what is packed.
        text: for the comment.
    """

    panel: str
    source: str
    depth: str
    first: int
    count: int
    guard: str
    fresh: bool
    forms: tuple[CForm, ...]
    text: str


@dataclass(frozen=True)
class CStage:
    """A stage.

    Attributes:
        name: of its C routine, without precision.
        units: C expression.
        vectors: of units per tile and accumulator, at most.
        count: accumulators.
        depth: C expression: elements of all operands together.
        pointers: declarations of row pointers, without their types: ``(constant, name, expression)``.
        body: lines of C for one vector of units of one row, by precision.
        equations: for the comment above it.
        pair: lines for two vectors of units side by side; empty where there are no accumulators.
        work: C expression: multiply-adds of one row.
        row_tiles: register tiles of one row: vectors of units, sums in one tile and in two.
        row_sums: vectors of sums that the largest keeps: several of each, where there are few.
        masked: whether rows beyond their length are told apart.
        later: whether it sums over what the step before in its loop stored.
        mixed: whether some accumulators must be zero before the first operand: not one segment begins them all.
        by_row: whether one row differs from another; values of parameters alone have one.
    """

    name: str
    units: str
    vectors: int
    count: int
    depth: str
    segments: tuple[CSegment, ...]
    pointers: tuple[tuple[bool, str, str], ...]
    body: dict[str, tuple[str, ...]]
    equations: tuple[str, ...]
    pair: dict[str, tuple[str, ...]]
    work: str
    row_tiles: tuple[tuple[int, int, int], ...]
    row_sums: int
    masked: bool
    later: bool
    mixed: bool
    by_row: bool


def c_stages(program: Program, routine: Routine, names: CNames, optional: frozenset[str]) -> tuple[CStage, ...]:
    """The stages of ``routine`` in the order in which they run.

    Args:
        program: the cell's program.
        routine: its forward or backward routine.
        names: C identifiers.
        optional: values that are stored only where there is a tape.
    """
    return tuple(_StageWriter(program, routine, names, optional, stage).write() for stage in routine.stages)


@dataclass(frozen=True)
class _Lanes:
    """What one vector of units is called: its values, its first unit, the units from there on, its sums."""

    values: Mapping[str, str]
    unit: str
    count: str
    sum: str


class _StageWriter:
    def __init__(
        self, program: Program, routine: Routine, names: CNames, optional: frozenset[str], stage: Stage
    ) -> None:
        self._routine, self._names, self._optional, self._stage = routine, names, optional, stage
        self._by_name = program.cell.by_name
        self._taped = {buffer.name for buffer in routine.buffers if buffer.taped}
        self._arrays = Arrays(program, routine, names)
        self._phase = next(p for p in (*routine.phases, *routine.fused_phases) if stage in p.stages)
        self._vectors = vectors_of(stage)
        self._first = _Lanes(names.values, "unit", "count", "sum")
        self._second = _Lanes(names.partners, "unit_2", "count_2", "sum_2")

    def write(self) -> CStage:
        stage = self._stage
        equations = tuple(f"({s.label}) {s.target} = {to_text(s.expression)}" for s in stage.statements if s.label)
        segments = self._segments()
        return CStage(
            stage.name,
            self._names.sizes[stage.size],
            self._vectors,
            len(stage.accumulators),
            " + ".join(segment.depth for segment in segments),
            segments,
            self._pointers(),
            {precision: tuple(chain(*self._body(precision, self._first))) for precision in PRECISIONS},
            equations,
            {precision: tuple(self._pair(precision)) for precision in PRECISIONS} if stage.accumulators else {},
            " + ".join(f"{s.count} * {self._names.sizes[stage.size]} * ({s.depth})" for s in segments) or "0",
            *self._row_tiles(),
            self._phase.ragged,
            any(form.later for accumulator in stage.accumulators for form in accumulator.forms),
            sum(segment.count for segment in segments if segment.fresh) < len(stage.accumulators),
            self._phase.rows is not Extent.ONCE,
        )

    def _row_tiles(self) -> tuple[tuple[tuple[int, int, int], ...], int]:
        """The tiles of one row, and the most sums that they keep."""
        count = len(self._stage.accumulators)
        ways = tuple((n, n * count, 2 * n * count) for n in range(1, self._vectors + 1))
        return ways, max(max(UNDER_WAY_NARROW, sums) for way in ways for sums in way[1:])

    def _segments(self) -> tuple[CSegment, ...]:
        """Operands in order of appearance, each with the runs of accumulators it feeds; neighbours joined."""
        feeds: dict[tuple[str, bool], dict[int, list[Form]]] = {}
        for index, accumulator in enumerate(self._stage.accumulators):
            for form in accumulator.forms:
                feeds.setdefault((form.operand, form.later), {}).setdefault(index, []).append(form)
        pieces: list[tuple[list[str], bool, int, list[list[Form]]]] = []
        for (operand, later), fed in feeds.items():
            for run in _runs(sorted(fed)):
                forms = [fed[index] for index in run]
                last = pieces[-1] if pieces else None
                same = last is not None and last[1] == later and last[2] == run[0] and len(last[3]) == len(run)
                if last is not None and same and self._adjacent(last[0][-1], operand):
                    last[0].append(operand)
                    last[3][:] = [a + b for a, b in zip(last[3], forms, strict=True)]
                else:
                    pieces.append(([operand], later, run[0], forms))
        segments, begun = [], [False] * len(self._stage.accumulators)
        for number, (operands, later, first, forms) in enumerate(pieces, 1):
            fed_here = slice(first, first + len(forms))
            fresh = not later and not any(begun[fed_here])
            segments.append(self._segment(number, operands, later, first, forms, fresh=fresh))
            begun[fed_here] = [True] * len(forms)
        return tuple(segments)

    def _adjacent(self, left: str, right: str) -> bool:
        places = self._routine.places
        if places[left].kind is not Kind.BUFFER or places[left] != places[right]:
            return False
        columns = [c.value for b in self._routine.buffers if b.name == places[left].array for c in b.columns]
        return left in columns and columns[columns.index(left) + 1 : columns.index(left) + 2] == [right]

    def _segment(
        self, number: int, operands: list[str], later: bool, first: int, forms: list[list[Form]], *, fresh: bool
    ) -> CSegment:
        place = self._routine.places[operands[0]]
        array = self._arrays.array(place)
        sizes = [self._routine.sizes[operand] for operand in operands]
        packed = []
        for column, column_forms in enumerate(forms):
            seen: set[str] = set()
            for form in column_forms:
                start = total(sizes[: operands.index(form.operand)], self._names) or "0"
                packed.append(self._form(form, start, column, add=form.operand in seen))
                seen.add(form.operand)
        return CSegment(
            f"panel_{self._stage.name}_{number}",
            self._arrays.address(operands[0], place, "row", later=later),
            total(sizes, self._names),
            first,
            len(forms),
            f"at->{array.field}_later" if later else "",
            fresh,
            tuple(packed),
            ", ".join(operands) + (" of the step before in this loop" if later else ""),
        )

    def _form(self, form: Form, start: str, column: int, *, add: bool) -> CForm:
        columns = self._names.sizes[self._by_name[form.matrix].shape[1]]
        strides = ("1", columns) if form.transposed else (columns, "1")
        depth = self._names.sizes[self._routine.sizes[form.operand]]
        return CForm(self._names.parameters[form.matrix], *strides, start, depth, column, add)

    def _pointers(self) -> tuple[tuple[bool, str, str], ...]:
        found: dict[str, tuple[bool, str, str]] = {}
        for name in (*self._stage.reads, *reductions(self._stage)):
            if name not in self._stage.local:
                self._point(found, name, self._routine.places[name], constant=True)
        for write in self._stage.writes:
            self._point(found, write.value, write.place, constant=False)
        return tuple(found.values())

    def _point(self, found: dict[str, tuple[bool, str, str]], value: str, place: Place, *, constant: bool) -> None:
        key = pointer_key(value, place)
        constant = constant and (found[key][0] if key in found else True)
        found[key] = (constant, self._names.pointers[key], self._arrays.address(value, place, "row"))

    def _pair(self, p: str) -> Iterator[str]:
        """The lines of two vectors, statement by statement."""
        for one, other in zip(self._body(p, self._first), self._body(p, self._second), strict=True):
            yield from (*one, *other)

    def _body(self, p: str, lanes: _Lanes) -> Iterator[tuple[str, ...]]:
        """Statements for a vector, each the lines of one."""
        printer = CPrinter(p, lanes.values, self._names.sizes)
        for index, accumulator in enumerate(self._stage.accumulators):
            address = f"{lanes.sum} + {index} * wide" if index else lanes.sum
            yield (f"const vec_{p} {lanes.values[accumulator.name]} = loadu_{p}({address});",)
        reduced = reductions(self._stage)
        for name in self._stage.reads:
            if name not in reduced:
                yield (self._load(name, p, lanes),)
        for statement in self._stage.statements:
            yield (self._statement(statement, printer, p, lanes),)
        for write in self._stage.writes:
            yield self._store(write, p, lanes)

    def _load(self, name: str, p: str, lanes: _Lanes) -> str:
        pointer = self._names.pointers[pointer_key(name, self._routine.places[name])]
        scalar = self._routine.sizes[name] == ONE and self._stage.size != ONE
        value = f"K_{p}(*{pointer})" if scalar else f"load_{p}({pointer} + {lanes.unit}, {lanes.count})"
        return f"const vec_{p} {lanes.values[name]} = {value};"

    def _statement(self, statement: Statement, printer: CPrinter, p: str, lanes: _Lanes) -> str:
        expression = statement.expression
        if isinstance(expression, Reduce):
            (name,) = (operand.name for operand in [expression.operand] if hasattr(operand, "name"))
            pointer = self._names.pointers[pointer_key(name, self._routine.places[name])]
            text = printer.reduction(expression, pointer, self._names.sizes[self._routine.sizes[name]])
        else:
            text = printer(expression)
        label = f" /* ({statement.label}) */" if statement.label else ""
        return f"const vec_{p} {lanes.values[statement.target]} = {text};{label}"

    def _store(self, write: Write, p: str, lanes: _Lanes) -> tuple[str, ...]:
        pointer = self._names.pointers[pointer_key(write.value, write.place)]
        value, idle = lanes.values[write.value], f"K_{p}({'0.0f' if p == 'f32' else '0.0'})"
        if write.idle:
            idle = lanes.values[write.idle]
        text = f"idle ? {idle} : {value}" if self._phase.ragged else value
        taped = write.place.kind is Kind.BUFFER and write.place.array in self._taped
        note = " /* saved for the backward pass */" if taped else ""
        line = f"store_{p}({pointer} + {lanes.unit}, {text}, {lanes.count});{note}"
        if write.value in self._optional and write.place.kind is Kind.BUFFER:
            return ("if (at->taped)", f"    {line}")
        return (line,)


def vectors_of(stage: Stage) -> int:
    """Vectors of units in a tile, at most: one accumulator needs several to fill the pipeline, four fill it alone."""
    count = len(stage.accumulators)
    return 1 if stage.size == ONE or count == 0 else max(1, UNDER_WAY // count)


def _runs(indices: list[int]) -> list[list[int]]:
    """Ascending ``indices`` as runs of neighbours."""
    runs: list[list[int]] = []
    for index in indices:
        if runs and runs[-1][-1] == index - 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    return runs
