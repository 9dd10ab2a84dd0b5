"""The verifier: it stops a plan that reads a value before it is written, or at another size.

Reads the statements of a pass or a whole `Routine`; returns nothing, or raises `PlanError` naming stage and value. It
shares no rule with the passes. It knows the vocabulary (`symrnn.plan.vocabulary`) and the phases (`symrnn.plan.routine`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from symrnn.errors import PlanError
from symrnn.language.system import ONE
from symrnn.language.tree import names
from symrnn.plan.backward import Backward
from symrnn.plan.forward import Split
from symrnn.plan.lower import LATER
from symrnn.plan.program import BEFORE, LAST
from symrnn.plan.routine import Direction, Phase, Routine
from symrnn.plan.vocabulary import (
    Accumulator,
    Buffer,
    Extent,
    Form,
    Kind,
    Place,
    Stage,
    Statement,
    Write,
    over_axes,
    reductions,
    wholes,
)


def verify_order(statements: Iterable[Statement], known: set[str]) -> set[str]:
    """Check that each statement reads only ``known`` names and earlier targets; returns all names known after them.

    Raises:
        PlanError: a name is read before it is assigned, or assigned twice.
    """
    known = set(known)
    for statement in statements:
        for name in names(statement.expression):
            if name not in known:
                raise PlanError(f"statement of {statement.target}: reads {name}, which nothing before it assigns")
        if statement.target in known:
            raise PlanError(f"statement of {statement.target}: the name is assigned twice")
        known.add(statement.target)
    return known


def verify_split(parts: Split, given: Iterable[str]) -> None:
    """Check that a forward routine's statements are in order, phase by phase, from the ``given`` names on.

    Raises:
        PlanError: a statement reads what a later one, or a later phase, assigns.
    """
    known = set(given)
    for statements in (parts.once, parts.before, parts.loop):
        known = verify_order(statements, known)


def verify_rotation(parts: Backward, forward: Routine) -> None:
    """Check that a backward routine's statements are in order, given what ``forward`` leaves behind.

    Raises:
        PlanError: a statement reads what nothing before it assigns and the tape does not hold.
    """
    again = {statement.target for statement in (*parts.loop, *parts.after)}
    left = {name for name in _left_by(forward) if name not in again}
    later = {name + LATER for name in parts.outside}
    carried = {item.carry for item in parts.states}
    seeds = set(parts.seeds.values())
    verify_order(parts.loop, left | later | carried | seeds)
    verify_order(parts.last, left | later | carried)
    verify_order(parts.after, left | set(parts.outside) | seeds)


def verify(routine: Routine, source: Routine | None = None) -> None:
    """Check the stages of ``routine``, its fused phases too, phase by phase, against its places and buffers.

    Args:
        routine: what to check.
        source: the routine whose taped buffers it reads, for a backward routine.

    Raises:
        PlanError: with the stage and the value.
    """
    found = [stage.name for stage in routine.stages]
    if twice := [name for name in found if found.count(name) > 1]:
        raise PlanError(f"{routine.name}: two stages are named {twice[0]}")
    _Verifier(routine, source).run()
    if routine.fused is not None:
        _verify_fused(routine)
        _Verifier(replace(routine, phases=routine.fused_phases, fused=None), source).run()


def _verify_fused(routine: Routine) -> None:
    """Check that the fused loop runs the stages of the loop, and absorbs each hoisted value with all its forms."""
    assert routine.fused is not None
    if tuple(each.loop for each in routine.fused.loop) != routine.loop.stages:
        raise PlanError(f"{routine.name}: the fused loop does not run the stages of the loop")
    before = {s.target: stage for stage in routine.stages_of(BEFORE) for s in stage.statements}
    for fused in routine.fused.loop:
        for absorbed in fused.absorbed:
            name = absorbed.statement.target
            place = f"{routine.name}, stage {fused.whole.name}"
            if name not in before:
                raise PlanError(f"{place}: absorbs {name}, which nothing before the loop computes")
            readers = [stage.name for stage in routine.plain_stages if name in stage.reads]
            if readers != [fused.loop.name]:
                raise PlanError(f"{place}: absorbs {name}, but {' and '.join(readers) or 'no stage'} reads it")
            taken = [form for _, forms in absorbed.joined for form in forms]
            found = sorted(form.text for form in (*taken, *_forms(absorbed.accumulators)))
            hoisted = next(s for s in before[name].statements if s.target == name)
            read = names(hoisted.expression)
            expected = sorted(form.text for form in _forms(a for a in before[name].accumulators if a.name in read))
            if found != expected:
                raise PlanError(f"{place}: absorbs {name} with {', '.join(found)}, not {', '.join(expected)}")
            if unknown := [to for to, _ in absorbed.joined if to not in [a.name for a in fused.loop.accumulators]]:
                raise PlanError(f"{place}: forms of {name} join {unknown[0]}, which the loop does not accumulate")


def _forms(accumulators: Iterable[Accumulator]) -> list[Form]:
    return [form for accumulator in accumulators for form in accumulator.forms]


def _left_by(forward: Routine) -> Iterator[str]:
    """The names whose values are available after a forward routine."""
    yield from (name for name, place in forward.places.items() if place.kind is not Kind.BUFFER)
    for buffer in forward.buffers:
        if buffer.is_left:
            yield from (column.value for column in buffer.columns)


class _Verifier:
    """Walks the phases of one routine and keeps account of what can be read."""

    def __init__(self, routine: Routine, source: Routine | None) -> None:
        self._routine, self._source = routine, source
        self._own = {buffer.name: buffer for buffer in routine.buffers}
        self._buffers: dict[str, Buffer] = {buffer.name: buffer for buffer in source.buffers} if source else {}
        self._buffers |= self._own
        left = set(_left_by(source)) if source else set()
        # A step of a forward routine writes its next states before it reads them.
        early = [n for n, p in routine.places.items() if p.kind not in (Kind.BUFFER, Kind.NEXT)]
        self._known = left | set(early)
        self._gone: set[Place] = set()

    def run(self) -> None:
        self._columns()
        for phase in self._routine.phases:
            self._gone.clear()
            for stage in phase.stages:
                self._stage(stage, phase)
                self._known |= {write.value for write in stage.writes}
                self._gone |= {write.place for write in stage.writes if write.place.kind is Kind.CARRY}
        self._complete()
        for product in self._routine.products:
            for parameter, left in product.entries:
                self._gradient(parameter, left, product.right)
        for item in self._routine.sums:
            self._gradient(item.parameter, item.value)

    def _fail(self, stage: Stage | None, text: str) -> PlanError:
        place = self._routine.name + (f", stage {stage.name}" if stage else "")
        return PlanError(f"{place}: {text}")

    def _columns(self) -> None:
        columns = [column for buffer in self._routine.buffers for column in buffer.columns]
        values = [column.value for column in columns]
        if twice := [value for value in values if values.count(value) > 1]:
            raise self._fail(None, f"{twice[0]} has two columns")
        for column in columns:
            if self._routine.sizes[column.value] != column.size:
                raise self._fail(None, f"the column of {column.value} has the wrong size, {column.size}")

    def _stage(self, stage: Stage, phase: Phase) -> None:
        for name in (*stage.reads, *reductions(stage)):
            self._read(stage, phase, name)
        for accumulator in stage.accumulators:
            for form in accumulator.forms:
                self._form(stage, phase, form)
        self._statements(stage)
        for write in stage.writes:
            self._write(stage, phase, write)

    def _read(self, stage: Stage, phase: Phase, name: str) -> None:
        if name not in self._known:
            raise self._fail(stage, f"{name} is read before it is stored")
        place = self._routine.places[name]
        if place in self._gone:
            raise self._fail(stage, f"{name} is read after an earlier stage has replaced it")
        buffered = place.kind is Kind.BUFFER
        if not (self._buffers[place.array].extent in phase.extents if buffered else place.kind in phase.reads):
            raise self._fail(
                stage, f"{name} in {place.kind} {place.array} has no row for each row of phase {phase.name}"
            )

    def _form(self, stage: Stage, phase: Phase, form: Form) -> None:
        shape = self._routine.system.by_name[form.matrix].shape
        expected = (self._routine.sizes[form.operand], stage.size)
        if (shape if form.transposed else shape[::-1]) != expected:
            raise self._fail(stage, f"{form.text} does not give {stage.size} units")
        if not form.later:
            if form.operand in stage.local:
                raise self._fail(stage, f"{form.operand} is computed in the stage whose form reads it")
            self._read(stage, phase, form.operand)
        elif phase.rows is not Extent.STEP:
            raise self._fail(stage, f"{form.operand} of another step is read outside the loop")
        elif not self._every_step(form.operand):
            raise self._fail(stage, f"{form.operand} of another step is read but not stored for every step")

    def _statements(self, stage: Stage) -> None:
        sizes = self._routine.sizes
        local = {accumulator.name for accumulator in stage.accumulators} | set(stage.reads)
        for statement in stage.statements:
            apart = wholes(statement.expression)
            for name in names(statement.expression):
                if name not in local:
                    raise self._fail(stage, f"{statement.target} reads {name} before it is computed")
                if sizes[name] not in (stage.size, ONE) and name not in apart:
                    raise self._fail(stage, f"{name} has {sizes[name]} units in a stage of {stage.size}")
            size = over_axes(statement.expression) or sizes[statement.target]
            if size != stage.size:
                raise self._fail(stage, f"{statement.target} is computed in a stage of {stage.size} units")
            if over_axes(statement.expression) and not (stage.along and set(apart) <= set(stage.local)):
                raise self._fail(stage, f"{statement.target} is reduced over axes outside the stage of its operand")
            local.add(statement.target)

    def _write(self, stage: Stage, phase: Phase, write: Write) -> None:
        kind = write.place.kind
        if write.value not in stage.local:
            raise self._fail(stage, f"{write.value} is stored but not computed")
        if kind is Kind.BUFFER and self._routine.places[write.value] != write.place:
            raise self._fail(stage, f"{write.value} is stored in {write.place.array}, where nothing reads it")
        to = self._buffers[write.place.array].extent if kind is Kind.BUFFER else kind
        if to not in phase.writes:
            raise self._fail(stage, f"phase {phase.name} stores {write.value} in {kind} {write.place.array}")
        if kind in (Kind.NEXT, Kind.CARRY) and not write.idle:
            raise self._fail(stage, f"{write.value} of a row beyond its length must keep its value")
        if to in (Extent.SEQUENCE, Kind.OUTPUT) and write.idle:
            raise self._fail(stage, f"{write.value} of a row beyond its length must be zero")
        if write.idle and (size := self._routine.sizes[write.idle]) != stage.size:
            raise self._fail(
                stage, f"a row beyond its length keeps {write.idle}, which has {size} units, not {stage.size}"
            )

    def _complete(self) -> None:
        """A value is stored once, each state moves once in a step, and the caller's arrays are written once."""
        routine, forward = self._routine, self._routine.direction is Direction.FORWARD
        stored = [w.value for stage in routine.plain_stages for w in stage.writes if w.place.kind is Kind.BUFFER]
        if twice := [value for value in stored if stored.count(value) > 1]:
            raise self._fail(None, f"{twice[0]} is stored twice")
        moved = [write.place for stage in routine.loop.stages for write in stage.writes]
        for state, _ in routine.states:
            if moved.count(Place(Kind.NEXT if forward else Kind.CARRY, state)) != 1:
                raise self._fail(None, f"a step does not store {state} exactly once")
        outputs = [place for place in moved if place.kind is Kind.OUTPUT]
        if forward and (not outputs or len(outputs) > len(set(outputs))):
            raise self._fail(None, "a step does not store its outputs, each exactly once")
        initial = [write.place for stage in routine.stages_of(LAST) for write in stage.writes]
        for state, _ in routine.states:
            if not forward and initial.count(Place(Kind.STATE_GRADIENT, state)) != 1:
                raise self._fail(None, f"the gradient of the initial {state} is not stored exactly once")

    def _gradient(self, parameter: str, *factors: str) -> None:
        """A deferred gradient reads stored values, and has its parameter's shape."""
        for name in factors:
            self._deferred(name)
        shape = tuple(self._routine.sizes[name] for name in factors)
        expected = self._routine.system.by_name[parameter].shape
        if shape != expected:
            raise self._fail(None, f"the gradient of {parameter} has shape {shape}, not {expected}")

    def _deferred(self, name: str) -> None:
        place = self._routine.places.get(name)
        fits = place is not None and place.kind in (Kind.INPUT, Kind.STATE, Kind.NEXT, Kind.SEED)
        if name not in self._known or not (fits or self._every_step(name)):
            raise self._fail(None, f"a deferred gradient reads {name}, which is not stored for every step")

    def _every_step(self, name: str) -> bool:
        """Whether a buffer has ``name`` for all T·B rows."""
        place = self._routine.places.get(name)
        return (
            place is not None
            and place.kind is Kind.BUFFER
            and self._buffers[place.array].extent is Extent.SEQUENCE
            and (place.array in self._own or self._buffers[place.array].taped)
        )
