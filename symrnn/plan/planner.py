"""The planner: from a derivation to a `Program`, pass by pass, each result verified.

split     what leaves the loop (`symrnn.plan.forward`)
tape      what the backward function will read, stored or computed again (`symrnn.plan.backward`)
rotate    the adjoint as a loop, products and sums deferred (`symrnn.plan.backward`)
stages    statements grouped into fused stages (`symrnn.plan.lower`)
storage   a place for every value that crosses stages (here)
verify    that each value is written before it is read, in one place, at one size (`symrnn.plan.verify`)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import replace

from symrnn.derive.record import Derivation
from symrnn.language.names import Allocator
from symrnn.language.system import Role, System
from symrnn.language.tree import PRIME, is_next
from symrnn.plan.backward import Backward, Saved, backward, tape
from symrnn.plan.forward import Phases, classify, split
from symrnn.plan.lower import live, stages
from symrnn.plan.program import (
    Buffer,
    Column,
    Extent,
    Function,
    Fused,
    Kind,
    Place,
    Program,
    Stage,
    Write,
    reductions,
)
from symrnn.plan.verify import verify, verify_order

OUTPUT = "y"
"""The caller's array of outputs, one row per step."""


def plan(derivation: Derivation, *, with_backward: bool = True) -> Program:
    """The program of a cell.

    Args:
        derivation: the cell with its adjoint and tangent.
        with_backward: False for kernels of inference alone: nothing is taped.

    Raises:
        PlanError: a pass left the plan inconsistent (a fault of symrnn, never of the cell).
    """
    cell, system = derivation.cell, derivation.cell.normal
    taken = [variable.name for part in (system, derivation.adjoint, derivation.tangent) for variable in part.variables]
    allocator = Allocator(name.removesuffix(PRIME) for name in taken)
    output = cell.output + PRIME
    saved = tape(system, derivation.adjoint, classify(system)) if with_backward else Saved((), ())
    taped = tuple(name for name, _ in saved.stored)
    forward = _forward("forward", system, output, taped, allocator, once_read=with_backward)
    reverse = _backward(derivation, forward, saved, allocator) if with_backward else None
    pair = next(v.name for v in derivation.tangent.variables if v.of == output)
    tangent = _forward("tangent", derivation.tangent, pair, (), allocator)
    return Program(cell, forward, reverse, tangent, saved.stored, saved.recomputed)


def _vector_sizes(system: System) -> dict[str, str]:
    return {variable.name: variable.shape[0] for variable in system.variables if len(variable.shape) == 1}


def _forward(
    name: str, system: System, output: str, taped: tuple[str, ...], allocator: Allocator, *, once_read: bool = False
) -> Function:
    """The function that runs ``system`` over time; ``output`` is the next state that is returned for each step."""
    sizes = _vector_sizes(system)
    phases = split(system, sizes, allocator)
    known = _given(system)
    known = verify_order(phases.once, known)
    known = verify_order(phases.before, known)
    verify_order(phases.loop, known)
    prefix = "" if name == "forward" else f"{name}_"
    once = stages(phases.once, f"{prefix}once", sizes, allocator)
    before = stages(phases.before, f"{prefix}hoist", sizes, allocator)
    loop = stages(phases.loop, f"{prefix}step", sizes, allocator)
    fused = _fused(system, phases, prefix, sizes, allocator)
    places = _given_places(system)
    crossing = _crossing((*once, *before, *loop))
    if fused is not None:
        crossing |= _crossing((*once, *fused.before, *fused.loop))
    buffers = _forward_buffers(phases, crossing, taped, once_read, sizes)
    places |= {column.value: Place(Kind.BUFFER, b.name) for b in buffers for column in b.columns}
    states = tuple((next_.removesuffix(PRIME), next_) for next_ in system.outputs)
    idle = {next_: state for state, next_ in states}

    def store(stage: Stage) -> Stage:
        writes = [
            Write(s.target, places[s.target], idle.get(s.target, "")) for s in stage.statements if s.target in places
        ]
        writes += [Write(s.target, Place(Kind.OUTPUT, OUTPUT)) for s in stage.statements if s.target == output]
        return replace(stage, writes=tuple(writes))

    once, before, loop = (tuple(store(stage) for stage in part) for part in (once, before, loop))
    if fused is not None:
        fused = Fused(*(tuple(store(stage) for stage in part) for part in (fused.before, fused.loop)))
    function = Function(name, system, states, once, before, loop, (), (), (), (), buffers, places, sizes, fused)
    verify(function)
    if fused is not None:
        verify(replace(function, before=fused.before, loop=fused.loop, fused=None))
    return function


