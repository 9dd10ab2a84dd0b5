"""The interpreter against values computed by hand (in 30 digits, with another program), and its rules of time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import symrnn
from symrnn.check import interpreter
from symrnn.check.interpreter import FUNCTIONS, Interpreted, interpret
from symrnn.errors import CheckError
from symrnn.language.choices import COMPARISONS
from symrnn.language.functions import FUNCTIONS as TABLE
from symrnn.language.functions import PUBLIC
from symrnn.language.reductions import REDUCTIONS
from symrnn.language.vectors import VECTORS

Array = np.ndarray[Any, np.dtype[Any]]

RNN = "h' = tanh(W_xh @ x + W_hh @ h + b_h)"
LSTM = """
i = sigmoid(W_xi @ x + W_hi @ h + b_i)
f = sigmoid(W_xf @ x + W_hf @ h + b_f)
o = sigmoid(W_xo @ x + W_ho @ h + b_o)
g = tanh(W_xg @ x + W_hg @ h + b_g)
c' = f * c + i * g
h' = o * tanh(c')
"""
GRU = """
z = sigmoid(W_xz @ x + W_hz @ h + b_z)
r = sigmoid(W_xr @ x + W_hr @ h + b_r)
h_tilde = tanh(W_xh @ x + W_hh @ (r * h) + b_h)
h' = z * h + (1 - z) * h_tilde
"""
GRU_RESET_AFTER = GRU.replace("tanh(W_xh @ x + W_hh @ (r * h) + b_h)", "tanh(W_xh @ x + b_h + r * (W_hh @ h + b_hh))")

RNN_WEIGHTS = {"W_xh": 0.5, "W_hh": -0.25, "b_h": 0.1}
LSTM_WEIGHTS = {
    **{"W_xi": 0.5, "W_hi": -0.3, "b_i": 0.1, "W_xf": -0.2, "W_hf": 0.4, "b_f": 1.0},
    **{"W_xo": 0.7, "W_ho": 0.25, "b_o": -0.1, "W_xg": 0.9, "W_hg": -0.6, "b_g": 0.05},
}
GRU_WEIGHTS = {
    **{"W_xz": 0.5, "W_hz": -0.3, "b_z": 0.1, "W_xr": -0.2, "W_hr": 0.4, "b_r": 0.3},
    **{"W_xh": 0.9, "W_hh": -0.6, "b_h": 0.05, "b_hh": 0.15},
}
X = np.array([1.0, -2.0]).reshape(2, 1, 1)


def run(text: str, weights: dict[str, float], x: Array = X, **options: Any) -> Interpreted:
    """A layer of one unit, its weights given as numbers, from the states that `options` give."""
    cell = symrnn.Cell.from_equations(text)
    shapes = {variable.name: (1,) * len(variable.shape) for variable in cell.parameters}
    params = {name: np.full(shape, weights[name]) for name, shape in shapes.items()}
    sizes = dict.fromkeys(cell.sizes, 1)
    return interpret(cell, sizes, params, x, **options)


def one(value: float) -> Array:
    return np.array([[value]])


@pytest.mark.parametrize(
    ("text", "weights", "expected"),
    [
        (RNN, RNN_WEIGHTS, (0.50052021119023520842, -0.77194779660996981748)),
        (LSTM, LSTM_WEIGHTS, (0.09602219484385802051, -0.02758004178755903956)),
        (GRU, GRU_WEIGHTS, (0.38730569146610305855, -0.59997367950093463698)),
        (GRU_RESET_AFTER, GRU_WEIGHTS, (0.40143333886064363391, -0.5906394689467800377)),
    ],
    ids=["rnn", "lstm", "gru", "gru_reset_after"],
)
def test_one_unit_over_two_steps(text: str, weights: dict[str, float], expected: tuple[float, float]) -> None:
    initial = {"h": one(0.2), "c": one(-0.4)}
    result = run(text, weights, state=initial)
    assert result.y.ravel() == pytest.approx(expected, rel=1e-15)
    assert result.state["h"] == pytest.approx(result.y[-1], abs=0)


def test_every_state_over_time() -> None:
    result = run(LSTM, LSTM_WEIGHTS, state={"h": one(0.2), "c": one(-0.4)})
    expected = (-0.4, 0.14720430219602016409, -0.14935404340369718717)
    assert result.states["c"].ravel() == pytest.approx(expected, rel=1e-15)
    assert result.state["c"].ravel() == pytest.approx(expected[-1:], rel=1e-15)


def test_missing_states_are_zeros() -> None:
    given = run(LSTM, LSTM_WEIGHTS, state={"h": one(0.2), "c": one(0.0)})
    assert run(LSTM, LSTM_WEIGHTS, state={"h": one(0.2)}).y.tolist() == given.y.tolist()
    assert run(RNN, RNN_WEIGHTS).y[0] == pytest.approx(math.tanh(0.6), rel=1e-15)


def test_rows_stand_still_beyond_their_lengths() -> None:
    x = np.array([[1.0, 1.0, 1.0], [-2.0, -2.0, -2.0]]).reshape(2, 3, 1)
    state = {"h": np.full((3, 1), 0.2)}
    result = run(RNN, RNN_WEIGHTS, x, state=state, lengths=np.array([2, 0, 1]))
    first, second = 0.50052021119023520842, -0.77194779660996981748
    assert result.y[..., 0] == pytest.approx(np.array([[first, 0, first], [second, 0, 0]]), rel=1e-15)
    assert result.state["h"][:, 0] == pytest.approx([second, 0.2, first], rel=1e-15)
    assert result.states["h"][:, 2, 0] == pytest.approx([0.2, first, first], rel=1e-15)


def test_reverse_starts_at_the_last_valid_step_and_keeps_places() -> None:
    x = np.array([-2.0, 1.0, 99.0]).reshape(3, 1, 1)
    result = run(RNN, RNN_WEIGHTS, x, state={"h": one(0.2)}, lengths=[2], reverse=True)
    assert result.y.ravel() == pytest.approx([-0.77194779660996981748, 0.50052021119023520842, 0], rel=1e-15)
    assert result.state["h"].ravel() == pytest.approx([-0.77194779660996981748], rel=1e-15)


def test_matrices_transposes_reductions_and_broadcasts() -> None:
    text = "m = P @ x\nn = P.T @ m\nh' = h + mean(n) * k - sum(n) + n**2 / 2 + s"
    cell = symrnn.Cell.from_equations(text, sizes={"m": "inner", "s": "1"}, constants={"k": "2.5"})
    assert cell.input_is_hidden
    params = {"P": np.array([[1.0, 2.0], [3.0, 4.0], [-1.0, 0.5]]), "s": np.array([10.0])}
    sizes = {"input": 2, "hidden": 2, "inner": 3}
    x = np.array([[[1.0, -1.0]]])
    result = interpret(cell, {name: sizes[name] for name in cell.sizes}, params, x, {"h": np.array([[0.5, 0.25]])})
    # m = (-1, -1, -1.5), n = (-1 - 3 + 1.5, -2 - 4 - 0.75) = (-2.5, -6.75): mean -4.625, sum -9.25
    common = -4.625 * 2.5 + 9.25 + 10
    assert result.y[0, 0].tolist() == [0.5 + common + 6.25 / 2, 0.25 + common + 45.5625 / 2]


def test_a_single_value_fills_its_state() -> None:
    cell = symrnn.Cell.from_equations("h' = mean(U @ h + W @ x)")
    params = {"U": np.eye(3), "W": np.ones((3, 1))}
    result = interpret(cell, {"input": 1, "hidden": 3}, params, np.array([[[2.0]]]), {"h": np.array([[0.0, 1.0, 5.0]])})
    assert result.y.tolist() == [[[4.0, 4.0, 4.0]]]


VALUES = {
    "sigmoid": (0.22270013882530885, 0.67917869917539297, 0.97068776924864368),
    "tanh": (-0.8482836399575129, 0.63514895238728732, 0.99817789761119871),
    "relu": (0, 0.75, 3.5),
    "leaky_relu": (-0.0125, 0.75, 3.5),
    "elu": (-0.7134952031398099, 0.75, 3.5),
    "softplus": (0.25192908134537289, 1.1368710061148999, 3.5297504182726206),
    "softsign": (-0.55555555555555556, 0.42857142857142857, 0.77777777777777778),
    "silu": (-0.27837517353163607, 0.50938402438154473, 3.3974071923702529),
    "gelu": (-0.1322857970302854, 0.5799605551656203, 3.4993838023446263),
    "hard_sigmoid": (0.29166666666666667, 0.625, 1),
    "hard_tanh": (-1, 0.75, 1),
    "exp": (0.2865047968601901, 2.1170000166126747, 33.115451958692314),
    "abs": (1.25, 0.75, 3.5),
    "sin": (-0.94898461935558621, 0.68163876002333417, -0.35078322768961985),
    "cos": (0.31532236239526867, 0.73168886887382089, -0.93645668729079634),
    "expm1": (-0.7134952031398099, 1.1170000166126747, 32.115451958692314),
    "erf": (-0.92290012825645823, 0.71115563365351513, 0.99999925690162766),
    "erfc": (1.9229001282564582, 0.28884436634648487, 7.4309837234141275e-7),
    "sign": (-1, 1, 1),
    "step": (0, 1, 1),
    "floor": (-2, 0, 3),
    "round": (-1, 1, 4),
    "relu6": (0, 0.75, 3.5),
    "celu": (-0.7134952031398099, 0.75, 3.5),
    "selu": (-1.254395446337865, 0.78802574051661037, 3.6774534557441817),
    "hard_swish": (-0.36458333333333333, 0.46875, 3.5),
    "mish": (-0.30841396114152768, 0.61001833521829339, 3.4939907151175192),
    "gelu_erf": (-0.13206221708356907, 0.58002948571734885, 3.4991857982233757),
    "logsigmoid": (-1.5019290813453729, -0.38687100611489994, -0.029750418272620565),
}
"""Every function of one argument that is defined everywhere, at -1.25, 0.75 and 3.5."""


@pytest.mark.parametrize("name", VALUES)
def test_functions_at_three_points(name: str) -> None:
    found = [FUNCTIONS[name](a) for a in (-1.25, 0.75, 3.5)]
    assert found == pytest.approx(VALUES[name], rel=1e-15)


def test_every_function_of_the_language_is_defined() -> None:
    assert set(FUNCTIONS) == {name for name, row in TABLE.items() if row.in_equations}
    assert set(PUBLIC) - set(REDUCTIONS) - set(VECTORS) <= set(FUNCTIONS)
    assert set(interpreter.REDUCTIONS) == set(REDUCTIONS)
    assert set(interpreter.VECTORS) == {name for name, row in VECTORS.items() if row.public}
    others = {"log", "log1p", "sqrt", "rsqrt", "minimum", "maximum", "where", "power"}
    assert set(FUNCTIONS) - set(VALUES) == others | set(COMPARISONS.values())
    assert (FUNCTIONS["log1p"](1.0), FUNCTIONS["rsqrt"](4.0)) == pytest.approx((0.6931471805599453, 0.5))
    assert (FUNCTIONS["where"](1.0, 2.0, 3.0), FUNCTIONS["where"](0.0, 2.0, 3.0)) == (2, 3)
    assert FUNCTIONS["power"](4.0, -0.5) == pytest.approx(0.5)
    assert (FUNCTIONS["log"](2.0), FUNCTIONS["sqrt"](2.0)) == pytest.approx((0.6931471805599453, 1.4142135623730951))
    assert (FUNCTIONS["minimum"](-1.0, 2.0), FUNCTIONS["maximum"](-1.0, 2.0)) == (-1.0, 2.0)


COMPARED = {"<": "100", "<=": "110", "==": "010", ">": "001", ">=": "011", "!=": "101"}
"""Whether each comparison holds for 1 and 2, 2 and 2, 2 and 1."""


def test_comparisons() -> None:
    found = {
        sign: "".join(f"{FUNCTIONS[name](a, b):.0f}" for a, b in ((1, 2), (2, 2), (2, 1)))
        for sign, name in COMPARISONS.items()
    }
    assert found == COMPARED


def test_a_side_that_is_not_taken_needs_no_value() -> None:
    text = "h' = where(x > 0, log(x) / (x - 1), where(x == 0, 3, sqrt(relu(-4 * x) - 3)))"
    assert [run(text, {}, np.array([[[value]]])).y.item() for value in (-1.0, 0.0, 2.0)] == pytest.approx(
        [1, 3, math.log(2)]
    )


@pytest.mark.parametrize("value", [-0.5, 1.0])
def test_a_side_that_is_taken_needs_a_value(value: float) -> None:
    with pytest.raises(
        CheckError, match=r"equation 1 .* cannot be evaluated .*the side of `where` that is taken has no value"
    ):
        run("h' = where(x > 0, log(x) / (x - 1), relu(sqrt(x)))", {}, np.array([[[value]]]))


def test_large_arguments_do_not_overflow() -> None:
    for name in ("sigmoid", "tanh", "softplus", "silu", "gelu", "elu", "softsign", "mish", "selu", "logsigmoid"):
        assert all(math.isfinite(FUNCTIONS[name](a)) for a in (-1e4, 1e4))


@pytest.mark.parametrize(
    "text", ["h' = log(x)", "h' = sqrt(x)", "h' = exp(1000 * x**2)", "h' = x**0.5", "h' = 1 / (x + 2)"]
)
def test_leaving_a_domain_is_named(text: str) -> None:
    with pytest.raises(CheckError, match=r"equation 1 \(h' = …\) cannot be evaluated at the random point"):
        run(text, {})
