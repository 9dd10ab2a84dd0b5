"""The functions of the language on NumPy arrays, real or complex, unit by unit: what evaluation of a derivation uses.

A function is computed as its row of the table defines it (`meaning`), with comparisons of real parts, so that a complex
step passes through. `_OWN` holds the rows for which the definition itself would overflow, divide by zero beside its
branch, lose a NaN, or miss the slope of a kink. Nothing here is shared with a target: its kernels are checked against
these values. Leaves out: expressions (`symrnn.derive.evaluate`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import sympy

from symrnn.language.composed import SELU_ALPHA, SELU_SCALE
from symrnn.language.functions import FUNCTIONS

Array = np.ndarray[Any, np.dtype[Any]]


def array_functions() -> Mapping[str, Callable[..., Array]]:
    """Every function of the table by name, those of derivatives included."""
    return {name: _OWN.get(name) or _by_meaning(name) for name in FUNCTIONS}


def _by_meaning(name: str) -> Callable[..., Array]:
    row = FUNCTIONS[name]
    arguments = sympy.symbols(f"a0:{row.arity}")
    function: Callable[..., Array] = sympy.lambdify(arguments, row.meaning(*arguments), [_COMPARISONS, "numpy"])
    return function


def _of_real_parts(compare: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    return lambda a, b: compare(np.real(a), np.real(b))


_COMPARISONS = {f.__name__: _of_real_parts(f) for f in (np.less, np.less_equal, np.greater, np.greater_equal)}


def _sigmoid(a: Array) -> Array:
    if not np.iscomplexobj(a):
        value: Array = 1 / (1 + np.exp(-a))
        return value
    # For complex numbers, exp only where it cannot overflow: an infinite one has no quotient.
    negative = a.real < 0
    power = np.exp(np.where(negative, a, -a))
    folded: Array = np.where(negative, power, 1) / (1 + power)
    return folded


def _softplus(a: Array) -> Array:
    positive = a.real > 0
    value: Array = np.where(positive, a, 0) + np.log1p(np.exp(np.where(positive, -a, a)))
    return value


def _elu(a: Array) -> Array:
    return np.where(a.real > 0, a, np.expm1(np.where(a.real > 0, 0, a)))


def _relu(a: Array) -> Array:
    return np.where(a.real > 0, a, 0) if np.iscomplexobj(a) else np.maximum(a, 0)


def _abs(a: Array) -> Array:
    # At 0 neither branch reads a, so the slope is 0.
    return np.where(a.real < 0, -a, np.where(a.real > 0, a, np.absolute(a.real)))


def _softsign(a: Array) -> Array:
    value: Array = a / (1 + np.where(a.real < 0, -a, a))
    return value


def _extreme(a: Array, b: Array, sign: int) -> Array:
    """The larger (1) or the smaller (-1) of two; on ties their mean, which has half of each slope."""
    if not (np.iscomplexobj(a) or np.iscomplexobj(b)):
        found: Array = np.maximum(a, b) if sign > 0 else np.minimum(a, b)
        return found
    over = sign * np.subtract(a, b).real
    return np.where(over > 0, a, np.where(over < 0, b, np.multiply(a, 0.5) + np.multiply(b, 0.5)))


def _selu(a: Array) -> Array:
    value: Array = float(SELU_SCALE) * np.where(a.real > 0, a, float(SELU_ALPHA) * _elu(a))
    return value


def _by_slope(function: Callable[[float], float], sign: int, a: Array) -> Array:
    """An error function by the standard library; of complex numbers to first order, which is what a complex step reads."""
    value: Array = np.vectorize(function, otypes=[float])(a.real)
    if not np.iscomplexobj(a):
        return value
    moved: Array = value + 1j * (a.imag * (sign * 2 / math.sqrt(math.pi)) * np.exp(-(a.real**2)))
    return moved


def _where(c: Array, a: Array, b: Array) -> Array:
    return np.where(c.real > 0, a, b)


def _with_slopes(value: Array, *pairs: tuple[Array, Array]) -> Array:
    """A value with derivatives of its own: to first order in the imaginary parts of its operands."""
    if not any(np.iscomplexobj(operand) for _, operand in pairs):
        return value
    moved: Array = value.real + 1j * sum(slope.real * operand.imag for slope, operand in pairs)
    return moved


def _compared(compare: Callable[..., Any], a: Array, b: Array) -> Array:
    """1 where a comparison of real parts holds, else 0."""
    return np.asarray(compare(np.real(a), np.real(b)), float)


_OWN: Mapping[str, Callable[..., Array]] = {
    "sigmoid": _sigmoid,
    "silu": lambda a: a * _sigmoid(a),
    "softplus": _softplus,
    "elu": _elu,
    "relu": _relu,
    "abs": _abs,
    "softsign": _softsign,
    "mish": lambda a: a * np.tanh(_softplus(a)),
    "logsigmoid": lambda a: -_softplus(-a),
    "celu": _elu,
    "selu": _selu,
    "expm1": np.expm1,
    "log1p": np.log1p,
    "erf": lambda a: _by_slope(math.erf, 1, a),
    "erfc": lambda a: _by_slope(math.erfc, -1, a),
    "gelu_erf": lambda a: a * _by_slope(math.erfc, -1, -a / math.sqrt(2)) / 2,
    "minimum": lambda a, b: _extreme(a, b, -1),
    "maximum": lambda a, b: _extreme(a, b, 1),
    "positive": lambda a: np.heaviside(a.real, 0),
    "sign": lambda a: np.sign(a.real),
    "step": lambda a: np.heaviside(a.real, 1),
    "floor": lambda a: np.floor(a.real),
    "round": lambda a: np.rint(a.real),
    "where": _where,
    "surrogate": lambda v, d, a: _with_slopes(v, (d, a)),
    "surrogate_of_two": lambda v, d, e, a, b: _with_slopes(v, (d, a), (e, b)),
    "less": lambda a, b: _compared(np.less, a, b),
    "less_equal": lambda a, b: _compared(np.less_equal, a, b),
    "equal": lambda a, b: _compared(np.equal, a, b),
    "greater": lambda a, b: _compared(np.greater, a, b),
    "greater_equal": lambda a, b: _compared(np.greater_equal, a, b),
    "not_equal": lambda a, b: _compared(np.not_equal, a, b),
    "prefer": lambda a, b: np.heaviside(np.subtract(a, b).real, 0.5),
}
