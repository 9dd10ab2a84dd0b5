"""How C spells each function and each reduction of the language: functions of ``templates/c/symrnn_functions.h``.

One entry for each row of `symrnn.language.functions` and of `symrnn.language.reductions`; a function without one is refused by
name. Leaves out: what the functions mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from symrnn.errors import GenerateError

SPELLINGS: Mapping[str, str] = {
    "sigmoid": "f_sigmoid",
    "tanh": "f_tanh",
    "relu": "f_relu",
    "leaky_relu": "f_leaky_relu",
    "elu": "f_elu",
    "softplus": "f_softplus",
    "softsign": "f_softsign",
    "silu": "f_silu",
    "gelu": "f_gelu",
    "hard_sigmoid": "f_hard_sigmoid",
    "hard_tanh": "f_hard_tanh",
    "exp": "f_exp",
    "log": "f_log",
    "sqrt": "f_sqrt",
    "abs": "f_abs",
    "sin": "f_sin",
    "cos": "f_cos",
    "minimum": "f_minimum",
    "maximum": "f_maximum",
    "expm1": "f_expm1",
    "log1p": "f_log1p",
    "erf": "f_erf",
    "erfc": "f_erfc",
    "positive": "f_positive",
    "sign": "f_sign",
    "prefer": "f_prefer",
    "step": "f_step",
    "floor": "f_floor",
    "round": "f_round",
    "where": "f_where",
    "surrogate": "f_surrogate",
    "surrogate_of_two": "f_surrogate_of_two",
    "less": "f_less",
    "less_equal": "f_less_equal",
    "equal": "f_equal",
}
"""The function of the runtime that computes each function of the table, by name."""


@dataclass(frozen=True)
class CReduction:
    """One reduction in C.

    Attributes:
        function: of the runtime, of a pointer and a count.
        divides: whether its result is divided by the count.
        joins: the last part of the names of the functions that add up vectors of it, ``join_sum`` and so on; empty where a plan
            reduces over all units alone.
    """

    function: str
    divides: bool = False
    joins: str = ""


REDUCTIONS: Mapping[str, CReduction] = {
    "mean": CReduction("sum_of", divides=True),
    "sum": CReduction("sum_of", joins="sum"),
    "max": CReduction("max_of", joins="max"),
}
"""The spelling of each reduction of the language, by name."""

VECTORS: Mapping[str, str] = {"cumsum": "cumsum_at", "revcumsum": "revcumsum_at"}
"""The function of the runtime that computes each vector function, by name: of a pointer, the unit at hand and a count."""


def reduction(kind: str) -> CReduction:
    """How the reduction ``kind`` is spelt.

    Raises:
        GenerateError: it has no entry here.
    """
    if kind not in REDUCTIONS:
        raise GenerateError(
            f"C: reduction {kind!r} has no spelling; add an entry to symrnn.targets.c.functions.REDUCTIONS"
        )
    return REDUCTIONS[kind]


def vector_function(kind: str) -> str:
    """The function of the runtime that computes the vector function ``kind``.

    Raises:
        GenerateError: it has no entry here.
    """
    if kind not in VECTORS:
        raise GenerateError(
            f"C: vector function {kind!r} has no spelling; add an entry to symrnn.targets.c.functions.VECTORS"
        )
    return VECTORS[kind]


def spelling(function: str) -> str:
    """The function of the runtime that computes ``function``.

    Raises:
        GenerateError: it has no entry here.
    """
    if function not in SPELLINGS:
        raise GenerateError(
            f"C: function {function!r} has no spelling; add an entry to symrnn.targets.c.functions.SPELLINGS"
        )
    return SPELLINGS[function]
