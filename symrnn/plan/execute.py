"""What a plan means: any `Program` run in NumPy, from its records alone.

This is the definition: a target is right if it computes what this does. It is written to be read, and not to be fast. Each
value has one array, stages run in order, and each statement runs on all rows at once. Reads a program and the caller's
arrays; returns `Ran` and `Gradients`. Shares no code with a target. Leaves out: the order of the caller's steps
(`symrnn.plan.batch`), and all that makes a kernel fast.

A row beyond its length is idle. Its stages run like those of all rows, on zeros in place of the caller's numbers, but it
writes the value `Write.idle`, or zero. An array that no stage has written yet holds NaN.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from symrnn.derive.evaluate import evaluate, floats
from symrnn.derive.preparation import prepare, pulled
from symrnn.errors import PlanError
from symrnn.language.axes import Numbers
from symrnn.language.system import ONE
from symrnn.plan.backward import seed_arrays
from symrnn.plan.batch import Array, Arrays, Batch, Gradients, Ran
from symrnn.plan.program import Program
from symrnn.plan.routine import Phase, Routine
from symrnn.plan.storage import OUTPUT
from symrnn.plan.vocabulary import Extent, Form, Kind, Place, Stage

Key = tuple[str, str]
"""The name of an array in memory: its kind or its buffer, then what it holds."""


def forward(
    routine: Routine,
    sizes: Mapping[str, int],
    given: Arrays,
    *,
    lengths: Array | None = None,
    reverse: bool = False,
    fused: bool = False,
) -> Ran:
    """Run a forward or tangent routine.

    Args:
        routine: of a program.
        sizes: the number behind each size name.
        given: parameters, inputs ``(T, B, size)`` and initial states ``(B, size)`` by name; all that its system reads.
        lengths: steps of each row, ``(B,)``, from 0 to T; the default is T for each.
        reverse: whether rows run from their last step to their first.
        fused: whether the fused phases run, where there are any.

    Raises:
        PlanError: a stage reads what no stage has written.
    """
    steps, rows = next(given[name].shape[:2] for name, place in routine.places.items() if place.kind is Kind.INPUT)
    batch = Batch.of(steps, rows, lengths, reverse)
    memory: dict[Key, Array] = {}
    states = {name: np.full((steps + 1, *given[name].shape), np.nan, given[name].dtype) for name, _ in routine.states}
    for name, array in states.items():
        array[0] = given[name]
        memory[Kind.STATE, name], memory[Kind.NEXT, name] = array[:-1], array[1:]
    for name, place in routine.places.items():
        if place.kind is Kind.INPUT:
            memory[Kind.INPUT, name] = batch.taken(given[name])
        elif place.kind is Kind.PARAMETER:
            memory[Kind.PARAMETER, name] = given[name]
    run = _Run(routine, sizes, memory, batch.idle)
    run.phases(routine.fused_phases if fused else routine.phases)
    gone = {Kind.OUTPUT, *(buffer.name for buffer in routine.buffers if not buffer.is_left)}
    tape = {key: array for key, array in memory.items() if key[0] not in gone}
    writes = (write.place for stage in routine.loop.stages for write in stage.writes)
    written = dict.fromkeys(place.array for place in writes if place.kind is Kind.OUTPUT)
    outputs = {name: batch.given(run.array(Kind.OUTPUT, name)) for name in written or (OUTPUT,)}
    return Ran(outputs, states, tape, batch)


def prepared(program: Program, sizes: Mapping[str, int], params: Arrays) -> dict[str, Array]:
    """The parameters, and what the step reads as such because it is prepared from them, by name."""
    return prepare(program.preparation.forward, params, sizes) if program.preparation else dict(params)


def backward(
    program: Program, sizes: Mapping[str, int], ran: Ran, dys: Arrays, dstate: Arrays, given: Arrays | None = None
) -> Gradients:
    """Run the backward routine.

    Args:
        program: with a backward routine.
        sizes: as they were for the forward routine.
        ran: its result.
        dys: gradient of each output of the cell by name, ``(T, B, size)``.
        dstate: gradient of each final state, ``(B, size)``.
        given: the parameters, where the program prepares some.

    Raises:
        PlanError: there is no backward routine, or it reads what no stage has written.
    """
    routine = program.backward
    if routine is None:
        raise PlanError(f"{program.cell.name}: the plan has no backward routine; ask for one in its policy")
    memory = dict(ran.tape) | {(Kind.CARRY, name): dstate[name].copy() for name, _ in routine.states}
    for name, array in seed_arrays(program.cell.returned).items():
        memory[Kind.SEED, array] = ran.batch.taken(dys[name])
    run = _Run(routine, sizes, memory, ran.batch.idle)
    run.phases(routine.phases)
    params = {v.name: np.zeros_like(memory[Kind.PARAMETER, v.name]) for v in program.cell.step_trainable}
    for product in routine.products:
        for name, left in product.entries:
            params[name] += np.einsum("tbi,tbj->ij", run.value(left), run.value(product.right))
    for item in routine.sums:
        params[item.parameter] += run.value(item.value).sum(axis=(0, 1))
    inputs = {of: ran.batch.given(array) for (kind, of), array in memory.items() if kind == Kind.INPUT_GRADIENT}
    if program.preparation:
        names = [parameter.name for parameter in program.cell.trainable]
        params = pulled(program.preparation, given or {}, params, sizes, names)
    return Gradients(params, inputs, {name: run.array(Kind.STATE_GRADIENT, name) for name, _ in routine.states})


class _Run:
    """One run of a routine over what is in memory."""

    def __init__(self, routine: Routine, sizes: Mapping[str, int], memory: dict[Key, Array], idle: Array) -> None:
        self._routine, self._memory, self._idle, self._sizes = routine, memory, idle, Numbers({**sizes, ONE: 1})
        self._rows = {Extent.ONCE: (), Extent.STEP: idle.shape[1:], Extent.SEQUENCE: idle.shape}
        self._dtype = np.result_type(*memory.values())
        self._previous: int | None = None  # the step of the loop's previous iteration

    @np.errstate(all="ignore")  # an idle row may divide zero by zero: what comes of it is not written
    def phases(self, phases: Sequence[Phase]) -> None:
        """Run the phases in order, each stage of a loop for each step."""
        self._make_room(phases)
        for phase in phases:
            for t in phase.steps(len(self._idle)):
                for stage in phase.stages:
                    self._stage(stage, phase, t)
                self._previous = t

    def value(self, name: str, t: int | None = None) -> Array:
        """What is stored of ``name`` for step ``t``, or for all steps."""
        if name not in self._routine.places:
            raise PlanError(f"{self._routine.name}: {name} is read and never stored")
        return self._at(name, self._routine.places[name], t)

    def array(self, *key: str) -> Array:
        """What is in memory under ``key``."""
        if key not in self._memory:
            raise PlanError(f"{self._routine.name}: {' '.join(key)} is read before a stage has written it")
        return self._memory[key]

    def _at(self, value: str, place: Place, t: int | None) -> Array:
        """The rows of ``place`` that hold ``value``, to be read or written to."""
        array = self.array(*_key(value, place))
        return array[t] if array.ndim == 3 and t is not None else array  # of T, B and size

    def _make_room(self, phases: Sequence[Phase]) -> None:
        """The routine's buffers, and what the caller gets from ``phases``, full of NaN."""
        room = {(b.name, column.value): (b.extent, column.size) for b in self._routine.buffers for column in b.columns}
        room |= {
            _key(write.value, write.place): (phase.all_rows, self._routine.sizes[write.value])
            for phase in phases
            for stage in phase.stages
            for write in stage.writes
            if write.place.kind.is_returned
        }
        for key, (extent, size) in room.items():
            self._memory[key] = np.full((*self._rows[extent], self._sizes[size]), np.nan, self._dtype)

    def _stage(self, stage: Stage, phase: Phase, t: int | None) -> None:
        """Accumulate, compute, write; a value is ``(rows, size)``."""
        shape = (*self._rows[phase.rows], self._sizes[stage.size])
        values = {name: self.value(name, t) for name in stage.reads}
        for accumulator in stage.accumulators:
            values[accumulator.name] = sum((self._form(form, t) for form in accumulator.forms), np.zeros(shape))
        for statement in stage.statements:
            found = evaluate(statement.expression, values, self._sizes, floats())
            own = self._sizes[self._routine.sizes[statement.target]]
            values[statement.target] = np.broadcast_to(found, (*shape[:-1], own))
        idle = phase.ragged and (self._idle if t is None else self._idle[t])[..., None]
        stored = [np.where(idle, values[w.idle] if w.idle else 0, values[w.value]) for w in stage.writes]
        for write, value in zip(stage.writes, stored, strict=True):
            self._at(write.value, write.place, t)[...] = value

    def _form(self, form: Form, t: int | None) -> Array:
        if form.later and self._previous is None:
            return np.zeros(())
        operand = self.value(form.operand, self._previous if form.later else t)
        matrix = self.array(Kind.PARAMETER, form.matrix)
        product: Array = operand @ (matrix if form.transposed else matrix.T)
        return product


def _key(value: str, place: Place) -> Key:
    """Where ``value`` lies in memory: a column of a buffer, or a whole array of the caller."""
    return (place.array, value) if place.kind is Kind.BUFFER else (place.kind, place.array)
