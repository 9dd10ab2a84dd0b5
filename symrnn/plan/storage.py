"""Storage: a place for every value that crosses stages, and the writes that put it there.

Reads stages that do not write yet, and the values that the tape or deferred work asks for; returns buffers, places, and
the stages with their writes. A value that only its own stage reads has no place. Leaves out: memory, which targets lay
out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from symrnn.language.system import Role, System
from symrnn.language.tree import PRIME, is_next
from symrnn.plan.backward import Backward
from symrnn.plan.forward import Split
from symrnn.plan.vocabulary import Buffer, Column, Extent, Kind, Place, Stage, Write, reductions

OUTPUT = "y"
"""The caller's array of the output, one row per step; of several outputs, each has an array of its name."""


def output_places(outputs: Sequence[str]) -> dict[str, Place]:
    """The place of each output of a layer in the caller's arrays; a state goes by its next value."""
    if len(outputs) == 1:
        return {outputs[0]: Place(Kind.OUTPUT, OUTPUT)}
    return {name: Place(Kind.OUTPUT, name.removesuffix(PRIME)) for name in outputs}


_KINDS = {Role.INPUT: Kind.INPUT, Role.STATE: Kind.STATE, Role.NEXT: Kind.NEXT, Role.PARAMETER: Kind.PARAMETER}

_NOTES = {
    "once": "values of parameters alone",
    "hoisted": "values of x that the loop reads",
    "kept": "hoisted values that the backward pass reads",
    "saved": "values of each step that the backward pass reads",
    "work": "values that cross the stages of one step",
    "delta": "values of each step that deferred work reads",
    "back": "values that cross the stages of one step backward",
}


def vector_sizes(system: System) -> dict[str, str]:
    """The size name of every variable except matrices."""
    return {variable.name: variable.shape[0] for variable in system.variables if len(variable.shape) == 1}


def given_places(system: System) -> dict[str, Place]:
    """The places of a step's inputs, states and parameters, and of its next states."""
    return {
        variable.name: Place(_KINDS[variable.role], variable.name.removesuffix(PRIME))
        for variable in system.variables
        if variable.role in _KINDS
    }


def buffer_places(buffers: Iterable[Buffer]) -> dict[str, Place]:
    """The place of every column."""
    return {column.value: Place(Kind.BUFFER, buffer.name) for buffer in buffers for column in buffer.columns}


def crossing(parts: Collection[Stage]) -> set[str]:
    """The values that a later stage reads."""
    computed = {statement.target for stage in parts for statement in stage.statements}
    return {name for stage in parts for name in (*stage.reads, *stage.operands, *reductions(stage)) if name in computed}


def forward_buffers(
    parts: Split, crosses: Collection[str], taped: Collection[str], sizes: Mapping[str, str], *, once_read: bool
) -> tuple[Buffer, ...]:
    """The buffers of a forward routine; none is empty.

    Args:
        parts: its statements.
        crosses: values that another stage of it reads.
        taped: values that the backward routine reads.
        sizes: of every value.
        once_read: whether the backward routine may read values of parameters alone.
    """
    early = [s.target for s in parts.before]
    late = [s.target for s in parts.loop if not is_next(s.target)]
    once = [s.target for s in parts.once if once_read or s.target in crosses]
    hoisted = [name for name in early if name in crosses and name not in taped]
    kept = [name for name in early if name in taped]
    saved = [name for name in late if name in taped]
    work = [name for name in late if name in crosses and name not in taped]
    table = (
        _buffer("once", Extent.ONCE, once, sizes, spans=True),
        _buffer("hoisted", Extent.SEQUENCE, hoisted, sizes, spans=True),
        _buffer("kept", Extent.SEQUENCE, kept, sizes, taped=True, spans=True),
        _buffer("saved", Extent.SEQUENCE, saved, sizes, taped=True),
        _buffer("work", Extent.STEP, work, sizes),
    )
    return tuple(buffer for buffer in table if buffer.columns)


