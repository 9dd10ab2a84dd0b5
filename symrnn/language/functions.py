"""The function table: one row per function of the equation language, read by every later package.

The rows of elementary functions stand here; `symrnn.language.choices` and `symrnn.language.composed` hold the others.
A row holds a function's SymPy class (our own: SymPy's `tanh`, `Max` or `Abs` would rewrite themselves, and their
derivatives at kinks are not ours), its partial derivatives in its output and arguments, its meaning in SymPy's own
functions (which the proof differentiates independently), and its LaTeX text: what the function means. Leaves out: how
a target spells it (`functions.py` in the target's folder, one entry for each row).
"""

from __future__ import annotations

import sympy
from sympy import Rational

from symrnn.language.choices import CHOICES
from symrnn.language.composed import composed
from symrnn.language.function import Algebra as Algebra
from symrnn.language.function import Function, Written, command, word
from symrnn.language.function import row as _row
from symrnn.language.function import zero as _zero
from symrnn.language.reductions import REDUCTIONS
from symrnn.language.vectors import VECTORS


def _sigmoid(a: Algebra) -> Algebra:
    return 1 / (1 + sympy.exp(-a))


def _clip(a: Algebra, low: Algebra, high: Algebra) -> Algebra:
    return sympy.Piecewise((low, a <= low), (high, a >= high), (a, True))


# sqrt(2 / pi) and the cubic coefficient of the tanh form of gelu (Hendrycks and Gimpel 2016).
_GELU_SCALE = Rational(str(sympy.sqrt(2 / sympy.pi).n(40)))
_GELU_CUBE = Rational(44715, 1000000)

_positive = _row(
    "positive",
    (_zero,),
    lambda a: sympy.Piecewise((1, a > 0), (0, True)),
    latex=Written("", "[", " > 0]"),
    analytic=False,
    smooth=False,
    arithmetic=True,
    public=False,
)
_sign = _row(
    "sign",
    (_zero,),
    lambda a: sympy.Piecewise((1, a > 0), (-1, a < 0), (0, True)),
    latex=word("sgn"),
    analytic=False,
    smooth=False,
    arithmetic=True,
)
_prefer = _row(
    "prefer",
    (_zero, _zero),
    lambda a, b: sympy.Piecewise((1, a > b), (0, a < b), (Rational(1, 2), True)),
    latex=Written("", "[", "]", " > "),
    analytic=False,
    smooth=False,
    arithmetic=True,
    public=False,
)
_sigmoid_row = _row(
    "sigmoid",
    (lambda s, a: s * (1 - s),),
    _sigmoid,
    latex=command(r"\sigma"),
)
_tanh = _row(
    "tanh",
    (lambda t, a: 1 - t**2,),
    sympy.tanh,
    latex=command(r"\tanh"),
)


def _silu_slope(y: Algebra, a: Algebra) -> Algebra:
    s = _sigmoid_row.symbol(a)
    return s + y * (1 - s)


def _gelu_slope(y: Algebra, a: Algebra) -> Algebra:
    t = _tanh.symbol(_GELU_SCALE * (a + _GELU_CUBE * a**3))
    return (1 + t) / 2 + a * (1 - t**2) * _GELU_SCALE * (1 + 3 * _GELU_CUBE * a**2) / 2


_exp = _row("exp", (lambda y, a: y,), sympy.exp, latex=command(r"\exp"))
_sin = _row(
    "sin",
    (lambda y, a: _cos.symbol(a),),
    sympy.sin,
    latex=command(r"\sin"),
)
_cos: Function = _row(
    "cos",
    (lambda y, a: -_sin.symbol(a),),
    sympy.cos,
    latex=command(r"\cos"),
)
_minimum = _row(
    "minimum",
    (lambda y, a, b: _prefer.symbol(b, a), lambda y, a, b: _prefer.symbol(a, b)),
    lambda a, b: sympy.Piecewise((a, a < b), (b, True)),
    latex=command(r"\min"),
    analytic=False,
    smooth=False,
    arithmetic=True,
)
_maximum = _row(
    "maximum",
    (lambda y, a, b: _prefer.symbol(a, b), lambda y, a, b: _prefer.symbol(b, a)),
    lambda a, b: sympy.Piecewise((a, a > b), (b, True)),
    latex=command(r"\max"),
    analytic=False,
    smooth=False,
    arithmetic=True,
)

_abs = _row(
    "abs",
    (lambda y, a: _sign.symbol(a),),
    lambda a: sympy.Piecewise((a, a > 0), (-a, True)),
    latex=Written("", r"\left|", r"\right|"),
    analytic=False,
    smooth=False,
    arithmetic=True,
)

