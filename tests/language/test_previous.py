"""``previous(x)``: a state that is the input of the step before, zero before the first step of a row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symrnn
from symrnn.language.cell import Cell
from symrnn.language.text import to_text

TEXT = "h' = tanh(W @ x + V @ previous(x) + U @ h)"


def test_it_is_a_state_behind_those_of_the_author() -> None:
    cell = Cell.from_equations(TEXT)
    assert [f"({each.label}) {each.target} = {to_text(each.expression)}" for each in cell.equations] == [
        "(1) h' = tanh(W @ x + V @ x_previous + U @ h)",
        "(2) x_previous' = x",
    ]
    assert cell.states == ("h", "x_previous")
    assert cell.output == "h"
    assert cell.by_name["x_previous"].shape == ("input",)
    assert cell.by_name["V"].shape == ("hidden", "input")


def test_the_output_is_a_state_of_the_author() -> None:
    assert Cell.from_equations("c' = W @ previous(x) + c").output == "c"


def test_a_definition_may_read_it() -> None:
    cell = Cell.from_equations("h' = F(W, x) + U @ h", define={"F(A, v)": "A @ (v - previous(v))"})
    assert to_text(cell.equations[0].expression) == "W @ (x - x_previous) + U @ h"


def test_other_inputs_have_a_step_before_too() -> None:
    cell = Cell.from_equations(
        "h' = tanh(V @ previous(u) + W @ (x - previous(x)) + U @ h + A @ u)", inputs={"u": "context"}
    )
    assert cell.states == ("h", "u_previous", "x_previous")
    assert {state: cell.by_name[state].shape[0] for state in cell.states} == {
        "h": "hidden",
        "u_previous": "context",
        "x_previous": "input",
    }
    assert [each.target for each in cell.equations] == ["h'", "u_previous'", "x_previous'"]
    kernels = symrnn.build(cell, backend="numpy")
    params = kernels.init_params(3, 4, context=2, seed=1, dtype="float64")
    rng = np.random.default_rng(3)
    x, u = rng.normal(size=(3, 1, 3)), rng.normal(size=(3, 1, 2))
    y, _ = kernels.infer(params, x, inputs={"u": u})
    h, x_before, u_before = np.zeros(4), np.zeros(3), np.zeros(2)
    for t in range(3):
        forms = params["V"] @ u_before + params["W"] @ (x[t, 0] - x_before) + params["U"] @ h + params["A"] @ u[t, 0]
        h, x_before, u_before = np.tanh(forms), x[t, 0], u[t, 0]
        np.testing.assert_allclose(y[t, 0], h, rtol=0, atol=1e-14)


def test_an_input_of_size_one_has_a_step_before_of_size_one() -> None:
    cell = Cell.from_equations("h' = tanh(W @ x + (u - previous(u)) * h)", inputs={"u": 1})
    assert cell.by_name["u_previous"].shape == ("1",)


def test_previous_is_a_name_where_it_is_not_called() -> None:
    cell = Cell.from_equations("previous = tanh(x)\nh' = previous * h")
    assert [each.target for each in cell.equations] == ["previous", "h'"]


@pytest.mark.parametrize("reverse", [False, True])
def test_rows_of_any_length_in_both_directions(reverse: bool) -> None:
    kernels = symrnn.build(Cell.from_equations(TEXT), backend="numpy")
    rng = np.random.default_rng(3)
    params = kernels.init_params(3, 4, seed=1, dtype="float64")
    x, lengths = rng.normal(size=(6, 3, 3)), np.array([6, 4, 1])
    y, state, _ = kernels.forward(params, x, lengths=lengths, reverse=reverse)
    for row, length in enumerate(lengths):
        expected, last = by_hand(params, x[:length, row], reverse)
        np.testing.assert_allclose(y[:length, row], expected, rtol=0, atol=1e-14)
        assert not y[length:, row].any()
        np.testing.assert_array_equal(state["x_previous"][row], last)


def by_hand(params: Any, x: Any, reverse: bool) -> tuple[Any, Any]:
    """The outputs of one row, and the last input."""
    outputs = np.zeros((len(x), 4))
    h, before = np.zeros(4), np.zeros(3)
    for t in reversed(range(len(x))) if reverse else range(len(x)):
        h = np.tanh(params["W"] @ x[t] + params["V"] @ before + params["U"] @ h)
        outputs[t], before = h, x[t]
    return outputs, before
