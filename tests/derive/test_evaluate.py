"""Expressions on arrays: floats that agree with the interpreter, sizes that must agree with each other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from symrnn.check import interpreter
from symrnn.check.interpreter import interpret
from symrnn.derive.evaluate import evaluate, floats, run, sizes_of
from symrnn.errors import DerivationError
from symrnn.language.cell import Cell
from symrnn.language.functions import FUNCTIONS
from symrnn.language.system import Role, Variable
from symrnn.language.tree import Name, Outer, SizeOf

Array = np.ndarray[Any, np.dtype[Any]]


def test_a_step_is_that_of_the_interpreter(cell: Cell, point: dict[str, Array], sizes: dict[str, int]) -> None:
    found = run(cell.equations, cell.by_name, point, sizes, floats())
    params = {variable.name: point[variable.name] for variable in cell.parameters}
    state = {name: point[name][np.newaxis] for name in cell.states}
    given = {name: point[name][np.newaxis, np.newaxis] for name in cell.given}
    expected = interpret(cell, sizes, params, given.pop("x"), state, inputs=given)
    for name in cell.states:
        np.testing.assert_allclose(found[f"{name}'"], expected.state[name][0].ravel(), rtol=1e-13, atol=1e-15)


def test_normalisation_changes_no_value(cell: Cell, point: dict[str, Array], sizes: dict[str, int]) -> None:
    author = run(cell.equations, cell.by_name, point, sizes, floats())
    normal = run(cell.normal.equations, cell.normal.by_name, point, sizes, floats())
    for name, value in author.items():
        np.testing.assert_allclose(normal[name], value, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("name", interpreter.FUNCTIONS)
def test_functions_are_those_of_the_interpreter(name: str) -> None:
    at = np.array([-3.5, -1.0, -0.25, 0.0, 0.5, 1.0, 4.0]) + 5 * (name in ("log", "log1p", "sqrt", "rsqrt", "power"))
    arguments = [at, at[::-1], -at][: FUNCTIONS[name].arity]
    expected = [interpreter.FUNCTIONS[name](*scalars) for scalars in zip(*arguments, strict=True)]
    np.testing.assert_allclose(floats().functions[name](*arguments), expected, rtol=1e-14, atol=1e-15)


def test_derived_nodes_have_values() -> None:
    values = {"a": np.array([1.0, 2.0]), "b": np.array([3.0, 4.0, 5.0])}
    outer = evaluate(Outer(Name("a"), Name("b")), values, {}, floats())
    np.testing.assert_array_equal(outer, [[3, 4, 5], [6, 8, 10]])
    assert evaluate(SizeOf("hidden"), {}, {"hidden": 7}, floats()) == 7


def test_sizes_follow_from_shapes_and_must_agree() -> None:
    variables = (Variable("W", Role.PARAMETER, ("hidden", "input")), Variable("h", Role.STATE, ("hidden",)))
    assert sizes_of(variables, {"W": np.ones((2, 3))}) == {"1": 1, "hidden": 2, "input": 3}
    with pytest.raises(
        DerivationError, match=r"'h' has shape \(3,\) where the cell has \(2\); give vectors as \(size,\)"
    ):
        sizes_of(variables, {"W": np.ones((2, 3)), "h": np.ones(3)})
    with pytest.raises(DerivationError, match="one row of the batch at a time"):
        sizes_of(variables, {"h": np.ones((5, 2))})
