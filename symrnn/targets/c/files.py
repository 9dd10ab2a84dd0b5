"""The C kernels of a cell: its header, its source, and the runtime that they share with every other cell.

Reads a `Program`; returns `Source` texts by file name. The cell's source holds the statements of each stage once; it includes
itself for each precision, and the runtime (`templates/c/symrnn.h`, `templates/c/symrnn_real.h`) does the rest. Texts of one
stage come from `symrnn.targets.c.stages`, addresses from `symrnn.targets.c.arrays`, prototypes from
`symrnn.targets.c.interface`. Leaves out: compiling, and the Python module over the library (`symrnn.targets.c.module`).
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from symrnn.emit.digest import digest
from symrnn.emit.legend import adjoint_lines, buffer_lines, step_lines
from symrnn.emit.provenance import provenance
from symrnn.emit.render import render_source
from symrnn.emit.request import Request
from symrnn.emit.source import Mark, Marked, Source
from symrnn.emit.templates import template_directory
from symrnn.errors import GenerateError
from symrnn.plan.program import Extent, FusedStage, Kind, Program, Routine
from symrnn.plan.routine import AFTER, BEFORE, LAST, LOOP, ONCE
from symrnn.targets.c.arrays import FIXED, PACKED, Address, Arrays, CArray, of_buffer, of_state, total
from symrnn.targets.c.context import (
    CColumns,
    CFile,
    CFixed,
    CGradient,
    CPrecision,
    CRoom,
    CRoutine,
    CRow,
    CStageText,
    CState,
)
from symrnn.targets.c.flags import ARITHMETIC, NATIVE, OPTIMISE, RUNTIME, STANDARD
from symrnn.targets.c.interface import BLOCK_NUMBERS, entries, head, prototypes, statuses
from symrnn.targets.c.names import CNames, c_names, fixed_macro
from symrnn.targets.c.precision import PRECISIONS
from symrnn.targets.c.row import Overwrite, overwrite, row_stages, writing
from symrnn.targets.c.stages import CForms, CPanel, CSegment, CStage, c_stages, vectors_of

TAG_WORDS = 3
"""Words of 64 bits of the tag of packed weights, besides one for each size that is not fixed."""

_PHASES = {BEFORE.name: "HOIST", LOOP.name: "LOOP", LAST.name: "LAST", AFTER.name: "DEFERRED"}


@dataclass(frozen=True)
class CFiles:
    """The C files of a cell.

    Attributes:
        sources: by file name.
        digest: what the library says of itself: it changes with any of the texts.
    """

    sources: Mapping[str, Source]
    digest: str


def c_files(program: Program, request: Request) -> CFiles:
    """``<cell>.h`` and ``<cell>.c``, and the runtime unless it is joined into the latter.

    Args:
        program: the cell's plan.
        request: what was asked for.

    Raises:
        GenerateError: the cell has the name of a file of the runtime.
    """
    _require_own_name(program.cell.name)
    runtime = runtime_files()
    context = _Writer(program, request).file()
    texts = {name: source.text for name, source in runtime.items()}
    values: dict[str, object] = {"c": context, "runtime": texts}
    # What the source says of its own digest is a line by itself, so the digest is that of everything else.
    found = digest(*texts.values(), render_source("c/cell.c.jinja", values).text)
    values["c"] = replace(context, digest=found)
    name = program.cell.name
    files = {
        f"{name}.h": render_source("c/cell.h.jinja", values),
        f"{name}.c": render_source("c/cell.c.jinja", values),
    }
    return CFiles(files if request.single_file else files | runtime, found)


def _require_own_name(cell: str) -> None:
    """Refuse a cell whose files or macros would be those of the runtime; some disks tell no case from another."""
    for file in RUNTIME:
        if cell.lower() == file.partition(".")[0].lower():
            raise GenerateError(
                f"cell {cell!r}: {file} is a file that the C kernels of all cells include, so no cell can have its name; "
                "rename the cell, or leave C out"
            )


def runtime_files() -> dict[str, Source]:
    """The runtime's files, which are the same for every cell."""
    folder = template_directory() / "c"
    return {name: Source(folder.joinpath(name).read_text(encoding="utf-8")) for name in RUNTIME}