def _fused(
    system: System, phases: Phases, prefix: str, sizes: MutableMapping[str, str], allocator: Allocator
) -> Fused | None:
    """The phases before and in the loop with whole sums in the loop; None where that is what they are anyway."""
    whole = split(system, sizes, allocator, whole_sums=True)
    if len(whole.before) == len(phases.before):
        return None
    return Fused(
        stages(whole.before, f"{prefix}fused_hoist", sizes, allocator),
        stages(whole.loop, f"{prefix}fused_step", sizes, allocator),
    )


def _given(system: System) -> set[str]:
    """The names that a step starts from."""
    return set(system.inputs)


def _given_places(system: System) -> dict[str, Place]:
    kinds = {
        Role.INPUT: Kind.INPUT,
        Role.STATE: Kind.STATE,
        Role.NEXT: Kind.NEXT,
        Role.PARAMETER: Kind.PARAMETER,
    }
    return {
        variable.name: Place(kinds[variable.role], variable.name.removesuffix(PRIME))
        for variable in system.variables
        if variable.role in kinds
    }


def _forward_buffers(
    phases: Phases, crossing: set[str], taped: tuple[str, ...], once_read: bool, sizes: Mapping[str, str]
) -> tuple[Buffer, ...]:
    early = [s.target for s in phases.before]
    late = [s.target for s in phases.loop if not is_next(s.target)]
    table = (
        ("once", Extent.ONCE, [s.target for s in phases.once if once_read or s.target in crossing], False, True),
        ("hoisted", Extent.SEQUENCE, [n for n in early if n in crossing and n not in taped], False, True),
        ("kept", Extent.SEQUENCE, [n for n in early if n in taped], True, True),
        ("saved", Extent.SEQUENCE, [n for n in late if n in taped], True, False),
        ("work", Extent.STEP, [n for n in late if n in crossing and n not in taped], False, False),
    )
    return tuple(
        _buffer(name, extent, values, sizes, taped=kept, spans=spans)
        for name, extent, values, kept, spans in table
        if values
    )


_NOTES = {
    "once": "values of parameters alone",
    "hoisted": "what the loop reads of x",
    "kept": "hoisted values that the backward pass reads",
    "saved": "values of each step that the backward pass reads",
    "work": "values that cross the stages of one step",
    "delta": "values of each step that deferred work reads",
    "back": "values that cross the stages of one step backward",
}


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


def _crossing(parts: tuple[Stage, ...]) -> set[str]:
    """The values that a stage other than their own reads."""
    home = {s.target: stage.name for stage in parts for s in stage.statements}
    found: set[str] = set()
    for stage in parts:
        reads = (*stage.reads, *stage.operands, *reductions(stage))
        found.update(name for name in reads if name in home and home[name] != stage.name)
    return found


def _idle_crossing(loop: tuple[Stage, ...], parts: Backward) -> set[str]:
    """The totals that a finished row keeps as its carry, where another stage updates the carry."""
    home = {s.target: stage.name for stage in loop for s in stage.statements}
    return {item.total for item in parts.carried if home[item.total] != home[item.update]}


