"""Grammar: precedence as papers mean it, places, limits, and text that reads back to the tree it came from."""

from __future__ import annotations

import ast
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from symrnn.errors import CellError
from symrnn.language.choices import COMPARISONS
from symrnn.language.functions import FUNCTIONS, PUBLIC
from symrnn.language.located import located
from symrnn.language.origin import Origin
from symrnn.language.parser import parse
from symrnn.language.reductions import REDUCTIONS
from symrnn.language.text import to_text
from symrnn.language.tree import (
    Applied,
    Binary,
    Call,
    Constant,
    Expression,
    Eye,
    MatVec,
    Name,
    Negate,
    Number,
    Power,
    Reduce,
    Transpose,
    VectorCall,
    integer,
    names,
)
from symrnn.language.vectors import VECTORS

CONSTANTS = {
    "k": (Fraction(1, 4), "0.25"),
    "m": (Fraction(65), "65"),
    "z": (Fraction(0), "0"),
}
K = Constant("k", Fraction(1, 4), "0.25")
A, B, C, X, R, H = (Name(name) for name in "abcxrh")


def tree(right: str) -> Expression:
    (assignment,) = parse(f"y = {right}", Origin(), CONSTANTS)
    return assignment.expression.node


def number(text: str) -> Number:
    return Number(Fraction(text), text)


def form(matrix: str, operand: Expression, *, transposed: bool = False) -> MatVec:
    return MatVec(matrix, transposed, operand)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-W @ x", Negate(form("W", X))),
        ("--W @ x", Negate(Negate(form("W", X)))),
        ("+W @ x", form("W", X)),
        ("r * W @ h", Binary("*", R, form("W", H))),
        ("r / W @ h", Binary("/", R, form("W", H))),
        ("-r * W @ h", Binary("*", Negate(R), form("W", H))),
        ("r * -W @ h", Binary("*", R, Negate(form("W", H)))),
        ("W @ x * r", Binary("*", form("W", X), R)),
        ("-W @ x * r", Binary("*", Negate(form("W", X)), R)),
        ("W @ x / r * a", Binary("*", Binary("/", form("W", X), R), A)),
        ("r * W @ h * a", Binary("*", Binary("*", R, form("W", H)), A)),
        ("W @ x * V @ h", Binary("*", form("W", X), form("V", H))),
        ("r * (W @ h * a)", Binary("*", R, Binary("*", form("W", H), A))),
        ("W @ V @ x", form("W", form("V", X))),
        ("W @ (V @ x)", form("W", form("V", X))),
        ("W @ -V @ x", form("W", Negate(form("V", X)))),
        ("W @ -x", form("W", Negate(X))),
        ("W @ x ** 2", form("W", Power(X, Fraction(2)))),
        ("(W @ x) ** 2", Power(form("W", X), Fraction(2))),
        ("W @ (r * h)", form("W", Binary("*", R, H))),
        ("W @ tanh(x)", form("W", Call("tanh", (X,)))),
        ("W.T @ x", form("W", X, transposed=True)),
        ("-W.T @ V.T @ x", Negate(form("W", form("V", X, transposed=True), transposed=True))),
        ("(W) @ x", form("W", X)),
        ("(W.T) @ x", form("W", X, transposed=True)),
        ("W @ x + V @ h", Binary("+", form("W", X), form("V", H))),
        ("a - b - c", Binary("-", Binary("-", A, B), C)),
        ("a - (b - c)", Binary("-", A, Binary("-", B, C))),
        ("a / b * c", Binary("*", Binary("/", A, B), C)),
        ("a / (b * c)", Binary("/", A, Binary("*", B, C))),
        ("-a ** 2", Negate(Power(A, Fraction(2)))),
        ("(-a) ** 2", Power(Negate(A), Fraction(2))),
        ("a ** -2", Power(A, Fraction(-2))),
        ("a ** +0.5", Power(A, Fraction(1, 2))),
        ("a ** (1/3)", Power(A, Fraction(1, 3))),
        ("a ** (-1/3)", Power(A, Fraction(-1, 3))),
        ("a ** k", Power(A, Fraction(1, 4), K)),
        ("a ** -k", Power(A, Fraction(-1, 4), Negate(K))),
        ("a ** (1/k)", Power(A, Fraction(4), Binary("/", integer(1), K))),
        ("a ** (-k/2)", Power(A, Fraction(-1, 8), Binary("/", Negate(K), integer(2)))),
        ("2 * a", Binary("*", integer(2), A)),
        ("1e-3 + .5 + 2.", Binary("+", Binary("+", number("1e-3"), number(".5")), number("2."))),
        ("k * a", Binary("*", Constant("k", Fraction(1, 4), "0.25"), A)),
        ("maximum(a, tanh(b))", Call("maximum", (A, Call("tanh", (B,))))),
        ("mean(a) + sum(b)", Binary("+", Reduce("mean", A), Reduce("sum", B))),
    ],
)
def test_precedence(text: str, expected: Expression) -> None:
    assert tree(text) == expected


