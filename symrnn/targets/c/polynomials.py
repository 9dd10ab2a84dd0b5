"""The coefficients and limits of the vector mathematics: how each number of the runtime is found.

Reads a precision (``f32`` or ``f64``) and returns `Constants`: C literals that read back to the intended values. Each fit
interpolates its function in 50 digits, at Chebyshev nodes or somewhat outwards of them, which comes within a small factor of
the best polynomial of its degree; the degrees leave the error of approximation below an eighth of a unit in the last place,
which `approximation_error` shows. The runtime holds the numbers as they come out, and a test compares them with `definitions`:
nothing is fitted when a cell is generated. Leaves out: how the functions are put together from these
(``templates/c/symrnn_functions.h``).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

from mpmath.ctx_mp import MPContext

# mpmath carries no static types; the context is our own, so that nobody else's precision is changed.
Real = Any
_mp: Any = MPContext()
_mp.dps = 50

MANTISSA = {"f32": 24, "f64": 53}
"""Bits of the significand, the leading one included."""

EXPONENT = {"f32": 8, "f64": 11}
"""Bits of the exponent."""


@dataclass(frozen=True)
class Fit:
    """One approximation by a polynomial on ``[low, high]``.

    Attributes:
        function: the approximated function of ``t``.
        low: left end of the interval.
        high: right end of the interval.
        degree: by precision.
        share: the factor that ``f(t)`` has in the result, relative to the result: it tells errors in its units.
        crowding: the power that takes a Chebyshev node's distance from the middle; less than one crowds nodes to the
            ends, where ``share`` is large.
    """

    function: Callable[[Real], Real]
    low: float
    high: float
    degree: dict[str, int]
    share: Callable[[Real], Real]
    crowding: float = 1.0


def _exp_tail(r: Real) -> Real:
    """``(exp(r) - 1 - r) / r**2``."""
    return _mp.hyp1f1(1, 3, r) / 2


def _log_tail(z: Real) -> Real:
    """``(2 atanh(s) - 2 s) / s`` over ``z = s**2``, divided by ``z``: 2/3 + 2 z/5 + 2 z**2/7 + …."""
    s = _mp.sqrt(z)
    return 2 * (_mp.atanh(s) / s - 1) / z


def _erf_tail(z: Real) -> Real:
    """``erf(s) / s`` over ``z = s**2``, less 1: what erf adds to its argument."""
    s = _mp.sqrt(z)
    return _mp.erf(s) / s - 1


ERF_SPLIT = 0.5
"""Below this |x|, erf is a polynomial; beyond, 1 - erf is, times an exponential."""
ERFC_END = {"f32": 10.25, "f64": 27.5}
"""From here on, 1 - erf rounds to zero."""


def _erfc_scaled(q: Real) -> Real:
    """``(2 + x) exp(x**2) (1 - erf(x))`` over ``q = (x - 3) / (x + 3)``: nearly constant (Shepherd and Laframboise 1981)."""
    x = 3 * (1 + q) / (1 - q)
    return (2 + x) * _mp.exp(x * x) * _mp.erfc(x)


TANH_SPLIT = 0.35
"""Below this |x|, tanh uses the formula that is more precise for small values."""

# Half of log 2, and a little more: the argument's multiple of log 2 is found in rounded arithmetic.
_EXP_REACH = 0.3469
# s = f / (2 + f) for 1 + f in [sqrt(1/2), sqrt(2)].
_LOG_REACH = 0.17158

FITS: dict[str, Fit] = {
    "exp": Fit(_exp_tail, -_EXP_REACH, _EXP_REACH, {"f32": 4, "f64": 9}, lambda r: r * r / _mp.exp(r), crowding=0.65),
    "erf": Fit(_erf_tail, 0.0, ERF_SPLIT**2, {"f32": 4, "f64": 9}, lambda z: 1 / (1 + _erf_tail(z))),
    "erfc": Fit(
        _erfc_scaled,
        (ERF_SPLIT - 3) / (ERF_SPLIT + 3),
        (ERFC_END["f64"] - 3) / (ERFC_END["f64"] + 3),
        {"f32": 10, "f64": 21},
        lambda q: 1 / _erfc_scaled(q),
    ),
    "log": Fit(_log_tail, 0.0, _LOG_REACH**2, {"f32": 2, "f64": 6}, lambda z: 0.015),
}
"""The fits: tails of series, so that leading terms can be added exactly."""


@dataclass(frozen=True)
class Constants:
    """The constants of one precision, coefficients highest power first.

    The runtime makes a vector of each number, ``K(0.35f)``: where floating-point registers hold more digits than memory
    does, C lets a literal have them too, and `K` takes them off.

    Attributes:
        exp_first: the first coefficients of (exp(r) - 1 - r) / r^2: one, or two where their number is even.
        exp_pairs: the others, two by two.
        log: coefficients of (2 atanh(s) / s - 2) / s^2, in s^2.
        tanh_split: below this |x|, tanh is h - h tanh(x) rather than h / (h + 1).
        tanh_compensated: whether tanh adds back what a sum loses: otherwise its error exceeds 2 units. In float it does
            not, as a test of every number showed.
        tanh_one: from here on tanh rounds to 1.
        log2_e: 1 / log 2.
        ln2_high: log 2 with enough trailing zeros that its product with any exponent is exact.
        ln2_low: log 2 less `ln2_high`.
        root_half: the square root of one half.
        exp_zero: exp is zero here and below.
        exp_subnormal: below this, exp is subnormal.
        exp_infinite: exp is infinite here and above.
        expm1_one: exp - 1 rounds to -1 here and below.
        expm1_infinite: exp - 1 is infinite here and above, and maybe somewhat below.
        linear: below this |x|, exp(x) - 1 and log(1 + x) round to x.
        tanh_linear: below this |x|, x is within a third of a unit in the last place of tanh(x).
        exp_end: a number beyond that.
        sigmoid_one: from here on the sigmoid rounds to 1.
        exp_nudge: an addend that does not change exp(x).
        linear_nudge: an addend that leaves every x from `linear` on as it is.
        tanh_nudge: an addend that leaves every x from `tanh_linear` on as it is.
        round_magic: added to a small number, it leaves the nearest whole number in the low bits.
        integer_magic: the first power of two whose last place is worth one.
        lift: bits that multiply by a power of two which takes any subnormal number far into the normal ones.
        grid: a number whose last place is worth the smallest subnormal number times that power.
        normal_bias: `integer_magic` and the bias of the exponent.
        subnormal_bias: the same for a subnormal number that is told by its bits as a whole number.
        smallest_normal: the first number that is not subnormal.
        erf: coefficients of erf(x) / x - 1, in x^2.
        erfc: coefficients of (2 + x) exp(x^2) (1 - erf(x)), in (x - 3) / (x + 3).
        erf_split: below this |x|, erf is the first of them.
        erfc_end: from here on 1 - erf is zero.
        mantissa_bits: stored bits of the significand.
        mantissa_mask: these bits set.
        magnitude_mask: all bits but the sign.
    """

    exp_first: tuple[str, ...]
    exp_pairs: tuple[tuple[str, str], ...]
    log: tuple[str, ...]
    tanh_split: str
    tanh_compensated: bool
    tanh_one: str
    log2_e: str
    ln2_high: str
    ln2_low: str
    root_half: str
    exp_zero: str
    exp_subnormal: str
    exp_infinite: str
    expm1_one: str
    expm1_infinite: str
    linear: str
    tanh_linear: str
    exp_end: str
    sigmoid_one: str
    exp_nudge: str
    linear_nudge: str
    tanh_nudge: str
    round_magic: str
    integer_magic: str
    lift: str
    grid: str
    normal_bias: str
    subnormal_bias: str
    smallest_normal: str
    erf: tuple[str, ...]
    erfc: tuple[str, ...]
    erf_split: str
    erfc_end: str
    mantissa_bits: int
    mantissa_mask: str
    magnitude_mask: str


def _nodes(fit: Fit, count: int, crowding: float = 1.0) -> list[Real]:
    """Chebyshev nodes of the fit's interval, ``count`` of them, crowded to its ends."""
    middle = (_mp.mpf(fit.low) + fit.high) / 2
    radius = (_mp.mpf(fit.high) - fit.low) / 2
    nodes = [_mp.sinpi(_mp.mpf(2 * i + 1 - count) / (2 * count)) for i in range(count)]
    return [middle + radius * _mp.sign(node) * abs(node) ** crowding for node in nodes]


