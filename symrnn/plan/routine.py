"""A routine of a plan: its phases in order, its storage, what it defers.

A phase runs its stages over time-major rows. These are all phases (`PHASES`), in the order in which they
run:

    once      what depends on parameters alone: one row, computed when parameters are packed
    before    hoisted: what depends on ``x`` and parameters, for all T·B rows at a time
    loop      the stages of one step, in order, step by step
    last      after the loop, B rows: what the loop's rotation left over (gradients of initial states)
    after     for all T·B rows at a time, of values that the loop stored

Then come the deferred gradients: a matrix product over T·B rows for each stacked group, and sums over T·B rows.

Reads the vocabulary of stages (`symrnn.plan.vocabulary`). Holds no pass and no text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property

from symrnn.language.system import System
from symrnn.plan.vocabulary import Accumulator, Buffer, Extent, Form, Kind, Place, Product, Stage, Statement, Sum


class Direction(StrEnum):
    """Which way a loop goes through the steps of a sequence."""

    FORWARD = "forward in time"
    BACKWARD = "backward in time"


@dataclass(frozen=True)
class Phase:
    """Stages that run over the same rows, one after another.

    Attributes:
        name: one of `PHASES`.
        title: what it is for, in a few words.
        rows: the rows that its stages run over at a time.
        reads: what it may read besides buffers.
        extents: the buffers that have a row for each of its rows; those of one row serve every row.
        writes: where it may store values: buffers of an extent, or arrays of a kind.
        ragged: whether a row may be beyond its length; it then writes `Write.idle`.
        direction: of a phase that runs for each step; None for one that runs once.
        stages: in order.
    """

    name: str
    title: str
    rows: Extent
    reads: tuple[Kind, ...]
    extents: tuple[Extent, ...]
    writes: tuple[Kind | Extent, ...]
    ragged: bool
    direction: Direction | None = None
    stages: tuple[Stage, ...] = ()

    @property
    def all_rows(self) -> Extent:
        """The rows that its stages have run over when the phase ends: of a loop, those of every step."""
        return Extent.SEQUENCE if self.direction else self.rows

    def steps(self, count: int) -> Iterable[int | None]:
        """The steps of ``count`` for which its stages run, in order; None stands for a phase that runs once."""
        match self.direction:
            case Direction.FORWARD:
                return range(count)
            case Direction.BACKWARD:
                return reversed(range(count))
            case None:
                return (None,)


ONCE = Phase(
    name="once",
    title="once per parameter set",
    rows=Extent.ONCE,
    reads=(Kind.PARAMETER,),
    extents=(Extent.ONCE,),
    writes=(Extent.ONCE,),
    ragged=False,
)
BEFORE = Phase(
    name="before",
    title="hoisted, before the loop",
    rows=Extent.SEQUENCE,
    reads=(Kind.PARAMETER, Kind.INPUT),
    extents=(Extent.ONCE, Extent.SEQUENCE),
    writes=(Extent.SEQUENCE,),
    ragged=True,
)
LOOP = Phase(
    name="loop",
    title="loop, for each step",
    rows=Extent.STEP,
    reads=(Kind.PARAMETER, Kind.INPUT, Kind.STATE, Kind.NEXT, Kind.SEED, Kind.CARRY),
    extents=(Extent.ONCE, Extent.STEP, Extent.SEQUENCE),
    writes=(Extent.STEP, Extent.SEQUENCE, Kind.NEXT, Kind.OUTPUT, Kind.CARRY),
    ragged=True,
    direction=Direction.FORWARD,
)
LAST = Phase(
    name="last",
    title="after the loop",
    rows=Extent.STEP,
    reads=(Kind.PARAMETER, Kind.CARRY),
    extents=(Extent.ONCE,),
    writes=(Kind.STATE_GRADIENT,),
    ragged=False,
)
AFTER = Phase(
    name="after",
    title="deferred, after the loop",
    rows=Extent.SEQUENCE,
    reads=(Kind.PARAMETER, Kind.INPUT, Kind.STATE, Kind.NEXT, Kind.SEED),
    extents=(Extent.ONCE, Extent.SEQUENCE),
    writes=(Extent.SEQUENCE, Kind.INPUT_GRADIENT),
    ragged=True,
)
PHASES = (ONCE, BEFORE, LOOP, LAST, AFTER)
"""Every phase, without stages, in the order in which they run."""


@dataclass(frozen=True)
class Absorbed:
    """A hoisted value that a stage of the loop computes in place instead of reading it.

    The linear forms of the hoisted sum move into the accumulators that the loop's sum already has.

    Attributes:
        statement: the value, as what is left of its sum without those forms.
        joined: (accumulator of the loop's stage, forms that it takes on) pairs.
        accumulators: of the forms for which the sum of the loop has no accumulator; the statement reads them.
    """

    statement: Statement
    joined: tuple[tuple[str, tuple[Form, ...]], ...]
    accumulators: tuple[Accumulator, ...]


@dataclass(frozen=True)
class FusedStage:
    """A stage of the loop that computes hoisted values itself: the same statements, but hoisted values are not read.

    Attributes:
        loop: the stage of the loop.
        absorbed: the hoisted values that it reads, in the order in which it reads them.
    """

    loop: Stage
    absorbed: tuple[Absorbed, ...]

    @cached_property
    def whole(self) -> Stage:
        """As a stage of its own, ``fused_<name>``; the stage of the loop itself where it reads nothing hoisted.

        The accumulators are those of the loop's stage, in their order, then those of the absorbed values. An absorbed
        value's forms stand in front. Its statement comes before the statements of the loop's stage.
        """
        if not self.absorbed:
            return self.loop
        taken = {name: forms for each in self.absorbed for name, forms in each.joined}
        joined = tuple(replace(a, forms=(*taken.get(a.name, ()), *a.forms)) for a in self.loop.accumulators)
        own = tuple(accumulator for each in self.absorbed for accumulator in each.accumulators)
        before = tuple(each.statement for each in self.absorbed)
        return replace(
            self.loop,
            name=f"fused_{self.loop.name}",
            accumulators=(*joined, *own),
            statements=(*before, *self.loop.statements),
        )


@dataclass(frozen=True)
class Fused:
    """An alternative to the phases before and in the loop: nothing is taken out of the sums of the loop.

    The results are the same up to the order of additions: a sum of the loop adds its forms up before the rest.

    Attributes:
        before: the stages before the loop without the values that the loop computes itself.
        loop: the stages of the loop, in order.
    """

    before: tuple[Stage, ...]
    loop: tuple[FusedStage, ...]


@dataclass(frozen=True)
class Routine:
    """One kernel: its phases, its storage, and where each value that crosses stages lives.

    Attributes:
        name: ``forward``, ``backward`` or ``tangent``.
        system: the equations it runs, whose variables give every size.
        states: (state without prime, value) pairs: forward, the value is the state's next one (``c'``); backward, it
            is the carry, which starts as the gradient of the final state.
        places: where each value that is not local to a stage is read.
        sizes: the size name of every value, parameters' shapes left out.
        phases: in the order in which they run; exactly one is a loop.
        buffers: its own.
        products: deferred matrix gradients.
        sums: deferred vector gradients.
        fused: an alternative to the phases before and in the loop; None where nothing of a sum is hoisted.
        stems: for each name that the planner invented, its name if no other routine existed.
    """

    name: str
    system: System
    states: tuple[tuple[str, str], ...]
    places: Mapping[str, Place]
    sizes: Mapping[str, str]
    phases: tuple[Phase, ...]
    buffers: tuple[Buffer, ...] = ()
    products: tuple[Product, ...] = ()
    sums: tuple[Sum, ...] = ()
    fused: Fused | None = None
    stems: Mapping[str, str] = field(default_factory=dict)

    @property
    def loop(self) -> Phase:
        """The phase that runs for each step."""
        return next(phase for phase in self.phases if phase.direction)

    @property
    def direction(self) -> Direction:
        """Which way the loop goes: a routine that goes backward reads the tape of one that went forward."""
        assert self.loop.direction
        return self.loop.direction

    def stages_of(self, phase: Phase) -> tuple[Stage, ...]:
        """The stages of ``phase``, one of `PHASES`, in this routine; none where the routine has no such phase."""
        return next((each.stages for each in self.phases if each.name == phase.name), ())

    @property
    def fused_phases(self) -> tuple[Phase, ...]:
        """The phases with those of `fused` in place of the phases before and in the loop; as they are without it."""
        if self.fused is None:
            return self.phases
        instead = {BEFORE.name: self.fused.before, LOOP.name: tuple(each.whole for each in self.fused.loop)}
        return tuple(replace(phase, stages=instead.get(phase.name, phase.stages)) for phase in self.phases)

    @property
    def plain_stages(self) -> tuple[Stage, ...]:
        """Every stage of the phases, in the order in which they run."""
        return tuple(stage for phase in self.phases for stage in phase.stages)

    @property
    def fused_stages(self) -> tuple[Stage, ...]:
        """The stages that run only where the loop is fused."""
        plain = self.plain_stages
        return tuple(stage for phase in self.fused_phases for stage in phase.stages if stage not in plain)

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Every stage: those of the phases, then those of the fused phases alone."""
        return (*self.plain_stages, *self.fused_stages)

    def buffer(self, name: str) -> Buffer:
        """The buffer called ``name``."""
        return next(buffer for buffer in self.buffers if buffer.name == name)