NUMBERS = ("2", "0.50", "1e-5", ".25", "3.", "12E+3")
EXPONENTS = (Fraction(2), Fraction(-1), Fraction(1, 2), Fraction(-1, 3), Fraction(64), Fraction(1, 10), Fraction(0))
LEAVES = st.one_of(
    st.sampled_from([A, B, C, X, R, H, Name("h'")]),
    st.sampled_from([Constant("k", Fraction(1, 4), "0.25"), *map(number, NUMBERS)]),
)


def larger(parts: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    unary = tuple(name for name in PUBLIC if name in FUNCTIONS and FUNCTIONS[name].arity == 1)
    return st.one_of(
        st.builds(Negate, parts),
        st.builds(Binary, st.sampled_from("+-*/"), parts, parts),
        st.builds(Power, parts, st.sampled_from(EXPONENTS)),
        st.builds(lambda base: Power(base, Fraction(1, 4), K), parts),
        st.builds(lambda base: Power(base, Fraction(-1, 4), Negate(K)), parts),
        st.builds(lambda base: Power(base, Fraction(4), Binary("/", integer(1), K)), parts),
        st.builds(Call, st.sampled_from(unary), st.tuples(parts)),
        st.builds(Call, st.sampled_from(("minimum", "maximum")), st.tuples(parts, parts)),
        st.builds(
            lambda base, power: Call("power", (base, power)), parts, parts.filter(lambda part: bool(names(part)))
        ),
        st.builds(
            lambda sign, *parts: Call("where", (Call(sign, parts[:2]), *parts[2:])),
            st.sampled_from(tuple(COMPARISONS.values())),
            parts,
            parts,
            parts,
            parts,
        ),
        st.builds(MatVec, st.sampled_from(("W", "V")), st.booleans(), parts),
        st.builds(Reduce, st.sampled_from(tuple(REDUCTIONS)), parts),
        st.builds(VectorCall, st.sampled_from([name for name in VECTORS if name in PUBLIC]), parts),
    )


@given(st.recursive(LEAVES, larger, max_leaves=12))
def test_text_reads_back_to_the_same_tree(expression: Expression) -> None:
    assert tree(to_text(expression)) == expression


def test_every_node_has_its_place() -> None:
    text = "# first\n  m = r * (W @ x)  # µ\n\n   h' = (tanh(m)\n  - V.T @ h\n  + k)\n"
    first, second = parse(text, Origin(), CONSTANTS)
    assert (first.target, first.place) == ("m", (2, 3))
    assert [(to_text(node.node), node.place) for node in located(first.expression)] == [
        ("r * W @ x", (2, 7)),
        ("r", (2, 7)),
        ("W @ x", (2, 12)),
        ("x", (2, 16)),
    ]
    assert second.place == (4, 4)
    places = {to_text(node.node): node.place for node in located(second.expression)}
    assert places["tanh(m)"] == (4, 10)
    assert places["V.T @ h"] == (5, 5)
    assert places["k"] == (6, 5)


def error(text: str) -> CellError:
    with pytest.raises(CellError) as raised:
        parse(text, Origin(), CONSTANTS)
    return raised.value


@pytest.mark.parametrize(
    ("left", "remedy"),
    [
        ("(h * W)", "write `h * (W @ h)`"),
        ("(U - h * V)", "write `U @ h - (h * (V @ h))`"),
        ("(-U + V / h)", "write `-(U @ h) + (V @ h / h)`"),
        ("(2 * (U + h * V))", "write `2 * (U @ h + (h * (V @ h)))`"),
        ("(U + h)", "found `U + h`"),
        ("2", "found `2`"),
        ("W.t", "the only attribute is `.T`"),
        ("tanh(h * W)", "found `tanh(h * W)`"),
        ("tanh", "is a function"),
        ("k", "`k` is a constant"),
        ("a * (U - h * V)", "write `U @ h - (h * (V @ h))`"),
    ],
)
def test_left_of_a_product_stands_a_matrix_of_parameters(left: str, remedy: str) -> None:
    fault = error(f"h' = {left} @ h")
    assert remedy in fault.message
    assert fault.line == 1
    inner = left.find("(") + 1 if left.endswith(")") and "tanh" not in left else 0
    assert fault.column == len("h' = ") + inner + 1


@pytest.mark.parametrize(
    "left", ["(U - U.T)", "(-W)", "(2 * (U + V))", "(W @ V)", "tanh(W)", "W.T.T", "(a * W)", "(U - k * eye)"]
)
def test_matrices_of_parameters_alone_need_no_name(left: str) -> None:
    node = tree(f"{left} @ h")
    assert isinstance(node, Applied)
    assert tree(to_text(node)) == node


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("sum(W**2, input)", Reduce("sum", Power(Name("W"), Fraction(2)), "input")),
        ("mean(W, rows)", Reduce("mean", Name("W"), "rows")),
        ("(A + B).T", Transpose(Binary("+", Name("A"), Name("B")))),
        ("2 * eye", Binary("*", Number(Fraction(2), "2"), Eye())),
    ],
)
def test_matrices_as_values(text: str, meant: Expression) -> None:
    assert tree(text) == meant
    assert to_text(meant) == text


