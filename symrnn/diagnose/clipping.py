"""How gradients are clipped: entry by entry, or shrunk to a length.

Reads an array or several, a form and bounds; returns them clipped. Leaves out: which gradients are clipped
(`symrnn.diagnose.clips`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from symrnn.check.measure import Array
from symrnn.diagnose.model import Bounds

ENTRIES, LENGTH, PADDED, ROWS = "entries", "length", "padded length", "rows"
"""Forms: ``np.clip(d, low, high)``; ``d * b / norm`` where the norm is above b; the same with ``norm + 1e-6``; row by row."""

_PADDING = 1e-6
"""The number that many add to a norm, as PyTorch's ``clip_grad_norm_`` does."""


def clipped(value: Array, form: str, bounds: Bounds) -> Array:
    """``value`` clipped; lengths are those of the whole array, or of its rows."""
    low, high = bounds
    if form == ENTRIES:
        return np.clip(value, low, high)
    if form == ROWS:
        norms = np.linalg.norm(value, axis=-1, keepdims=True)
        rows: Array = value * np.where(norms > high, high / np.maximum(norms, np.finfo(float).tiny), 1.0)
        return rows
    return value * _factor(float(np.linalg.norm(value)), form, high)


def shrunk_together(values: Mapping[str, Array], form: str, bounds: Bounds) -> dict[str, Array]:
    """``values`` shrunk by one factor, so that their norm as one vector is at most the upper bound."""
    norm = math.sqrt(sum(float(np.sum(value * value)) for value in values.values()))
    factor = _factor(norm, form, bounds[1])
    return {name: value * factor for name, value in values.items()}


def _factor(norm: float, form: str, bound: float) -> float:
    """The factor for a vector of the length ``norm``."""
    padded = norm + _PADDING if form == PADDED else norm
    return bound / padded if padded > bound else 1.0


def unpadded(short: float, long: float) -> float:
    """The bound of `PADDED` that shrinks the length ``long`` to ``short``."""
    return short * (long + _PADDING) / long
