"""The largest eigenvalue of many small symmetric tridiagonal matrices at once, and the last entry of its vector.

Reads diagonals and the entries beside them, one array for each place; returns arrays. This is Laguerre's iteration on the
characteristic polynomial, from above all its zeros, so that it descends to the largest without passing it (Wilkinson, The
Algebraic Eigenvalue Problem, 1965, chapter 7). The polynomial is never formed: its logarithmic derivatives are sums over
the pivots of elimination. A library call for each matrix takes longer, and its threads wait for each other. Leaves
out: all other eigenvalues.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from symrnn.derive.evaluate import Array

MOST = 100
"""The most iterations; after them the value counts as it is. Ten are usual."""
_CLOSE = 1e-9
"""The last step is smaller than this, relative to the value; the error is then about its cube."""
_SHORT = 1e-8
"""The part by which a step is shortened, so that rounding cannot carry it past the zero."""
_ABOVE = 1e-10
"""The distance of the start above the bound on all zeros, so that no pivot is zero."""


class _At(NamedTuple):
    """The result of elimination at a value.

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
        diagonal: k entries of the matrices, none negative, each an array; all have one shape.
        beside: the k - 1 entries next to them, none negative.

    Returns:
        Two arrays of that shape. If eigenvalues are equal, the vector is one of theirs.
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
        with np.errstate(all="ignore"):
            spread = np.sqrt(np.maximum((count - 1) * (count * at.second - at.first**2), 0.0))
            step = np.where(settled, 0.0, count / (at.first + spread))
        value = value - (1 - _SHORT) * step
        at = _eliminated(entries, squares, value)
        settled |= ~at.above | (step <= _CLOSE * value)
        if settled.all():
            break
    return np.where(bound > 0, value * scale, 0.0), np.where(bound > 0, _last_entry(entries, squares, value), 1.0)


def _last_entry(diagonal: Sequence[Array], squares: Sequence[Array], at: Array) -> Array:
    """The length of the last entry of the unit vector of an eigenvalue.

    The vector is found from its largest entry to both sides, by the pivots of elimination from each side. So its
    entries shrink as they are computed, and rounding does not grow (Dhillon and Parlett 2004, twisted factorisation).
    """
    down, up = [diagonal[0] - at], [diagonal[-1] - at]
    with np.errstate(all="ignore"):  # if a pivot is zero, another entry is the largest
        for entry, square in zip(diagonal[1:], squares, strict=True):
            down.append(entry - at - square / down[-1])
        for entry, square in zip(diagonal[-2::-1], squares[::-1], strict=True):
            up.append(entry - at - square / up[-1])
        up = up[::-1]
        above, below, last = [np.zeros_like(at)], [np.zeros_like(at)], [np.ones_like(at)]
        for square, pivot in zip(squares, down, strict=False):
            above.append(square / pivot**2 * (1 + above[-1]))
        for square, pivot in zip(squares[::-1], up[:0:-1], strict=True):
            below.append(square / pivot**2 * (1 + below[-1]))
            last.append(square / pivot**2 * last[-1])
        twist = [np.abs(a + b - (d - at)) for a, b, d in zip(down, up, diagonal, strict=True)]
        parts = [z / (1 + a + b) for z, a, b in zip(last[::-1], above, below[::-1], strict=True)]
    closest = np.where(np.isfinite(parts), twist, np.inf).argmin(axis=0)
    length: Array = np.sqrt(np.take_along_axis(np.array(parts), closest[np.newaxis], axis=0)[0])
    return length


def _eliminated(diagonal: Sequence[Array], squares: Sequence[Array], at: Array) -> _At:
    """The pivots q of ``matrix - at``, which are negative above all zeros: ``p' / p`` is the sum of ``q' / q``."""
    pivot = highest = diagonal[0] - at
    bend = np.zeros_like(at)  # the second derivative of a pivot over the pivot
    with np.errstate(all="ignore"):  # a pivot shows if the value is not above all zeros; then the rest does not count
        ratio = -1 / pivot
        first, second = ratio, ratio**2
        for entry, square in zip(diagonal[1:], squares, strict=True):
            share = square / pivot
            pivot = entry - at - share
            highest = np.maximum(highest, pivot)
            bend = share * (bend - 2 * ratio**2) / pivot
            ratio = (share * ratio - 1) / pivot
            first = first + ratio
            second = second + (ratio**2 - bend)
    return _At(first, second, highest < 0)
