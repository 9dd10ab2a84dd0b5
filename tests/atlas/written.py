"""What the steps written by hand share: functions, and a step's type.

A step takes the parameters and the states before it as attributes, inputs beside x among the former, and one input row. It
returns the states after it, and an output that is no state. It is written from the publication, in NumPy alone, and shares no
code with symrnn: gates that a publication stacks are stacked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]
Values = SimpleNamespace
Step = Callable[[Values, Array, Values], Mapping[str, Array]]


def sigmoid(a: Array) -> Array:
    """The logistic function."""
    found: Array = 1 / (1 + np.exp(-a))
    return found


def relu(a: Array) -> Array:
    """The positive part."""
    return np.where(a > 0, a, 0)


def standard(a: Array, eps: float) -> Array:
    """``a`` shifted and scaled to mean 0 and variance 1, over all of its entries."""
    found: Array = (a - a.mean()) / np.sqrt(a.var() + eps)
    return found
