"""The routines of a program as nodes: lowered, their columns arranged, stacked, stored.

Reads a `Program`; returns a `Compiled` for each of its routines: nodes by phase, and where every value lies. Columns
of the buffers that one routine writes and another reads are arranged for both. Leaves out: Python text
(`symrnn.targets.numpy.body`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from symrnn.emit.python_names import identifier, joint
from symrnn.language.identifiers import Allocator
from symrnn.language.tree import is_next
from symrnn.plan.program import AFTER, BEFORE, LAST, LOOP, Buffer, Extent, Kind, Phase, Place, Program, Routine, Stage
from symrnn.targets.numpy.ir import (
    NEW_CARRY,
    PRODUCT,
    SUMS,
    VECTORS,
    Array,
    Node,
    Position,
    Stacked,
    StageNodes,
    buffer,
)
from symrnn.targets.numpy.lowerer import Lowered, Lowerer
from symrnn.targets.numpy.products import products
from symrnn.targets.numpy.stack import Stacker, Storage, arrange, blocks
from symrnn.targets.numpy.storer import Scratch, Storer

PHASES = (BEFORE, LOOP, LAST, AFTER)
"""The phases that run per sequence, in order."""


@dataclass(frozen=True)
class CompiledPhase:
    """One phase of a routine.

    Attributes:
        stages: their nodes in order.
        positions: array and column of every value.
        scratch: arrays of temporaries.
        alias: second names of values.
    """

    stages: tuple[StageNodes, ...]
    positions: Mapping[str, Position]
    scratch: Mapping[Array, Scratch]
    alias: Mapping[str, str]


@dataclass(frozen=True)
class Compiled:
    """A routine as nodes.

    Attributes:
        routine: of the plan.
        buffers: those of all steps by name, its own and those that it reads; each array is a block of columns.
        own: the names of its own.
        phases: by name.
        columns: of every array that is no scratch: the values side by side.
        vectors: values of one row: parameters, and what is computed from them alone.
        sizes: of every value.
        stems: for each invented name, its name if it had no rival.
    """

    routine: Routine
    buffers: Mapping[str, Buffer]
    own: tuple[str, ...]
    phases: Mapping[str, CompiledPhase]
    columns: Mapping[Array, tuple[str, ...]]
    vectors: frozenset[str]
    sizes: Mapping[str, str]
    stems: Mapping[str, str]

    @property
    def own_buffers(self) -> tuple[Buffer, ...]:
        """The buffers that it fills."""
        return tuple(self.buffers[name] for name in self.own)

    def calls(self, function: str) -> bool:
        """Whether one of its nodes computes ``function``."""
        nodes = (node for phase in self.phases.values() for stage in phase.stages for node in stage.nodes)
        return any(isinstance(node, Stacked) and node.function == function for node in nodes)


def compiled(program: Program) -> tuple[Compiled, Compiled | None, Compiled]:
    """The forward, backward and tangent routines of ``program``."""
    assert program.tangent is not None  # the policy asks for one
    forward = _RoutineCompiler(program.forward, {})
    tangent = _RoutineCompiler(program.tangent, {})
    outer = {each.name: each for each in program.forward.buffers}
    backward = _RoutineCompiler(program.backward, outer) if program.backward else None
    sets = [*(backward.sets() if backward else ()), *forward.sets()]
    allocator = Allocator()
    shared = _divided(program.forward.buffers, sets, allocator)
    own = _divided(program.backward.buffers, sets, allocator) if program.backward else ()
    alone = _divided(program.tangent.buffers, tangent.sets(), Allocator())
    taped = tuple(each for each in shared if each.taped)
    return forward.run((), shared), backward.run(taped, own) if backward else None, tangent.run((), alone)


def _divided(buffers: Sequence[Buffer], sets: Sequence[frozenset[str]], allocator: Allocator) -> tuple[Buffer, ...]:
    """Buffers of all steps divided into arrays, so that no call spans two and most calls use all of one."""
    found = []
    for whole in buffers:
        column = {each.value: each for each in whole.columns}
        for block in blocks(list(column), sets) if whole.extent is Extent.SEQUENCE else ():
            name = allocator.fresh(joint([identifier(value) for value in block]))
            found.append(replace(whole, name=name, columns=tuple(column[value] for value in block)))
    return tuple(found)


def _feeds(lowered: Lowered) -> list[frozenset[str]]:
    """The accumulators that each operand feeds."""
    fed: dict[tuple[str, bool], list[str]] = {}
    for accumulator in lowered.accumulators:
        for form in accumulator.forms:
            fed.setdefault((form.operand, form.later), []).append(accumulator.name)
    return [frozenset(names) for names in fed.values()]


def _as_fed(accumulators: list[str], lowered: Lowered, stored: Mapping[str, Position]) -> list[str]:
    """Accumulators in the order of the columns of what is computed from them, where all of that is stored."""
    fed = {a: [o.target for o in lowered.operations if a in o.arguments] for a in accumulators}
    if not all(targets and targets[0] in stored for targets in fed.values()):
        return accumulators
    return sorted(accumulators, key=lambda name: stored[fed[name][0]])


class _RoutineCompiler:
    """Compiles one routine; ``outer`` are the buffers of another that it reads."""

    def __init__(self, routine: Routine, outer: Mapping[str, Buffer]) -> None:
        self._allocator = Allocator((*routine.sizes, *(v.name for v in routine.system.variables)))
        self._routine, self._sizes = routine, dict(routine.sizes)
        self._buffers = {**outer, **{each.name: each for each in routine.buffers}}
        self._writes = self._written()
        self._vectors = frozenset(name for name, place in routine.places.items() if self._is_vector(place))
        self._lowered: dict[str, list[Lowered]] = {}
        self._stackers: dict[str, list[Stacker]] = {}
        self._lowerers: dict[str, Lowerer] = {}
        for phase in PHASES:
            lowerer = Lowerer(self._sizes, self._writes, self._vectors, self._allocator, routine.stems)
            self._lowerers[phase.name] = lowerer
            self._lowered[phase.name] = [lowerer.stage(stage) for stage in routine.stages_of(phase)]
        self._places = self._placed()
        for name, lowered in self._lowered.items():
            makers = {a.name: PRODUCT for each in lowered for a in each.accumulators}
            self._stackers[name] = [
                Stacker(each.operations, self._storage(each), self._sizes, makers) for each in lowered
            ]

    def sets(self) -> list[frozenset[str]]:
        """The values that should be neighbours, the most important first."""
        found = [frozenset(left for _, left in product.entries) for product in self._routine.products]
        for stages in self._lowered.values():
            forms = [a.forms for each in stages for a in each.accumulators]
            found += [frozenset(form.operand for form in group) for group in forms]
        for name, stackers in self._stackers.items():
            for lowered, stacker in zip(self._lowered[name], stackers, strict=True):
                found += stacker.sets(_feeds(lowered))
        return found

    def run(self, outer: Sequence[Buffer], own: Sequence[Buffer]) -> Compiled:
        """The routine on the buffers ``outer`` that another has filled, and ``own``."""
        columns = self._columns([*outer, *own])
        stored = {value: (array, i) for array, values in columns.items() for i, value in enumerate(values)}
        phases = {phase.name: self._phase(phase, stored) for phase in PHASES}
        buffers = {each.name: each for each in (*outer, *own)}
        names = tuple(each.name for each in own)
        stems = {**self._routine.stems, **self._allocator.stems}
        return Compiled(self._routine, buffers, names, phases, columns, self._vectors, self._sizes, stems)

    def _written(self) -> dict[str, tuple[Place, ...]]:
        """The places that each value is written to, those apart that are scratch or filled after the loop."""
        found: dict[str, tuple[Place, ...]] = {}
        loop = [write.place for stage in self._routine.loop.stages for write in stage.writes]
        alone = sum(place.kind is Kind.OUTPUT for place in loop) == 1
        for phase in PHASES:
            for write in (write for stage in self._routine.stages_of(phase) for write in stage.writes):
                step = write.place.kind is Kind.BUFFER and self._extent(write.place) is Extent.STEP
                filled = alone and write.place.kind is Kind.OUTPUT and is_next(write.value)
                if not step and not filled:
                    found[write.value] = (*found.get(write.value, ()), write.place)
        return found

    def _extent(self, place: Place) -> Extent:
        return self._buffers[place.array].extent

    def _is_vector(self, place: Place) -> bool:
        once = place.kind is Kind.BUFFER and self._extent(place) is Extent.ONCE
        return once or place.kind is Kind.PARAMETER

    def _placed(self) -> dict[str, Place]:
        """The place of every stored value except vectors: where it is read, or where it is written first."""
        places = {name: places[0] for name, places in self._writes.items()}
        for lowerer in self._lowerers.values():
            places |= lowerer.second
        for name, place in self._routine.places.items():
            step = place.kind is Kind.BUFFER and self._extent(place) is Extent.STEP
            if not step and not self._is_vector(place):
                places[name] = place
        return places

    def _array(self, value: str) -> Array:
        """The array of a stored value; a carry is written to another array than it is read from."""
        place = self._places[value]
        written = place.kind is Kind.CARRY and value not in self._routine.places
        return Array(NEW_CARRY if written else place.kind, place.array)

    def _storage(self, lowered: Lowered) -> dict[str, Storage]:
        found = {value: Storage(self._array(value), self._is_buffer(value)) for value in self._places}
        found |= {value: Storage(Array(VECTORS, ""), True) for value in self._vectors}
        sums = Storage(Array(SUMS, lowered.stage.name), True)
        found |= {a.name: sums for a in lowered.accumulators if a.name not in found}
        return found

    def _is_buffer(self, value: str) -> bool:
        return self._places[value].kind is Kind.BUFFER

    def _columns(self, buffers: Sequence[Buffer]) -> dict[Array, tuple[str, ...]]:
        found = {buffer(each.name): tuple(column.value for column in each.columns) for each in buffers}
        return found | {self._array(v): (v,) for v in self._places if not self._is_buffer(v)}

    def _phase(self, phase: Phase, stored: Mapping[str, Position]) -> CompiledPhase:
        order: dict[str, Position] = dict(stored)
        labels = self._lowerers[phase.name].labels
        nodes: list[list[Node]] = []
        for lowered, stacker in zip(self._lowered[phase.name], self._stackers[phase.name], strict=True):
            part: list[Node] = []
            accumulators = {a.name: a for a in lowered.accumulators}
            sets = [*_feeds(lowered), *stacker.sets(_feeds(lowered))]
            first = _as_fed(list(accumulators), lowered, stored)
            loose = [name for name in arrange(first, sets) if name not in stored]
            fixed = [name for name in accumulators if name in stored]
            for group in self._together(fixed, loose, stored):
                if group:
                    forms = [accumulators[name] for name in group]
                    of = [labels[name] for name in group]
                    part.append(products(forms, lowered.stage.size, of, order.get))
                    order.update((n, (Array(SUMS, lowered.stage.name), i)) for i, n in enumerate(group) if n in loose)
            part += stacker.stacked(order, self._vectors)
            nodes.append(part)
        kept = self._kept(phase)
        named = {s.target for lowered in self._lowered[phase.name] for s in lowered.stage.statements}
        storer = Storer([node for part in nodes for node in part], stored, order, self._sizes, kept, named)
        stages = tuple(
            StageNodes(lowered.stage.name, tuple(part), *self._flow(lowered.stage))
            for lowered, part in zip(self._lowered[phase.name], nodes, strict=True)
        )
        return CompiledPhase(stages, {**stored, **storer.spots}, storer.scratch, self._lowerers[phase.name].alias)

    @staticmethod
    def _together(fixed: list[str], loose: list[str], stored: Mapping[str, Position]) -> list[list[str]]:
        """Accumulators in runs that lie side by side: those that are stored as they are, the others in one."""
        runs: list[list[str]] = []
        for name in sorted(fixed, key=stored.__getitem__):
            array, column = stored[name]
            if runs and stored[runs[-1][-1]] == (array, column - 1):
                runs[-1].append(name)
            else:
                runs.append([name])
        return [*runs, loose]

    def _kept(self, phase: Phase) -> set[str]:
        """The values that a finished row keeps; they are read at the end of a step."""
        resolve = self._lowerers[phase.name].resolve
        stages = self._routine.stages_of(phase)
        return {resolve(write.idle) for stage in stages for write in stage.writes if write.idle}

    def _flow(self, stage: Stage) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The values that a stage of the plan reads and gives."""
        reads = tuple(dict.fromkeys((*stage.operands, *stage.reads)))
        return reads, tuple(dict.fromkeys(write.value for write in stage.writes))
