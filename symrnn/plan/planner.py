"""The planner: from a derivation to a `Program`, pass by pass, each result verified.

expand    reductions and vector functions that are made of others, in these (`symrnn.plan.expand`)
split     what leaves the loop (`symrnn.plan.forward`)
tape      what the backward routine will read, stored or computed again (`symrnn.plan.tape`)
rotate    the adjoint as a loop, products and sums deferred (`symrnn.plan.backward`)
stages    statements grouped into fused stages (`symrnn.plan.lower`)
fuse      the loop once more, with what was hoisted in its sums (`symrnn.plan.fuse`)
prepare   what is computed from parameters once, checked like the rest (`symrnn.plan.prepare`)
storage   a place for every value that crosses stages (`symrnn.plan.storage`)
verify    that each value is written before it is read, in one place, at one size (`symrnn.plan.verify`)
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from symrnn.derive.derivation import Derivation
from symrnn.language.identifiers import Allocator
from symrnn.language.system import System
from symrnn.language.tree import PRIME, is_next
from symrnn.plan.backward import backward, read_once
from symrnn.plan.expand import written_out
from symrnn.plan.forward import classify, split
from symrnn.plan.fuse import fuse
from symrnn.plan.lower import reduced_apart, stages
from symrnn.plan.policy import Policy
from symrnn.plan.prepare import verify_prepared
from symrnn.plan.program import Program
from symrnn.plan.routine import AFTER, BEFORE, LAST, LOOP, ONCE, Direction, Fused, FusedStage, Phase, Routine
from symrnn.plan.storage import (
    backward_buffers,
    backward_places,
    backward_writes,
    buffer_places,
    crossing,
    forward_buffers,
    forward_writes,
    given_places,
    stored,
    vector_sizes,
)
from symrnn.plan.tape import Saved, tape
from symrnn.plan.verify import verify, verify_rotation, verify_split
from symrnn.plan.vocabulary import Stage, Write


def plan(derivation: Derivation, policy: Policy) -> Program:
    """The program of a cell.

    Args:
        derivation: the cell with its adjoint and tangent.
        policy: what to plan; without a backward routine, nothing is taped.

    Raises:
        PlanError: a pass left the plan inconsistent (a fault of symrnn, never of the cell).
    """
    cell, system = derivation.cell, derivation.cell.normal
    taken = [variable.name for part in (system, derivation.adjoint, derivation.tangent) for variable in part.variables]
    allocator = Allocator(name.removesuffix(PRIME) for name in taken)
    known = classify(system)
    adjoint = read_once(derivation.adjoint, system, known)
    saved = tape(system, adjoint, known, policy.cheap) if policy.backward else Saved((), ())
    taped = tuple(name for name, _ in saved.stored)
    forward = _forward("forward", written_out(system, allocator), cell.output_values, allocator, policy, taped)
    reverse = _backward(derivation, adjoint, forward, saved, allocator) if policy.backward else None
    tangent = None
    if policy.tangent:
        pairs = {v.of: v.name for v in derivation.tangent.variables if v.of}
        outputs = tuple(pairs[name] for name in cell.output_values)
        moved = written_out(derivation.tangent, allocator)
        tangent = _forward("tangent", moved, outputs, allocator, replace(policy, backward=False))
    verify_prepared(derivation.preparation, cell.step_parameters)
    return Program(cell, forward, reverse, tangent, saved.stored, saved.recomputed, policy, derivation.preparation)


def _forward(
    name: str,
    system: System,
    outputs: Sequence[str],
    allocator: Allocator,
    policy: Policy,
    taped: Collection[str] = (),
) -> Routine:
    """The routine that runs ``system`` over time; ``outputs`` are the values that are returned for each step."""
    sizes = vector_sizes(system)
    parts = split(system, sizes, allocator)
    verify_split(parts, system.inputs)
    states = tuple((next_.removesuffix(PRIME), next_) for next_ in system.outputs if is_next(next_))
    parts = replace(parts, loop=reduced_apart(parts.loop, [next_ for _, next_ in states], sizes, allocator))
    prefix = "" if name == "forward" else f"{name}_"
    once = stages(parts.once, f"{prefix}once", sizes, allocator)
    before = stages(parts.before, f"{prefix}hoist", sizes, allocator)
    loop = stages(parts.loop, f"{prefix}step", sizes, allocator)
    fused = fuse(before, loop, parts.hoisted) if policy.fused else None
    if fused is not None:  # both forms number their sums alike
        loop = tuple(each.loop for each in fused.loop)
    crosses = crossing((*once, *before, *loop))
    if fused is not None:
        crosses |= crossing((*once, *fused.before, *(each.whole for each in fused.loop)))
    buffers = forward_buffers(parts, crosses, taped, sizes, once_read=policy.backward)
    places = given_places(system) | buffer_places(buffers)
    writes = forward_writes(system, places, outputs)
    routine = Routine(
        name=name,
        system=system,
        states=states,
        phases=_phases({ONCE: once, BEFORE: before, LOOP: loop}, writes),
        buffers=buffers,
        places=places,
        sizes=sizes,
        fused=fused and _stored(fused, writes),
        stems=dict(allocator.stems),
    )
    verify(routine)
    return routine


def _phases(parts: Mapping[Phase, tuple[Stage, ...]], writes: Mapping[str, Sequence[Write]]) -> tuple[Phase, ...]:
    """The phases with their stages, whose values are stored."""
    return tuple(replace(phase, stages=stored(part, writes)) for phase, part in parts.items())


def _stored(fused: Fused, writes: Mapping[str, Sequence[Write]]) -> Fused:
    loop = stored([each.loop for each in fused.loop], writes)
    both = zip(loop, fused.loop, strict=True)
    return Fused(stored(fused.before, writes), tuple(FusedStage(stage, each.absorbed) for stage, each in both))


def _backward(derivation: Derivation, adjoint: System, forward: Routine, saved: Saved, allocator: Allocator) -> Routine:
    """The backward routine: statements from the rotation, then stages, then places."""
    sizes = {**forward.sizes, **vector_sizes(adjoint)}
    parts = backward(derivation.cell.normal, adjoint, derivation.cell.returned, saved, sizes, allocator)
    verify_rotation(parts, forward)
    keeps = {item.update: item.total for item in parts.states}
    parts = replace(parts, loop=reduced_apart(parts.loop, {*keeps, *keeps.values()}, sizes, allocator))
    loop = stages(parts.loop, "back", sizes, allocator, keeps)
    last = stages(parts.last, "initial", sizes, allocator)
    after = stages(parts.after, "deferred", sizes, allocator)
    buffers = backward_buffers(parts, loop, after, sizes)
    writes = backward_writes(parts, buffers)
    routine = Routine(
        name="backward",
        system=adjoint,
        states=tuple((item.state, item.carry) for item in parts.states),
        phases=_phases({replace(LOOP, direction=Direction.BACKWARD): loop, LAST: last, AFTER: after}, writes),
        products=parts.products,
        sums=parts.sums,
        buffers=buffers,
        places=backward_places(parts, forward.places, buffers),
        sizes=sizes,
        stems=dict(allocator.stems),
    )
    verify(routine, forward)
    return routine
