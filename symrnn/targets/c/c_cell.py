"""A cell as C sees it: the plan with its identifiers, arrays, stages and panels, from which each part of the text is printed.

Reads a `Program` and a `Request`; returns a `CCell`. Leaves out: every text (`symrnn.targets.c.files` puts these together).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from symrnn.emit.request import Request
from symrnn.plan.program import FusedStage, Program, Routine
from symrnn.targets.c.arrays import Arrays
from symrnn.targets.c.names import CNames, c_names
from symrnn.targets.c.precision import PRECISIONS, Precision
from symrnn.targets.c.row import row_stages
from symrnn.targets.c.stage_records import CForms, CPanel, CStage
from symrnn.targets.c.stages import c_stages


@dataclass(frozen=True)
class CCell:
    """The record that each part of a cell's C text is printed from.

    Attributes:
        program: the cell's plan.
        fixed: sizes that are known when C is generated, by name.
        precisions: those of the file, in order.
        names: C identifiers.
        arrays: where values lie.
        forward: the stages of the forward routine, in order.
        backward: those of the backward routine; none for inference alone.
        panels: packed panels of both routines, each content once.
    """

    program: Program
    fixed: Mapping[str, int]
    precisions: tuple[Precision, ...]
    names: CNames
    arrays: Arrays
    forward: tuple[CStage, ...]
    backward: tuple[CStage, ...]
    panels: tuple[CPanel, ...]

    @property
    def name(self) -> str:
        """The cell's name."""
        return self.program.cell.name

    @property
    def dims(self) -> str:
        """The name of the structure of sizes."""
        return f"{self.name}_dims"

    @property
    def row_names(self) -> tuple[str, ...]:
        """The names of the stages that run in a step of one row; a stage of the loop stands for its fused form."""
        fused = {each.whole.name: each.loop.name for each in _fused_loop(self.program.forward)}
        return tuple(fused.get(stage.name, stage.name) for stage in row_stages(self.program.forward))


def c_cell(program: Program, request: Request) -> CCell:
    """The cell of ``program`` for C.

    Args:
        program: the cell's plan.
        request: the options.
    """
    names = c_names(program, request.sizes)
    panels: dict[CPanel, CPanel] = {}
    stages = {
        routine.direction: tuple(
            _shared(stage, panels) for stage in c_stages(program, routine, names, _optional(routine))
        )
        for routine in (program.forward, program.backward)
        if routine is not None
    }
    return CCell(
        program,
        request.sizes,
        tuple(p for p in PRECISIONS if p.dtype in request.dtypes or not request.dtypes),
        names,
        Arrays(program),
        stages[program.forward.direction],
        stages[program.backward.direction] if program.backward else (),
        tuple(panels),
    )


def _shared(stage: CStage, panels: dict[CPanel, CPanel]) -> CStage:
    """``stage``, its panels replaced by those of the same content in ``panels``; the others are added there."""

    def shared(forms: CForms) -> CForms:
        return replace(
            forms, segments=tuple(replace(s, panel=panels.setdefault(s.panel, s.panel)) for s in forms.segments)
        )

    return replace(stage, forms=shared(stage.forms), fused=shared(stage.fused) if stage.fused else None)


def _optional(routine: Routine) -> frozenset[str]:
    """Values that only the tape reads: inference does not store them."""
    taped = {c.value for b in routine.buffers if b.taped and not b.spans for c in b.columns}
    home = {s.target: stage.name for stage in routine.plain_stages for s in stage.statements}
    read = {n for stage in routine.plain_stages for n in (*stage.reads, *stage.operands) if home.get(n) != stage.name}
    return frozenset(taped - read)


def _fused_loop(routine: Routine) -> tuple[FusedStage, ...]:
    return routine.fused.loop if routine.fused else ()