@pytest.mark.parametrize(
    "text", ["65", "-64.5", "1e30", "(65/1)", "(1/0)", "(60 + 5)", "(13 * 5)", "2 ** 3", "m", "-m", "(1/z)"]
)
def test_an_exponent_is_a_small_number(text: str) -> None:
    assert "exponent" in error(f"y = a ** {text}").message


@pytest.mark.parametrize("text", ["64", "-64", "(128/2)"])
def test_an_exponent_may_be_64(text: str) -> None:
    assert abs(getattr(tree(f"a ** {text}"), "exponent")) == 64  # noqa: B009 - a union without the attribute


@pytest.mark.parametrize("text", ["1e39", "1e999", "1e999999999", "1e-999999999", "9" * 40])
def test_a_number_fits_a_float(text: str) -> None:
    assert "beyond what a float holds" in error(f"y = {text} * a").message


def test_zero_is_a_number_however_it_is_written() -> None:
    assert tree("0.0e-999") == Number(Fraction(0), "0.0e-999")


@pytest.mark.parametrize(
    "text",
    [
        "(" * 101 + "a" + ")" * 101,
        "-" * 60_000 + "a",
        "tanh(" * 101 + "a" + ")" * 101,
        " + ".join(["a"] * 102),
        "a" + "**2" * 9000,
    ],
    ids=["parentheses", "signs", "calls", "terms", "powers"],
)
def test_depth_is_limited(text: str) -> None:
    assert "deep" in error(f"y = {text}").message


def test_a_hundred_terms_are_not_too_deep() -> None:
    assert to_text(tree(" + ".join(["a"] * 100))) == " + ".join(["a"] * 100)


def test_the_number_of_nodes_is_limited() -> None:
    text = "a"
    for _ in range(12):
        text = f"({text} + {text})"
    assert "more than 5000 parts" in error(f"y = {text}").message


def test_length_is_limited_before_anything_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ast, "parse", None)
    assert "10000008 characters; the most is 65536" in error("h' = x #" + " " * 10_000_000).message
