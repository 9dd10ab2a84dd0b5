"""The functions of the language that NumPy does not have; a module takes those that it calls, and those that these call.

They stand in the order of the language's table, and read NumPy as ``np`` and one another, nothing else. Each takes ``out=``,
which may be one of the arguments. Comparisons look at the real part, so that a complex step passes through, and at a kink it
finds the derivative that the table has there; real numbers take the shortest way.
"""

# mypy: no-warn-return-any
# (NumPy's stubs say Any for a ufunc of an array whose dtype is unknown.)

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


# Here -a is a whole new array. From NumPy 2.1 on, `np.negative` from a column to a column of another array takes the first
# for contiguous if its stride is 16 bytes in float32, or 64 in float64 (the fault is in loops_unary.dispatch.c.src).
def _sigmoid(a: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Return 1 / (1 + exp(-a)); for complex numbers, exp only where it cannot overflow."""
    if a.dtype.kind == "c":
        negative = a.real < 0
        e = np.exp(np.where(negative, a, -a))
        return np.divide(np.where(negative, e, 1), 1 + e, out=out)
    out = np.exp(-a, out=out)
    out += 1
    return np.reciprocal(out, out=out)


def _relu(a: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Return a where a > 0, else 0."""
    if a.dtype.kind == "c":
        return np.positive(np.where(a.real > 0, a, 0), out=out)
    return np.maximum(a, 0, out=out)


def _leaky_relu(a: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Return a where a > 0, else a / 100."""
    return np.positive(np.where(a.real > 0, a, 0.01 * a), out=out)


def _elu(a: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Return a where a > 0, else exp(a) - 1."""
    return np.positive(np.where(a.real > 0, a, np.expm1(np.where(a.real > 0, 0, a))), out=out)


def _softplus(a: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Return log(1 + exp(a)), taking exp only of real parts that are not positive."""
    positive = a.real > 0
    return np.add(np.where(positive, a, 0), np.log1p(np.exp(np.where(positive, -a, a))), out=out)


def _softsign(a: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Return a / (1 + |a|)."""
    return np.divide(a, 1 + np.where(a.real < 0, -a, a), out=out)


def _silu(a: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Return a sigmoid(a)."""
    return np.multiply(a, _sigmoid(a), out=out)


def _gelu(a: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Return the tanh form of gelu."""
    return np.multiply(0.5 * a, 1 + np.tanh(0.7978845608028654 * (a + 0.044715 * a * a * a)), out=out)


def _hard_sigmoid(a: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Return a / 6 + 1/2, clipped to [0, 1]."""
    y = (a + 3) / 6
    return np.positive(np.where(y.real <= 0, 0, np.where(y.real >= 1, 1, y)), out=out)


def _hard_tanh(a: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Return a, clipped to [-1, 1]."""
    return np.positive(np.where(a.real <= -1, -1, np.where(a.real >= 1, 1, a)), out=out)


def _abs(a: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Return |a|; for complex numbers -a, 0 or a by the sign of the real part, so that its slope at 0 is 0."""
    if a.dtype.kind == "c":
        return np.positive(np.where(a.real < 0, -a, np.where(a.real > 0, a, np.absolute(a.real))), out=out)
    return np.absolute(a, out=out)


def _minimum(a: ArrayLike, b: ArrayLike, out: np.ndarray | None = None) -> np.ndarray:
    """Return the smaller of a and b, by their real parts; on ties their mean, which has half of each slope."""
    if np.iscomplexobj(a) or np.iscomplexobj(b):
        over = np.subtract(a, b).real
        tied = np.add(np.multiply(a, 0.5), np.multiply(b, 0.5))
        return np.positive(np.where(over < 0, a, np.where(over > 0, b, tied)), out=out)
    return np.minimum(a, b, out=out)


def _maximum(a: ArrayLike, b: ArrayLike, out: np.ndarray | None = None) -> np.ndarray:
    """Return the larger of a and b, by their real parts; on ties their mean, which has half of each slope."""
    if np.iscomplexobj(a) or np.iscomplexobj(b):
        over = np.subtract(a, b).real
        tied = np.add(np.multiply(a, 0.5), np.multiply(b, 0.5))
        return np.positive(np.where(over > 0, a, np.where(over < 0, b, tied)), out=out)
    return np.maximum(a, b, out=out)


def _positive(a: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Return 1 where a > 0, else 0."""
    return np.positive(np.heaviside(a.real, 0), out=out)


def _sign(a: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Return 1, 0 or -1 by the sign of a."""
    return np.positive(np.sign(a.real), out=out)


def _prefer(a: ArrayLike, b: ArrayLike, out: np.ndarray | None = None) -> np.ndarray:
    """Return 1 where a > b, 0 where a < b, a half on ties."""
    return np.positive(np.heaviside(np.subtract(a, b).real, 0.5), out=out)
