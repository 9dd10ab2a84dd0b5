"""Gradient flow as text for people, and as plain values for programs.

Reads a `Measured` flow; returns text, or values for JSON. Means over the rows of a batch are means of logarithms. Leaves
out: figures (`symrnn.flow.figure`), and several runs at once (`symrnn.flow.summary`).
"""

from __future__ import annotations

import math

import numpy as np

from symrnn.derive.evaluate import Array
from symrnn.flow.measured import Measured

_LN10 = math.log(10)


def power_of_ten(log: float) -> str:
    """``exp(log)`` in a readable form.

    >>> power_of_ten(0.0), power_of_ten(-70.0), power_of_ten(float("-inf"))
    ('1.00', '1e-30.4', '0')
    """
    if log == -math.inf:
        return "0"
    tens = log / _LN10
    return (
        f"{math.exp(log):.3g}"
        if tens < 0 and tens > -2
        else f"{math.exp(log):.2f}"
        if 0 <= tens < 2
        else f"1e{tens:.1f}"
    )


def mean(logs: Array) -> float:
    """The mean of logarithms; -inf if one is."""
    return float(np.mean(logs))


def direct_share(flow: Measured) -> float:
    """The share of the gradient that direct paths carry, on average over the run; 0 if there is none."""
    shares = [path.share for path in flow.paths if path.direct]
    return float(np.nanmean(np.sum(shares, axis=0))) if shares else 0.0


def flow_text(flow: Measured) -> str:
    """A summary in plain text."""
    sizes = ", ".join(f"{name} {number}" for name, number in flow.sizes.items() if name != "1")
    lines = [f"{flow.cell.name}: gradient flow over {flow.steps} steps, {flow.batch} rows, {sizes}", ""]
    lines += ["length of the gradient by distance, relative to the end; worst case of any gradient"]
    for place, distance in enumerate(flow.distances):
        there = mean(flow.log_gradient[flow.steps - distance] - flow.log_gradient[-1])
        worst = mean(flow.log_sigma_product[place])
        lines.append(f"  {distance:6}  {power_of_ten(there):>9}  {power_of_ten(worst):>9}")
    lines += ["", "largest singular value of a step, mean over the run"]
    lines.append(
        f"  {math.exp(mean(flow.log_sigma)):.4f}, at most {math.exp(mean(flow.log_bound)):.4f} by the bounds below"
    )
    exponents = ", ".join(f"{value:+.4f}" for value in flow.lyapunov.mean(axis=0))
    lines += ["largest Lyapunov exponents, per step", f"  {exponents}", "", "bounds"]
    lines += [f"  |J[{bound.output}, {bound.input}]| <= {bound.text}" for bound in flow.bounds]
    if flow.direct:
        lines += ["", "paths straight through time, over the whole run"]
        lines += [
            f"  {each.state}: prod of diag({each.text}) = {power_of_ten(mean(each.log[0]))}" for each in flow.direct
        ]
    lines += ["", "paths: share of the gradient, mean over the run; length at the far end"]
    for path in sorted(flow.paths, key=lambda path: -float(np.nan_to_num(path.share).mean())):
        share = float(np.nan_to_num(path.share).mean())
        far = power_of_ten(mean(path.log[0]))
        lines.append(f"  {100 * share:5.1f} %  {far:>9}  {path.output} <- {path.input}: {path.text}")
    return "\n".join(lines) + "\n"


def flow_values(flow: Measured) -> dict[str, object]:
    """The whole record in values that JSON takes; logarithms are natural, and numbers that are not finite are null."""
    return {
        "cell": flow.cell.name,
        "sizes": {name: number for name, number in flow.sizes.items() if name != "1"},
        "steps": flow.steps,
        "batch": flow.batch,
        "log_gradient": plain(flow.log_gradient),
        "log_gradients": {name: plain(logs) for name, logs in flow.log_gradients.items()},
        "paths": [
            {
                "output": path.output,
                "input": path.input,
                "text": path.text,
                "direct": path.direct,
                "log": plain(path.log),
                "share": plain(path.share),
            }
            for path in flow.paths
        ],
        "log_sigma": plain(flow.log_sigma),
        "distances": plain(flow.distances),
        "log_sigma_product": plain(flow.log_sigma_product),
        "lyapunov": plain(flow.lyapunov),
        "bounds": [
            {"output": bound.output, "input": bound.input, "text": bound.text, "log": plain(bound.log)}
            for bound in flow.bounds
        ],
        "log_bound": plain(flow.log_bound),
        "direct": [{"state": each.state, "text": each.text, "log": plain(each.log)} for each in flow.direct],
        "spectrum": None if flow.spectrum is None else plain(flow.spectrum),
        "spectrum_product": None if flow.spectrum_product is None else plain(flow.spectrum_product),
    }


def plain(array: Array) -> object:
    """Nested lists; numbers that are not finite are None."""
    if array.ndim == 0:
        value = array.item()
        return value if math.isfinite(value) else None
    return [plain(each) for each in array]
