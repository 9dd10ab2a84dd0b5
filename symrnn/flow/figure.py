"""Figures of gradient flow: one cell at one point, or several cells at several points side by side.

Reads a `Flow` or a `Sweep`; returns a matplotlib figure. The abscissa is the distance from the end of the run, in steps;
lengths are drawn in powers of ten, and are means of logarithms over the rows of the batch. Colours are those that
colour-blind people tell apart (Okabe and Ito), and lines carry their names. Leaves out: files (`symrnn.flow.drawing`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from symrnn.derive.evaluate import Array
from symrnn.flow.drawing import INK, drawing
from symrnn.flow.record import Flow, PathFlow
from symrnn.flow.sweep import Entry, Sweep

BLUE, GREEN, RED, PURPLE, ORANGE, SKY = "#0072B2", "#009E73", "#D55E00", "#CC79A7", "#E69F00", "#56B4E9"
_LN10 = math.log(10)
_GREYS = (0.42, 0.30, 0.20, 0.13)
_MOST_PATHS = 4
_LOWEST, _HIGHEST = -10.0, 6.0
"""Powers of ten beyond which a line leaves its panel, with its last value beside it."""


def draw_sweep(sweep: Sweep) -> Any:
    """Gradients of every cell at every point, above; which path carries them at one point, below.

    A cell that no bias holds has a line for each recurrent scale. Any other has a band for each bias, from the lowest to
    the highest of its recurrent scales, with a line for each of these.

    Raises:
        MissingPackageError: matplotlib is not installed.
    """
    count = len(sweep.cells)
    with drawing() as module:
        figure = module.Figure(figsize=(3.1 * count + 0.4, 5.2), layout="constrained")
        axes = figure.subplots(2, count, sharex=True, sharey="row", squeeze=False, height_ratios=(2.1, 1))
        lines = [_lines(sweep, name) for name in sweep.cells]
        limits = _limits([line.values for panel in lines for line in panel])
        for place, name in enumerate(sweep.cells):
            upper, lower = axes[0][place], axes[1][place]
            upper.set_title(name, fontweight="bold", fontsize=11)
            _draw_bands(upper, lines[place])
            _draw_lines(upper, lines[place], limits)
            chosen = _typical(sweep.of(name))
            _draw_shares(lower, chosen.flow)
            lower.set_title(f"paths at {_point(chosen)}", fontsize=9, pad=3)
            lower.set_xlabel("steps back from the end")
        axes[0][0].set_ylabel("length of ∂L/∂state, against the end")
        axes[1][0].set_ylabel("share")
        _frame_lengths(axes[0], limits, sweep.shape.steps)
    return figure


def draw_flow(flow: Flow) -> Any:
    """One cell at one point: its gradient, the worst case and the direct path on the left, the paths' shares beside it.

    Raises:
        MissingPackageError: matplotlib is not installed.
    """
    with drawing() as module:
        figure = module.Figure(figsize=(8.4, 3.2), layout="constrained")
        left, right = figure.subplots(1, 2)
        lines = _lines_of_one(flow)
        limits = _limits([line.values for line in lines])
        _draw_lines(left, lines, limits)
        _frame_lengths([left], limits, flow.steps)
        left.set_ylabel("length, against the end")
        _draw_shares(right, flow)
        right.set_ylabel("share of each path")
        for axis in (left, right):
            axis.set_xlabel("steps back from the end")
    return figure


@dataclass(frozen=True)
class _Line:
    """One line of a panel.

    Attributes:
        values: powers of ten by distance.
        name: what stands beside it; lines of one name are one band.
        colour: of line and name.
        style: of the line.
        distances: where the values are; every one from 0 unless given.
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


def _by_distance(logs: Array) -> Array:
    """Natural logarithms by time and row as powers of ten by distance; what is zero is left out of a line."""
    mean = logs.mean(axis=1)[::-1] / _LN10
    return np.where(np.isfinite(mean), mean, np.nan)


def _lines(sweep: Sweep, name: str) -> list[_Line]:
    """The gradient of every entry of a cell, against its length at the end."""
    entries = sweep.of(name)
    held = any(entry.bias is not None for entry in entries)
    biases = list(dict.fromkeys(entry.bias for entry in entries))
    lines = []
    for entry in entries:
        values = _by_distance(entry.flow.log_gradient - entry.flow.log_gradient[-1])
        if held:
            colours = (RED, PURPLE, GREEN) if len(biases) == 3 else (GREEN, PURPLE, RED, BLUE, ORANGE, SKY)
            lines.append(_Line(values, f"bias {entry.bias:g}", colours[biases.index(entry.bias) % len(colours)]))
        else:
            label = "as started" if entry.scale is None else f"scale {entry.scale:g}"
            lines.append(_Line(values, label, _by_scale(entry.scale)))
    return lines


def _by_scale(scale: float | None) -> str:
    """Blue below one, red above it, ink at it."""
    if scale is None or scale == 1:
        return INK
    return BLUE if scale < 1 else RED


