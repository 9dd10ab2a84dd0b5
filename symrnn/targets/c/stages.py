"""Stages as C: one function of a stage's statements, and the operands that its sums come from.

Reads a program; returns one `CStage` for each stage that has statements of its own: a fused stage is its loop's, with more
operands and with hoisted values computed in place. Leaves out: where panels begin (`symrnn.targets.c.packed`), and how stages
run over rows and tiles, which the runtime does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from symrnn.emit.address import Address
from symrnn.emit.source import Mark, Marked, block
from symrnn.language.axes import plain_axes
from symrnn.language.system import ONE
from symrnn.language.tree import Call, Name, Reduce, SizeOf, VectorCall, names, walk
from symrnn.plan.cost import unit_work
from symrnn.plan.program import Form, FusedStage, Kind, Program, Routine, Stage, Statement, Write, reduced, reductions
from symrnn.plan.routine import Phase
from symrnn.plan.size import Count
from symrnn.plan.vocabulary import over_axes, read_by_units, reduced_to
from symrnn.targets.c.along import (
    Axes,
    LineRepeat,
    LineTotal,
    in_line,
    line_heads,
    line_key,
    lines_at_a_time,
    repeated_by,
    total_lines,
    vector_heads,
)
from symrnn.targets.c.arrays import PACKED, Arrays
from symrnn.targets.c.expression import CPrinter
from symrnn.targets.c.names import CNames, pointer_key
from symrnn.targets.c.stage_records import CForm, CForms, CPanel, CSegment, CStage, TileWidth

UNDER_WAY = 4
"""Independent sums in a tile: as many multiply-adds as fit into the latency of one."""


def c_stages(program: Program, routine: Routine, names: CNames, optional: frozenset[str]) -> tuple[CStage, ...]:
    """The stages of ``routine`` in their order; those of the fused loop are those of the loop.

    Args:
        program: whose routine it is.
        routine: forward or backward.
        names: C identifiers.
        optional: values that are stored for the tape alone.
    """
    fused = {each.loop.name: each for each in (routine.fused.loop if routine.fused else ()) if each.absorbed}
    writer = _StageWriter(program, routine, names, optional)
    plain = [(phase, stage) for phase in routine.phases for stage in phase.stages]
    known = {stage.name for _, stage in plain} | {each.whole.name for each in fused.values()}
    extra = [
        (phase, stage) for phase in routine.fused_phases for stage in phase.stages if stage.name not in known
    ]  # what is hoisted beside a fused loop, with fewer values than before a loop that is not
    return tuple(writer.stage(phase, stage, fused.get(stage.name)) for phase, stage in (*plain, *extra))


def vectors_of(stage: Stage) -> int:
    """Vectors of units in a tile, at most: one accumulator needs several to fill the pipeline, four fill it alone."""
    count = len(stage.accumulators)
    return 1 if stage.size == ONE or count == 0 else max(1, UNDER_WAY // count)


@dataclass
class _OperandRun:
    """Operands side by side, the first accumulator that they feed, and the forms of each accumulator."""

    operands: list[str]
    later: bool
    first: int
    forms: list[list[Form]]


class _StageWriter:
    """Writes the stages of one routine."""

    def __init__(self, program: Program, routine: Routine, names: CNames, optional: frozenset[str]) -> None:
        self._routine, self._names, self._optional = routine, names, optional
        self._by_name = program.cell.by_name
        self._taped = {buffer.name for buffer in routine.buffers if buffer.taped}
        self._arrays, self._dims = Arrays(program), f"{program.cell.name}_dims"

    def stage(self, phase: Phase, stage: Stage, fused: FusedStage | None) -> CStage:
        """``stage`` of ``phase``, with the values that ``fused`` names computed in place if the loop is fused."""
        return CStage(
            stage.name,
            stage.size,
            tuple(self._lines(stage, fused, ragged=phase.ragged)),
            *self._ways(stage, fused.whole if fused else None),
            phase.ragged,
            lines_at_a_time(stage) if stage.along else _side(stage, fused),
            Axes(stage.size, self._names.sizes).lines if stage.along else "",
            stage.along and self._apart(stage),
            _work(stage, fused),
        )

    def _apart(self, stage: Stage) -> bool:
        axes = Axes(stage.size, self._names.sizes)
        totals = [reduced_to(s.expression) for s in stage.statements if over_axes(s.expression)]
        return not any(axes.first(size) for size in totals)

    def _ways(self, stage: Stage, whole: Stage | None) -> tuple[CForms, CForms | None]:
        """The sums of ``stage``, and those of ``whole``; of one width if they can be, so that both read the same panels."""
        ways = [each for each in (stage, whole) if each]
        runs = {each.name: self._operand_runs(each) for each in ways}
        odd = {vectors_of(each): False for each in ways}
        for each in ways:
            odd[vectors_of(each)] |= any(len(run.forms) * vectors_of(each) % 2 for run in runs[each.name])

        def forms(each: Stage) -> CForms:
            width = TileWidth(vectors_of(each), odd[vectors_of(each)])
            segments = tuple(self._segment(each, run, number, width) for number, run in enumerate(runs[each.name], 1))
            return CForms(len(each.accumulators), width, segments)

        return forms(stage), forms(whole) if whole else None

    def _operand_runs(self, stage: Stage) -> list[_OperandRun]:
        """Operands in order of appearance, each with the runs of accumulators it feeds; neighbours joined."""
        feeds: dict[tuple[str, bool], dict[int, list[Form]]] = {}
        for index, accumulator in enumerate(stage.accumulators):
            for form in accumulator.forms:
                feeds.setdefault((form.operand, form.later), {}).setdefault(index, []).append(form)
        found: list[_OperandRun] = []
        for (operand, later), fed in feeds.items():
            for run in _runs(sorted(fed)):
                forms = [fed[index] for index in run]
                last = found[-1] if found else None
                same = last is not None and (last.later, last.first, len(last.forms)) == (later, run[0], len(run))
                if last is not None and same and self._adjacent(last.operands[-1], operand):
                    last.operands.append(operand)
                    last.forms[:] = [a + b for a, b in zip(last.forms, forms, strict=True)]
                else:
                    found.append(_OperandRun([operand], later, run[0], forms))
        return found

    def _segment(self, stage: Stage, run: _OperandRun, number: int, width: TileWidth) -> CSegment:
        """The ``number``-th segment of ``stage``, from 1."""
        panel = CPanel(
            f"PANEL_{stage.name}_{number}",
            stage.size,
            width,
            self._width(run.operands),
            len(run.forms),
            tuple(self._packed(run.operands, run.forms)),
        )
        address = self._arrays.address(run.operands[0], self._routine.places[run.operands[0]])
        return CSegment(address, panel, run.first, run.later, ", ".join(run.operands))

    def _adjacent(self, left: str, right: str) -> bool:
        places = self._routine.places
        if places[left].kind is not Kind.BUFFER or places[left] != places[right]:
            return False
        columns = [c.value for b in self._routine.buffers if b.name == places[left].array for c in b.columns]
        return left in columns and columns[columns.index(left) + 1 : columns.index(left) + 2] == [right]

    def _width(self, operands: list[str]) -> Count:
        return Count.of(*((self._routine.sizes[operand],) for operand in operands))

    def _packed(self, operands: list[str], forms: list[list[Form]]) -> Iterator[CForm]:
        for accumulator, fed in enumerate(forms):
            seen: set[str] = set()
            for form in fed:
                yield CForm(
                    self._names.parameters[form.matrix],
                    self._names.sizes[self._by_name[form.matrix].shape[1]],
                    form.transposed,
                    self._names.count(self._width(operands[: operands.index(form.operand)])),
                    self._names.sizes[self._routine.sizes[form.operand]],
                    accumulator,
                    form.operand in seen,
                )
                seen.add(form.operand)

    def _lines(self, stage: Stage, fused: FusedStage | None, *, ragged: bool) -> Iterator[str]:
        """The body of the stage's function."""
        absorbed = {each.statement.target: each.statement for each in fused.absorbed} if fused else {}
        if stage.along:
            yield from self._heads(stage, {}, ragged=ragged)
            yield from self._along(stage, ragged=ragged)
            return
        body = list(self._body(stage, fused, absorbed, ragged=ragged))
        yield from self._heads(stage, absorbed, ragged=ragged)
        each = "EACH_SUM" if stage.accumulators or (fused and fused.whole.accumulators) else "EACH_VECTOR"
        lines = [Marked(f"        {text}", Mark((s.label,) if s and s.label else (), stage.name)) for text, s in body]
        yield from block([f"    {each} {{", *lines, "    }"])

    def _along(self, stage: Stage, *, ragged: bool) -> Iterator[str]:
        """The loops of a stage along axes: what is one number for the whole row, lines, what holds in a line, its vectors."""
        axes, sizes = Axes(stage.size, self._names.sizes), self._routine.sizes
        local, pointers, places = self._names.lines, self._names.pointers, self._routine.places
        repeated = [
            LineRepeat(name, size, pointers[pointer_key(name, places[name])], local[line_key(name, size)])
            for name, size in repeated_by(stage)
        ]
        totals = [
            LineTotal(s, stage.size, reduced_to(s.expression), local[s.target])
            for s in stage.statements
            if over_axes(s.expression)
        ]
        rows = {write.value: list[str]() for write in stage.writes}
        for write in stage.writes:
            rows[write.value].append(pointers[pointer_key(write.value, write.place)])
        stored = {s.target for s in stage.statements if over_axes(s.expression)}
        inside: list[tuple[str, Statement | None]] = []
        behind: list[str] = []
        of = {total.statement.target: total for total in totals}
        printer = self._printer(axes, repeated)
        inside += [(text, None) for text in vector_heads(axes, repeated)]
        for name in _read_one_by_one(stage):
            row = pointers[pointer_key(name, places[name])]
            if sizes[name] == ONE:
                yield f"    LETS({self._names.values[name]}) = K(*{row});"
            else:
                inside.append((f"LETS({self._names.values[name]}) = READ_LINE({row});", None))
        for statement in stage.statements:
            if statement.target in of:
                operand = f"{self._names.values[reduced(statement.expression)]}[v]"
                into, ended = total_lines(axes, of[statement.target], operand, rows[statement.target], ragged)
                inside += [(text, statement) for text in into]
                behind += ended
            else:
                text = printer(statement.expression)
                inside.append((f"LETS({self._names.values[statement.target]}) = {text};{_label(statement)}", statement))
        for write in stage.writes:
            if write.value not in stored:
                inside.append((self._store(write, ragged=ragged, macro="WRITE_LINE"), None))
        marked = [Marked(f"            {t}", Mark((s.label,) if s and s.label else (), stage.name)) for t, s in inside]
        yield from block(
            [
                f"    EACH_LINE({axes.last}) {{",
                *(f"        {text}" for text in line_heads(axes, repeated, totals)),
                "        EACH_OF_LINE {",
                *marked,
                "        }",
                *(f"        {text}" for text in behind),
                "    }",
            ]
        )

    def _printer(self, axes: Axes, repeated: Sequence[LineRepeat]) -> CPrinter:
        """The printer of a stage along axes."""
        values = {name: f"{text}[v]" for name, text in self._names.values.items()}
        lines = {line_key(each.value, each.size): in_line(axes, each) for each in repeated}
        return CPrinter(values, self._names.sizes, lines)

    def _heads(self, stage: Stage, absorbed: Mapping[str, Statement], *, ragged: bool) -> Iterator[str]:
        """Lines that hold for all units of a row: flags, and a pointer for each value in memory."""
        flags = [
            *(["idle = span->idle"] if ragged and stage.writes else []),
            *(["taped = at->taped"] if any(self._is_optional(write) for write in stage.writes) else []),
            *(["fused = at->fused"] if absorbed else []),
        ]
        pointers: dict[str, tuple[Address, bool]] = {}
        read = dict.fromkeys(name for s in absorbed.values() for name in names(s.expression))
        for name in (*stage.reads, *reductions(stage), *read):
            if name in self._routine.places and name not in stage.local:
                place = self._routine.places[name]
                pointers.setdefault(
                    self._names.pointers[pointer_key(name, place)], (self._arrays.address(name, place), True)
                )
        for write in stage.writes:
            key = self._names.pointers[pointer_key(write.value, write.place)]
            pointers[key] = (self._arrays.address(write.value, write.place), False)
        sizes = {size for address, _ in pointers.values() for size in address.before.sizes}
        # A vector function has the units of its stage, whose number is at hand.
        sizes |= {
            axis
            for name in reductions(stage)
            if self._routine.sizes[name] != stage.size
            for axis in plain_axes(self._routine.sizes[name])
        }
        sizes |= set(plain_axes(stage.size)) if stage.along else set()
        nodes = [node for s in (*stage.statements, *absorbed.values()) for node in walk(s.expression)]
        sizes |= {axis for node in nodes if isinstance(node, SizeOf) for axis in plain_axes(node.size)}
        if sizes & set(self._names.open):
            yield f"    const {self._dims} *const dims = at->dims;"
        if flags:
            yield f"    const int {', '.join(flags)};"
        for pointer, (address, constant) in pointers.items():
            yield f"    {'const ' if constant else ''}real *const {pointer} = {self._row(address)};"

    def _row(self, address: Address) -> str:
        """C expression of the row of the span that ``address`` is in."""
        before = [self._names.count(address.before)] if address.before else []
        if address.array == PACKED:
            return " + ".join([f"at->to[{PACKED}] + at->pieces[{address.block}].at", *before])
        return " + ".join([f"row_at(at, span, {address.array})", *before])

    def _body(
        self, stage: Stage, fused: FusedStage | None, absorbed: Mapping[str, Statement], *, ragged: bool
    ) -> Iterator[tuple[str, Statement | None]]:
        """Statements for a vector of units: sums, loads, computations, stores."""
        values, whole = (
            {name: f"{text}[v]" for name, text in self._names.values.items()},
            fused.whole if fused else stage,
        )
        sums = {a.name: _sum(index) for index, a in enumerate(whole.accumulators)}
        printer = CPrinter(values, self._names.sizes)
        for accumulator in stage.accumulators:
            yield f"LET({self._names.values[accumulator.name]}) = {sums[accumulator.name]};", None
        for name in _read_one_by_one(stage):
            if name not in absorbed:
                yield f"LET({self._names.values[name]}) = {self._load(name, stage)};", None
        for name, statement in absorbed.items():
            inner = {n: self._load(n, stage) for n in names(statement.expression) if n in self._routine.places}
            text = CPrinter({**values, **sums, **inner}, self._names.sizes)(statement.expression)
            yield (
                f"LET({self._names.values[name]}) = fused ? {text} : {self._load(name, stage)};{_label(statement)}",
                statement,
            )
        for statement in stage.statements:
            yield (
                f"LET({self._names.values[statement.target]}) = {self._value(statement, printer)};{_label(statement)}",
                statement,
            )
        for write in stage.writes:
            yield self._store(write, ragged=ragged), None

    def _load(self, name: str, stage: Stage) -> str:
        pointer = self._names.pointers[pointer_key(name, self._routine.places[name])]
        scalar = self._routine.sizes[name] == ONE and stage.size != ONE
        return f"K(*{pointer})" if scalar else f"READ({pointer})"

    def _value(self, statement: Statement, printer: CPrinter) -> str:
        expression = statement.expression
        match expression:
            case Reduce(operand=Name(name)):
                pointer = self._names.pointers[pointer_key(name, self._routine.places[name])]
                return printer.reduction(expression, pointer, self._names.sizes[self._routine.sizes[name]])
            case VectorCall(operand=Name(name)):
                return printer.vector(expression, self._names.pointers[pointer_key(name, self._routine.places[name])])
            case _:
                return printer(expression)

    def _is_optional(self, write: Write) -> bool:
        return write.value in self._optional and write.place.kind is Kind.BUFFER

    def _store(self, write: Write, *, ragged: bool, macro: str = "WRITE") -> str:
        values = {name: f"{text}[v]" for name, text in self._names.values.items()}
        pointer = self._names.pointers[pointer_key(write.value, write.place)]
        idle = values[write.idle] if write.idle else "K(0)"
        text = f"idle ? {idle} : {values[write.value]}" if ragged else values[write.value]
        taped = write.place.kind is Kind.BUFFER and write.place.array in self._taped
        note = " /* saved for the backward pass */" if taped else ""
        return f"{'if (taped) ' if self._is_optional(write) else ''}{macro}({pointer}, {text});{note}"


