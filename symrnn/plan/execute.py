"""What a plan means: any `Program` run in NumPy, from its records alone.

This is the definition: a target is right if it computes what this does. It is written to be read, and not to be fast. Each
value has one array, stages run in order, and each statement runs on all rows at once. Reads a program and the caller's
arrays, which are time-major; returns `Ran` and `Gradients`. Shares no code with a target. Leaves out: all that makes a
kernel fast.

A row beyond its length is idle. Its stages run like those of all rows, on zeros in place of the caller's numbers, but it
writes the value `Write.idle`, or zero. Reversed, each row takes its own steps from the last to the first; the caller's
arrays keep their order. An array that no stage has written yet holds NaN.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from symrnn.derive.evaluate import evaluate, floats
from symrnn.errors import PlanError
from symrnn.language.system import ONE
from symrnn.plan.backward import SEED
from symrnn.plan.program import Program
from symrnn.plan.routine import Direction, Phase, Routine
from symrnn.plan.storage import OUTPUT
from symrnn.plan.vocabulary import Extent, Form, Kind, Place, Stage

Array = np.ndarray[Any, np.dtype[Any]]
Arrays = Mapping[str, Array]
Key = tuple[str, ...]
"""The name of an array in memory: its kind or its buffer, then what it holds."""

_RETURNED = {
    Kind.OUTPUT: Extent.SEQUENCE,
    Kind.INPUT_GRADIENT: Extent.SEQUENCE,
    Kind.STATE_GRADIENT: Extent.STEP,
}
"""The caller's arrays that stages write, and their rows."""


@dataclass(frozen=True)
class Ran:
    """What a forward or tangent routine returns, and what it leaves for a backward routine.

    Attributes:
        y: outputs, ``(T, B, size)``; zero where a row is idle.
        state: final states by name, ``(B, size)``.
        states: every state over time, ``(T + 1, B, size)``, in the order in which steps ran.
        tape: what a backward routine may read.
        order: for each step that ran, the step of the caller's arrays, ``(T, B)``.
        idle: whether a row was beyond its length, ``(T, B)``.
    """

    y: Array
    state: Arrays
    states: Arrays
    tape: Mapping[Key, Array]
    order: Array
    idle: Array


@dataclass(frozen=True)
class Gradients:
    """What a backward routine returns: by parameter, by the input ``(T, B, input)``, by initial state ``(B, size)``."""

    params: Arrays
    inputs: Arrays
    state: Arrays


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
    inputs = [name for name, place in routine.places.items() if place.kind is Kind.INPUT]
    steps, batch = given[inputs[0]].shape[:2]
    order, idle = _order(steps, batch, lengths, reverse)
    memory: dict[Key, Array] = {}
    for name in routine.system.inputs:
        if name in inputs:
            memory[Kind.INPUT, name] = _taken(given[name], order, idle)
        elif name in dict(routine.states):
            memory[Kind.STATE, name] = np.full((steps + 1, *given[name].shape), np.nan, given[name].dtype)
            memory[Kind.STATE, name][0] = given[name]
        else:
            memory[Kind.PARAMETER, name] = given[name]
    run = _Run(routine, sizes, memory, idle)
    run.phases(routine.fused_phases if fused else routine.phases)
    states = {name: memory[Kind.STATE, name] for name, _ in routine.states}
    own = {buffer.name for buffer in routine.buffers if buffer.taped or buffer.extent is Extent.ONCE}
    tape = {key: array for key, array in memory.items() if key[0] in (*own, Kind.INPUT, Kind.STATE, Kind.PARAMETER)}
    y = _put(run.array(Kind.OUTPUT, OUTPUT), order)
    return Ran(y, {name: array[-1] for name, array in states.items()}, states, tape, order, idle)


def backward(program: Program, sizes: Mapping[str, int], ran: Ran, dy: Array, dstate: Arrays) -> Gradients:
    """Run the backward routine.

    Args:
        program: with a backward routine.
        sizes: as they were for the forward routine.
        ran: its result.
        dy: gradient of the outputs, ``(T, B, size)``.
        dstate: gradient of each final state, ``(B, size)``.

    Raises:
        PlanError: there is no backward routine, or it reads what no stage has written.
    """
    routine = program.backward
    if routine is None:
        raise PlanError(f"{program.cell.name}: the plan has no backward routine; ask for one in its policy")
    memory = dict(ran.tape) | {(Kind.CARRY, name): dstate[name].copy() for name, _ in routine.states}
    memory[Kind.SEED, SEED] = _taken(dy, ran.order, ran.idle)
    run = _Run(routine, sizes, memory, ran.idle)
    run.phases(routine.phases)
    params = {v.name: np.zeros_like(memory[Kind.PARAMETER, v.name]) for v in program.cell.parameters}
    for product in routine.products:
        right = run.value(product.right)
        for name, left in product.entries:
            params[name] += np.einsum("tbi,tbj->ij", run.value(left), right)
    for item in routine.sums:
        params[item.parameter] += run.value(item.value).sum(axis=(0, 1))
    inputs = {array: _put(found, ran.order) for (kind, array), found in memory.items() if kind == Kind.INPUT_GRADIENT}
    return Gradients(params, inputs, {name: run.array(Kind.STATE_GRADIENT, name) for name, _ in routine.states})


