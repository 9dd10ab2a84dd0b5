"""The measure of error, the bounds, and the random numbers that kernels are checked at."""

from __future__ import annotations

import math

import numpy as np
import pytest

import symrnn
from symrnn.check.cases import CASES, Case, draw
from symrnn.check.measure import CENTRAL, INTERPRETER, bound, error, loss_scale


def test_error_is_relative_to_the_largest_entry() -> None:
    assert error(np.array([1.0, 10.5]), np.array([1.0, 10.0]), 1e-3) == pytest.approx(0.05)
    assert error(np.array([1.5, 10.0]), np.array([1.0, 10.0]), 1e-3) == pytest.approx(0.05)


def test_error_is_no_finer_than_the_floor() -> None:
    assert error(np.array([1e-17]), np.array([0.0]), 2.0) == pytest.approx(5e-18)


def test_wrong_shapes_and_numbers_that_are_not_finite_are_infinitely_wrong() -> None:
    right = np.ones((2, 3))
    assert error(np.ones((3, 2)), right, 1.0) == math.inf
    assert error(np.ones(3), right, 1.0) == math.inf
    assert error(np.where(right > 0, np.nan, 0), right, 1.0) == math.inf
    assert error(np.full((2, 3), np.inf), right, 1.0) == math.inf


def test_empty_arrays_agree_where_shapes_do() -> None:
    assert error(np.ones((0, 3)), np.ones((0, 3)), 1.0) == 0
    assert error(np.ones((0, 2)), np.ones((0, 3)), 1.0) == math.inf


def test_single_precision_is_measured_in_double() -> None:
    assert error(np.array([1 / 3], np.float32), np.array([1 / 3]), 1e-3) == pytest.approx(2.98e-8, rel=1e-2)


def test_bounds() -> None:
    assert (bound(INTERPRETER, "float64"), bound(INTERPRETER, "float32")) == (1e-12, 2e-5)
    assert (bound(CENTRAL, "float64"), bound(CENTRAL, "float32")) == (1e-7, 2e-5)


def test_the_scale_of_the_loss_is_the_root_of_its_squared_terms() -> None:
    outputs = {"y": np.array([3.0, 1.0]), "state h": np.array([2.0]), "tape h": np.array([1e9])}
    assert loss_scale(outputs, {"y": np.array([1.0, 0.0]), "state h": np.array([-2.0])}) == pytest.approx(5.0)


def test_problems_are_exact_in_single_precision_dense_and_small() -> None:
    cell = symrnn.load("lstm")
    problem = draw(cell, Case(20, 3, 5, 7, ragged=True))
    for array in (*problem.params.values(), problem.x, problem.dy, *(problem.state or {}).values()):
        assert np.array_equal(array, array.astype(np.float32), equal_nan=True)
        assert np.count_nonzero(array) == array.size
    assert 0.8 / math.sqrt(5) < np.abs(problem.params["W_xi"]).max() <= 1 / math.sqrt(5)
    assert 0.8 / math.sqrt(7) < np.abs(problem.params["W_hi"]).max() <= 1 / math.sqrt(7)
    assert np.abs(problem.params["b_i"]).max() <= 1 / math.sqrt(7)
    assert problem.lengths is not None
    assert problem.lengths.tolist()[:2] == [20, 0]
    assert set(problem.state or {}) == set(problem.dstate or {}) == {"h", "c"}


def test_problems_are_the_same_each_time() -> None:
    cell = symrnn.load("rnn")
    for case in CASES[:6]:
        first, second = draw(cell, case), draw(cell, case)
        assert all(np.array_equal(first.params[name], second.params[name]) for name in first.params)
        assert np.array_equal(first.x, second.x)


def test_new_sizes_differ_from_the_others() -> None:
    cell = symrnn.Cell.from_equations("m = W @ x + U @ h\nh' = V @ tanh(m)", sizes={"m": "inner"})
    assert Case(1, 1, 5, 7).sizes(cell) == {"input": 5, "hidden": 7, "inner": 4}
    assert Case(1, 1, 1, 1).sizes(cell) == {"input": 1, "hidden": 1, "inner": 1}


def test_a_cell_that_forces_input_to_be_hidden_gets_one_number() -> None:
    cell = symrnn.Cell.from_equations("h' = tanh(x * h)")
    assert Case(1, 1, 5, 7).sizes(cell) == {"input": 7, "hidden": 7}
    assert draw(cell, Case(2, 3, 5, 7)).x.shape == (2, 3, 7)
