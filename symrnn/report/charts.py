"""Figures of gradient flow for pages: what happens to a gradient on its way back through a run, drawn by `symrnn.flow`.

Reads cells; returns `Chart` records with an SVG element that takes its colours from the page. Runs are short and narrow,
so that a site is made in seconds; the command `flow` runs longer ones. Leaves out: what the figures show
(`symrnn.flow.figure`, `symrnn.flow.panorama`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from symrnn.errors import MissingPackageError
from symrnn.flow.canvas import to_svg
from symrnn.flow.figure import draw_flow
from symrnn.flow.panorama import draw_sweep
from symrnn.flow.sweep import Setup, own_sizes, sweep
from symrnn.language.axes import shape_axes
from symrnn.language.cell import Cell
from symrnn.language.system import HIDDEN
from symrnn.saying import Progress, silent

SETUP = Setup(steps=60, batch=1, input=8, hidden=24)
SCALES, BIASES = (0.5, 1.0, 1.5), (0.0, 3.0)
"""The recurrent scales and holding biases of the comparison."""

_METADATA = re.compile(r"\s*<metadata>.*?</metadata>", re.DOTALL)
_NAMESPACES = re.compile(r' xmlns(?::\w+)?="[^"]*"| version="[^"]*"')
_SIZE = re.compile(r' width="[0-9.]+pt" height="[0-9.]+pt" viewBox="0 0 (?P<wide>[0-9.]+) ')


@dataclass(frozen=True)
class Chart:
    """A figure, or the reason why it is missing.

    Attributes:
        svg: an element; empty if it could not be drawn.
        least: the least width in pixels at which it can be read.
        caption: HTML.
    """

    svg: str
    least: str
    caption: str


def flow_chart(cell: Cell) -> Chart:
    """The gradient flow of one cell, with the parameters that it starts with."""
    caption = (
        f"A run of {SETUP.steps} steps with {_units(cell)}. The parameters are the cell's initial ones, and the "
        "loss reads only the last output. Left: the length of the gradient with respect to the states, and its bounds. Right: "
        "how much of it each term of the step Jacobian carries."
    )
    says = f"Gradient flow of {cell.name} over {SETUP.steps} steps"
    return _chart(lambda: draw_flow(sweep([cell], setup=SETUP).points[0].flow), "flow", says, caption)


def _units(cell: Cell) -> str:
    """The sizes of a run in words: units, and the sizes of the cell's own."""
    used = {axis for variable in cell.normal.variables for axis in shape_axes(variable.shape)}
    units = [f"{SETUP.hidden} units"] if HIDDEN in used else []
    return ", ".join([*units, *(f"{name} = {number}" for name, number in own_sizes(cell, SETUP).items())])


def comparison_chart(cells: Sequence[Cell], progress: Progress = silent) -> Chart:
    """The gradient flow of several cells beside each other; ``progress`` is called before each run."""
    scales, biases = (", ".join(f"{value:g}" for value in values) for values in (SCALES, BIASES))
    caption = (
        f"The loss reads the last of {SETUP.steps} steps; its gradient goes back through all, with {SETUP.hidden} units. "
        f"Recurrent matrices are orthogonal, times {scales}. Biases that hold a state are {biases}. The lower row shows how "
        "much of the gradient each term of the step Jacobian carries. Terms that cross no matrix are green."
    )
    names = ", ".join(cell.name for cell in cells)

    def draw() -> Any:
        return draw_sweep(sweep(cells, scales=SCALES, biases=BIASES, setup=SETUP, progress=progress))

    return _chart(draw, "flow", f"Gradient flow of {names}", caption)


def _chart(draw: Callable[[], Any], prefix: str, says: str, caption: str) -> Chart:
    """The figure that ``draw`` makes, as an element; without matplotlib, the reason why it is missing."""
    try:
        svg = to_svg(draw(), prefix=prefix)
    except MissingPackageError as error:
        return Chart("", "0", f"Not drawn: {escape(str(error))}.")
    found = _SIZE.search(svg)
    assert found is not None
    svg = _NAMESPACES.sub("", _METADATA.sub("", svg))
    labelled = f'<svg class="chart" role="img" aria-label="{escape(says)}"'
    return Chart(svg.replace("<svg", labelled, 1).rstrip(), f"{float(found['wide']) * 0.85:.0f}", escape(caption))
