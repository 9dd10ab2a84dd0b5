"""Several cells at several points, as a table for people and as values for programs.

Reads a `Sweep`, and limits to clip by; returns text, or what JSON takes. Leaves out: one run in full
(`symrnn.flow.table`), and the figure (`symrnn.flow.panorama`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from symrnn.flow.clip import Clipping, clipping
from symrnn.flow.measured import Measured
from symrnn.flow.sweep import Sweep, SweepPoint
from symrnn.flow.table import direct_share, flow_values, mean, power_of_ten
from symrnn.language.system import HIDDEN, INPUT, ONE

Limits = Mapping[str, float]
"""The limit of each way of clipping, ``norm`` and ``value``."""

_HEAD = ("cell", "scale", "bias", "gradient", "worst case", "sigma", "bound", "exponent", "direct", "share")
_WORDS = 3
_MEANING = """
scale, bias   every recurrent matrix is that scale times an orthogonal one, so that all its singular values and the moduli
              of all its eigenvalues are the scale; every bias that holds a state is that number (- as the cell starts)
gradient      length of dL/ds, all states together, {steps} steps before the end, relative to the end; none where L reads no
              state of the end
worst case    largest singular value of the product of all {steps} step Jacobians
sigma, bound  largest singular value of one step Jacobian, and its bound from the norms of factors; means over the run
exponent      largest Lyapunov exponent, per step
direct        largest entry of the product along the path straight through time, for the state that keeps most
share         of the gradient that such paths carry, mean over the run
"""


def sweep_text(sweep: Sweep, limits: Limits) -> str:
    """A line for each cell and point, the meaning of the columns, the structure found, and the effect of clipping."""
    lines = [*_table([_HEAD, *(_row(point) for point in sweep.points)])]
    lines += [_MEANING.format(steps=sweep.setup.steps), *_found(sweep), *_clipped(sweep, limits)]
    return "\n".join(lines) + "\n"


def _table(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """The rows, words aligned left and numbers right."""
    widths = [max(len(row[place]) for row in rows) for place in range(len(_HEAD))]
    for row in rows:
        cells = zip(row, widths, strict=True)
        aligned = [f"{cell:{w}}" if place < _WORDS else f"{cell:>{w}}" for place, (cell, w) in enumerate(cells)]
        yield "  ".join(aligned).rstrip()


def sweep_values(sweep: Sweep, limits: Limits) -> dict[str, object]:
    """The whole sweep in values that JSON takes."""
    return {
        "recurrent": {name: list(matrices) for name, matrices in sweep.recurrent.items()},
        "unscaled": {name: dict(matrices) for name, matrices in sweep.unscaled.items()},
        "holding": {name: {state: list(b) for state, b in held.items()} for name, held in sweep.holding.items()},
        "runs": [
            {
                "scale": point.scale,
                "bias": point.bias,
                **flow_values(point.flow),
                "clipping": _clip_values(point, limits),
            }
            for point in sweep.points
        ],
    }


def _row(point: SweepPoint) -> tuple[str, ...]:
    flow = point.flow
    direct = max((mean(each.log[0]) for each in flow.direct), default=None)
    return (
        point.cell,
        "-" if point.scale is None else f"{point.scale:g}",
        "-" if point.bias is None else f"{point.bias:g}",
        _grown(flow),
        power_of_ten(mean(flow.log_sigma_product[-1])),
        f"{math.exp(mean(flow.log_sigma)):.3f}",
        f"{math.exp(mean(flow.log_bound)):.3f}",
        f"{flow.lyapunov[:, 0].mean():+.3f}",
        "none" if direct is None else power_of_ten(direct),
        f"{100 * direct_share(flow):.0f} %",
    )


def _grown(flow: Measured) -> str:
    """How much the gradient of the states grew on its way; none where the loss does not read the last ones, as they are."""
    if not np.isfinite(flow.log_gradient[-1]).all():
        return "none"
    return power_of_ten(mean(flow.log_gradient[0] - flow.log_gradient[-1]))


def _found(sweep: Sweep) -> list[str]:
    """For each cell: its recurrent matrices, the biases that hold its states, what no scale applies to, sizes of its own."""
    lines = []
    for name in sweep.cells:
        biases = [
            f"{', '.join(found)} {'holds' if len(found) == 1 else 'hold'} {state}"
            for state, found in sweep.holding[name].items()
        ]
        held = "; ".join(biases) or "no bias holds a state, so biases stay as they are"
        lines.append(f"{name}: recurrent matrices {', '.join(sweep.recurrent[name]) or 'none'}; {held}")
        if unscaled := sweep.unscaled[name]:
            said = "; ".join(f"{matrix}, {why}" for matrix, why in unscaled.items())
            lines.append(f"{name}: no scale applies to these recurrent matrices, which stay as the cell starts: {said}")
        numbers = sweep.of(name)[0].flow.sizes
        if own := [f"{size}={number}" for size, number in numbers.items() if size not in (INPUT, HIDDEN, ONE)]:
            lines.append(f"{name}: sizes {', '.join(own)}")
    return lines


def _clipped(sweep: Sweep, limits: Limits) -> list[str]:
    if not limits:
        return []
    lines = ["", "gradient of the parameters, clipped: norm before, norm after, cosine of the angle between the two"]
    for point in sweep.points:
        words = [point.cell]
        words += [f"scale {point.scale:g}"] if point.scale is not None else []
        words += [f"bias {point.bias:g}"] if point.bias is not None else []
        for each in _clippings(point, limits):
            lines.append(
                f"  {' '.join(words):28}  by {each.how} {each.limit:g}:  {each.before:.3g}  {each.after:.3g}  {each.cosine:.3f}"
            )
    return lines


def _clippings(point: SweepPoint, limits: Limits) -> Sequence[Clipping]:
    return [clipping(point.flow.gradients, how, limit) for how, limit in limits.items()]


def _clip_values(point: SweepPoint, limits: Limits) -> list[dict[str, object]]:
    found = _clippings(point, limits)
    return [
        {
            "how": each.how,
            "limit": each.limit,
            "before": each.before,
            "after": each.after,
            "cosine": each.cosine if math.isfinite(each.cosine) else None,
        }
        for each in found
    ]