def _interpolate(name: str, precision: str) -> list[Real]:
    """The coefficients of the polynomial that meets the function at the nodes, lowest power first."""
    fit = FITS[name]
    nodes = _nodes(fit, fit.degree[precision] + 1, fit.crowding)
    rows = [[t**k for k in range(len(nodes))] for t in nodes]
    return list(_mp.lu_solve(_mp.matrix(rows), _mp.matrix([fit.function(t) for t in nodes])))


def c_literal(value: float, precision: str) -> str:
    """The shortest C literal of ``precision`` that reads back to ``value``, rounded to it.

    >>> c_literal(2, "f32"), c_literal(0.1, "f32"), c_literal(0.1, "f64"), c_literal(1e-40, "f64")
    ('2.0f', '0.1f', '0.1', '1e-40')
    """
    if precision == "f64":
        return repr(float(value))
    single = _as_float32(value)
    text = next(text for digits in range(1, 10) if _as_float32(float(text := f"{value:.{digits}g}")) == single)
    # Where that is a whole number, 10.0 rather than 1e+01.
    return repr(float(text)) + "f"


def _as_float32(value: float) -> bytes:
    return struct.pack("<f", value)


def _rounded(value: Real, bits: int, direction: str = "n") -> float:
    """``value`` in ``bits`` significant bits: the nearest, or with ``c`` the next above."""
    return float(_mp.fadd(value, 0, prec=bits, rounding=direction))