# 2 / sqrt(pi), the slope of erf at zero, to more digits than the proof compares.
_ERF_SLOPE = Rational(str((2 / sympy.sqrt(sympy.pi)).n(80)))

_ELEMENTARY = (
    _sigmoid_row,
    _tanh,
    _row(
        "relu",
        (lambda y, a: _positive.symbol(y),),
        lambda a: sympy.Piecewise((a, a > 0), (0, True)),
        latex=word("relu"),
        analytic=False,
        smooth=False,
        arithmetic=True,
    ),
    _row(
        "leaky_relu",
        (lambda y, a: Rational(1, 100) + Rational(99, 100) * _positive.symbol(y),),
        lambda a: sympy.Piecewise((a, a > 0), (a / 100, True)),
        latex=word("lrelu"),
        analytic=False,
        smooth=False,
        arithmetic=True,
    ),
    _row(
        "elu",
        (lambda y, a: 1 + _minimum.symbol(y, sympy.Integer(0)),),
        lambda a: sympy.Piecewise((a, a > 0), (sympy.exp(a) - 1, True)),
        latex=word("elu"),
        analytic=False,
        smooth=False,
    ),
    _row(
        "softplus",
        (lambda y, a: _sigmoid_row.symbol(a),),
        lambda a: sympy.log(1 + sympy.exp(a)),
        latex=word("softplus"),
    ),
    _row(
        "softsign",
        (lambda y, a: (1 - _abs.symbol(y)) ** 2,),
        lambda a: sympy.Piecewise((a / (1 + a), a > 0), (a / (1 - a), True)),
        latex=word("softsign"),
        analytic=False,
        smooth=False,
        arithmetic=True,
    ),
    _row(
        "silu",
        (_silu_slope,),
        lambda a: a * _sigmoid(a),
        latex=word("silu"),
    ),
    _row(
        "gelu",
        (_gelu_slope,),
        lambda a: a * (1 + sympy.tanh(_GELU_SCALE * (a + _GELU_CUBE * a**3))) / 2,
        latex=word("gelu"),
    ),
    _row(
        "hard_sigmoid",
        (lambda y, a: _positive.symbol(y) * _positive.symbol(1 - y) / 6,),
        lambda a: _clip(a / 6 + Rational(1, 2), sympy.Integer(0), sympy.Integer(1)),
        latex=word("hsig"),
        analytic=False,
        smooth=False,
        arithmetic=True,
    ),
    _row(
        "hard_tanh",
        (lambda y, a: _positive.symbol(y + 1) * _positive.symbol(1 - y),),
        lambda a: _clip(a, sympy.Integer(-1), sympy.Integer(1)),
        latex=word("htanh"),
        analytic=False,
        smooth=False,
        arithmetic=True,
    ),
    _exp,
    _row("log", (lambda y, a: 1 / a,), sympy.log, latex=command(r"\log")),
    _row(
        "sqrt",
        (lambda y, a: 1 / (2 * y),),
        sympy.sqrt,
        latex=Written(r"\sqrt", "{", "}"),
    ),
    _abs,
    _sin,
    _cos,
    _minimum,
    _maximum,
    _row("expm1", (lambda y, a: 1 + y,), lambda a: sympy.exp(a) - 1, latex=word("expm1")),
    _row("log1p", (lambda y, a: 1 / (1 + a),), lambda a: sympy.log(1 + a), latex=word("log1p")),
    _row("erf", (lambda y, a: _ERF_SLOPE * _exp.symbol(-(a**2)),), sympy.erf, latex=word("erf")),
    _row("erfc", (lambda y, a: -_ERF_SLOPE * _exp.symbol(-(a**2)),), sympy.erfc, latex=word("erfc")),
    _positive,
    _sign,
    _prefer,
    *CHOICES,
)

_ROWS = (*_ELEMENTARY, *composed({row.name: row for row in _ELEMENTARY}))

FUNCTIONS: dict[str, Function] = {row.name: row for row in _ROWS}
"""Every row by name, those that only derivatives use included."""

PUBLIC = (
    *(row.name for row in _ROWS if row.public),
    *REDUCTIONS,
    *(row.name for row in VECTORS.values() if row.public),
)
"""The words that equations may call: functions, then reductions, then vector functions."""

ARITHMETIC = frozenset(row.name for row in _ROWS if row.arithmetic)
"""The functions that arithmetic and comparisons alone compute."""


def operator_of(name: str) -> str:
    """The operator that a function is written as; empty for one that is called, as every definition of a cell is."""
    return FUNCTIONS[name].operator if name in FUNCTIONS else ""


PRIMITIVE = tuple(row.name for row in _ROWS if row.formula is None)
"""The functions that targets spell, in the order of the table; of the others, normalisation leaves none."""