def forward_writes(system: System, places: Mapping[str, Place], outputs: Sequence[str]) -> dict[str, list[Write]]:
    """The writes of each value: to its place, and of the ``outputs`` also to the caller's arrays.

    In a row beyond its length, a state keeps its value and everything else is zero.
    """
    idle = {name: name.removesuffix(PRIME) for name in system.outputs if is_next(name)}
    writes = {name: [Write(name, place, idle.get(name, ""))] for name, place in places.items()}
    for name, place in output_places(outputs).items():
        writes.setdefault(name, []).append(Write(name, place))
    return writes


def backward_buffers(
    parts: Backward, loop: Sequence[Stage], after: Sequence[Stage], sizes: Mapping[str, str]
) -> tuple[Buffer, ...]:
    """The buffers of the backward routine: what all steps store, and what crosses the stages of one; none is empty."""
    inside = [s.target for s in parts.loop]
    outer = [s.target for s in parts.after]
    rows = dict.fromkeys(name for name in _stacking(parts) if name in (*inside, *outer))
    rows |= dict.fromkeys(name for name in inside if name in parts.outside)
    beyond = crossing(after)
    rows |= dict.fromkeys(name for name in outer if name in beyond)
    crosses = crossing(loop) | _held_across(parts, loop)
    step = [name for name in inside if name in crosses and name not in rows]
    table = (
        _buffer("delta", Extent.SEQUENCE, rows, sizes, spans=True),
        _buffer("back", Extent.STEP, step, sizes),
    )
    return tuple(buffer for buffer in table if buffer.columns)


def backward_writes(parts: Backward, buffers: Iterable[Buffer]) -> dict[str, list[Write]]:
    """The writes of each value: to its buffer, to the carries, to the caller's gradients.

    A row beyond its length contributes nothing to sums over steps. Its carry is its total.
    """
    totals = {item.total for item in parts.states}
    writes = {
        name: [Write(name, place, name if name in totals else "")] for name, place in buffer_places(buffers).items()
    }
    for item in parts.states:
        carry = Write(item.update, Place(Kind.CARRY, item.state), item.total)
        writes.setdefault(item.update, []).append(carry)
        writes[item.initial] = [Write(item.initial, Place(Kind.STATE_GRADIENT, item.state))]
    for of, gradient in parts.input_gradients:
        writes.setdefault(gradient, []).append(Write(gradient, Place(Kind.INPUT_GRADIENT, of)))
    return writes


def backward_places(parts: Backward, forward: Mapping[str, Place], buffers: Iterable[Buffer]) -> dict[str, Place]:
    """Where the backward routine reads each value: its own, the forward routine's, the carries and the seed."""
    again = {s.target for s in (*parts.loop, *parts.after)}
    places = {name: place for name, place in forward.items() if name not in again} | buffer_places(buffers)
    places |= {item.carry: Place(Kind.CARRY, item.state) for item in parts.states}
    places |= {value: Place(Kind.SEED, array) for array, value in parts.seeds.items()}
    return places


def stored(stages: Iterable[Stage], writes: Mapping[str, Sequence[Write]]) -> tuple[Stage, ...]:
    """``stages`` with the ``writes`` of the values that each computes."""
    return tuple(
        replace(stage, writes=tuple(w for s in stage.statements for w in writes.get(s.target, ()))) for stage in stages
    )


def _buffer(
    name: str,
    extent: Extent,
    values: Iterable[str],
    sizes: Mapping[str, str],
    *,
    taped: bool = False,
    spans: bool = False,
) -> Buffer:
    columns = tuple(Column(value, sizes[value]) for value in values)
    return Buffer(name, extent, columns, taped, spans, _NOTES[name])


def _stacking(parts: Backward) -> list[str]:
    """The column order: the left values of the deferred products, group by group; then the other values."""
    order: dict[str, None] = {}
    for product in parts.products:
        order.update((left, None) for _, left in product.entries)
    order.update((product.right, None) for product in parts.products)
    order.update((item.value, None) for item in parts.sums)
    return list(order)


def _held_across(parts: Backward, loop: Iterable[Stage]) -> set[str]:
    """The totals that a row beyond its length keeps as its carry, where another stage updates the carry."""
    home = {s.target: stage.name for stage in loop for s in stage.statements}
    return {item.total for item in parts.states if home[item.total] != home[item.update]}
