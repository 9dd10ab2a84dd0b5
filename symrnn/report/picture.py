"""`picture`: the computation graph of a cell, for notebooks and files.

Reads a cell; returns a `Picture`, which notebooks show. Leaves out: pages (`symrnn.report.site`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from symrnn.derive.derivation import Derivation, derive
from symrnn.emit.render import render
from symrnn.language.cellfile import CellLike
from symrnn.report.page import backward_figure, forward_figure


@dataclass(frozen=True)
class Picture:
    """A drawing.

    Attributes:
        says: a sentence on what it shows.
        svg: the text of an SVG file.
    """

    says: str
    svg: str = field(repr=False)

    def _repr_svg_(self) -> str:
        return self.svg


def picture(cell: CellLike | Derivation, *, backward: bool = False, down: bool = False) -> Picture:
    """The computation graph of a step, with the path that no matrix crosses marked.

    Args:
        cell: a `Cell`, the name of a bundled one, the path of a cell file, or a `Derivation`.
        backward: the graph of the adjoint instead, in which gradients flow.
        down: from top to bottom instead of from side to side.
    """
    derivation = cell if isinstance(cell, Derivation) else derive(cell)
    figure = backward_figure(derivation) if backward else forward_figure(derivation)
    drawing = figure.down if down else figure.across
    return Picture(drawing.says, render("report/picture.svg.jinja", {"picture": drawing, "backward": backward}))
