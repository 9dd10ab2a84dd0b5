"""Rows of the function table that are made of others: normalisation puts their formulas in their place.

A formula is chosen for its numbers: it is stable far from zero, and its derivatives at kinks are those that the language
states. Its meaning is written down beside it, on its own, for the proof. No target spells such a function.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import sympy
from sympy import Rational

from symrnn.language.choices import less, less_equal, where
from symrnn.language.function import Algebra, Function, Written, row, symbols, word

SELU_SCALE = Rational("1.0507009873554804934193349852946")
SELU_ALPHA = Rational("1.6732632423543772848170429916717")
"""The two constants of selu (Klambauer et al. 2017)."""

ROOT_HALF = Rational(str(sympy.sqrt(Rational(1, 2)).n(80)))
"""√½, to more digits than the proof compares."""


def composed(rows: Mapping[str, Function]) -> tuple[Function, ...]:
    """The rows made of ``rows``, in the order of the table."""

    def of(name: str) -> Algebra:
        return rows[name].symbol

    return (*_in_pieces(of), *_smooth(of))


def _in_pieces(of: Callable[[str], Algebra]) -> tuple[Function, ...]:
    return (
        _row(
            "relu6",
            lambda a: where.symbol(less_equal.symbol(6, a), 6, of("relu")(a)),
            lambda a: sympy.Piecewise((0, a <= 0), (6, a >= 6), (a, True)),
            latex=word("relu6"),
            analytic=False,
            smooth=False,
        ),
        _row(
            "celu",
            lambda a: of("elu")(a),
            lambda a: sympy.Piecewise((a, a > 0), (sympy.exp(a) - 1, True)),
            latex=word("celu"),
            analytic=False,
            smooth=False,
        ),
        _row(
            "selu",
            lambda a: SELU_SCALE * where.symbol(less.symbol(0, a), a, SELU_ALPHA * of("elu")(a)),
            lambda a: SELU_SCALE * sympy.Piecewise((a, a > 0), (SELU_ALPHA * (sympy.exp(a) - 1), True)),
            latex=word("selu"),
            analytic=False,
            smooth=False,
        ),
        _row(
            "hard_swish",
            lambda a: a * of("hard_sigmoid")(a),
            lambda a: sympy.Piecewise((0, a <= -3), (a, a >= 3), (a * (a + 3) / 6, True)),
            latex=word("hswish"),
            analytic=False,
            smooth=False,
        ),
    )


def _smooth(of: Callable[[str], Algebra]) -> tuple[Function, ...]:
    return (
        _row(
            "mish",
            lambda a: a * of("tanh")(of("softplus")(a)),
            lambda a: a * sympy.tanh(sympy.log(1 + sympy.exp(a))),
            latex=word("mish"),
        ),
        _row(
            "gelu_erf",
            lambda a: a * of("erfc")(-ROOT_HALF * a) / 2,
            lambda a: a * (1 + sympy.erf(a / sympy.sqrt(2))) / 2,
            latex=word("gelu"),
        ),
        _row(
            "logsigmoid",
            lambda a: -of("softplus")(-a),
            lambda a: -sympy.log(1 + sympy.exp(-a)),
            latex=word("logsigmoid"),
        ),
        _row("rsqrt", lambda a: 1 / of("sqrt")(a), lambda a: 1 / sympy.sqrt(a), latex=word("rsqrt")),
        _row(
            "power",
            lambda a, b: of("exp")(b * of("log")(a)),
            lambda a, b: sympy.exp(b * sympy.log(a)),
            latex=Written("", "{", "}", "}^{"),
            public=False,
            operator="**",
        ),
    )


def _row(name: str, formula: Callable[..., Algebra], meaning: Callable[..., Algebra], **rest: Any) -> Function:
    """A row whose derivatives are SymPy's of its formula."""
    arity = len(inspect.signature(formula).parameters)

    def partial(place: int) -> Callable[..., Algebra]:
        def slope(_: Algebra, *arguments: Algebra) -> Algebra:
            inner = symbols(arity)
            found = sympy.diff(formula(*inner), inner[place])
            return found.subs(list(zip(inner, arguments, strict=True)), simultaneous=True)

        return slope

    return row(name, tuple(partial(place) for place in range(arity)), meaning, formula=formula, **rest)
