"""The records of stages in C: a stage, the operands that its sums come from, and the panels that these are multiplied with.

Filled by `symrnn.targets.c.stages`, read by all that prints a part of a cell. A segment is a run of operands that lie side by
side in memory and feed the same accumulators: one pass of the register tile. Leaves out: where panels begin
(`symrnn.targets.c.packed`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from symrnn.emit.address import Address
from symrnn.plan.size import Count


@dataclass(frozen=True)
class TileWidth:
    """How many vectors of units a tile has, at most.

    Attributes:
        vectors: so many; twice as many where the runtime's strips are narrow and ``odd`` is set.
        odd: whether a strip would be left half empty.
    """

    vectors: int
    odd: bool

    @property
    def most(self) -> int:
        """On any processor."""
        return 2 * self.vectors if self.odd else self.vectors

    @property
    def text(self) -> str:
        """C expression."""
        return f"EVEN({self.vectors})" if self.odd else str(self.vectors)


@dataclass(frozen=True)
class CForm:
    """How one matrix enters a panel.

    Attributes:
        parameter: field of the structure of parameters.
        columns: C expression: from one row of the matrix to the next.
        transposed: whether its columns are the units.
        start: C expression: where the operand begins within the segment's depth.
        depth: C expression: elements of the operand.
        accumulator: the one that it feeds, counted within the segment.
        add: whether it is added to another matrix there.
    """

    parameter: str
    columns: str
    transposed: bool
    start: str
    depth: str
    accumulator: int
    add: bool


@dataclass(frozen=True)
class CPanel:
    """A packed panel, and the forms that are laid out or added there.

    Attributes:
        name: of the C enumeration; not compared, so that panels of the same content are equal.
        size: of the units.
        width: of a tile.
        depth: numbers in its operands.
        count: accumulators.
        forms: the packed forms.
    """

    name: str = field(compare=False)
    size: str
    width: TileWidth
    depth: Count
    count: int
    forms: tuple[CForm, ...]


@dataclass(frozen=True)
class CSegment:
    """Operands side by side, and the accumulators that they feed.

    Attributes:
        source: where they begin.
        panel: what they are multiplied with.
        first: first accumulator of the stage that it feeds.
        later: whether it is of the step before in this loop.
        text: the operands, for the comment.
    """

    source: Address
    panel: CPanel
    first: int
    later: bool
    text: str


@dataclass(frozen=True)
class CForms:
    """One way to compute a stage's sums.

    Attributes:
        sums: accumulators.
        width: of a tile.
        segments: in order.
    """

    sums: int
    width: TileWidth
    segments: tuple[CSegment, ...]


@dataclass(frozen=True)
class CStage:
    """A stage.

    Attributes:
        name: of its C function, without precision.
        size: of its units.
        lines: of C that run its statements.
        forms: the sources of its sums.
        fused: the same if it computes hoisted values itself; None if it never does.
        masked: whether rows beyond their length are treated separately.
        side: vectors of units that its statements run on side by side, at most: see `_side`.
        outer: of a stage along axes, the C expression of how many lines it has; `side` is then how many run at a time.
        apart: whether no reduction of a stage along axes joins lines, so that they may run in any order.
        work: C expression: of its statements on a unit, in multiply-adds.
    """

    name: str
    size: str
    lines: tuple[str, ...]
    forms: CForms
    fused: CForms | None
    masked: bool
    side: int
    outer: str
    apart: bool
    work: str
