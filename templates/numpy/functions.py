"""The functions of the language that NumPy does not have; a module takes those that it calls, and those that these call.

They stand in the order of the language's table, and read NumPy as ``np`` and one another, nothing else. Each takes ``out=``,
which may be one of the arguments. Comparisons look at the real part, so that a complex step passes through, and at a kink it
finds the derivative that the table has there; real numbers take the shortest way.
"""

# mypy: no-warn-return-any
# (NumPy's stubs say Any for a ufunc of an array whose dtype is unknown.)

from __future__ import annotations

import math
from collections.abc import Callable

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


def _erf(a: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Return the error function of a, computed in double precision."""
    wide = a.astype(np.result_type(a, np.float64))
    near = np.abs(wide.real) < 0.5
    far = 1 - _erfc_far(np.where(near, 1, np.where(wide.real < 0, -wide, wide)))
    y = np.where(near, _erf_near(np.where(near, wide, 0)), np.where(wide.real < 0, -far, far))
    return np.positive(y, out=out, dtype=a.dtype, casting="same_kind")


def _erfc(a: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Return 1 - erf(a), computed in double precision; not as a difference where a is large."""
    wide = a.astype(np.result_type(a, np.float64))
    near = np.abs(wide.real) < 0.5
    far = _erfc_far(np.where(near, 1, np.where(wide.real < 0, -wide, wide)))
    y = np.where(near, 1 - _erf_near(np.where(near, wide, 0)), np.where(wide.real < 0, 2 - far, far))
    return np.positive(y, out=out, dtype=a.dtype, casting="same_kind")


def _erf_near(a: np.ndarray) -> np.ndarray:
    """Return erf(a) for |a| < 0.5: a polynomial in the square of a."""
    z = a * a
    p = np.zeros_like(z)
    for coefficient in (
        -1.462091340945175e-07,
        1.637123442577e-06,
        -1.4923003368152099e-05,
        0.00012055286202005714,
        -0.0008548326510724796,
        0.0052239776220169365,
        -0.02686617064499972,
        0.1128379167095487,
        -0.3761263890318375,
        0.1283791670955126,
    ):
        p = p * z + coefficient
    return a + a * p


def _erfc_far(a: np.ndarray) -> np.ndarray:
    """Return 1 - erf(a) for a >= 0.5: the exponential of -a * a, in two parts, times a polynomial in (a - 3) / (a + 3)."""
    a = np.where(a.real > 27.5, 27.5, a)
    z = np.rint(a.real * 16) / 16
    q = (a - 3) / (a + 3)
    p = np.zeros_like(q)
    for coefficient in (
        -6.993880848780894e-09,
        2.914160713544689e-09,
        5.171687677629271e-08,
        4.21181594985016e-09,
        -2.6575395828226295e-07,
        -1.761612604295428e-07,
        1.2957499776899884e-06,
        1.5138288520737832e-06,
        -6.870541993086793e-06,
        -9.492605224775456e-06,
        4.32590193734602e-05,
        4.350494490898883e-05,
        -0.00032203320553530915,
        4.87522570944448e-05,
        0.0023263155683688674,
        -0.005481552960173515,
        -0.0024347353061385953,
        0.047861924089318934,
        -0.16035132539978214,
        0.34462455539177084,
        -0.5571608931268465,
        0.8950057559069498,
    ):
        p = p * q + coefficient
    return np.exp(-z * z) * np.exp((z - a) * (z + a)) * p / (2 + a)


def _positive(a: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Return 1 where a > 0, else 0."""
    return np.positive(np.heaviside(a.real, 0), out=out)


def _sign(a: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Return 1, 0 or -1 by the sign of a."""
    return np.positive(np.sign(a.real), out=out)


def _prefer(a: ArrayLike, b: ArrayLike, out: np.ndarray | None = None) -> np.ndarray:
    """Return 1 where a > b, 0 where a < b, a half on ties."""
    return np.positive(np.heaviside(np.subtract(a, b).real, 0.5), out=out)


def _step(a: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Return 0 where a < 0, else 1."""
    return np.positive(np.heaviside(a.real, 1), out=out)


def _floor(a: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Return the largest whole number that is not above a."""
    return np.positive(np.floor(a.real), out=out)


def _round(a: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Return the whole number nearest to a, of two the even one."""
    return np.positive(np.rint(a.real), out=out)


def _where(c: np.ndarray, a: ArrayLike, b: ArrayLike, out: np.ndarray | None = None) -> np.ndarray:
    """Return a where c is 1, and b where it is 0."""
    return np.positive(np.where(c.real > 0, a, b), out=out, dtype=np.result_type(c, a, b), casting="same_kind")


def _surrogate(v: ArrayLike, d: ArrayLike, a: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Return v; for complex numbers with the derivative d by a, in place of that of v."""
    if np.iscomplexobj(a):
        return np.add(np.real(v), 1j * (np.real(d) * np.imag(a)), out=out)
    return np.positive(v, out=out)


def _surrogate_of_two(
    v: ArrayLike, d: ArrayLike, e: ArrayLike, a: ArrayLike, b: ArrayLike, out: np.ndarray | None = None
) -> np.ndarray:
    """Return v; for complex numbers with the derivatives d by a and e by b, in place of those of v."""
    if np.iscomplexobj(a) or np.iscomplexobj(b):
        slopes = np.real(d) * np.imag(a) + np.real(e) * np.imag(b)
        return np.add(np.real(v), 1j * slopes, out=out)
    return np.positive(v, out=out)


def _less(a: ArrayLike, b: ArrayLike, out: np.ndarray | None = None) -> np.ndarray:
    """Return 1 where a < b, else 0; by real parts."""
    return _holds(np.less, a, b, out)


def _less_equal(a: ArrayLike, b: ArrayLike, out: np.ndarray | None = None) -> np.ndarray:
    """Return 1 where a <= b, else 0; by real parts."""
    return _holds(np.less_equal, a, b, out)


def _equal_to(a: ArrayLike, b: ArrayLike, out: np.ndarray | None = None) -> np.ndarray:
    """Return 1 where a = b, else 0; by real parts."""
    return _holds(np.equal, a, b, out)


def _holds(compare: np.ufunc, a: ArrayLike, b: ArrayLike, out: np.ndarray | None) -> np.ndarray:
    """Return 1 where a comparison of real parts holds, else 0, in the precision of a and b."""
    real = np.real(np.empty(0, np.result_type(a, b))).dtype
    return np.positive(compare(np.real(a), np.real(b)), out=out, dtype=real)


def _largest(a: np.ndarray, axis: int, keepdims: bool, out: np.ndarray | None = None) -> np.ndarray:
    """Return the largest unit; of complex numbers, by real parts, the mean of those that tie, which share its slope."""
    if a.dtype.kind == "c":
        tied = a.real == a.real.max(axis=axis, keepdims=True)
        total = np.sum(np.where(tied, a, 0), axis=axis, keepdims=keepdims)
        return np.divide(total, np.sum(tied, axis=axis, keepdims=keepdims), out=out)
    return np.max(a, axis=axis, keepdims=keepdims, out=out)


def _revcumsum(a: np.ndarray, axis: int, out: np.ndarray | None = None) -> np.ndarray:
    """Return the sum from each unit to the last."""
    return np.positive(np.flip(np.add.accumulate(np.flip(a, axis), axis=axis), axis), out=out)


def _repeat(a: np.ndarray, own: tuple[int, ...], whole: tuple[int, ...], out: np.ndarray | None = None) -> np.ndarray:
    """Return rows of a, whose axes are own, repeated along the axes of whole where own has 1."""
    if out is None:
        out = np.empty((*a.shape[:-1], math.prod(whole)), a.dtype)
    out.reshape(*out.shape[:-1], *whole)[...] = a.reshape(*a.shape[:-1], *own)
    return out


def _over(
    fold: Callable[..., np.ndarray],
    a: np.ndarray,
    axes: tuple[int, ...],
    places: tuple[int, ...],
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Return rows of a, whose axes are axes, reduced over those at places."""
    found = fold(a.reshape(*a.shape[:-1], *axes), axis=places, keepdims=True)
    rows = found.reshape(*a.shape[:-1], math.prod(found.shape[a.ndim - 1 :]))
    if out is None:
        return rows
    out[...] = rows
    return out
