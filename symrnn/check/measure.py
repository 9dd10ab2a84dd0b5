"""The measure of error, and its bounds.

An error is ``max|a - b| / max(max|b|, floor)`` per array: it is relative to the array, but not below the floor. The floor
comes from the scale of what was computed. Without it, a gradient that is exactly zero would have no relative error.
Leaves out: what is compared with what (`symrnn.check.oracles`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from symrnn.targets import registry

Array = np.ndarray[Any, np.dtype[Any]]

INTERPRETER = "interpreter"
COMPLEX_STEP = "complex step"
CENTRAL = "central differences"
ADJOINT = "adjoint identity"
EXPANSION = "scalar expansion"
BACKENDS = f"against {registry.title(registry.DEFAULT)}"
"""Other kernels against those of the default backend."""
PRECISIONS = "float32 against float64"
PLAN = "against the plan"

ORACLES = (INTERPRETER, COMPLEX_STEP, CENTRAL, ADJOINT, EXPANSION, BACKENDS, PRECISIONS, PLAN)
"""Every oracle, in the order of reports."""

PLANNED = "plan"
"""Stands for the backend in deviations of the plan itself."""

BOUNDS: Mapping[str, float] = {"float64": 1e-12, "float32": 2e-5, "exact": 1e-40}
"""The largest error allowed, by precision; for float32 up to 50 steps."""

CENTRAL_BOUND = 1e-7
"""The largest error of central differences, whose own truncation and rounding is of the order of 1e-9."""


def bound(oracle: str, dtype: str) -> float:
    """The largest error that ``oracle`` allows in ``dtype``."""
    return max(BOUNDS[dtype], CENTRAL_BOUND) if oracle == CENTRAL else BOUNDS[dtype]


def error(actual: Array, expected: Array, floor: float) -> float:
    """``max|actual - expected| / max(max|expected|, floor)``.

    >>> error(np.array([1.0, 2.5]), np.array([1.0, 2.0]), floor=1.0)
    0.25

    Args:
        actual: any shape.
        expected: the same shape, finite.
        floor: the least scale, above zero.

    Returns:
        A number from 0; infinity where shapes differ or a number is not finite; 0 for empty arrays.
    """
    if actual.shape != expected.shape:
        return math.inf
    if expected.size == 0:
        return 0.0
    wide = np.result_type(actual.dtype, expected.dtype, np.float64)
    difference = float(np.max(np.abs(actual.astype(wide) - expected.astype(wide))))
    if not math.isfinite(difference):
        return math.inf
    return difference / max(float(np.max(np.abs(expected))), floor)


def loss_scale(outputs: Mapping[str, Array], weights: Mapping[str, Array]) -> float:
    """The scale of the loss ``Σ weights · outputs``: the root of the sum of its squared terms, and at least 1e-3.

    With weights of random signs, this is the expected size of the loss.
    """
    squares = sum(float(np.sum(np.abs(outputs[name] * weight) ** 2)) for name, weight in weights.items())
    return max(math.sqrt(squares), 1e-3)
