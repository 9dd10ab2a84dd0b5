"""LaTeX of expressions: signs, parentheses and superscripts follow the tree."""

from __future__ import annotations

import pytest

from symrnn.language.tree import Binary, Call, Expression, Name, Negate, Power, integer
from symrnn.language.typeset.expressions import Notation
from symrnn.language.typeset.latex import Latex

A, B, S = Name("a"), Name("b"), Name("s")
NOTATION = Notation({"c": Latex(r"\bar{c}^{(t)}", raised=True)}, {"a": ("hidden",), "b": ("hidden",), "s": ("1",)})


@pytest.mark.parametrize(
    ("node", "minus", "rest"),
    [
        (Negate(A), True, "a"),
        (Negate(Binary("+", A, B)), True, "(a + b)"),
        (Binary("+", Negate(A), B), True, "a + b"),
        (Binary("*", Negate(S), A), True, r"s\, a"),
        (Binary("*", Negate(A), B), False, r"(-a) \odot b"),
        (Binary("-", A, Negate(B)), False, "a - (-b)"),
    ],
)
def test_a_leading_minus_is_told_from_the_rest(node: Expression, minus: bool, rest: str) -> None:
    assert NOTATION.signed(node) == (minus, rest)
    assert NOTATION(node) == ("-" if minus else "") + rest


def test_a_second_superscript_stands_behind_a_group() -> None:
    assert NOTATION(Power(Name("c"), integer(3).value)) == r"{\bar{c}^{(t)}}^{3}"


def test_the_power_of_a_function_stands_behind_its_command() -> None:
    square = integer(2).value
    assert NOTATION(Power(Call("tanh", (A,)), square)) == r"\tanh^{2}(a)"
    assert NOTATION(Power(Call("relu", (A,)), square)) == r"\operatorname{relu}(a)^{2}"
    assert NOTATION(Call("tanh", (Binary("/", A, B),))) == r"\tanh\Bigl(\frac{a}{b}\Bigr)"
