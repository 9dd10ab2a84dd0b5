"""`Cell.from_equations`: roles, order, constants, initial values and the output, from a string and plain mappings."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import pytest

from symrnn.errors import CellError
from symrnn.language.cell import Cell
from symrnn.language.decimals import Number
from symrnn.language.system import Role
from symrnn.language.text import to_text
from symrnn.language.tree import Constant, walk

TEXT = """
g = sigmoid(W_g @ x + U_g @ h + p * c)
c' = g * c + (1 - g) * tanh(W_c @ x)
h' = U_g @ c' + p
"""


def test_roles_and_their_order() -> None:
    cell = Cell.from_equations(TEXT)
    assert [(variable.name, variable.role) for variable in cell.variables] == [
        ("x", Role.INPUT),
        ("c", Role.STATE),
        ("h", Role.STATE),
        ("W_g", Role.PARAMETER),
        ("U_g", Role.PARAMETER),
        ("p", Role.PARAMETER),
        ("W_c", Role.PARAMETER),
        ("g", Role.INTERMEDIATE),
        ("c'", Role.NEXT),
        ("h'", Role.NEXT),
    ]
    assert cell.inputs == ("x", "c", "h", "W_g", "U_g", "p", "W_c")
    assert cell.outputs == ("c'", "h'")
    assert cell.states == ("c", "h")
    assert [variable.name for variable in cell.parameters] == ["W_g", "U_g", "p", "W_c"]
    assert cell.normal.inputs == cell.inputs
    assert cell.normal.outputs == cell.outputs


def test_equations_are_the_authors_own() -> None:
    cell = Cell.from_equations(TEXT)
    assert cell.text == TEXT
    assert [(equation.label, equation.origin) for equation in cell.equations] == [("1", "1"), ("2", "2"), ("3", "3")]
    assert [f"{equation.target} = {to_text(equation.expression)}" for equation in cell.equations] == [
        "g = sigmoid(W_g @ x + U_g @ h + p * c)",
        "c' = g * c + (1 - g) * tanh(W_c @ x)",
        "h' = U_g @ c' + p",
    ]
    assert str(cell.equations[1].sympy) == "Eq(c', c*g + (1 - g)*tanh(W_c @ x))"


def test_the_input_is_a_variable_though_nothing_reads_it() -> None:
    cell = Cell.from_equations("h' = U @ h")
    assert cell.inputs == ("x", "h", "U")
    assert cell.by_name["x"].shape == ("input",)


def test_metadata_has_defaults() -> None:
    cell = Cell.from_equations("h' = U @ h")
    assert (cell.name, cell.title, cell.reference, cell.source) == ("cell", "", "", "<equations>")
    named = Cell.from_equations("h' = U @ h", name="n", title="A title", reference="Somebody 2000", source="notebook")
    assert (named.name, named.title, named.reference, named.source) == ("n", "A title", "Somebody 2000", "notebook")


@pytest.mark.parametrize(
    ("text", "output", "expected"),
    [
        ("c' = x + c\nh' = tanh(c')", None, "h"),
        ("c' = x + c\nh' = tanh(c')", "c", "c"),
        ("u' = x\nv' = u'", None, "u"),
        ("u' = x\nv' = u'", "v", "v"),
    ],
)
def test_output(text: str, output: str | None, expected: str) -> None:
    assert Cell.from_equations(text, output=output).output == expected


@pytest.mark.parametrize(
    ("value", "text", "exact"),
    [
        (2, "2", Fraction(2)),
        (-0.5, "-0.5", Fraction(-1, 2)),
        (1e-5, "1e-05", Fraction(1, 100_000)),
        ("0.1", "0.1", Fraction(1, 10)),
        ("+1e-3", "1e-3", Fraction(1, 1000)),
        ("-1.5", "-1.5", Fraction(-3, 2)),
    ],
)
def test_constants_are_exact(value: Any, text: str, exact: Fraction) -> None:
    cell = Cell.from_equations("h' = k * h", constants={"k": value})
    assert cell.constants == {"k": text}
    assert [node for node in walk(cell.equations[0].expression) if isinstance(node, Constant)] == [
        Constant("k", exact, text)
    ]
    assert "k" not in cell.by_name


def test_initial_values() -> None:
    words: dict[str, Number] = {"W": "orthogonal", "U": "identity", "b": "zeros", "s": "uniform"}
    init = words | {"p": 0.5, "q": "-1e-2", "r": 3}
    cell = Cell.from_equations("h' = W @ x + U @ h + b + p + q + r + s", init=init)
    assert cell.init == init | {"p": "0.5", "r": "3"}


def test_equal_arguments_give_equal_cells() -> None:
    assert Cell.from_equations(TEXT) == Cell.from_equations(TEXT)
    assert Cell.from_equations(TEXT) != Cell.from_equations(TEXT.replace("1 - g", "2 - g"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "my cell"}, "name: `my cell` is not a name"),
        ({"name": "int"}, "name: `int` is a word of C"),
        ({"name": "../up"}, "name: `../up` is not a name"),
        ({"title": "two\nlines"}, "title: expected one line of plain text"),
        ({"reference": "a */ int y;"}, "reference: expected one line of plain text"),
        ({"output": "c"}, "output: `c` is not a state"),
        ({"output": "h'"}, "did you mean `h`?"),
        ({"constants": {"k": float("inf")}}, "[constants] k: expected a finite number, found inf"),
        ({"constants": {"k": float("nan")}}, "[constants] k: expected a finite number, found nan"),
        ({"constants": {"k": True}}, "[constants] k: expected a finite number, found True"),
        ({"constants": {"k": "two"}}, "[constants] k: expected a finite number, found 'two'"),
        ({"constants": {"k": "1e999999999"}}, "beyond what a float holds"),
        ({"constants": {"k": 16**8000}}, "beyond what a float holds"),
        ({"constants": {"k": "0." + "1" * 40}}, "has 42 characters; the most is 40"),
        ({"constants": {"k": 1}}, "[constants] k: the equations never use it"),
        ({"constants": {"x": 1}}, "[constants]: `x` is the input"),
        ({"constants": {"exp": 1}}, "[constants]: `exp` is a function"),
        ({"constants": {"for": 1}}, "[constants]: `for` is a word of Python"),
        ({"init": {"W": "one"}}, "did you mean `ones`?"),
        ({"init": {"W": None}}, "nonzero, a table with one of them as its `kind`, or a number, found None"),
        ({"init": {"b": "identity"}}, "[init] b: only a matrix can be identity"),
        ({"init": {"w": "ones"}}, "[init] w: unknown parameter"),
        ({"init": {"h": "ones"}}, "[init] h: unknown parameter"),
        ({"init": {"W_xx": "ones", "b": 0}}, "[init] W_xx: unknown parameter"),
        ({"sizes": {"V": "hidden"}}, "[sizes] V: the equations have no such name"),
        ({"sizes": {"tanh": "hidden"}}, "[sizes] tanh: the equations have no such name"),
        ({"sizes": {"h'": "inner"}}, "write h"),
        ({"sizes": {"x": "features"}}, "[sizes] x: the input has size `input`, `hidden` where the two are"),
        ({"sizes": {"x": 1}}, "[sizes] x: the input has size `input`, `hidden` where the two are"),
        ({"sizes": {"W": "hidden"}}, "[sizes] W: a matrix takes"),
        ({"sizes": {"b": ["hidden", 1]}}, "[sizes] b: 1 is no axis; leave it out"),
        ({"sizes": {"b": 2}}, "expected `input`, `hidden`, the name of another size, or 1, found 2"),
        ({"sizes": {"b": "for"}}, "[sizes] b: `for` is a word of Python"),
        ({"sizes": {"b": "no size"}}, "[sizes] b: `no size` is not a name"),
        ({"sizes": {"b": "W"}}, "[sizes] b: `W` is taken"),
        ({"sizes": {"b": "seed"}}, "[sizes] b: `seed` is taken"),
        ({"sizes": {"b": "mean"}}, "[sizes] b: `mean` is a function"),
    ],
)
def test_wrong_arguments(arguments: Mapping[str, Any], message: str) -> None:
    with pytest.raises(CellError) as raised:
        Cell.from_equations("h' = tanh(W @ x + b)", **arguments)
    assert message in raised.value.message
    assert raised.value.source == "<equations>"
    assert raised.value.line == 0
