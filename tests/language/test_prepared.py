"""Equations of parameters alone that prepare matrices: which they are, sizes, the normal form, and what it computes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from symrnn.check.interpreter import FUNCTIONS, OPERATORS
from symrnn.check.prepared_values import prepared_values
from symrnn.derive.preparation import prepare
from symrnn.errors import CellError
from symrnn.language.cell import Cell
from symrnn.language.system import Role
from symrnn.language.text import to_text
from tests.prepared import PREPARED, Prepares

NUMBERS = {"input": 3, "hidden": 5, "rank": 2, "1": 1}


def drawn(cell: Cell) -> tuple[dict[str, int], dict[str, Any]]:
    """Sizes, and dense parameters."""
    random = np.random.default_rng(3)
    sizes = {**NUMBERS, "input": 5} if cell.input_is_hidden else NUMBERS
    return sizes, {v.name: random.normal(size=[sizes[size] for size in v.shape]) for v in cell.parameters}


@pytest.mark.parametrize("one", PREPARED, ids=lambda one: one.name)
def test_values_are_those_by_hand_and_those_of_the_interpreter(one: Prepares) -> None:
    cell = one.cell
    sizes, params = drawn(cell)
    found = prepare(cell.preparation, params, sizes)
    interpreted = prepared_values(cell, sizes, params, FUNCTIONS, OPERATORS)
    expected = one.values(params)
    assert set(expected) == set(cell.preparation.outputs)
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-13, atol=1e-13)
        np.testing.assert_allclose(interpreted[name], array, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("one", PREPARED, ids=lambda one: one.name)
def test_to_the_step_what_is_prepared_is_a_parameter(one: Prepares) -> None:
    cell = one.cell
    made = set(cell.preparation.outputs)
    assert made <= {variable.name for variable in cell.step_parameters}
    assert not made & {variable.name for variable in cell.parameters}
    assert made <= {variable.name for variable in cell.of_role(Role.PREPARED)}
    step = cell.step
    assert not step.preparation.equations
    assert step.normal == cell.normal
    assert {equation.target for equation in step.equations}.isdisjoint(made)


def test_a_cell_without_such_equations_is_its_own_step() -> None:
    cell = Cell.from_equations("a = exp(-tau)\nh' = a * h + W @ x")
    assert cell.step is cell
    assert not cell.preparation.equations
    assert cell.step_parameters == cell.parameters


def test_capitals_are_matrices_where_one_is_needed_and_small_letters_vectors() -> None:
    cell = Cell.from_equations("V = g * W\nh' = V @ x + U @ h")
    assert {v.name: v.shape for v in cell.parameters} == {
        "g": ("hidden",),
        "W": ("hidden", "input"),
        "U": ("hidden", "hidden"),
    }
    declared = Cell.from_equations("v = a * B\nh' = v @ x + U @ h", sizes={"a": ["hidden", "input"], "B": "hidden"})
    assert {v.name: v.shape for v in declared.parameters}["a"] == ("hidden", "input")
    assert {v.name: v.shape for v in declared.parameters}["B"] == ("hidden",)


def test_a_vector_stands_along_the_axis_that_has_its_size() -> None:
    cell = Cell.from_equations("V = W * c\nh' = V @ x + U @ h", sizes={"c": "input"})
    assert [to_text(e.expression) for e in cell.preparation.equations] == ["c.T", "W * c_T"]
    square = Cell.from_equations("V = U * c\nh' = V @ h + W @ x")
    assert [to_text(e.expression) for e in square.preparation.equations] == ["U * c"]
    turned = Cell.from_equations("V = (c * U.T).T\nh' = V @ h + W @ x")
    sizes, params = drawn(turned)
    np.testing.assert_allclose(prepare(turned.preparation, params, sizes)["V"], params["U"] * params["c"])


def test_vectors_of_parameters_alone_stay_values_of_the_step_unless_a_matrix_reads_them() -> None:
    cell = Cell.from_equations("a = exp(d)\nb = exp(e)\nV = a * W\nh' = V @ x + b * h")
    assert [e.target for e in cell.preparation.equations] == ["a", "V"]
    assert [e.target for e in cell.normal.equations] == ["b", "h'"]
    assert cell.preparation.outputs == ("V",)


def test_an_unnamed_matrix_gets_a_name_once() -> None:
    cell = Cell.from_equations("h' = (U - U.T) @ h + (U - U.T) @ x + (U - U.T).T @ h")
    assert [(e.label, e.target) for e in cell.equations] == [("1A", "U_prepared"), ("1", "h'")]
    assert to_text(cell.equations[1].expression) == "U_prepared @ h + U_prepared @ x + U_prepared.T @ h"
    taken = Cell.from_equations("h' = (U + U.T) @ h + U_prepared * x")
    assert taken.preparation.outputs == ("U_prepared_2",)


def test_the_identity_is_square() -> None:
    assert Cell.from_equations("V = W + eye\nh' = V @ x").input_is_hidden
    with pytest.raises(CellError, match="is needed"):
        Cell.from_equations("V = W + eye\nh' = V @ x", sizes={"h": "other"})


def test_definitions_may_hold_unnamed_matrices() -> None:
    cell = Cell.from_equations("h' = turn(h) + W @ x", define={"turn(a)": "(U - U.T) @ a"})
    assert [to_text(e.expression) for e in cell.preparation.equations] == ["U.T", "U - U_T"]
    with pytest.raises(CellError, match=r"found `a \* U`"):
        Cell.from_equations("h' = scale(h) + W @ x", define={"scale(a)": "(a * U) @ a"})


def test_what_is_prepared_is_no_output() -> None:
    with pytest.raises(CellError, match="`n` is computed from parameters alone, once, and is no value of a step"):
        Cell.from_equations("n = sum(W**2, input)\nV = W / n\nh' = V @ x", output=["h", "n"])


def test_starts_and_domains_are_those_of_parameters() -> None:
    with pytest.raises(CellError, match="unknown parameter"):
        Cell.from_equations("V = g * W\nh' = V @ x", init={"V": "orthogonal"})
    assert Cell.from_equations("V = g * W\nh' = V @ x", init={"W": "orthogonal"}).init == {"W": "orthogonal"}


def test_what_only_fixed_parameters_determine_has_no_gradient() -> None:
    cell = Cell.from_equations("V = M * W\nh' = V @ x + U @ h", fixed=["M", "W"])
    assert [v.name for v in cell.step_trainable] == ["U"]


@pytest.mark.parametrize("inner", ["-B", "A + B"])
def test_a_matrix_right_of_a_product_in_a_scaled_one_is_a_matrix(inner: str) -> None:
    cell = Cell.from_equations(f"h' = tanh(x + (2 * (A @ ({inner}))) @ h)", name="probe")
    assert {parameter.name: parameter.shape for parameter in cell.parameters} == dict.fromkeys(
        "AB", ("hidden", "hidden")
    )