def _typical(entries: Sequence[Entry]) -> Entry:
    """The entry with the largest bias and, among these, the scale nearest to one."""
    return min(entries, key=lambda each: (-(each.bias or 0.0), abs(math.log(each.scale)) if each.scale else 0.0))


def _point(entry: Entry) -> str:
    words = [f"scale {entry.scale:g}"] if entry.scale is not None else []
    words += [f"bias {entry.bias:g}"] if entry.bias is not None else []
    return ", ".join(words) or "the start"


def _lines_of_one(flow: Flow) -> list[_Line]:
    end = flow.log_gradient[-1]
    lines = [_Line(_by_distance(flow.log_gradient - end), "∂L/∂state", GREEN)]
    worst = flow.log_sigma_product.mean(axis=1) / _LN10
    lines.append(_Line(worst, "largest of any", RED, "--", flow.distances))
    for direct, style in zip(flow.direct, (":", "-.") * len(flow.direct), strict=False):
        lines.append(_Line(_by_distance(direct.log), f"direct path of {direct.state}", BLUE, style))
    return lines


def _limits(values: Sequence[Array]) -> tuple[float, float]:
    """The range of powers of ten that a panel shows: all of it, unless that is too much."""
    found = np.concatenate([each[np.isfinite(each)] for each in values] or [np.zeros(1)])
    low = max(_LOWEST, min(-1.0, math.floor(found.min(initial=0.0))))
    high = min(_HIGHEST, max(1.0, math.ceil(found.max(initial=0.0))))
    return low, high


def _draw_bands(axis: Any, lines: Sequence[_Line]) -> None:
    for name in dict.fromkeys(line.name for line in lines):
        same = [line for line in lines if line.name == name]
        if len(same) > 1:
            low, high = (edge([line.values for line in same], axis=0) for edge in (np.nanmin, np.nanmax))
            axis.fill_between(same[0].at, low, high, color=same[0].colour, alpha=0.16, linewidth=0)


def _draw_lines(axis: Any, lines: Sequence[_Line], limits: tuple[float, float]) -> None:
    """The lines, and each name once: at the end of its lines, or where they leave the panel."""
    for line in lines:
        width = 1.0 if sum(other.name == line.name for other in lines) > 1 else 1.9
        axis.plot(line.at, line.values, color=line.colour, linestyle=line.style, linewidth=width)
    for name in dict.fromkeys(line.name for line in lines):
        _label(axis, [line for line in lines if line.name == name], limits)


def _label(axis: Any, lines: Sequence[_Line], limits: tuple[float, float]) -> None:
    low, high = limits
    line = lines[len(lines) // 2]
    known = np.flatnonzero(np.isfinite(line.values))
    if not known.size:
        return
    inside = known[(line.values[known] > low) & (line.values[known] < high)]
    last = inside[-1] if inside.size else known[0]
    text, y = line.name, float(np.clip(line.values[last], low, high))
    gone = last != known[-1]
    if gone:
        text += f"\n→ 10$^{{{round(line.values[known[-1]])}}}$"
    axis.annotate(
        text, (line.at[last], y), xytext=(5, 4 if gone else 0), textcoords="offset points", color=line.colour,
        fontsize=9, va="bottom" if gone and y < 0 else "center", annotation_clip=False,
    )


def _frame_lengths(axes: Sequence[Any], limits: tuple[float, float], steps: int) -> None:
    low, high = limits
    for axis in axes:
        axis.set_ylim(low, high)
        axis.set_xlim(0, steps)
        axis.axhline(0, color=INK, linewidth=0.7, alpha=0.6)
        axis.grid(color=INK, alpha=0.12, linewidth=0.6)
        step = max(1, math.ceil((high - low) / 8 / 2) * 2)
        ticks = [tick for tick in range(-step * 20, step * 20 + 1, step) if low <= tick <= high]
        axis.set_yticks(ticks, [f"10$^{{{tick}}}$" if tick else "1" for tick in ticks])


def _draw_shares(axis: Any, flow: Flow) -> None:
    """Shares by distance, stacked: paths that no matrix crosses in green, the others in greys, small ones together."""
    direct = [path for path in flow.paths if path.direct]
    others = sorted((path for path in flow.paths if not path.direct), key=lambda path: -_mean(path))
    shown = [*sorted(direct, key=lambda path: -_mean(path)), *others]
    base = np.zeros(flow.steps)
    distances = np.arange(1, flow.steps + 1)
    for place, path in enumerate(shown):
        share = np.nan_to_num(path.share).mean(axis=1)[::-1]
        grey = _GREYS[min(max(place - len(direct), 0), len(_GREYS) - 1)]
        colour, alpha = (GREEN, 0.75 if place == 0 else 0.45) if path.direct else (INK, grey)
        axis.fill_between(distances, base, base + share, color=colour, alpha=alpha, linewidth=0)
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
    """A path in a few letters: the two ends and, where it is short, the term."""
    return f"{path.output} ← {path.input}: {path.text}" if len(path.text) <= 24 else f"{path.output} ← {path.input}"
