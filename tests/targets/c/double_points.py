"""Arguments of double functions where they are hard, and their exact values by mpmath.

Returns arrays: the arguments, and the exact values as a double and what rounding to it took. Leaves out: comparing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import mpmath
import numpy as np

from tests.targets.c.vector_library import Array

_BITS = 200


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + mpmath.exp(-x))


def _gelu(x: Any) -> Any:
    # Beyond, the result is x or far below the smallest number; mpmath would work on numbers of thousands of bits.
    bent = max(min(x, 1000), -1000)
    return x * _sigmoid(2 * mpmath.sqrt(2 / mpmath.pi) * (bent + mpmath.mpf(44715) / 10**6 * bent**3))


EXACT: dict[str, Callable[[Any], Any]] = {
    "exp": mpmath.exp,
    "expm1": mpmath.expm1,
    "log": mpmath.log,
    "log1p": mpmath.log1p,
    "tanh": mpmath.tanh,
    "sigmoid": _sigmoid,
    "softplus": lambda x: mpmath.log1p(mpmath.exp(-abs(x))) + max(x, 0),
    "relu": lambda x: max(x, 0),
    "leaky_relu": lambda x: x if x > 0 else x / 100,
    "elu": lambda x: x if x > 0 else mpmath.expm1(x),
    "softsign": lambda x: x / (1 + abs(x)),
    "silu": lambda x: x * _sigmoid(x),
    "gelu": _gelu,
    "hard_sigmoid": lambda x: min(max((x + 3) / 6, 0), 1),
    "hard_tanh": lambda x: min(max(x, -1), 1),
    "sqrt": mpmath.sqrt,
    "abs": abs,
    "sin": mpmath.sin,
    "cos": mpmath.cos,
    "positive": lambda x: mpmath.mpf(x > 0),
    "sign": mpmath.sign,
    "step": lambda x: mpmath.mpf(x >= 0),
    "floor": mpmath.floor,
    "round": mpmath.nint,
    "erf": mpmath.erf,
    # Beyond, it is 2, or far below the smallest number.
    "erfc": lambda x: mpmath.erfc(max(min(x, 1000), -1000)),
}
"""Every function of one argument, of an mpmath number."""

_PLACES = {
    "exp": (math.log(2) / 2, -math.log(2) / 2, -708.3964185322641, -745.1332191019412, 709.782712893384),
    "expm1": (-37.5, -0.35, 0.35, 709.782712893384),
    "log": (0.5, math.sqrt(0.5), 1.0, math.sqrt(2), 2.0, 2.2250738585072014e-308),
    "log1p": (-1.0, -0.5, math.sqrt(0.5) - 1, math.sqrt(2) - 1, 1.0, 2.0**53),
    "tanh": (0.25, 0.3466, 0.52, 0.55, 0.7, 19.06),
    "sigmoid": (-0.6931, 0.6931, 1.0986, -1.0986, -36.7, 36.7, -708.3964185322641, -745.1332191019412),
    "softplus": (-0.4328, 0.0, 0.5413, -36.7, 36.7, -708.3964185322641, -745.1332191019412),
    "hard_sigmoid": (-3.0, 3.0),
    "erf": (-0.5, 0.5, 5.9),
    "erfc": (-5.9, -0.5, 0.5, 4.0, 26.5, 27.2),
    "floor": (0.5, 1.0, 2.0**51, 2.0**52),
    "round": (0.5, 1.5, 2.0**51, 2.0**52),
    "sin": (math.pi, math.pi / 2, 355.0),
    "cos": (math.pi, math.pi / 2, 355 / 2),
}
"""Where functions bend, change their formula, or meet the ends of the range."""

_ALIKE = {"elu": "expm1", "silu": "sigmoid", "gelu": "sigmoid"}


def points(name: str, share: int = 1) -> Array:
    """Arguments in the domain of ``name``, every ``share``-th of some two hundred thousand, the same in every run."""
    random = np.random.default_rng(7)
    n = 20_000
    parts = [random.integers(0, 2**64, 2 * n, dtype=np.uint64).view(np.float64)]
    parts += [random.uniform(-high, high, n) for high in (0.5, 1, 3, 8, 40, 750)]
    # Multiples of half of log 2, between which the exponential's argument is reduced, and where it over- and underflows.
    parts += [random.integers(-2200, 2100, n) * (math.log(2) / 2) * (1 + random.uniform(-1e-6, 1e-6, n))]
    parts += [random.uniform(-746, -708, n // 2), random.uniform(705, 711, n // 8)]
    parts += [np.ldexp(random.uniform(-1, 1, n), random.integers(-80, 4, n).astype(np.int32))]
    parts += [1 + np.ldexp(random.uniform(-1, 1, n), random.integers(-52, 0, n).astype(np.int32))]
    parts += [np.ldexp(random.uniform(-1, 1, n // 4), -1040)]
    for place in _PLACES.get(_ALIKE.get(name, name), ()):
        apart = np.ldexp(random.uniform(-1, 1, n // 8), random.integers(-40, -2, n // 8).astype(np.int32))
        parts.append(place * (1 + apart) if place else apart)
    x: Array = np.concatenate([part[::share] for part in parts])
    x = x[np.isfinite(x)]
    if name in ("log", "sqrt"):
        x = np.abs(x)
    if name == "log":
        x = x[x > 0]
    if name == "log1p":
        x = np.where(x > -1, x, -x)
    return x


@cache
def exact_points(name: str, share: int = 1) -> tuple[Array, Array, Array]:
    """`points`, the exact values rounded to double, and what rounding took, in units in the last place."""
    x = points(name, share)
    function = EXACT[name]
    high, low = np.empty_like(x), np.zeros_like(x)
    with mpmath.workprec(_BITS):
        for k, argument in enumerate(x.tolist()):
            exact = function(mpmath.mpf(argument))
            high[k] = near = float(exact)
            if math.isfinite(near):
                power = max(math.frexp(near)[1] - 53, -1074) if near else -1074
                low[k] = float(mpmath.ldexp(exact - mpmath.mpf(near), -power))
    return x, high, low
