"""How generated Python spells each function of the language, a ufunc or a helper of the module, and each reduction.

One entry for each row of `symrnn.language.functions` and of `symrnn.language.reductions`; a function without one is refused by
name. Leaves out: what the functions mean, and where they are called (`symrnn.targets.numpy.printer`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from symrnn.errors import GenerateError


@dataclass(frozen=True)
class Spelling:
    """One function in generated Python.

    Attributes:
        callee: a ufunc (``np.tanh``) or the helper that ``source`` defines; either takes ``out=``, which may be one of
            the arguments.
        source: source of the helper, empty for a ufunc. Comparisons look at the real part, so that a complex step
            passes through, and at a kink it finds the derivative that the table has there; real numbers take the
            shortest way.
        needs: other functions whose helpers ``source`` calls.
    """

    callee: str
    source: str = ""
    needs: tuple[str, ...] = ()


SPELLINGS: Mapping[str, Spelling] = {
    # Here -a is a whole new array. From NumPy 2.1 on, `np.negative` from a column to a column of another array takes
    # # the first for contiguous if its stride is 16 bytes in float32, or 64 in float64 (the fault is in
    # loops_unary.dispatch.c.src).
    "sigmoid": Spelling(
        "_sigmoid",
        "def _sigmoid(a, out=None):\n"
        '    """Return 1 / (1 + exp(-a)); for complex numbers, exp only where it cannot overflow."""\n'
        '    if a.dtype.kind == "c":\n'
        "        negative = a.real < 0\n"
        "        e = np.exp(np.where(negative, a, -a))\n"
        "        return np.divide(np.where(negative, e, 1), 1 + e, out=out)\n"
        "    out = np.exp(-a, out=out)\n"
        "    out += 1\n"
        "    return np.reciprocal(out, out=out)\n",
    ),
    "tanh": Spelling("np.tanh"),
    "relu": Spelling(
        "_relu",
        "def _relu(a, out=None):\n"
        '    """Return a where a > 0, else 0."""\n'
        '    if a.dtype.kind == "c":\n'
        "        return np.positive(np.where(a.real > 0, a, 0), out=out)\n"
        "    return np.maximum(a, 0, out=out)\n",
    ),
    "leaky_relu": Spelling(
        "_leaky_relu",
        "def _leaky_relu(a, out=None):\n"
        '    """Return a where a > 0, else a / 100."""\n'
        "    return np.positive(np.where(a.real > 0, a, 0.01 * a), out=out)\n",
    ),
    "elu": Spelling(
        "_elu",
        "def _elu(a, out=None):\n"
        '    """Return a where a > 0, else exp(a) - 1."""\n'
        "    return np.positive(np.where(a.real > 0, a, np.expm1(np.where(a.real > 0, 0, a))), out=out)\n",
    ),
    "softplus": Spelling(
        "_softplus",
        "def _softplus(a, out=None):\n"
        '    """Return log(1 + exp(a)), taking exp only of real parts that are not positive."""\n'
        "    positive = a.real > 0\n"
        "    return np.add(np.where(positive, a, 0), np.log1p(np.exp(np.where(positive, -a, a))), out=out)\n",
    ),
    "softsign": Spelling(
        "_softsign",
        "def _softsign(a, out=None):\n"
        '    """Return a / (1 + |a|)."""\n'
        "    return np.divide(a, 1 + np.where(a.real < 0, -a, a), out=out)\n",
    ),
    "silu": Spelling(
        "_silu",
        'def _silu(a, out=None):\n    """Return a sigmoid(a)."""\n    return np.multiply(a, _sigmoid(a), out=out)\n',
        needs=("sigmoid",),
    ),
    "gelu": Spelling(
        "_gelu",
        "def _gelu(a, out=None):\n"
        '    """Return the tanh form of gelu."""\n'
        "    return np.multiply(0.5 * a, 1 + np.tanh(0.7978845608028654 * (a + 0.044715 * a * a * a)), out=out)\n",
    ),
    "hard_sigmoid": Spelling(
        "_hard_sigmoid",
        "def _hard_sigmoid(a, out=None):\n"
        '    """Return a / 6 + 1/2, clipped to [0, 1]."""\n'
        "    y = (a + 3) / 6\n"
        "    return np.positive(np.where(y.real <= 0, 0, np.where(y.real >= 1, 1, y)), out=out)\n",
    ),
    "hard_tanh": Spelling(
        "_hard_tanh",
        "def _hard_tanh(a, out=None):\n"
        '    """Return a, clipped to [-1, 1]."""\n'
        "    return np.positive(np.where(a.real <= -1, -1, np.where(a.real >= 1, 1, a)), out=out)\n",
    ),
    "exp": Spelling("np.exp"),
    "log": Spelling("np.log"),
    "sqrt": Spelling("np.sqrt"),
    "abs": Spelling(
        "_abs",
        "def _abs(a, out=None):\n"
        '    """Return |a|; for complex numbers -a, 0 or a by the sign of the real part, so that its slope at 0 is 0."""\n'
        '    if a.dtype.kind == "c":\n'
        "        return np.positive(np.where(a.real < 0, -a, np.where(a.real > 0, a, np.absolute(a.real))), out=out)\n"
        "    return np.absolute(a, out=out)\n",
    ),
    "sin": Spelling("np.sin"),
    "cos": Spelling("np.cos"),
    "minimum": Spelling(
        "_minimum",
        "def _minimum(a, b, out=None):\n"
        '    """Return the smaller of a and b, by their real parts; on ties their mean, which has half of each slope."""\n'
        "    if np.iscomplexobj(a) or np.iscomplexobj(b):\n"
        "        over = np.subtract(a, b).real\n"
        "        tied = np.add(np.multiply(a, 0.5), np.multiply(b, 0.5))\n"
        "        return np.positive(np.where(over < 0, a, np.where(over > 0, b, tied)), out=out)\n"
        "    return np.minimum(a, b, out=out)\n",
    ),
    "maximum": Spelling(
        "_maximum",
        "def _maximum(a, b, out=None):\n"
        '    """Return the larger of a and b, by their real parts; on ties their mean, which has half of each slope."""\n'
        "    if np.iscomplexobj(a) or np.iscomplexobj(b):\n"
        "        over = np.subtract(a, b).real\n"
        "        tied = np.add(np.multiply(a, 0.5), np.multiply(b, 0.5))\n"
        "        return np.positive(np.where(over > 0, a, np.where(over < 0, b, tied)), out=out)\n"
        "    return np.maximum(a, b, out=out)\n",
    ),
    "positive": Spelling(
        "_positive",
        "def _positive(a, out=None):\n"
        '    """Return 1 where a > 0, else 0."""\n'
        "    return np.positive(np.heaviside(a.real, 0), out=out)\n",
    ),
    "sign": Spelling(
        "_sign",
        "def _sign(a, out=None):\n"
        '    """Return 1, 0 or -1 by the sign of a."""\n'
        "    return np.positive(np.sign(a.real), out=out)\n",
    ),
    "prefer": Spelling(
        "_prefer",
        "def _prefer(a, b, out=None):\n"
        '    """Return 1 where a > b, 0 where a < b, a half on ties."""\n'
        "    return np.positive(np.heaviside(np.subtract(a, b).real, 0.5), out=out)\n",
    ),
}
"""The spelling of each function of the table, by name."""


@dataclass(frozen=True)
class NumPyReduction:
    """One reduction in generated Python.

    Attributes:
        whole: the callee for one vector.
        fold: the callee that takes ``out=``.
        divides: whether the result of ``fold`` is divided by the number of units.
    """

    whole: str
    fold: str
    divides: bool = False


REDUCTIONS: Mapping[str, NumPyReduction] = {
    "mean": NumPyReduction("np.mean", "np.add.reduce", divides=True),
    "sum": NumPyReduction("np.sum", "np.add.reduce"),
}
"""The spelling of each reduction of the language, by name."""


def is_fold(function: str) -> bool:
    """Whether ``function`` is the callee of some reduction."""
    return any(function == each.fold for each in REDUCTIONS.values())


def reduction(kind: str) -> NumPyReduction:
    """How the reduction ``kind`` is spelt.

    Raises:
        GenerateError: it has no entry here.
    """
    if kind not in REDUCTIONS:
        raise GenerateError(
            f"NumPy: reduction {kind!r} has no spelling; add an entry to symrnn.targets.numpy.functions.REDUCTIONS"
        )
    return REDUCTIONS[kind]


def spelling(function: str) -> Spelling:
    """How ``function`` is spelt.

    Raises:
        GenerateError: it has no entry here.
    """
    if function not in SPELLINGS:
        raise GenerateError(
            f"NumPy: function {function!r} has no spelling; add an entry to symrnn.targets.numpy.functions.SPELLINGS"
        )
    return SPELLINGS[function]