def _read_one_by_one(stage: Stage) -> list[str]:
    """The values whose units a stage reads each for itself, in order; one that it reads as a whole may be among them."""
    found = {name for statement in stage.statements for name in read_by_units(statement.expression)}
    found |= {name for write in stage.writes for name in (write.value, write.idle)}
    return [name for name in stage.reads if name in found]


def _side(stage: Stage, fused: FusedStage | None) -> int:
    """Two vectors where statements call functions of a vector, whose results take long; each takes its time to compile."""
    statements = (*stage.statements, *(each.statement for each in (fused.absorbed if fused else ())))
    calls = any(isinstance(node, Call) for statement in statements for node in walk(statement.expression))
    return 2 if calls and stage.size != ONE else 1


def _work(stage: Stage, fused: FusedStage | None) -> str:
    """C expression: arithmetic, numbers that are read and written, and calls of functions, in multiply-adds."""
    arithmetic, calls = unit_work((*stage.statements, *(each.statement for each in (fused.absorbed if fused else ()))))
    joined = len([statement for statement in stage.statements if over_axes(statement.expression)])
    simple = arithmetic + joined + len(_read_one_by_one(stage)) + len(stage.writes)
    return f"{simple} + {calls} * FUNCTION_WORK" if calls else str(simple)


def _sum(index: int) -> str:
    return f"SUM({index})"


def _label(statement: Statement) -> str:
    return f" /* ({statement.label}) */" if statement.label else ""


def _runs(indices: list[int]) -> list[list[int]]:
    """Ascending ``indices`` as runs of neighbours."""
    runs: list[list[int]] = []
    for index in indices:
        if runs and runs[-1][-1] == index - 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    return runs
