"""How C spells each function of the language, an expression in vectors ``a`` and ``b``, and each reduction.

One entry for each row of `symrnn.language.functions` and of `symrnn.language.reductions`; what has none is refused by
name. ``K(1)`` is a literal in every lane, other calls are primitives of the vector text (`symrnn.targets.c.vector`).
Leaves out: what the functions mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from symrnn.errors import GenerateError

SPELLINGS: Mapping[str, str] = {
    "sigmoid": "v_sigmoid(a)",
    "tanh": "v_tanh(a)",
    "relu": "v_select(v_less(a, K(0)), K(0), a)",
    "leaky_relu": "v_select(v_less(K(0), a), a, K(0.01) * a)",
    "elu": "v_select(v_less(K(0), a), a, v_expm1(v_select(v_less(K(0), a), K(0), a)))",
    "softplus": "v_select(v_less(K(0), a), a, K(0)) + v_log1p(v_exp(-v_abs(a)))",
    "softsign": "a / (K(1) + v_abs(a))",
    "silu": "a * v_sigmoid(a)",
    "gelu": "a * v_sigmoid(K(1.5957691216057308) * (a + K(0.044715) * a * a * a))",
    "hard_sigmoid": "v_clip((a + K(3)) / K(6), K(0), K(1))",
    "hard_tanh": "v_clip(a, K(-1), K(1))",
    "exp": "v_exp(a)",
    "log": "v_log(a)",
    "sqrt": "v_sqrt(a)",
    "abs": "v_abs(a)",
    "sin": "v_sin(a)",
    "cos": "v_cos(a)",
    "minimum": "v_select(v_is_nan(a), a, v_select(v_less(a, b), a, b))",
    "maximum": "v_select(v_is_nan(a), a, v_select(v_less(b, a), a, b))",
    "positive": "v_select(v_less(K(0), a), K(1), K(0))",
    "sign": "v_select(v_less(K(0), a), K(1), v_select(v_less(a, K(0)), K(-1), K(0)))",
    "prefer": "v_select(v_less(b, a), K(1), v_select(v_less(a, b), K(0), K(0.5)))",
}
"""The body of each function of the table, by name."""


@dataclass(frozen=True)
class Reduction:
    """One reduction in C.

    Attributes:
        function: of the tile's text: a function of a pointer and a count.
        divides: whether its result is divided by the count.
    """

    function: str
    divides: bool = False


REDUCTIONS: Mapping[str, Reduction] = {"mean": Reduction("sum", divides=True), "sum": Reduction("sum")}
"""The spelling of each reduction of the language, by name."""


def reduction(kind: str) -> Reduction:
    """How the reduction ``kind`` is spelt.

    Raises:
        GenerateError: it has no entry here.
    """
    if kind not in REDUCTIONS:
        raise GenerateError(
            f"C: reduction {kind!r} has no spelling; add an entry to symrnn.targets.c.functions.REDUCTIONS"
        )
    return REDUCTIONS[kind]


def spelling(function: str) -> str:
    """The body of ``function``.

    Raises:
        GenerateError: it has no entry here.
    """
    if function not in SPELLINGS:
        raise GenerateError(
            f"C: function {function!r} has no spelling; add an entry to symrnn.targets.c.functions.SPELLINGS"
        )
    return SPELLINGS[function]
