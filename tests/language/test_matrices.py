"""Left sides of ``@`` that are not parameters: every suggested form is the same function, by numbers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symrnn.derive.evaluate import evaluate, floats
from symrnn.derive.preparation import prepare
from symrnn.errors import CellError
from symrnn.language.cell import Cell
from symrnn.language.tree import MatVec, walk

Array = np.ndarray[Any, np.dtype[Any]]

UNITS = 3
RANDOM = np.random.default_rng(1)
MATRICES = {name: RANDOM.normal(size=(UNITS, UNITS)) for name in ("A", "B", "W")}
VECTORS = {name: RANDOM.uniform(0.5, 2, size=UNITS) for name in ("r", "s", "h")}
CONSTANTS = {"k": 0.75}
ADVICE = re.compile(
    r"; (?:if `[^`]*` is a vector, )?write `([^`]*)`(?: where it scales the rows of the matrix, `([^`]*)`)?"
)
BEFORE = "r = 2 * h\ns = h - 1\n"


@dataclass(frozen=True)
class Left:
    """A matrix, as text and as its value by either reading of a vector times a matrix: rows scaled, or columns."""

    text: str
    value: Callable[[bool], Array]


def scaled(vector: Array, rows: bool) -> Array:
    return vector[:, np.newaxis] if rows else vector


def leaf(name: str) -> Left:
    return Left(name, lambda rows: MATRICES[name])


LEAVES = st.sampled_from(list(map(leaf, MATRICES)))


def larger(parts: st.SearchStrategy[Left]) -> st.SearchStrategy[Left]:
    numbers = st.sampled_from([("2", 2.0), ("0.5", 0.5), ("k", 0.75), ("(1 - k)", 0.25), ("(-3)", -3.0)])
    vectors = st.sampled_from(["r", "s"])
    return st.one_of(
        st.builds(lambda a: Left(f"(-{a.text})", lambda rows: -a.value(rows)), parts),
        st.builds(lambda a: Left(f"{a.text}.T", lambda rows: a.value(rows).T), parts),
        st.builds(
            lambda a, b: Left(f"({a.text} + {b.text})", lambda rows: a.value(rows) + b.value(rows)), parts, parts
        ),
        st.builds(
            lambda a, b: Left(f"({a.text} - {b.text})", lambda rows: a.value(rows) - b.value(rows)), parts, parts
        ),
        st.builds(
            lambda a, b: Left(f"({a.text} @ {b.text})", lambda rows: a.value(rows) @ b.value(rows)), parts, parts
        ),
        st.builds(lambda n, a: Left(f"({n[0]} * {a.text})", lambda rows: n[1] * a.value(rows)), numbers, parts),
        st.builds(lambda n, a: Left(f"({a.text} * {n[0]})", lambda rows: a.value(rows) * n[1]), numbers, parts),
        st.builds(lambda n, a: Left(f"({a.text} / {n[0]})", lambda rows: a.value(rows) / n[1]), numbers, parts),
        st.builds(
            lambda v, a: Left(f"({v} * {a.text})", lambda rows: scaled(VECTORS[v], rows) * a.value(rows)),
            vectors,
            parts,
        ),
        st.builds(
            lambda v, a: Left(f"({a.text} / {v})", lambda rows: a.value(rows) / scaled(VECTORS[v], rows)),
            vectors,
            parts,
        ),
    )


def complaint(left: str, operand: str = "h") -> str:
    with pytest.raises(CellError) as raised:
        Cell.from_equations(f"{BEFORE}h' = {left} @ {operand} + k * r + s + x", constants=CONSTANTS)
    return raised.value.message


def value(right: str) -> Array:
    """A right side of the language at the point."""
    cell = Cell.from_equations(f"{BEFORE}h' = k * r + s + x\nc' = {right}", constants=CONSTANTS)
    sizes = {"hidden": UNITS, "input": UNITS, "1": 1}
    return evaluate(cell.definition["c'"].expression, {**MATRICES, **VECTORS}, sizes, floats())


def prepared(left: str) -> Array:
    """A left side of parameters alone, as the matrix that it is prepared to be."""
    cell = Cell.from_equations(f"{BEFORE}h' = {left} @ h + k * r + s + x", constants=CONSTANTS)
    params = {name: MATRICES[name] for name in cell.preparation.inputs}
    found = prepare(cell.preparation, params, {"hidden": UNITS, "input": UNITS})
    (name,) = cell.preparation.outputs
    (form,) = (part for part in walk(cell.definition["h'"].expression) if isinstance(part, MatVec))
    assert form.matrix == name
    return found[name].T if form.transposed else found[name]


@given(st.recursive(LEAVES, larger, max_leaves=4).filter(lambda left: left.text.removesuffix(".T") not in MATRICES))
def test_every_form_that_is_advised_is_the_same_function(left: Left) -> None:
    if not re.search(r"\b[rs]\b", left.text):  # of parameters alone, so it needs no other form
        if left.text.replace(".T", "") not in MATRICES:
            np.testing.assert_allclose(prepared(left.text), left.value(True), rtol=1e-9, atol=1e-9)
        return
    message = complaint(left.text)
    found = ADVICE.search(message)
    assert found, message
    if "…" in message:  # too long to be shown
        return
    forms = [(rows, form) for rows, form in ((True, found[1]), (False, found[2])) if form]
    for rows, form in forms:
        np.testing.assert_allclose(value(form), left.value(rows) @ VECTORS["h"], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("left", "form"),
    [
        ("(A + B) / 2", "(A @ h + B @ h) / 2"),
        ("(A - B) * 2", "(A @ h - B @ h) * 2"),
        ("(A @ B).T", "B.T @ (A.T @ h)"),
        ("(A + B).T", "A.T @ h + B.T @ h"),
        ("(2 / k * A)", "2 / k * (A @ h)"),
        ("(-A * k)", "-(A @ h) * k"),
        ("(A.T - B)", "A.T @ h - B @ h"),
        ("(A * B - A * B)", "0 * h"),
    ],
)
def test_forms_of_parameters_alone(left: str, form: str) -> None:
    np.testing.assert_allclose(prepared(f"({left})") @ VECTORS["h"], value(form), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("left", "form"), [("(A + r * B)", "A @ h + (r * (B @ h))"), ("((A + B) / r)", "(A @ h + B @ h) / r")]
)
def test_forms(left: str, form: str) -> None:
    assert f"write `{form}`" in complaint(f"({left})")


@pytest.mark.parametrize("left", ["(r * A * B)", "(A + r)", "(r / A)", "tanh(r * A)", "((r * A) ** 2)"])
def test_what_has_no_form_gets_no_advice(left: str) -> None:
    message = complaint(left)
    assert "the language has no form for this matrix" in message
    assert "write" not in message


def test_a_vector_times_a_matrix_has_two_readings() -> None:
    assert complaint("(r * W)").endswith(
        "write `r * (W @ h)` where it scales the rows of the matrix, `W @ (r * h)` where its columns"
    )


@pytest.mark.parametrize("left", ["r", "r.T", "(W @ r)", "(r * s)", "tanh(r)", "h"])
def test_a_vector_gets_its_elementwise_and_its_inner_product(left: str) -> None:
    message = complaint(left)
    inner = left.removesuffix(".T").removeprefix("(").removesuffix(")") if left != "tanh(r)" else left
    assert f"for elementwise products write `*`, for an inner product `sum({inner} * h)`" in message


@pytest.mark.parametrize(("text", "write"), [("x @ W", "W @ x"), ("h @ U", "U @ h"), ("tanh(x) @ W", "W @ tanh(x)")])
def test_a_row_times_a_matrix_is_turned_round(text: str, write: str) -> None:
    with pytest.raises(CellError, match=re.escape(f"the matrix stands on the left: write `{write}`")):
        Cell.from_equations(f"h' = tanh({text} + U @ h)")


@pytest.mark.parametrize("left", ["2", "(1 - k)", "mean(r)"])
def test_a_number_is_multiplied(left: str) -> None:
    assert "for a product with a number write `*`" in complaint(left)


def test_a_long_operand_is_left_out() -> None:
    operand = "(" + " + ".join(["r * s"] * 9) + ")"
    assert "write `A @ … + (r * (B @ …))`" in complaint("(A + r * B)", operand)