class _Writer:
    """Collects the context of one cell."""

    def __init__(self, program: Program, request: Request) -> None:
        self._program, self._cell, self._request, self._fixed = program, program.cell, request, request.sizes
        self._precisions = tuple(p for p in PRECISIONS if p.dtype in request.dtypes or not request.dtypes)
        self._names: CNames = c_names(program, request.sizes)
        self._arrays = Arrays(program)
        self._panels: dict[CPanel, CPanel] = {}

    def file(self) -> CFile:
        cell, names, program = self._cell, self._names, self._program
        forward = self._stages(program.forward)
        backward = self._stages(program.backward) if program.backward else ()
        dims, training = f"{cell.name}_dims", program.backward is not None
        rights, outers = self._products()
        sums = self._sums()
        table = self._arrays.table()
        return CFile(
            name=cell.name,
            upper=cell.name.upper(),
            guard=f"{cell.name.upper()}_H",
            title=cell.title or cell.name,
            kinds=" and ".join(p.real for p in self._precisions),
            single_file=self._request.single_file,
            provenance=tuple(textwrap.wrap(provenance(cell, self._request), 115)),
            step=step_lines(program),
            adjoint=adjoint_lines(program),
            legend=buffer_lines(program),
            dims=dims,
            statuses=tuple((s.name, s.code, s.note) for s in statuses(bool(self._fixed))),
            size_fields=tuple(names.fields.values()),
            tagged=tuple(names.fields[size] for size in names.open),
            input_is_hidden=cell.input_is_hidden,
            output_size=cell.size(cell.output),
            state_order=", ".join(cell.states),
            parameters=tuple((names.parameters[v.name], " × ".join(v.shape)) for v in cell.parameters),
            states=tuple(self._states()),
            precisions=tuple(CPrecision(p.name, p.real, p.bits) for p in self._precisions),
            prototypes=prototypes(cell.name, dims, training, tuple(p.name for p in self._precisions)),
            heads={entry.name: head(entry, dims, cell.name) for entry in entries(training)},
            digest="",
            flags=" ".join((*STANDARD, OPTIMISE, NATIVE, *ARITHMETIC)),
            limits=tuple(self._limits((*forward, *backward), len(table), len(rights))),
            arrays=tuple(CRow(a.name, a.memory, a.motion, total(a.width, names)) for a in table),
            array_names=_wrapped(_enumeration([a.name for a in table[len(FIXED) + 1 :]], "AT_STATES", "ARRAYS")),
            blocks=tuple(self._blocks()),
            block_names=_wrapped(_enumeration(self._block_names(), "0", "BLOCKS")),
            copied=tuple(self._copied()),
            forms=tuple(self._forms()),
            forward=self._routine(program.forward, forward),
            backward=self._routine(program.backward, backward) if program.backward else False,
            fuses=program.forward.fused is not None,
            row=tuple(self._row(table)),
            row_stages=tuple(_stage_call(stage, "1") for stage in self._in_row(forward)),
            rights=rights,
            outers=outers,
            sums=sums,
            zeroed=tuple(self._zeroed()) if training else (),
            fixed=tuple(
                CFixed(names.fields[s], fixed_macro(cell.name, names.fields[s]), n) for s, n in self._fixed.items()
            ),
            room=tuple(self._room(table)),
        )

    def _stages(self, routine: Routine) -> tuple[CStage, ...]:
        """The stages of ``routine``, panels of the same content under one name."""
        stages = c_stages(self._program, routine, self._names, self._optional(routine))
        return tuple(
            replace(stage, forms=self._shared(stage.forms), fused=self._shared(stage.fused) if stage.fused else None)
            for stage in stages
        )

    def _shared(self, forms: CForms) -> CForms:
        segments = [replace(s, panel=self._panels.setdefault(s.panel, s.panel)) for s in forms.segments]
        return replace(forms, segments=tuple(segments))

    def _optional(self, routine: Routine) -> frozenset[str]:
        """Values that nothing but the tape reads: inference does not store them."""
        taped = {c.value for b in routine.buffers if b.taped and not b.spans for c in b.columns}
        home = {s.target: stage.name for stage in routine.plain_stages for s in stage.statements}
        read = {
            n for stage in routine.plain_stages for n in (*stage.reads, *stage.operands) if home.get(n) != stage.name
        }
        return frozenset(taped - read)

    def _limits(self, stages: Sequence[CStage], arrays: int, rights: int) -> Iterator[tuple[str, int]]:
        """The macros that the runtime asks for."""
        forms = [form for stage in stages for form in (stage.forms, stage.fused) if form]
        yield "MOST_SUMS", max([1, *(form.sums * form.vectors for form in forms)])
        yield "MOST_OPERANDS", max([1, *(len(form.segments) for form in forms)])
        yield "MOST_STAGES", len(stages)
        yield "MOST_ARRAYS", arrays
        yield "MOST_RIGHTS", max(1, rights)
        yield "ROW_STAGES", len(row_stages(self._program.forward))
        yield "RIGHTS", rights
        yield "STATES", len(self._cell.states)
        yield "TAGGED", len(self._names.open)
        yield "FUSES", int(self._program.forward.fused is not None)
        yield "TRAINS", int(self._program.backward is not None)
        yield "GIVES_DX", int(self._gives_dx)
        sizes = {stage.size for routine in self._program.routines for stage in routine.stages} - {"1"}
        if sizes <= set(self._fixed):
            yield "MOST_UNITS", max(self._fixed[size] for size in sizes)

    def _routine(self, routine: Routine, stages: Sequence[CStage]) -> CRoutine:
        by_name = {stage.name: stage for stage in stages}
        once = tuple(_stage_call(by_name[stage.name], "0") for stage in routine.stages_of(ONCE.name))
        return CRoutine(tuple(self._text(stage) for stage in stages), once, tuple(self._added(routine, by_name)))

    def _added(self, routine: Routine, stages: Mapping[str, CStage]) -> Iterator[str]:
        """Lines that add the stages of ``routine`` to the runtime's record, phase by phase."""
        for phase in routine.phases:
            if phase.name == ONCE.name:
                continue
            add = f"add_stage(r, {_PHASES[phase.name]}, "
            plain = [f"{add}{_stage_call(stages[stage.name], 'fuses(r)')});" for stage in phase.stages]
            if phase.name == BEFORE.name and routine.fused is not None:
                fused = [f"{add}{_stage_call(stages[stage.name], 'fuses(r)')});" for stage in routine.fused.before]
                yield from _either("fuses(r)", fused, plain)
            else:
                yield from plain

    def _text(self, stage: CStage) -> CStageText:
        head = f"STAGE({stage.name}, {stage.side})"
        begins = Marked(head, Mark(function=stage.name))
        on_row = f"ON_ROW({stage.name}, {_sums_at_most(stage)})" if stage.name in self._row_names else ""
        return CStageText(
            stage.name, begins, stage.lines, on_row, tuple(self._forms_of(stage)), stage.fused is not None
        )

    def _forms_of(self, stage: CStage) -> Iterator[str]:
        """The body of the function that says where the sums of ``stage`` come from."""
        masked = "MASKED" if stage.masked else "ALL_ROWS"
        sums, vectors = str(stage.forms.sums), str(stage.forms.vectors)
        operands = [f"{_operand(segment, self._names)}" for segment in stage.forms.segments]
        if stage.fused:
            if stage.fused.sums != stage.forms.sums:
                sums = f"fused ? {stage.fused.sums} : {sums}"
            if stage.fused.vectors != stage.forms.vectors:
                vectors = f"fused ? {stage.fused.vectors} : {vectors}"
        segments = [s for form in (stage.forms, stage.fused) if form for s in form.segments]
        sizes = {stage.size, *(size for s in segments for size in (*s.panel.operands, *s.source.before))}
        if not sizes & set(self._names.open):
            yield "    (void)dims;"
        units = self._names.sizes[stage.size]
        yield f'    S(stage) s = new_stage("{stage.name}", S({stage.name}), {units}, {sums}, {vectors}, {masked});'
        if stage.name in self._row_names:
            yield f"    RUN_ON_ROW({stage.name});"
        if not stage.fused:
            yield from (f"    {line}" for line in operands)
            return
        inside = [_operand(segment, self._names) for segment in stage.fused.segments]
        yield from (f"    {line}" for line in _either("fused", inside, operands))

    def _block_names(self) -> list[str]:
        vectors = [f"PARAM_{v.name}" for v in self._cell.parameters if len(v.shape) == 1]
        once = [f"PACKED_{b.name}" for b in self._program.forward.buffers if b.extent is Extent.ONCE]
        return [*vectors, *once, *(panel.name for panel in self._panels.values())]

    def _blocks(self) -> Iterator[str]:
        """Calls that place each part of packed weights."""
        for variable in self._cell.parameters:
            if len(variable.shape) == 1:
                yield f"place_vector(end, &b[PARAM_{variable.name}], {self._names.sizes[variable.shape[0]]})"
        for buffer in self._program.forward.buffers:
            if buffer.extent is Extent.ONCE:
                width = total([column.size for column in buffer.columns], self._names)
                yield f"place_vector(end, &b[PACKED_{buffer.name}], {width})"
        for panel in self._panels.values():
            units, depth = self._names.sizes[panel.size], total(panel.operands, self._names)
            yield f"place_panel(end, &b[{panel.name}], {units}, {panel.vectors}, {depth}, {panel.count})"

    def _copied(self) -> Iterator[tuple[str, str, str]]:
        """Parameters that are vectors: part of packed weights, field, size."""
        for v in self._cell.parameters:
            if len(v.shape) == 1:
                yield f"PARAM_{v.name}", self._names.parameters[v.name], self._names.sizes[v.shape[0]]

    def _forms(self) -> Iterator[str]:
        """Calls that lay out each matrix in its panels."""
        for panel in self._panels.values():
            for form in panel.forms:
                yield (
                    f'PROFILED("packing", pack_form(packed, &b[{panel.name}], {form.accumulator}, {form.start}, {form.depth}, '
                    f"params->{form.parameter}, {form.columns}, {int(form.transposed)}, {int(form.add)}, &us));"
                )

    def _states(self) -> Iterator[CState]:
        cell, names = self._cell, self._names
        sizes = [cell.size(state) for state in cell.states]
        stages = row_stages(self._program.forward)
        for i, state in enumerate(cell.states):
            stage = writing(state, stages)
            condition = {
                Overwrite.ALWAYS: "",
                Overwrite.NEVER: "0",
                Overwrite.TWO_TILES: f"{names.sizes[stage.size]} <= {2 * vectors_of(stage)} * LANES",
            }[overwrite(state, stages)]
            yield CState(state, names.sizes[sizes[i]], total(sizes[:i], names), condition)

    def _in_row(self, stages: Sequence[CStage]) -> list[CStage]:
        """The stages of a step of one row; those of the loop stand for their fused form."""
        by_name = {stage.name: stage for stage in stages}
        return [by_name[name] for name in self._row_names]

    @property
    def _gives_dx(self) -> bool:
        """Whether a stage computes the gradient of the input; where no parameter meets it, it is zero."""
        stages = self._program.backward.stages if self._program.backward else ()
        return any(write.place.kind is Kind.INPUT_GRADIENT for stage in stages for write in stage.writes)

    @property
    def _row_names(self) -> tuple[str, ...]:
        """The names of the stages that run in a step of one row."""
        fused = {each.whole.name: each.loop.name for each in self._fused_loop()}
        return tuple(fused.get(stage.name, stage.name) for stage in row_stages(self._program.forward))

    def _fused_loop(self) -> tuple[FusedStage, ...]:
        fused = self._program.forward.fused
        return fused.loop if fused else ()

    def _row(self, table: Sequence[CArray]) -> Iterator[str]:
        """Lines that point the arrays of a step of one row at their memory."""
        for state in self._states():
            source = f"state + {state.start}" if state.start != "0" else "state"
            yield f"row_array(&at, {of_state('now', state.field)}, {source});"
            if not state.condition:
                yield f"row_array(&at, {of_state('next', state.field)}, {source});"
                continue
            chosen = "free_memory" if state.condition == "0" else f"{state.condition} ? {source} : free_memory"
            yield f"row_array(&at, {of_state('next', state.field)}, {chosen});"
            yield f"free_memory += WHOLE({state.width});"
        buffers = {of_buffer(b.name) for b in self._program.forward.buffers}
        for array in table:
            if array.name in buffers:
                yield f"row_array(&at, {array.name}, free_memory);"
                yield f"free_memory += WHOLE({total(array.width, self._names)});"

    def _columns(self, value: str, routine: Routine) -> CColumns:
        address = self._arrays.address(value, routine.places[value])
        return CColumns(address.array, _column(address, self._names), self._names.sizes[routine.sizes[value]])

    def _products(self) -> tuple[tuple[CColumns, ...], tuple[CGradient, ...]]:
        """The right sides of the deferred products, and the gradients, those of one left side together."""
        routine = self._program.backward
        if routine is None:
            return (), ()
        rights: dict[CColumns, int] = {}
        lefts: dict[CColumns, list[CGradient]] = {}
        adds = _additions(routine)
        for product in routine.products:
            right = rights.setdefault(self._columns(product.right, routine), len(rights))
            for parameter, left in product.entries:
                columns, field = self._columns(left, routine), self._names.parameters[parameter]
                label = _gradient_label(routine, parameter)
                lefts.setdefault(columns, []).append(CGradient(columns, right, field, adds[parameter] == 1, label))
        return tuple(rights), tuple(gradient for gradients in lefts.values() for gradient in gradients)

    def _sums(self) -> tuple[CGradient, ...]:
        routine = self._program.backward
        if routine is None:
            return ()
        adds = _additions(routine)
        return tuple(
            CGradient(
                self._columns(item.value, routine),
                0,
                self._names.parameters[item.parameter],
                adds[item.parameter] == 1,
                _gradient_label(routine, item.parameter),
            )
            for item in routine.sums
        )

    def _zeroed(self) -> Iterator[tuple[str, str]]:
        """The gradients that no single product or sum can write: several add to them, or none does."""
        assert self._program.backward
        adds = _additions(self._program.backward)
        for v in self._cell.parameters:
            if adds[v.name] != 1:
                yield self._names.parameters[v.name], " * ".join(self._names.sizes[size] for size in v.shape)

    def _room(self, table: Sequence[CArray]) -> Iterator[CRoom]:
        """Where all sizes are fixed, the memory of a stream, so that it can be an array: vectors are as wide as any."""
        if set(self._fixed) != set(self._cell.sizes):
            return
        number = {**self._fixed, "1": 1}
        for p in self._precisions:
            blocks = [(TAG_WORDS + len(self._names.open)) * 64 // p.bits]
            blocks += [number[v.shape[0]] for v in self._cell.parameters if len(v.shape) == 1]
            for buffer in self._program.forward.buffers:
                if buffer.extent is Extent.ONCE:
                    blocks.append(sum(number[column.size] for column in buffer.columns))
            for panel in self._panels.values():
                tiles = (number[panel.size] - 1) // p.most_lanes + panel.vectors
                blocks.append(tiles * sum(number[size] for size in panel.operands) * panel.count * p.most_lanes)
            work = [
                (2 if array.motion == "BEFORE" else 1) * sum(number[size] for size in array.width)
                for array in table
                if array.memory in ("TAPE", "WORK") and array.motion != "AFTER"
            ]
            stem = f"{self._cell.name.upper()}_{p.name.upper()}"
            yield CRoom(f"{stem}_PACKED", "packed weights", sum(map(_whole, blocks)))
            yield CRoom(f"{stem}_WORKSPACE", "the workspace of step with one row", sum(map(_whole, work)))


def _whole(numbers: int) -> int:
    return (numbers + BLOCK_NUMBERS - 1) // BLOCK_NUMBERS * BLOCK_NUMBERS


def _column(address: Address, names: CNames) -> str:
    """C expression of the numbers before a value in its array's rows."""
    before = [total(address.before, names)] if address.before else []
    base = [f"r->pieces[{address.block}].at"] if address.array == PACKED else []
    return " + ".join([*base, *before]) or "0"


def _operand(segment: CSegment, names: CNames) -> str:
    """The call that adds a segment to a stage."""
    panel, address = segment.panel, segment.source
    call, source = ("add_packed", address.block) if address.array == PACKED else ("add_operand", address.array)
    column, depth = total(address.before, names), total(panel.operands, names)
    note = f"{segment.text} of the step before in this loop" if segment.later else segment.text
    return (
        f"{call}(&s, {source}, {column}, {depth}, {panel.name}, {segment.first}, {panel.count}, {int(segment.later)}); "
        f"/* {note} */"
    )


def _stage_call(stage: CStage, fused: str) -> str:
    return f"S({stage.name}_stage)({f'dims, {fused}' if stage.fused else 'dims'})"


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


def _enumeration(names: Sequence[str], first: str, end: str) -> list[str]:
    """The items of a C enumeration that counts ``names`` from ``first`` on, and ends with their number."""
    return [f"{names[0]} = {first}", *names[1:], end] if names else [f"{end} = {first}"]


def _wrapped(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(textwrap.wrap(", ".join(names), 110, break_long_words=False))


def _additions(routine: Routine) -> Counter[str]:
    """How many products and sums add to the gradient of each parameter."""
    products = [parameter for product in routine.products for parameter, _ in product.entries]
    return Counter([*products, *(item.parameter for item in routine.sums)])


def _gradient_label(routine: Routine, parameter: str) -> str:
    """The number of the equation that gives the gradient of ``parameter``."""
    system = routine.system
    label = next(system.definition[name].label for name in system.outputs if system.by_name[name].of == parameter)
    return Marked(label, Mark((label,), "gradients"))


def _sums_at_most(stage: CStage) -> str:
    """The sums of ``stage``, 0 where its two forms differ, and the vectors of its tiles at most."""
    ways = [form for form in (stage.forms, stage.fused) if form]
    sums = {form.sums for form in ways}
    return f"{ways[0].sums if len(sums) == 1 else 0}, {max(form.vectors for form in ways)}"
