"""The figure of several cells at several points side by side.

Reads a `Sweep`; returns a matplotlib figure: gradients above, the paths that carry them below. Leaves out: how a panel
looks (`symrnn.flow.figure`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from symrnn.flow.canvas import INK, drawing
from symrnn.flow.figure import (
    BLUE,
    GREEN,
    RED,
    Trace,
    against_end,
    by_distance,
    draw_lines,
    draw_shares,
    frame_lengths,
    limits_of,
)
from symrnn.flow.sweep import Sweep, SweepPoint

_LEVELS = ("#A6761D", "#AA4499", GREEN, "#56B4E9", "#7570B3")
"""Colours of biases, in their order; three can be told apart best."""


def draw_sweep(sweep: Sweep) -> Any:
    """Gradients of every cell at every point, above; which path carries them at one point, below.

    A cell without holding biases has a line for each recurrent scale. Any other has for each bias a band over all recurrent
    scales, with a line for the middle one.

    Raises:
        MissingPackageError: matplotlib is not installed.
    """
    count = len(sweep.cells)
    with drawing() as module:
        figure = module.Figure(figsize=(3.1 * count + 0.4, 5.2), layout="constrained")
        figure.get_layout_engine().set(w_pad=0.08, h_pad=0.08)
        axes = figure.subplots(2, count, sharex=True, sharey="row", squeeze=False, height_ratios=(2.1, 1))
        lines = [_lines(sweep, name) for name in sweep.cells]
        limits = limits_of([line.values for panel in lines for line in panel])
        for place, name in enumerate(sweep.cells):
            upper, lower = axes[0][place], axes[1][place]
            upper.set_title(name, fontweight="bold", fontsize=11)
            if _draw_bands(upper, lines[place]):
                note = f"band: scale {_range(sweep, name)}"
                upper.text(0.03, 0.97, note, transform=upper.transAxes, va="top", fontsize=8.5)
            draw_lines(upper, lines[place], limits)
            chosen = _typical(sweep.of(name))
            draw_shares(lower, chosen.flow)
            lower.set_title(f"what carries it, at {_point(chosen)}", fontsize=9, pad=4)
            lower.set_xlabel("steps back from the end")
        axes[0][0].set_ylabel("length of ∂L/∂state  (1 at the end)")
        axes[1][0].set_ylabel("share of path")
        frame_lengths(axes[0], limits, sweep.shape.steps)
    return figure


def _lines(sweep: Sweep, name: str) -> list[Trace]:
    """The gradient of every entry of a cell, against its length at the end."""
    entries = sweep.of(name)
    held = any(entry.bias is not None for entry in entries)
    biases = list(dict.fromkeys(entry.bias for entry in entries))
    lines = []
    for entry in entries:
        values = by_distance(against_end(entry.flow.log_gradient))
        if held:
            colours = _LEVELS[max(0, 3 - len(biases)) :]  # the last of up to three is green, as direct paths are
            lines.append(Trace(values, f"bias {entry.bias:g}", colours[biases.index(entry.bias) % len(colours)]))
        else:
            label = "as started" if entry.scale is None else f"scale {entry.scale:g}"
            lines.append(Trace(values, label, _by_scale(entry.scale)))
    return lines


def _by_scale(scale: float | None) -> str:
    """Blue below one, red above it, ink at it."""
    if scale is None or scale == 1:
        return INK
    return BLUE if scale < 1 else RED


def _typical(entries: Sequence[SweepPoint]) -> SweepPoint:
    """The entry with the largest bias and, among these, the scale nearest to one."""
    return min(entries, key=lambda each: (-(each.bias or 0.0), abs(math.log(each.scale)) if each.scale else 0.0))


def _point(entry: SweepPoint) -> str:
    words = [f"scale {entry.scale:g}"] if entry.scale is not None else []
    words += [f"bias {entry.bias:g}"] if entry.bias is not None else []
    return ", ".join(words) or "the start"


def _range(sweep: Sweep, name: str) -> str:
    scales = [entry.scale for entry in sweep.of(name) if entry.scale is not None]
    return f"{min(scales):g} to {max(scales):g}"


def _draw_bands(axis: Any, lines: Sequence[Trace]) -> bool:
    """A band over all lines of a name, for each name that several lines share; returns whether there is one."""
    found = False
    for name in dict.fromkeys(line.name for line in lines):
        same = [line for line in lines if line.name == name]
        if len(same) > 1:
            low, high = (edge.reduce([line.values for line in same]) for edge in (np.fmin, np.fmax))
            axis.fill_between(same[0].at, low, high, color=same[0].colour, alpha=0.2, linewidth=0)
            found = True
    return found