def _backward(derivation: Derivation, forward: Function, saved: Saved, allocator: Allocator) -> Function:
    """The backward function: statements from the rotation, then stages, then places."""
    system, adjoint = derivation.cell.normal, derivation.adjoint
    sizes = {**forward.sizes, **_vector_sizes(adjoint)}
    parts = backward(system, adjoint, derivation.cell.output, saved, sizes, allocator)
    deferred = {entry for product in parts.products for _, left in product.entries for entry in (left, product.right)}
    deferred |= {item.value for item in parts.sums}
    after = live(parts.after, [*deferred, *(gradient for _, gradient in parts.input_gradients)])
    later = {
        form.operand
        for s in stages(parts.loop, "any", dict(sizes), Allocator())
        for a in s.accumulators
        for form in a.forms
        if form.later
    }
    roots = [item.update for item in parts.carried] + [item.total for item in parts.carried]
    outside = (
        later
        | deferred
        | {
            name
            for s in stages(after, "any", dict(sizes), Allocator())
            for name in (*s.reads, *s.operands, *reductions(s))
        }
    )
    loop = live(parts.loop, [*roots, *outside])
    loop_stages = stages(loop, "back", sizes, allocator)
    last_stages = stages(parts.last, "initial", sizes, allocator)
    after_stages = stages(after, "deferred", sizes, allocator)
    inside = [s.target for s in loop]
    rows = [name for name in _stacking(parts) if name in inside or name in {s.target for s in after}]
    rows += [name for name in inside if name in outside and name not in rows]
    crossing_after = _crossing(after_stages)
    rows += [s.target for s in after if s.target in crossing_after and s.target not in rows]
    crossing = _crossing(loop_stages) | _idle_crossing(loop_stages, parts)
    step = [name for name in inside if name in crossing and name not in rows]
    buffers = []
    if rows:
        buffers.append(_buffer("delta", Extent.SEQUENCE, rows, sizes, spans=True))
    if step:
        buffers.append(_buffer("back", Extent.STEP, step, sizes))
    own = {column.value: Place(Kind.BUFFER, b.name) for b in buffers for column in b.columns}
    function = _stored(derivation, forward, parts, (loop_stages, last_stages, after_stages), tuple(buffers), own, sizes)
    verify(function, forward)
    return function


def _stacking(parts: Backward) -> list[str]:
    """The left values of the deferred products, stacked group by group, then what is summed: their column order."""
    order: dict[str, None] = {}
    for product in parts.products:
        order.update((left, None) for _, left in product.entries)
    order.update((product.right, None) for product in parts.products)
    order.update((item.value, None) for item in parts.sums)
    return list(order)


def _stored(
    derivation: Derivation,
    forward: Function,
    parts: Backward,
    phases: tuple[tuple[Stage, ...], tuple[Stage, ...], tuple[Stage, ...]],
    buffers: tuple[Buffer, ...],
    own: dict[str, Place],
    sizes: Mapping[str, str],
) -> Function:
    """The function with its writes: carries, gradients, and the values that cross stages."""
    totals = {item.total for item in parts.carried}
    # A finished row's total is its carry: the one value of such a row that another stage reads.
    writes = {name: [Write(name, place, name if name in totals else "")] for name, place in own.items()}
    for item in parts.carried:
        carry = Write(item.update, Place(Kind.CARRY, item.state), item.total)
        writes.setdefault(item.update, []).append(carry)
        writes[item.initial] = [Write(item.initial, Place(Kind.GRADIENT, item.state))]
    for of, gradient in parts.input_gradients:
        writes.setdefault(gradient, []).append(Write(gradient, Place(Kind.GRADIENT, of)))

    def store(stage: Stage) -> Stage:
        return replace(stage, writes=tuple(w for s in stage.statements for w in writes.get(s.target, ())))

    loop, last, after = (tuple(store(stage) for stage in part) for part in phases)
    recomputed = {s.target for part in (loop, after) for stage in part for s in stage.statements}
    places = {name: place for name, place in forward.places.items() if name not in recomputed} | own
    places |= {item.carry: Place(Kind.CARRY, item.state) for item in parts.carried}
    places[parts.seed] = Place(Kind.SEED, parts.seed)
    states = tuple((item.state, item.carry) for item in parts.carried)
    return Function(
        "backward", derivation.adjoint, states, (), (), loop, last, after,
        parts.products, parts.sums, buffers, places, sizes,
    )  # fmt: skip
