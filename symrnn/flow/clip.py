"""Clipping, a remedy for exploding gradients: by value, and by the norm of all of them together.

Reads gradients by name; returns clipped ones. Clipping by norm keeps the direction and
shortens the step. Clipping by value cuts each entry separately and changes the direction. Neither helps a vanishing
gradient. Leaves out: everything else
of an optimiser.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from symrnn.errors import FlowError

Array = np.ndarray[Any, np.dtype[Any]]
Gradients = Mapping[str, Array]


def clip_by_value(gradients: Gradients, limit: float) -> dict[str, Array]:
    """Every entry cut to ``[-limit, limit]``.

    >>> clip_by_value({"W": np.array([0.5, -3.0])}, 1.0)
    {'W': array([ 0.5, -1. ])}

    Args:
        gradients: arrays of any shapes, by name; not changed.
        limit: above zero.

    Raises:
        FlowError: the limit is not above zero, or an entry is not a number.
    """
    _limit(limit)
    for name, gradient in gradients.items():
        if np.isnan(gradient).any():
            raise FlowError(
                f"the gradient of {name!r} has entries that are not numbers, and no limit repairs them; find their source"
            )
    return {name: np.clip(gradient, -limit, limit) for name, gradient in gradients.items()}


def clip_by_global_norm(gradients: Gradients, limit: float) -> tuple[dict[str, Array], float]:
    """All gradients scaled by one number, so that their joint Euclidean norm is at most ``limit``.

    >>> clip_by_global_norm({"W": np.array([3.0]), "b": np.array([4.0])}, 1.0)
    ({'W': array([0.6]), 'b': array([0.8])}, 5.0)

    Args:
        gradients: arrays of any shapes, by name; not changed.
        limit: above zero.

    Returns:
        The gradients, the same arrays where the norm is within the limit; and the norm before clipping.

    Raises:
        FlowError: the limit is not above zero, or the norm is not finite.
    """
    _limit(limit)
    norm = global_norm(gradients)
    if not math.isfinite(norm):
        raise FlowError(
            f"the gradients' norm is {norm}, which no scale can repair: training has diverged; take a smaller step"
        )
    if norm <= limit:
        return dict(gradients), norm
    # Divided first: a limit over a huge norm may be zero.
    return {name: gradient / norm * limit for name, gradient in gradients.items()}, norm


def global_norm(gradients: Gradients) -> float:
    """The Euclidean norm of all entries of all gradients together, 0 where there is none."""
    arrays = [np.asarray(gradient, np.float64) for gradient in gradients.values()]
    largest = max((float(np.abs(array).max(initial=0.0)) for array in arrays), default=0.0)
    if largest == 0 or not math.isfinite(largest):
        return largest
    return largest * math.sqrt(sum(float(np.vdot(array / largest, array / largest)) for array in arrays))


@dataclass(frozen=True)
class Clipping:
    """What clipping does to the gradients of a run's parameters.

    Attributes:
        how: ``norm`` or ``value``.
        limit: the limit.
        before: the global norm before.
        after: the global norm afterwards.
        cosine: of the angle between the two; 1 where the direction is kept, nan where a gradient is zero.
    """

    how: str
    limit: float
    before: float
    after: float
    cosine: float


def clipping(gradients: Gradients, how: str, limit: float) -> Clipping:
    """The effect of `clip_by_global_norm` (``how="norm"``) or `clip_by_value` (``how="value"``) on ``gradients``."""
    if how not in ("norm", "value"):
        raise FlowError(f"unknown way to clip {how!r}; choose norm or value")
    clipped = clip_by_global_norm(gradients, limit)[0] if how == "norm" else clip_by_value(gradients, limit)
    before, after = global_norm(gradients), global_norm(clipped)
    cosine = math.nan
    if before > 0 and after > 0:
        cosine = sum(float(np.vdot(clipped[name] / after, gradients[name] / before)) for name in gradients)
    return Clipping(how, limit, before, after, cosine)


def _limit(limit: float) -> None:
    if not limit > 0:
        raise FlowError(f"a limit of {limit:g} makes every gradient zero; expected a number above zero")
