"""`Program`: everything that a target needs to write a cell's kernels.

Holds the record and offers the vocabulary that it is written in, so that later stages read one module. Leaves out: how a
program comes about (`symrnn.plan.planner`).
"""

from __future__ import annotations

from dataclasses import dataclass

from symrnn.derive.preparation import NO_PREPARATION, Preparation
from symrnn.language.cell import Cell
from symrnn.plan.describe import plan_text
from symrnn.plan.policy import Policy
from symrnn.plan.prepare import prepared_text
from symrnn.plan.routine import AFTER, BEFORE, LAST, LOOP, ONCE, Absorbed, Direction, Fused, FusedStage, Phase, Routine
from symrnn.plan.vocabulary import (
    Accumulator,
    Buffer,
    Column,
    Extent,
    Form,
    Kind,
    Place,
    Product,
    Stage,
    Statement,
    Sum,
    Write,
    reduced,
    reductions,
)

__all__ = [
    "AFTER",
    "BEFORE",
    "LAST",
    "LOOP",
    "ONCE",
    "Absorbed",
    "Accumulator",
    "Buffer",
    "Column",
    "Direction",
    "Extent",
    "Form",
    "Fused",
    "FusedStage",
    "Kind",
    "Phase",
    "Place",
    "Policy",
    "Product",
    "Program",
    "Routine",
    "Stage",
    "Statement",
    "Sum",
    "Write",
    "reduced",
    "reductions",
]


@dataclass(frozen=True)
class Program:
    """A cell's kernels, planned.

    Attributes:
        cell: metadata, parameters and initial values.
        forward: for inference too, which keeps no tape.
        backward: of one sequence, from the tape; None where the policy wants none.
        tangent: the forward mode: inputs, states and parameters come in pairs (value, tangent); None where the policy
            wants none.
        saved: values of the forward step that the tape stores, with the reason for each.
        recomputed: values that the backward step computes again, with the reason for each.
        policy: what was wanted.
        preparation: what is computed from parameters once, when they are packed, and its derivatives: the adjoint runs once,
            after the deferred products of the backward routine.
    """

    cell: Cell
    forward: Routine
    backward: Routine | None
    tangent: Routine | None
    saved: tuple[tuple[str, str], ...]
    recomputed: tuple[tuple[str, str], ...]
    policy: Policy
    preparation: Preparation = NO_PREPARATION

    def __repr__(self) -> str:
        """One line, which no code reads: the cell, the routines, how many values the tape stores. `str` has the whole plan."""
        routines = tuple(routine.name for routine in self.routines)
        return f"<Program {self.cell.brief} routines={routines} saved={len(self.saved)}>"

    @property
    def routines(self) -> tuple[Routine, ...]:
        """The routines that exist."""
        return tuple(f for f in (self.forward, self.backward, self.tangent) if f is not None)

    def __str__(self) -> str:
        """The plan as ``show --part plan`` prints it, without the tangent, which runs like a forward routine."""
        plan = plan_text(self.cell, self.forward, self.backward, self.saved, self.recomputed, self.policy.notes)
        return plan + (f"\n{prepared_text(self.preparation, self.backward is not None)}" if self.preparation else "")
