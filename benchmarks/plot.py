"""A figure of a run: the ratio at every point, and our rates under the machine's roofs.

Reads a `Record`; writes a file. matplotlib is loaded only for a figure, so measuring does not need it.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.record import Measurement, Record

FORMATS = (".pdf", ".png", ".svg")

_MARKERS = "osD^vP*XhH<>"
_COLOURS = tuple(f"C{index}" for index in range(10))
_GIGA = 1e9


def draw(record: Record, path: Path) -> None:
    """Write the figure: a column for each number of threads and mode; ratios above, roofs below."""
    whole = [m for m in record.measurements if not m.point.ragged]
    columns = list(dict.fromkeys((m.threads, m.mode) for m in whole))
    cells = list(dict.fromkeys(m.cell for m in whole))
    figure = importlib.import_module("matplotlib.figure").Figure(
        figsize=(4.2 * max(len(columns), 2), 8.5), dpi=150, layout="constrained"
    )
    axes = figure.subplots(2, max(len(columns), 1), squeeze=False, sharey="row")
    for index, (threads, mode) in enumerate(columns):
        chosen = [m for m in whole if m.threads == threads and m.mode is mode]
        title = f"{mode}, {threads} thread{'s' if threads > 1 else ''}"
        _ratios(axes[0][index], chosen, cells, title, first=index == 0)
        _roofs(axes[1][index], chosen, cells, first=index == 0)
    handles, labels = axes[1][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    # The date that an SVG would contain makes equal figures differ.
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def _style(cells: Sequence[str], cell: str) -> dict[str, Any]:
    index = cells.index(cell)
    return {"color": _COLOURS[index % len(_COLOURS)], "marker": _MARKERS[index % len(_MARKERS)], "linestyle": "none"}


def _ratios(axes: Any, chosen: Sequence[Measurement], cells: Sequence[str], title: str, *, first: bool) -> None:
    points = list(dict.fromkeys(m.point.text for m in chosen))
    for cell in cells:
        pairs = [(points.index(m.point.text), m.ratio) for m in chosen if m.cell == cell and m.ratio is not None]
        axes.plot([x for x, _ in pairs], [ratio for _, ratio in pairs], **_style(cells, cell))
    axes.axhline(1, color="0.3", linewidth=1)
    axes.set_yscale("log", base=2)
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_xticks(range(len(points)), points, rotation=45, ha="right")
    axes.set_title(title)
    axes.grid(alpha=0.25, which="both")
    if first:
        axes.set_ylabel("best peer's time / ours")


def _roofs(axes: Any, chosen: Sequence[Measurement], cells: Sequence[str], *, first: bool) -> None:
    """FLOP/s over FLOPs for each byte of weights; the roofs are the peak and the bandwidths that were measured."""
    for cell in cells:
        of_cell = [m for m in chosen if m.cell == cell]
        intensity = [m.flops / m.weight_bytes for m in of_cell]
        axes.plot(intensity, [m.rate / _GIGA for m in of_cell], label=cell, **_style(cells, cell))
    limits = [m.limit for m in chosen if m.limit is not None]
    if limits:
        span = [m.flops / m.weight_bytes for m in chosen]
        low, high = min(span) / 2, max(span) * 2
        peak = max(found.peak for found in limits) / _GIGA
        axes.axhline(peak, color="0.2", linewidth=1, label="peak")
        bandwidths = sorted({min(f.bandwidth for f in limits), max(f.bandwidth for f in limits)})
        for bandwidth, line in zip(bandwidths, ("--", ":"), strict=False):
            ends = [min(low, peak * _GIGA / bandwidth / 2), min(high, peak * _GIGA / bandwidth)]
            label = f"{'least' if line == '--' else 'largest'} bandwidth"
            axes.plot(ends, [end * bandwidth / _GIGA for end in ends], color="0.4", linestyle=line, label=label)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("FLOPs for each byte of weights")
    axes.grid(alpha=0.25, which="both")
    if first:
        axes.set_ylabel("GFLOP/s")
