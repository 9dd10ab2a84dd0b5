"""A step of one row in C: straight to the stages, with arrays of the caller alone.

Reads the forward routine of a program; says which stages run, and where each state's next value may go: over its value,
if nothing reads the old value later; else to the workspace, from which it is copied. Leaves out: the stages
themselves (`symrnn.targets.c.stages`).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from symrnn.plan.program import Extent, Kind, Routine, Stage, reductions


class Overwrite(StrEnum):
    """When the stages may write a state's next value over its value."""

    ALWAYS = "always"
    TWO_TILES = "where there are at most two tiles of its units"
    NEVER = "never"


def row_stages(routine: Routine) -> tuple[Stage, ...]:
    """The stages of a single step; the linear forms of the input stay in its sums."""
    return tuple(stage for phase in routine.fused_phases if phase.rows is not Extent.ONCE for stage in phase.stages)


def overwrite(state: str, stages: Sequence[Stage]) -> Overwrite:
    """Whether ``stages`` may write the next value of ``state`` over its value.

    A stage reads units of a vector before it writes them, and the forms of a tile, or of the only two, before anything of
    them is written. So it is forbidden if a later stage reads the old value, if the same stage reduces over it,
    or if forms of another tile read it.
    """
    writing = next(i for i, stage in enumerate(stages) if _writes(stage, state))
    stage = stages[writing]
    later = any(state in (*s.reads, *s.operands, *reductions(s)) for s in stages[writing + 1 :])
    if later or state in reductions(stage):
        return Overwrite.NEVER
    return Overwrite.TWO_TILES if state in stage.operands else Overwrite.ALWAYS


def writing(state: str, stages: Sequence[Stage]) -> Stage:
    """The stage that writes the next value of ``state``."""
    return next(stage for stage in stages if _writes(stage, state))


def _writes(stage: Stage, state: str) -> bool:
    return any(write.place.kind is Kind.NEXT and write.place.array == state for write in stage.writes)
