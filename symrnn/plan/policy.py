"""`Policy`: what a target wants planned.

A target hands its policy to `symrnn.plan.planner.plan`. Everything that depends on where a program will run is decided
here, so that the plan itself knows no target. Leaves out: what a target does with a plan.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Policy:
    """What to plan. The default is everything.

    Attributes:
        backward: whether there is a backward routine, and with it a tape.
        tangent: whether there is a tangent routine.
        fused: whether the loop is also planned with the hoisted sums in it (`symrnn.plan.fuse`). Where both ways exist,
            the target chooses between them at run time.
        cheap: functions whose values take less time to compute again than to store and load. The values of all others go
            on the tape where the backward routine reads them.
        notes: (term, meaning) pairs: what the target does with the plan. They close the legend of a plan's text.
    """

    backward: bool = True
    tangent: bool = True
    fused: bool = True
    cheap: frozenset[str] = frozenset()
    notes: tuple[tuple[str, str], ...] = ()