def _polynomial(coefficients: list[Real], at: Real) -> Real:
    return _mp.polyval(coefficients[::-1], at)


def approximation_error(name: str, precision: str) -> float:
    """The largest error of a fit over its interval, in units in the last place of the function it serves.

    Args:
        name: a key of `FITS`.
        precision: ``f32`` or ``f64``.
    """
    fit = FITS[name]
    coefficients = _interpolate(name, precision)
    points = [t for t in _nodes(fit, 61) if t != 0]
    worst = max(abs(_polynomial(coefficients, t) - fit.function(t)) * fit.share(t) for t in points)
    return float(worst * 2 ** MANTISSA[precision])


@cache
def constants(precision: str) -> Constants:
    """Every constant that the vector mathematics of ``precision`` (``f32`` or ``f64``) reads."""
    p, e = MANTISSA[precision], EXPONENT[precision]
    smallest_exponent = 2 - 2 ** (e - 1)
    subnormal_exponent = smallest_exponent - (p - 1)
    bias = 2 ** (e - 1) - 1
    integer_magic = 2 ** (p - 1)
    lift = 2 ** (e - 2)
    largest = _mp.ldexp(2**p - 1, bias + 1 - p)
    ln2_high = _rounded(_mp.ln2, p - e - 1)

    def texts(values: list[Real]) -> tuple[str, ...]:
        return tuple(number(value) for value in reversed(values))

    def number(value: Real, direction: str = "n") -> str:
        return c_literal(_rounded(value, p, direction), precision)

    def pattern(value: int) -> str:
        return f"UINT{p + e}_C({value:#x})"

    exp = texts(_interpolate("exp", precision))
    return Constants(
        exp_first=exp[: 2 - len(exp) % 2],
        exp_pairs=tuple(zip(exp[2 - len(exp) % 2 :: 2], exp[3 - len(exp) % 2 :: 2], strict=True)),
        log=texts(_interpolate("log", precision)),
        tanh_split=number(TANH_SPLIT),
        tanh_compensated=precision == "f64",
        tanh_one=number(_mp.ceil((p + 2) * _mp.ln2 / 2)),
        log2_e=number(1 / _mp.ln2),
        ln2_high=number(ln2_high),
        ln2_low=number(_mp.ln2 - ln2_high),
        root_half=number(_mp.sqrt(0.5)),
        exp_zero=number(_mp.floor((subnormal_exponent - 1) * _mp.ln2)),
        exp_subnormal=number(smallest_exponent * _mp.ln2, "c"),
        exp_infinite=number(_mp.log(largest), "c"),
        exp_end=number(_mp.ceil(_mp.log(largest))),
        expm1_one=number(_mp.floor(-(p + 1) * _mp.ln2)),
        expm1_infinite=number(_mp.ceil(_mp.log(largest))),
        linear=number(_mp.ldexp(1, -p - 1)),
        tanh_linear=number(_mp.ldexp(1, -((p + 1) // 2))),
        sigmoid_one=number(_mp.ceil((p + 4) * _mp.ln2)),
        exp_nudge=number(_mp.ldexp(1, -p - 16)),
        linear_nudge=number(_mp.ldexp(1, -2 * p - 6)),
        tanh_nudge=number(_mp.ldexp(1, -(3 * p + 1) // 2 - 4)),
        round_magic=number(3 * integer_magic // 2),
        integer_magic=number(integer_magic),
        lift=pattern(lift << (p - 1)),
        grid=number(_mp.ldexp(1, lift + smallest_exponent)),
        normal_bias=number(integer_magic + bias),
        subnormal_bias=number(integer_magic + bias - subnormal_exponent),
        smallest_normal=number(_mp.ldexp(1, smallest_exponent)),
        erf=texts(_interpolate("erf", precision)),
        erfc=texts(_interpolate("erfc", precision)),
        erf_split=number(ERF_SPLIT),
        erfc_end=number(ERFC_END[precision]),
        mantissa_bits=p - 1,
        mantissa_mask=pattern(integer_magic - 1),
        magnitude_mask=pattern(2 ** (p + e - 1) - 1),
    )


_IN_FUNCTIONS = ("exp_first", "exp_pairs", "log", "erf", "erfc", "tanh_compensated")
"""What the runtime writes where it reads it; the others are macros."""
_PATTERNS = ("lift", "mantissa_mask", "magnitude_mask")
"""Constants that are patterns of bits."""


def definitions() -> tuple[str, ...]:
    """The lines of the runtime that hold the constants: macros of both precisions, and the polynomials of each."""
    single, double = constants("f32"), constants("f64")
    found = []
    for entry in fields(Constants):
        one, other = getattr(single, entry.name), getattr(double, entry.name)
        if entry.name in _IN_FUNCTIONS:
            continue
        if isinstance(one, int):
            text = f"(REAL == 32 ? {one} : {other})"
        elif entry.name in _PATTERNS:
            text = f"((uint_real)(REAL == 32 ? {one} : {other}))"
        else:
            text = f"EITHER({one}, {other})"
        found.append(f"#define {entry.name.upper()} {text}")
    for k in (single, double):
        found.append(f"    vec q = {' + '.join(_exp_terms(k.exp_first))};")
        found += [f"    q = q * z + ({' + '.join(_exp_terms(pair))});" for pair in k.exp_pairs]
        found.append(f"    vec r = K({k.log[0]});")
        found += [f"    r = r * z + K({coefficient});" for coefficient in k.log[1:]]
        found.append(f"    vec p = K({k.erf[0]});")
        found += [f"    p = p * z + K({coefficient});" for coefficient in k.erf[1:]]
        found.append(f"    vec w = K({k.erfc[0]});")
        found += [f"    w = w * q + K({coefficient});" for coefficient in k.erfc[1:]]
    return tuple(found)


def _exp_terms(coefficients: tuple[str, ...]) -> list[str]:
    """The terms of one coefficient, or of two, the first of them times r."""
    factors = ("r * ", "")[-len(coefficients) :]
    return [f"{factor}K({coefficient})" for factor, coefficient in zip(factors, coefficients, strict=True)]
