"""The figure of one cell's gradient flow, and the panels that other figures use.

Reads a `Measured` flow; returns a matplotlib figure. The abscissa is the distance from the end of the run, in steps.
Lengths are in powers of ten, from means of logarithms over the rows of the batch. Colour-blind people can tell
the colours apart, on white and on black, and lines carry their names. Leaves out: files (`symrnn.flow.canvas`), and
several runs side by side (`symrnn.flow.panorama`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from symrnn.derive.evaluate import Array
from symrnn.flow.canvas import INK, drawing
from symrnn.flow.measured import Measured, PathFlow

BLUE, RED, GREEN = "#0072B2", "#D55E00", "#008F68"
_LN10 = math.log(10)
_GREYS = (0.42, 0.30, 0.20, 0.13)
_MOST_PATHS, _LONGEST = 4, 26
_LOWEST, _HIGHEST = -10.0, 6.0
"""The range of a panel in powers of ten. A line that leaves it has its last value beside it."""


def draw_flow(flow: Measured) -> Any:
    """One cell at one point: its gradient, the worst case and the direct path on the left, the paths' shares beside it.

    Raises:
        MissingPackageError: matplotlib is not installed.
    """
    with drawing() as module:
        figure = module.Figure(figsize=(8.4, 3.2), layout="constrained")
        left, right = figure.subplots(1, 2)
        lines = _lines_of_one(flow)
        limits = limits_of([line.values for line in lines])
        draw_lines(left, lines, limits)
        frame_lengths([left], limits, flow.steps)
        left.set_ylabel("length  (1 at the end)")
        draw_shares(right, flow)
        right.set_ylabel("share of each path")
        for axis in (left, right):
            axis.set_xlabel("steps back from the end")
    return figure


@dataclass(frozen=True)
class Trace:
    """One line of a panel.

    Attributes:
        values: powers of ten by distance.
        name: the text beside it; of several lines of one name the middle one gets it.
        colour: of line and name.
        style: of the line.
        distances: of the values; the default is every one from 0.
    """

    values: Array
    name: str
    colour: str
    style: str = "-"
    distances: Array | None = None

    @property
    def at(self) -> Array:
        """The abscissae."""
        return np.arange(len(self.values)) if self.distances is None else self.distances


def by_distance(logs: Array) -> Array:
    """From natural logarithms by time and row to powers of ten by distance; zeros are left out."""
    mean = logs.mean(axis=1)[::-1] / _LN10
    return np.where(np.isfinite(mean), mean, np.nan)


def against_end(logs: Array) -> Array:
    """Logarithms of lengths relative to the end; unchanged where the length at the end is zero."""
    return logs - np.where(np.isfinite(logs[-1]), logs[-1], 0.0)


def _lines_of_one(flow: Measured) -> list[Trace]:
    lines = [Trace(by_distance(against_end(flow.log_gradient)), "∂L/∂state", GREEN)]
    worst = flow.log_sigma_product.mean(axis=1) / _LN10
    lines.append(Trace(worst, "worst case", RED, "--", flow.distances))
    for direct, style in zip(flow.direct, (":", "-.") * len(flow.direct), strict=False):
        name = f"∏ {direct.text}" if len(direct.text) <= 5 else f"direct, {direct.state}"
        lines.append(Trace(by_distance(direct.log), name, BLUE, style))
    return lines


def limits_of(values: Sequence[Array]) -> tuple[float, float]:
    """The range of powers of ten that a panel shows: all values, within limits."""
    found = np.concatenate([each[np.isfinite(each)] for each in values] or [np.zeros(1)])
    low = max(_LOWEST, min(-1.0, math.floor(found.min(initial=0.0))))
    high = min(_HIGHEST, max(1.0, math.ceil(found.max(initial=0.0))))
    return low, high


def draw_lines(axis: Any, lines: Sequence[Trace], limits: tuple[float, float]) -> None:
    """Draw the lines, each with its name where it ends or leaves the panel."""
    for name in dict.fromkeys(line.name for line in lines):
        same = [line for line in lines if line.name == name]
        line = same[len(same) // 2]
        axis.plot(line.at, line.values, color=line.colour, linestyle=line.style, linewidth=1.9)
        _label(axis, line, limits)


def _label(axis: Any, line: Trace, limits: tuple[float, float]) -> None:
    low, high = limits
    known = np.flatnonzero(np.isfinite(line.values))
    if not known.size:
        return
    inside = known[(line.values[known] > low) & (line.values[known] < high)]
    last = inside[-1] if inside.size else known[0]
    leaves = last != known[-1]
    text = f"{line.name}\n→ 10$^{{{round(line.values[known[-1]])}}}$" if leaves else line.name
    below = leaves and line.values[last] < 0
    axis.annotate(
        text,
        (line.at[last], float(np.clip(line.values[last], low, high))),
        xytext=(6, 4 if below else 0),
        textcoords="offset points",
        color=line.colour,
        va="bottom" if below else "center",
        annotation_clip=False,
    )


def frame_lengths(axes: Sequence[Any], limits: tuple[float, float], steps: int) -> None:
    """Set up axes for lengths by distance: one range for all, and a line at 1."""
    low, high = limits
    for axis in axes:
        axis.set_ylim(low, high)
        axis.set_xlim(0, steps)
        axis.axhline(0, color=INK, linewidth=0.7, alpha=0.6)
        axis.grid(color=INK, alpha=0.12, linewidth=0.6)
        step = max(1, math.ceil((high - low) / 8 / 2) * 2)
        ticks = [tick for tick in range(-step * 20, step * 20 + 1, step) if low <= tick <= high]
        axis.set_yticks(ticks, [f"10$^{{{tick}}}$" if tick else "1" for tick in ticks])


def draw_shares(axis: Any, flow: Measured) -> None:
    """Draw shares by distance, stacked: direct paths in green, others in greys, small ones together."""
    direct = [path for path in flow.paths if path.direct]
    others = sorted((path for path in flow.paths if not path.direct), key=lambda path: -_mean(path))
    shown = [*sorted(direct, key=lambda path: -_mean(path)), *others]
    base = np.zeros(flow.steps + 2)
    # A step lies between two distances; the half steps at both ends repeat the first and the last.
    at = np.array([0, *(np.arange(flow.steps) + 0.5), flow.steps])
    for place, path in enumerate(shown):
        share = np.nan_to_num(path.share).mean(axis=1)[::-1]
        share = np.concatenate([share[:1], share, share[-1:]])
        grey = _GREYS[min(max(place - len(direct), 0), len(_GREYS) - 1)]
        colour, alpha = (GREEN, 0.75 if place == 0 else 0.45) if path.direct else (INK, grey)
        axis.fill_between(at, base, base + share, color=colour, alpha=alpha, linewidth=0)
        middle = base[flow.steps // 2] + share[flow.steps // 2] / 2
        if share[flow.steps // 2] > 0.11 and place < _MOST_PATHS:
            axis.text(flow.steps / 2, middle, _named(path), ha="center", va="center", fontsize=8.5)
        base = base + share
    axis.set_ylim(0, 1)
    axis.set_xlim(0, flow.steps)
    axis.set_yticks([0, 0.5, 1], ["0", "½", "1"])


def _mean(path: PathFlow) -> float:
    return float(np.nan_to_num(path.share).mean())


def _named(path: PathFlow) -> str:
    """A short name of a path: its two ends, and its term if that is short."""
    text = path.text.replace("**2", "²").replace(" @ ", " ").replace(" * ", "·")
    return f"{path.output} ← {path.input}: {text}" if len(text) <= _LONGEST else f"{path.output} ← {path.input}"
