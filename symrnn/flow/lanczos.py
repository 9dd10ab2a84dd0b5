"""The largest singular value of operators, from their products with vectors alone.

Reads an `Operators`; returns logarithms. This is the power iteration on the operator and its transpose, whose iterates
are kept and combined (Golub, Kahan and Lanczos): the best estimate that any polynomial in these two products gives. Lengths are
logarithms throughout, so that a product of a thousand steps works like one step. Leaves out: singular
vectors, and smaller singular values (`symrnn.flow.singular` has whole spectra).
"""

from __future__ import annotations

from typing import Protocol, Self

import numpy as np

from symrnn.derive.evaluate import Array
from symrnn.flow.gradient import log, normalised
from symrnn.flow.tridiagonal import largest_eigenvalue

TOLERANCE = 1e-5
"""The residual, relative to the singular value, at which an iteration ends. The error of the value is never above it,
and, where the next value is some way below, about its square."""
MOST = 150
"""The most iterations; after them the estimate counts as it is (a lower bound, like every estimate)."""
KEPT = 0.75
"""When at most this part of the matrices is unfinished, the finished ones are dropped."""
USUAL = 32
"""The number of vectors to make room for, usually enough."""

_CHECKED = (6, 12, 18, 24, 30, 36, 44, 52, 64, 80, 100, 120)
"""The iterations between two tests of convergence; a test costs as much as several iterations."""
_ROUNDING = 1e-13
"""Relative length below which the rest of a vector is rounding alone."""
_CANCELLED = 0.1
"""The same for a vector that is already orthogonal to the others."""


class Operators(Protocol):
    """Several matrices, one for each leading index but the last axis of a vector."""

    def push(self, vector: Array) -> tuple[Array, Array]:
        """Each matrix times its unit vector: directions, and ln of lengths."""

    def pull(self, vector: Array) -> tuple[Array, Array]:
        """Each transposed matrix times its unit vector."""

    def only(self, kept: Array) -> Self:
        """Those of the first axis that ``kept`` marks."""


def largest(operators: Operators, start: Array) -> Array:
    """Ln of the largest singular value of each matrix.

    Args:
        operators: the matrices.
        start: a vector for each, not orthogonal to its largest singular vector.
    """
    result = np.empty(start.shape[:-1])
    waiting = np.arange(len(start))
    state = _Bidiagonal.begin(operators, start)
    most = min(MOST, start.shape[-1])
    while (waiting >= 0).any():
        while state.count < most and state.count not in _CHECKED:
            state.extend()
        values, done = state.estimate()
        done |= state.count >= most
        done &= waiting >= 0
        result[waiting[done]] = values[done]
        waiting[done] = -1  # while few are finished they stay, since a copy of the others costs more
        left = waiting >= 0
        if left.sum() <= KEPT * len(left):
            waiting, state = waiting[left], state.only(left)
        if left.any():
            state.extend()
    return result


class _Bidiagonal:
    """Matrices reduced to bidiagonal ones, on the vectors that products lead to.

    The matrices are divided by the length of their first product, whose logarithm is ``reference``: the results are
    numbers of ordinary size. Right vectors, ``(…, room, n)``, are kept orthogonal to all before; left ones then are so too.
    """

    def __init__(self, operators: Operators, reference: Array, right: Array, left: Array) -> None:
        self._operators, self._reference = operators, reference
        self._right = right
        self._left = left
        self._diagonal: list[Array] = []
        self._beside: list[Array] = []
        self._residual = (np.zeros(()), np.zeros(()))

    @classmethod
    def begin(cls, operators: Operators, start: Array) -> Self:
        """The first product, with the transposed matrix applied to ``start``."""
        right, _ = operators.pull(normalised(start)[0])
        left, scale = operators.push(right)
        reference = np.where(np.isfinite(scale), scale, 0.0)
        room = np.empty((*start.shape[:-1], min(USUAL, MOST, start.shape[-1]), start.shape[-1]))
        room[..., 0, :] = right
        state = cls(operators, reference, room, left)
        state._diagonal = [np.exp(scale - reference)]
        state._residual = state._ahead()
        return state

    @property
    def count(self) -> int:
        """Vectors so far."""
        return len(self._diagonal)

    def extend(self) -> None:
        """One more product with the matrix and its transpose each."""
        beside, right = self._residual
        left, length = self._operators.push(right)
        ahead = left * np.exp(length - self._reference)[..., np.newaxis] - beside[..., np.newaxis] * self._left
        if self.count == self._right.shape[-2]:
            self._right = np.concatenate([self._right, np.empty_like(self._right)], axis=-2)
        self._right[..., self.count, :] = right
        self._beside.append(beside)
        self._left, length = normalised(ahead)
        self._diagonal.append(np.exp(length))
        self._residual = self._ahead()

    def only(self, kept: Array) -> Self:
        """The same for those of the first axis that ``kept`` marks."""
        state = type(self)(self._operators.only(kept), self._reference[kept], self._right[kept], self._left[kept])
        state._diagonal = [each[kept] for each in self._diagonal]
        state._beside = [each[kept] for each in self._beside]
        state._residual = (self._residual[0][kept], self._residual[1][kept])
        return state

    def estimate(self) -> tuple[Array, Array]:
        """Ln of the largest singular values, and which ones along the first axis have converged."""
        # The largest eigenvalue of the matrix times its transpose is the square: exact enough here.
        beside = [*self._beside, np.zeros_like(self._reference)]
        diagonal = [d**2 + b**2 for d, b in zip(self._diagonal, beside, strict=True)]
        square, last = largest_eigenvalue(
            diagonal, [b * d for b, d in zip(self._beside, self._diagonal[1:], strict=True)]
        )
        values = np.sqrt(square)
        residual = self._residual[0] * last
        # If nothing is left, values are exact, whatever the last entry of the vector is; for equal values it is arbitrary.
        close = np.asarray((self._residual[0] == 0) | (residual <= TOLERANCE * values))
        done = np.logical_and.reduce(close.reshape(len(close), -1), axis=-1)
        return log(values) + self._reference, done

    def _ahead(self) -> tuple[Array, Array]:
        """The length and direction of the right vector that the transposed matrix adds."""
        back, length = self._operators.pull(self._left)
        before = length - self._reference
        direction, found = self._apart(back * np.exp(before)[..., np.newaxis])
        # Twice: what rounding leaves of the earlier vectors would grow with each further vector.
        direction, change = self._apart(direction)
        kept = (found > before + np.log(_ROUNDING)) & (change > np.log(_CANCELLED))
        found = found + change
        return np.where(kept, np.exp(found), 0.0), direction * kept[..., np.newaxis]

    def _apart(self, vector: Array) -> tuple[Array, Array]:
        """The part of ``vector`` that is orthogonal to all right vectors: its direction, and ln of its length."""
        right = self._right[..., : self.count, :]
        parts = np.swapaxes(right, -1, -2) @ (right @ vector[..., np.newaxis])
        return normalised(vector - parts[..., 0])
