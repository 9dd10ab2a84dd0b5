"""The largest eigenvalue of many small symmetric tridiagonal matrices at once, and the last entry of its vector.

Reads diagonals and what stands beside them, one array for each place; returns arrays. This is Laguerre's iteration on the
characteristic polynomial, from above all its zeros, where it falls to the largest without passing it (Wilkinson, The
Algebraic Eigenvalue Problem, 1965, chapter 7). The polynomial is never formed: its logarithmic derivatives are sums over
the pivots of elimination. A call of a library for each matrix takes longer, and its threads wait for one another. Leaves
out: all other eigenvalues.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from symrnn.derive.evaluate import Array

MOST = 100
"""Iterations after which a value is taken as it is; ten are usual."""
_CLOSE = 1e-9
"""The step, relative to the value, after which there is no further one: its error is about the cube of it."""
_SHORT = 1e-8
"""What a step falls short of the zero by, lest it pass it by rounding: above two zeros, one step leads to the larger."""
_ABOVE = 1e-10
"""How far above the bound on all zeros the iteration starts, so that no pivot is zero."""


class _At(NamedTuple):
    """What elimination finds at a value.

    Attributes:
        first: the sum of 1 / (value - zero) over all zeros.
        second: the sum of the squares of these.
        above: whether the value is above all zeros.
    """

    first: Array
    second: Array
    above: Array


def largest_eigenvalue(diagonal: Sequence[Array], beside: Sequence[Array]) -> tuple[Array, Array]:
    """The largest eigenvalue of each matrix, and the length of the last entry of its unit vector.

    Args:
        diagonal: k entries of the matrices, none negative, each an array of any one shape.
        beside: the k - 1 entries next to them, none negative.

    Returns:
        Two arrays of that shape. A matrix of zeros has the eigenvalue 0.
    """
    around = [np.zeros_like(diagonal[0]), *beside, np.zeros_like(diagonal[0])]
    bound = np.max([d + around[k] + around[k + 1] for k, d in enumerate(diagonal)], axis=0)  # Gershgorin
    scale = np.where(bound > 0, bound, 1.0)
    entries, squares = [d / scale for d in diagonal], [(b / scale) ** 2 for b in beside]
    count = len(diagonal)
    value = np.full_like(scale, 1 + _ABOVE)
    at = _eliminated(entries, squares, value)
    settled = bound <= 0
    for _ in range(MOST):
        spread = np.sqrt(np.maximum((count - 1) * (count * at.second - at.first**2), 0.0))
        step = count / (at.first + spread)
        value = np.where(settled, value, value - (1 - _SHORT) * step)
        at = _eliminated(entries, squares, value)
        settled |= ~at.above | (step <= _CLOSE * value)
        if settled.all():
            break
    return np.where(bound > 0, value * scale, 0.0), _last_entry(entries, squares, value)


def _last_entry(diagonal: Sequence[Array], squares: Sequence[Array], at: Array) -> Array:
    """The length of the last entry of the unit vector of an eigenvalue, found from there on to the first.

    That is the direction in which the entries grow, wherever the last is small, so that rounding does not tell.
    """
    pivot, pivots = at - diagonal[-1], []
    for entry, square in zip(diagonal[-2::-1], squares[::-1], strict=True):
        pivots.append((pivot, square))
        pivot = at - entry - np.divide(square, pivot, out=np.zeros_like(at), where=pivot != 0)
    total = np.ones_like(at)  # the sum of the squares of all entries, each relative to the one behind it
    with np.errstate(over="ignore"):
        for pivot, square in reversed(pivots):
            growth = np.divide(pivot**2, square, out=np.full_like(at, np.inf), where=square > 0)
            total = 1 + np.multiply(growth, total, out=np.zeros_like(at), where=growth > 0)
    return 1 / np.sqrt(total)


def _eliminated(diagonal: Sequence[Array], squares: Sequence[Array], at: Array) -> _At:
    """The pivots q of ``matrix - at``, which are negative above all zeros: ``p' / p`` is the sum of ``q' / q``."""
    pivot, slope, bend = diagonal[0] - at, np.full_like(at, -1.0), np.zeros_like(at)
    above = pivot < 0
    pivot = np.where(above, pivot, -1.0)
    first, second = -1 / pivot, 1 / pivot**2
    for entry, square in zip(diagonal[1:], squares, strict=True):
        share, ratio = square / pivot, slope / pivot
        bend = share * (bend / pivot - 2 * ratio**2)
        slope = share * ratio - 1
        pivot = entry - at - share
        above &= pivot < 0
        pivot = np.where(above, pivot, -1.0)
        ratio = slope / pivot
        first = first + ratio
        second = second + ratio**2 - bend / pivot
    return _At(first, second, above)