class _Run:
    """One run of a routine over what is in memory."""

    def __init__(self, routine: Routine, sizes: Mapping[str, int], memory: dict[Key, Array], idle: Array) -> None:
        self._routine, self._memory, self._idle, self._sizes = routine, memory, idle, {**sizes, ONE: 1}
        steps, batch = idle.shape
        self._rows = {Extent.ONCE: (), Extent.STEP: (batch,), Extent.SEQUENCE: (steps, batch)}
        self._dtype = np.result_type(*memory.values())
        self._previous: int | None = None  # the step of the loop's previous iteration

    @np.errstate(all="ignore")  # an idle row may divide zero by zero: what comes of it is not written
    def phases(self, phases: Sequence[Phase]) -> None:
        """Run the phases in order, each stage of a loop for each step."""
        self._make_room([stage for phase in phases for stage in phase.stages])
        steps = range(len(self._idle))
        for phase in phases:
            if phase.direction is None:
                self._stages(phase, None)
            for t in steps if phase.direction is Direction.FORWARD else steps[::-1] if phase.direction else ():
                self._stages(phase, t)
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
        """The rows of ``place`` that hold ``value``: to be read, or written to."""
        array = self.array(*_key(value, place))
        if place.kind in (Kind.STATE, Kind.NEXT):
            array = array[1:] if place.kind is Kind.NEXT else array[:-1]
        return array[t] if array.ndim == 3 and t is not None else array  # of T, B and size

    def _make_room(self, stages: Sequence[Stage]) -> None:
        """The routine's buffers, and the caller's arrays that ``stages`` write, full of NaN."""
        room = {(b.name, column.value): (b.extent, column.size) for b in self._routine.buffers for column in b.columns}
        for place, size in ((write.place, stage.size) for stage in stages for write in stage.writes):
            if place.kind in _RETURNED:
                room[place.kind, place.array] = (_RETURNED[place.kind], size)
        for key, (extent, size) in room.items():
            self._memory[key] = np.full((*self._rows[extent], self._sizes[size]), np.nan, self._dtype)

    def _stages(self, phase: Phase, t: int | None) -> None:
        """Each stage in turn: accumulate, compute, write; a value is ``(rows, size)``."""
        for stage in phase.stages:
            shape = (*self._rows[phase.rows], self._sizes[stage.size])
            values = {name: self.value(name, t) for name in stage.reads}
            for accumulator in stage.accumulators:
                values[accumulator.name] = sum((self._form(form, t) for form in accumulator.forms), np.zeros(shape))
            for statement in stage.statements:
                found = evaluate(statement.expression, values, self._sizes, floats())
                values[statement.target] = np.broadcast_to(found, shape)
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
    """Where ``value`` lies in memory; a state has one array for its values and its next ones."""
    if place.kind is Kind.BUFFER:
        return place.array, value
    return (Kind.STATE if place.kind is Kind.NEXT else place.kind), place.array


def _order(steps: int, batch: int, lengths: Array | None, reverse: bool) -> tuple[Array, Array]:
    """For each step that runs, the caller's step of each row; and whether the row is idle."""
    length = np.full(batch, steps) if lengths is None else lengths
    t = np.arange(steps)[:, None]
    idle = t >= length
    return np.where(idle | (not reverse), t, length - 1 - t), idle


def _taken(array: Array, order: Array, idle: Array) -> Array:
    """The rows of the caller's ``array`` in the order in which steps run; zero where they are idle."""
    return np.where(idle[..., None], 0, np.take_along_axis(array, order[..., None], axis=0))


def _put(array: Array, order: Array) -> Array:
    """Rows in the order in which steps ran as the caller has them."""
    found = np.empty_like(array)
    np.put_along_axis(found, np.broadcast_to(order[..., None], array.shape), array, axis=0)
    return found
