"""The function table: one row per function of the equation language, read by every later stage.

A row holds a function's SymPy class (our own: SymPy's `tanh`, `Max` or `Abs` would rewrite themselves, and their
derivatives at kinks are not ours), its partial derivatives in its output and arguments, its meaning in SymPy's own
functions (which the proof differentiates independently), and its NumPy, C and LaTeX text. Adding a function is adding
a row. Leaves out: how texts are assembled (`symrnn.emit`) and the vector primitives that C bodies call.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sympy
from sympy import Rational

# The border with SymPy, whose expressions carry no useful static type.
Algebra = Any


@dataclass(frozen=True)
class Function:
    """One row of the table.

    Attributes:
        name: as written in equations.
        arity: number of arguments, 1 or 2.
        symbol: the SymPy class; ``symbol(a)`` stays unevaluated and differentiates by `partials`.
        partials: per argument, ``(output, *arguments) -> derivative``.
        meaning: the same function in SymPy's own terms, with the project's values at kinks.
        numpy: the callee in generated Python, a ufunc (``np.tanh``) or a helper that `numpy_source` defines; either
            takes ``out=``, which may be one of the arguments.
        numpy_source: source of the helper, empty for a ufunc. Comparisons look at the real part, so that a complex
            step passes through, and at a kink it finds the derivative that `partials` have there; real numbers take
            the shortest way.
        c: a C expression in vectors ``a`` and ``b``; ``K(1)`` is a literal in every lane.
        c_needs: vector primitives and other rows that ``c`` calls.
        latex: LaTeX text with ``{0}`` and ``{1}`` for the arguments.
        analytic: whether the complex step is valid everywhere.
        smooth: whether central differences are valid everywhere.
        expensive: whether recomputing it costs more than reading it back from memory.
        public: whether equations may use it; the others occur in derivatives alone.
    """

    name: str
    arity: int
    symbol: Algebra
    partials: tuple[Callable[..., Algebra], ...]
    meaning: Callable[..., Algebra]
    numpy: str
    c: str
    latex: str
    numpy_source: str = ""
    c_needs: tuple[str, ...] = ()
    analytic: bool = True
    smooth: bool = True
    expensive: bool = True
    public: bool = True

    @property
    def needs_argument(self) -> bool:
        """Whether a derivative reads an argument, beyond the output."""
        output, *arguments = sympy.symbols("output a b")
        used = arguments[: self.arity]
        return any(partial(output, *used).has(*used) for partial in self.partials)


def _symbol_class(name: str, partials: tuple[Callable[..., Algebra], ...]) -> Algebra:
    """A SymPy function class that never evaluates and whose derivatives are ``partials`` of its own application."""

    def fdiff(self: Algebra, argindex: int = 1) -> Algebra:
        return partials[argindex - 1](self, *self.args)

    return type(name, (sympy.Function,), {"fdiff": fdiff, "nargs": (len(partials),), "is_commutative": True})


def _row(
    name: str, partials: tuple[Callable[..., Algebra], ...], meaning: Callable[..., Algebra], **texts: Any
) -> Function:
    return Function(name, len(partials), _symbol_class(name, partials), partials, meaning, **texts)


def _zero(*_: Algebra) -> Algebra:
    """The derivative of a function that is constant between its jumps."""
    return sympy.Integer(0)


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
    numpy="_positive",
    numpy_source=(
        "def _positive(a, out=None):\n"
        '    """Return 1 where a > 0, else 0."""\n'
        "    return np.positive(np.heaviside(a.real, 0), out=out)\n"
    ),
    c="v_select(v_less(K(0), a), K(1), K(0))",
    c_needs=("v_select", "v_less"),
    latex=r"[{0} > 0]",
    analytic=False,
    smooth=False,
    expensive=False,
    public=False,
)
_sign = _row(
    "sign",
    (_zero,),
    lambda a: sympy.Piecewise((1, a > 0), (-1, a < 0), (0, True)),
    numpy="_sign",
    numpy_source=(
        "def _sign(a, out=None):\n"
        '    """Return 1, 0 or -1 by the sign of a."""\n'
        "    return np.positive(np.sign(a.real), out=out)\n"
    ),
    c="v_select(v_less(K(0), a), K(1), v_select(v_less(a, K(0)), K(-1), K(0)))",
    c_needs=("v_select", "v_less"),
    latex=r"\operatorname{{sgn}}({0})",
    analytic=False,
    smooth=False,
    expensive=False,
    public=False,
)
_prefer = _row(
    "prefer",
    (_zero, _zero),
    lambda a, b: sympy.Piecewise((1, a > b), (0, a < b), (Rational(1, 2), True)),
    numpy="_prefer",
    numpy_source=(
        "def _prefer(a, b, out=None):\n"
        '    """Return 1 where a > b, 0 where a < b, a half on ties."""\n'
        "    return np.positive(np.heaviside(np.subtract(a, b).real, 0.5), out=out)\n"
    ),
    c="v_select(v_less(b, a), K(1), v_select(v_less(a, b), K(0), K(0.5)))",
    c_needs=("v_select", "v_less"),
    latex=r"[{0} > {1}]",
    analytic=False,
    smooth=False,
    expensive=False,
    public=False,
)
# -a is a new array here, all of one: from NumPy 2.1 on, `np.negative` from a column to a column of other arrays takes the
# first for contiguous where its stride is 16 bytes in float32, 64 in float64 (the fault is in loops_unary.dispatch.c.src).
_sigmoid_row = _row(
    "sigmoid",
    (lambda s, a: s * (1 - s),),
    _sigmoid,
    numpy="_sigmoid",
    numpy_source=(
        "def _sigmoid(a, out=None):\n"
        '    """Return 1 / (1 + exp(-a)); for complex numbers, exp only where it cannot overflow."""\n'
        '    if a.dtype.kind == "c":\n'
        "        negative = a.real < 0\n"
        "        e = np.exp(np.where(negative, a, -a))\n"
        "        return np.divide(np.where(negative, e, 1), 1 + e, out=out)\n"
        "    out = np.exp(-a, out=out)\n"
        "    out += 1\n"
        "    return np.reciprocal(out, out=out)\n"
    ),
    c="v_sigmoid(a)",
    c_needs=("v_sigmoid",),
    latex=r"\sigma({0})",
)
_tanh = _row(
    "tanh",
    (lambda t, a: 1 - t**2,),
    sympy.tanh,
    numpy="np.tanh",
    c="v_tanh(a)",
    c_needs=("v_tanh",),
    latex=r"\tanh({0})",
)


def _silu_slope(y: Algebra, a: Algebra) -> Algebra:
    s = _sigmoid_row.symbol(a)
    return s + y * (1 - s)


def _gelu_slope(y: Algebra, a: Algebra) -> Algebra:
    t = _tanh.symbol(_GELU_SCALE * (a + _GELU_CUBE * a**3))
    return (1 + t) / 2 + a * (1 - t**2) * _GELU_SCALE * (1 + 3 * _GELU_CUBE * a**2) / 2


_exp = _row("exp", (lambda y, a: y,), sympy.exp, numpy="np.exp", c="v_exp(a)", c_needs=("v_exp",), latex=r"\exp({0})")
_sin = _row(
    "sin",
    (lambda y, a: _cos.symbol(a),),
    sympy.sin,
    numpy="np.sin",
    c="v_sin(a)",
    c_needs=("v_sin",),
    latex=r"\sin({0})",
)
_cos: Function = _row(
    "cos",
    (lambda y, a: -_sin.symbol(a),),
    sympy.cos,
    numpy="np.cos",
    c="v_cos(a)",
    c_needs=("v_cos",),
    latex=r"\cos({0})",
)
_minimum = _row(
    "minimum",
    (lambda y, a, b: _prefer.symbol(b, a), lambda y, a, b: _prefer.symbol(a, b)),
    lambda a, b: sympy.Piecewise((a, a < b), (b, True)),
    numpy="_minimum",
    numpy_source=(
        "def _minimum(a, b, out=None):\n"
        '    """Return the smaller of a and b, by their real parts; on ties their mean, which has half of each slope."""\n'
        "    if np.iscomplexobj(a) or np.iscomplexobj(b):\n"
        "        over = np.subtract(a, b).real\n"
        "        tied = np.add(np.multiply(a, 0.5), np.multiply(b, 0.5))\n"
        "        return np.positive(np.where(over < 0, a, np.where(over > 0, b, tied)), out=out)\n"
        "    return np.minimum(a, b, out=out)\n"
    ),
    c="v_select(v_is_nan(a), a, v_select(v_less(a, b), a, b))",
    c_needs=("v_select", "v_is_nan", "v_less"),
    latex=r"\min({0}, {1})",
    analytic=False,
    smooth=False,
    expensive=False,
)
_maximum = _row(
    "maximum",
    (lambda y, a, b: _prefer.symbol(a, b), lambda y, a, b: _prefer.symbol(b, a)),
    lambda a, b: sympy.Piecewise((a, a > b), (b, True)),
    numpy="_maximum",
    numpy_source=(
        "def _maximum(a, b, out=None):\n"
        '    """Return the larger of a and b, by their real parts; on ties their mean, which has half of each slope."""\n'
        "    if np.iscomplexobj(a) or np.iscomplexobj(b):\n"
        "        over = np.subtract(a, b).real\n"
        "        tied = np.add(np.multiply(a, 0.5), np.multiply(b, 0.5))\n"
        "        return np.positive(np.where(over > 0, a, np.where(over < 0, b, tied)), out=out)\n"
        "    return np.maximum(a, b, out=out)\n"
    ),
    c="v_select(v_is_nan(a), a, v_select(v_less(b, a), a, b))",
    c_needs=("v_select", "v_is_nan", "v_less"),
    latex=r"\max({0}, {1})",
    analytic=False,
    smooth=False,
    expensive=False,
)

_abs = _row(
    "abs",
    (lambda y, a: _sign.symbol(a),),
    lambda a: sympy.Piecewise((a, a > 0), (-a, True)),
    numpy="_abs",
    numpy_source=(
        "def _abs(a, out=None):\n"
        '    """Return |a|; for complex numbers -a, 0 or a by the sign of the real part, so that its slope at 0 is 0."""\n'
        '    if a.dtype.kind == "c":\n'
        "        return np.positive(np.where(a.real < 0, -a, np.where(a.real > 0, a, np.absolute(a.real))), out=out)\n"
        "    return np.absolute(a, out=out)\n"
    ),
    c="v_abs(a)",
    c_needs=("v_abs",),
    latex=r"\left|{0}\right|",
    analytic=False,
    smooth=False,
    expensive=False,
)

_ROWS = (
    _sigmoid_row,
    _tanh,
    _row(
        "relu",
        (lambda y, a: _positive.symbol(y),),
        lambda a: sympy.Piecewise((a, a > 0), (0, True)),
        numpy="_relu",
        numpy_source=(
            "def _relu(a, out=None):\n"
            '    """Return a where a > 0, else 0."""\n'
            '    if a.dtype.kind == "c":\n'
            "        return np.positive(np.where(a.real > 0, a, 0), out=out)\n"
            "    return np.maximum(a, 0, out=out)\n"
        ),
        c="v_select(v_less(a, K(0)), K(0), a)",
        c_needs=("v_select", "v_less"),
        latex=r"\operatorname{{relu}}({0})",
        analytic=False,
        smooth=False,
        expensive=False,
    ),
    _row(
        "leaky_relu",
        (lambda y, a: Rational(1, 100) + Rational(99, 100) * _positive.symbol(y),),
        lambda a: sympy.Piecewise((a, a > 0), (a / 100, True)),
        numpy="_leaky_relu",
        numpy_source=(
            "def _leaky_relu(a, out=None):\n"
            '    """Return a where a > 0, else a / 100."""\n'
            "    return np.positive(np.where(a.real > 0, a, 0.01 * a), out=out)\n"
        ),
        c="v_select(v_less(K(0), a), a, K(0.01) * a)",
        c_needs=("v_select", "v_less"),
        latex=r"\operatorname{{lrelu}}({0})",
        analytic=False,
        smooth=False,
        expensive=False,
    ),
    _row(
        "elu",
        (lambda y, a: 1 + _minimum.symbol(y, sympy.Integer(0)),),
        lambda a: sympy.Piecewise((a, a > 0), (sympy.exp(a) - 1, True)),
        numpy="_elu",
        numpy_source=(
            "def _elu(a, out=None):\n"
            '    """Return a where a > 0, else exp(a) - 1."""\n'
            "    return np.positive(np.where(a.real > 0, a, np.expm1(np.where(a.real > 0, 0, a))), out=out)\n"
        ),
        c="v_select(v_less(K(0), a), a, v_expm1(v_select(v_less(K(0), a), K(0), a)))",
        c_needs=("v_select", "v_less", "v_expm1"),
        latex=r"\operatorname{{elu}}({0})",
        analytic=False,
        smooth=False,
    ),
    _row(
        "softplus",
        (lambda y, a: _sigmoid_row.symbol(a),),
        lambda a: sympy.log(1 + sympy.exp(a)),
        numpy="_softplus",
        numpy_source=(
            "def _softplus(a, out=None):\n"
            '    """Return log(1 + exp(a)), taking exp only of real parts that are not positive."""\n'
            "    positive = a.real > 0\n"
            "    return np.add(np.where(positive, a, 0), np.log1p(np.exp(np.where(positive, -a, a))), out=out)\n"
        ),
        c="v_select(v_less(K(0), a), a, K(0)) + v_log1p(v_exp(-v_abs(a)))",
        c_needs=("v_select", "v_less", "v_abs", "v_exp", "v_log1p"),
        latex=r"\operatorname{{softplus}}({0})",
    ),
    _row(
        "softsign",
        (lambda y, a: (1 - _abs.symbol(y)) ** 2,),
        lambda a: sympy.Piecewise((a / (1 + a), a > 0), (a / (1 - a), True)),
        numpy="_softsign",
        numpy_source=(
            "def _softsign(a, out=None):\n"
            '    """Return a / (1 + |a|)."""\n'
            "    return np.divide(a, 1 + np.where(a.real < 0, -a, a), out=out)\n"
        ),
        c="a / (K(1) + v_abs(a))",
        c_needs=("v_abs",),
        latex=r"\operatorname{{softsign}}({0})",
        analytic=False,
        smooth=False,
        expensive=False,
    ),
    _row(
        "silu",
        (_silu_slope,),
        lambda a: a * _sigmoid(a),
        numpy="_silu",
        numpy_source=(
            'def _silu(a, out=None):\n    """Return a sigmoid(a)."""\n    return np.multiply(a, _sigmoid(a), out=out)\n'
        ),
        c="a * v_sigmoid(a)",
        c_needs=("v_sigmoid",),
        latex=r"\operatorname{{silu}}({0})",
    ),
    _row(
        "gelu",
        (_gelu_slope,),
        lambda a: a * (1 + sympy.tanh(_GELU_SCALE * (a + _GELU_CUBE * a**3))) / 2,
        numpy="_gelu",
        numpy_source=(
            "def _gelu(a, out=None):\n"
            '    """Return the tanh form of gelu."""\n'
            "    return np.multiply(0.5 * a, 1 + np.tanh(0.7978845608028654 * (a + 0.044715 * a * a * a)), out=out)\n"
        ),
        c="a * v_sigmoid(K(1.5957691216057308) * (a + K(0.044715) * a * a * a))",
        c_needs=("v_sigmoid",),
        latex=r"\operatorname{{gelu}}({0})",
    ),
    _row(
        "hard_sigmoid",
        (lambda y, a: _positive.symbol(y) * _positive.symbol(1 - y) / 6,),
        lambda a: _clip(a / 6 + Rational(1, 2), sympy.Integer(0), sympy.Integer(1)),
        numpy="_hard_sigmoid",
        numpy_source=(
            "def _hard_sigmoid(a, out=None):\n"
            '    """Return a / 6 + 1/2, clipped to [0, 1]."""\n'
            "    y = (a + 3) / 6\n"
            "    return np.positive(np.where(y.real <= 0, 0, np.where(y.real >= 1, 1, y)), out=out)\n"
        ),
        c="v_clip((a + K(3)) / K(6), K(0), K(1))",
        c_needs=("v_clip",),
        latex=r"\operatorname{{hsig}}({0})",
        analytic=False,
        smooth=False,
        expensive=False,
    ),
    _row(
        "hard_tanh",
        (lambda y, a: _positive.symbol(y + 1) * _positive.symbol(1 - y),),
        lambda a: _clip(a, sympy.Integer(-1), sympy.Integer(1)),
        numpy="_hard_tanh",
        numpy_source=(
            "def _hard_tanh(a, out=None):\n"
            '    """Return a, clipped to [-1, 1]."""\n'
            "    return np.positive(np.where(a.real <= -1, -1, np.where(a.real >= 1, 1, a)), out=out)\n"
        ),
        c="v_clip(a, K(-1), K(1))",
        c_needs=("v_clip",),
        latex=r"\operatorname{{htanh}}({0})",
        analytic=False,
        smooth=False,
        expensive=False,
    ),
    _exp,
    _row("log", (lambda y, a: 1 / a,), sympy.log, numpy="np.log", c="v_log(a)", c_needs=("v_log",), latex=r"\log({0})"),
    _row(
        "sqrt",
        (lambda y, a: 1 / (2 * y),),
        sympy.sqrt,
        numpy="np.sqrt",
        c="v_sqrt(a)",
        c_needs=("v_sqrt",),
        latex=r"\sqrt{{{0}}}",
    ),
    _abs,
    _sin,
    _cos,
    _minimum,
    _maximum,
    _positive,
    _sign,
    _prefer,
)

FUNCTIONS: dict[str, Function] = {row.name: row for row in _ROWS}
"""Every row by name, those that only derivatives use included."""

REDUCTIONS = ("mean", "sum")
"""The reductions over the units of a vector."""

PUBLIC = tuple(row.name for row in _ROWS if row.public) + REDUCTIONS
"""The words that equations may call."""
