"""Values and derivatives of every function of one argument in kernels, far and near, against mpmath; and choices."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy

import symrnn
from symrnn.language.functions import FUNCTIONS

pytestmark = pytest.mark.usefixtures("quick_compiler")

Array = np.ndarray[Any, np.dtype[Any]]

NAMES = [row.name for row in FUNCTIONS.values() if row.public and row.arity == 1]
POSITIVE = ("log", "log1p", "sqrt", "rsqrt")
FAR = [
    -1e4,
    -90,
    -30,
    -12.5,
    -5.9,
    -3.01,
    -1.01,
    -0.6,
    -0.25,
    -1e-3,
    1e-3,
    0.25,
    0.6,
    1.01,
    2.99,
    5.9,
    12.5,
    30,
    86,
    1e4,
]
GROWING = ("exp", "expm1")
"""Functions whose value at the largest points is beyond every number."""
COARSE = ("silu", "gelu", "hard_swish")
"""Functions that lose digits where their result is nearly zero, though none beside the largest of them."""


@pytest.fixture(scope="module", params=["numpy", "c"])
def kernels(request: pytest.FixtureRequest) -> ModuleType:
    """A cell with a state for each function, which becomes the function of itself."""
    text = "\n".join(f"s_{name}' = {name}(s_{name})" for name in NAMES)
    return symrnn.build(symrnn.Cell.from_equations(text, name="each"), backend=request.param)


def points(name: str, dtype: str) -> Array:
    at = np.array([abs(a) if name in POSITIVE else a for a in FAR], dtype)
    return np.clip(at, -86, 86) if name in GROWING else at


def exact(name: str, at: Array, order: int) -> list[float]:
    """The value or the derivative, by mpmath from the table's meaning."""
    argument = sympy.Symbol("a")
    meaning = FUNCTIONS[name].meaning(argument)
    function: Callable[..., Any] = sympy.lambdify(argument, meaning if order == 0 else meaning.diff(argument), "mpmath")
    with mpmath.workdps(450):  # so many digits are left of 1 + erf(-30)
        return [float(function(mpmath.mpf(float(a)))) for a in at]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", NAMES)
def test_values_and_derivatives(kernels: ModuleType, name: str, dtype: str) -> None:
    at = points(name, dtype)
    state = {f"s_{other}": points(other, dtype).reshape(1, -1) for other in NAMES}
    with np.errstate(over="ignore"):  # of exp(-a) where a sigmoid is zero
        y, after, tape = kernels.forward({}, np.zeros((1, 1, 1), dtype), state)
        seeds = {key: np.ones_like(value) for key, value in after.items()}
        found = kernels.backward({}, tape, np.zeros_like(y), seeds)
    eps = float(np.finfo(dtype).eps)
    tiny = float(np.finfo(dtype).tiny)
    for got, order in ((after[f"s_{name}"], 0), (found.state[f"s_{name}"], 1)):
        expected = np.array(exact(name, at, order))
        allowed = (200 * np.abs(at) + 40) * eps * np.maximum(np.abs(expected), 1e-3 if order else 0)
        allowed += tiny + 40 * eps * (order or name in COARSE)
        rows = zip(at, got.ravel(), expected, np.abs(got.ravel() - expected) <= allowed, strict=True)
        assert not [row for row in rows if not row[-1]], "point, found, expected"


GUARDED = """
p = where(h > 0, log(h), 0)
q = where(x != 0, sin(x) / x, 1)
r = where(h < 0, 0, sqrt(h) * exp(h))
h' = p + q + r
"""


@pytest.mark.parametrize("backend", ["numpy", "c"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_side_that_is_not_taken_leaves_nothing(backend: str, dtype: str) -> None:
    kernels = symrnn.build(symrnn.Cell.from_equations(GUARDED, name="guarded"), backend=backend)
    h = np.array([[-1.0, 0.25, -np.inf, 1e4, -0.5, 4.0]], dtype)
    h[0, 3] = -1e30
    x = np.array([[[0.0, 0.0, 0.5, 2.0, 0.0, 1.0]]], dtype)
    with np.errstate(invalid="ignore", divide="ignore"):
        y, _, tape = kernels.forward({}, x, {"h": h})
        found = kernels.backward({}, tape, np.ones_like(y))
    wide, given = h[0].astype(float), x[0, 0].astype(float)
    up, some = wide > 0, given != 0
    positive, other = np.where(up, wide, 1), np.where(some, given, 1)
    value = np.where(up, np.log(positive) + np.sqrt(positive) * np.exp(positive), 0) + np.where(
        some, np.sin(other) / other, 1
    )
    slope = np.where(up, 1 / positive + (0.5 / np.sqrt(positive) + np.sqrt(positive)) * np.exp(positive), 0)
    slope_x = np.where(some, np.cos(other) / other - np.sin(other) / other**2, 0)
    np.testing.assert_allclose(y[0, 0], value, rtol=1e-5)
    np.testing.assert_allclose(found.state["h"][0], slope, rtol=1e-5)
    np.testing.assert_allclose(found.x[0, 0], slope_x, rtol=1e-5, atol=1e-6)


def test_the_adjoint_of_a_choice_is_a_choice() -> None:
    derived = symrnn.derive(
        symrnn.Cell.from_equations("h' = where(h < theta, W @ x, u * log(h))", name="chosen")
    ).adjoint
    texts = {equation.target: symrnn.language.text.to_text(equation.expression) for equation in derived.equations}
    assert texts["dh_pre"] == "where(less_h, dh_out, 0)"
    assert texts["dlog_h"] == "where(less_h, 0, dh_out * u)"
    assert texts["dh"] == "where(less_h, 0, dlog_h / h)"
    assert texts["du"] == "where(less_h, 0, dh_out * log_h)"
    assert "dtheta" not in texts


def test_a_parameter_of_a_condition_alone_has_a_gradient_of_zeros() -> None:
    for backend in ("numpy", "c"):
        kernels = symrnn.build(
            symrnn.Cell.from_equations("h' = where(h < theta, x, 2 * x)", name="bare"), backend=backend
        )
        y, _, tape = kernels.forward({"theta": np.array([1.0, -1.0])}, np.ones((2, 1, 2)))
        np.testing.assert_array_equal(y, [[[1, 2]], [[2, 2]]])
        found = kernels.backward({"theta": np.array([1.0, -1.0])}, tape, np.ones_like(y))
        np.testing.assert_array_equal(found.params["theta"], [0, 0])
        np.testing.assert_array_equal(found.x, y)
