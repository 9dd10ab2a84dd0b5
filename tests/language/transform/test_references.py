"""Transformed cells beside their equations written by hand, from the papers that they come from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import symrnn

Array = np.ndarray[Any, np.dtype[Any]]
Arrays = dict[str, Array]

STEPS, ROWS, UNITS, INPUTS = 7, 3, 6, 4


def sigmoid(a: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-a)))


def drawn(cell: symrnn.Cell, **sizes: int) -> tuple[Any, Arrays, Array, Arrays]:
    """Kernels in NumPy, dense parameters, ``x`` and initial states."""
    rng = np.random.default_rng(1)
    kernels = symrnn.build(cell, "numpy", dtype="float64")
    numbers = {"input": INPUTS, "hidden": UNITS, **sizes}
    shapes = kernels.param_shapes(numbers["input"], numbers["hidden"], **sizes_beside(numbers))
    params = {name: rng.uniform(-0.6, 0.6, shape) for name, shape in shapes.items()}
    state = {name: rng.uniform(-1, 1, (ROWS, numbers[cell.size(name)])) for name in cell.states}
    return kernels, params, rng.uniform(-1, 1, (STEPS, ROWS, numbers["input"])), state


def sizes_beside(numbers: dict[str, int]) -> dict[str, int]:
    return {name: number for name, number in numbers.items() if name not in ("input", "hidden")}


def lstm_gates(p: Arrays, x: Array, h: Array, product: Callable[[str, Array], Array]) -> tuple[Array, ...]:
    """The four gates of an LSTM, as ``product`` makes the products with matrices."""
    i, f, o, g = (product(f"W_x{gate}", x) + product(f"W_h{gate}", h) + p[f"b_{gate}"] for gate in "ifog")
    return sigmoid(i), sigmoid(f), sigmoid(o), np.tanh(g)


@pytest.mark.parametrize("training", [True, False], ids=["masks", "expectation"])
def test_zoneout_of_an_lstm(training: bool) -> None:
    """Krueger et al. 2016: the hidden state is made of the memory as it is before zoneout."""
    cell = symrnn.zoneout("lstm", h=0.3, c=0.5)
    kernels, p, x, state = drawn(cell)
    masks = symrnn.masks(cell, STEPS, ROWS, hidden=UNITS, training=training, seed=2, dtype="float64")
    found, _ = kernels.infer(p, x, state, inputs=masks)
    c, h = state["c"], state["h"]
    for t in range(STEPS):
        i, f, o, g = lstm_gates(p, x[t], h, lambda name, v: v @ p[name].T)
        new = f * c + i * g
        d_c, d_h = masks["zoneout_c"][t], masks["zoneout_h"][t]
        c, h = d_c * c + (1 - d_c) * new, d_h * h + (1 - d_h) * (o * np.tanh(new))
        np.testing.assert_allclose(found[t], h, rtol=1e-12, atol=1e-14)
    assert set(np.unique(masks["zoneout_c"])) == ({0.0, 1.0} if training else {0.5})


def test_zoneout_of_one_state_leaves_the_other() -> None:
    cell = symrnn.zoneout("lstm", c=0.5)
    assert cell.given == ("x", "zoneout_c")
    kernels, p, x, state = drawn(cell)
    masks = symrnn.masks(cell, STEPS, ROWS, hidden=UNITS, seed=2, dtype="float64")
    found, _ = kernels.infer(p, x, state, inputs=masks)
    c, h = state["c"], state["h"]
    for t in range(STEPS):
        i, f, o, g = lstm_gates(p, x[t], h, lambda name, v: v @ p[name].T)
        new = f * c + i * g
        c, h = np.where(masks["zoneout_c"][t] == 1, c, new), o * np.tanh(new)
        np.testing.assert_allclose(found[t], h, rtol=1e-12, atol=1e-14)


def test_an_output_that_is_no_state_reads_what_the_state_becomes() -> None:
    cell = symrnn.Cell.from_equations("h' = tanh(W @ x + U @ h)\ny = V @ h'", output="y", sizes={"y": "classes"})
    zoned = symrnn.zoneout(cell, 0.5)
    kernels, p, x, state = drawn(zoned, classes=2)
    masks = symrnn.masks(zoned, STEPS, ROWS, hidden=UNITS, dtype="float64")
    found, _ = kernels.infer(p, x, state, inputs=masks)
    h = state["h"]
    for t in range(STEPS):
        h = np.where(masks["zoneout_h"][t] == 1, h, np.tanh(x[t] @ p["W"].T + h @ p["U"].T))
        np.testing.assert_allclose(found[t], h @ p["V"].T, rtol=1e-12, atol=1e-14)


def test_recurrent_dropout_of_a_gru() -> None:
    """Gal and Ghahramani 2016: one mask for all steps and all matrices of a state; the state itself is not dropped."""
    cell = symrnn.recurrent_dropout("gru", 0.4)
    kernels, p, x, state = drawn(cell)
    masks = symrnn.masks(cell, STEPS, ROWS, hidden=UNITS, seed=3, dtype="float64")
    found, _ = kernels.infer(p, x, state, inputs=masks)
    m, h = masks["dropout_h"][0], state["h"]
    assert set(np.unique(m)) == {0.0, 1 / 0.6}
    for t in range(STEPS):
        z = sigmoid(x[t] @ p["W_xz"].T + (m * h) @ p["W_hz"].T + p["b_z"])
        r = sigmoid(x[t] @ p["W_xr"].T + (m * h) @ p["W_hr"].T + p["b_r"])
        h = z * h + (1 - z) * np.tanh(x[t] @ p["W_xh"].T + (r * (m * h)) @ p["W_hh"].T + p["b_h"])
        np.testing.assert_allclose(found[t], h, rtol=1e-12, atol=1e-14)


def normed(a: Array, gain: Array, shift: Array, epsilon: float) -> Array:
    return np.asarray(gain * (a - a.mean(-1, keepdims=True)) / np.sqrt(a.var(-1, keepdims=True) + epsilon) + shift)


@pytest.mark.parametrize("states", [(), ("c",)], ids=["products", "memory too"])
def test_layer_normalisation_of_an_lstm(states: tuple[str, ...]) -> None:
    """Ba et al. 2016, equations 20 to 22, with the four gates normalised each by itself."""
    cell = symrnn.layer_norm("lstm", *states, epsilon=1e-3)
    kernels, p, x, state = drawn(cell)
    assert len(p) == 12 + 16 + 2 * len(states)
    found, _ = kernels.infer(p, x, state)
    c, h = state["c"], state["h"]
    for t in range(STEPS):

        def product(name: str, v: Array) -> Array:
            return normed(v @ p[name].T, p[f"gain_{name}"], p[f"shift_{name}"], 1e-3)

        i, f, o, g = lstm_gates(p, x[t], h, product)
        c = f * c + i * g
        h = o * np.tanh(normed(c, p["gain_c"], p["shift_c"], 1e-3) if states else c)
        np.testing.assert_allclose(found[t], h, rtol=1e-11, atol=1e-13)
    start = kernels.init_params(INPUTS, UNITS)
    assert (start["gain_W_xi"] == 1).all()
    assert (start["shift_W_hf"] == 0).all()
    assert (start["b_f"] == 1).all()


def test_layer_normalisation_where_matrices_stand_behind_names_and_in_one_another() -> None:
    """The products in the argument of a function, and no others: not the decay, not the inner factor, not the readout."""
    cell = symrnn.Cell.from_equations(
        "a = A @ B @ x + U @ h\nn = tanh(a)\nh' = D @ h + n\ny = V @ tanh(Q @ h')\n",
        output="y",
        sizes={"B": ["rank", "input"]},
    )
    kernels, p, x, state = drawn(symrnn.layer_norm(cell), rank=2)
    assert {name for name in p if name.startswith("gain_")} == {"gain_A", "gain_U", "gain_Q"}
    found, _ = kernels.infer(p, x, state)
    h = state["h"]

    def product(name: str, v: Array) -> Array:
        return normed(v @ p[name].T, p[f"gain_{name}"], p[f"shift_{name}"], 1e-5)

    for t in range(STEPS):
        h = h @ p["D"].T + np.tanh(product("A", x[t] @ p["B"].T) + product("U", h))
        np.testing.assert_allclose(found[t], np.tanh(product("Q", h)) @ p["V"].T, rtol=1e-11, atol=1e-13)


def test_vector_functions_are_functions_and_hand_states_on() -> None:
    cell = symrnn.Cell.from_equations("m = softmax(W @ x + U @ h)\nh' = m * h + V @ softmax(h)")
    kernels, p, x, state = drawn(symrnn.recurrent_dropout(symrnn.layer_norm(cell), 0.5))
    assert {name for name in p if name.startswith("gain_")} == {"gain_W", "gain_U"}
    mask = np.random.default_rng(4).uniform(0.5, 2, (ROWS, UNITS))
    found, _ = kernels.infer(p, x, state, inputs={"dropout_h": np.broadcast_to(mask, (STEPS, ROWS, UNITS))})
    h = state["h"]

    def softmax(a: Array) -> Array:
        return np.asarray(np.exp(a) / np.exp(a).sum(-1, keepdims=True))

    def product(name: str, v: Array) -> Array:
        return normed(v @ p[name].T, p[f"gain_{name}"], p[f"shift_{name}"], 1e-5)

    for t in range(STEPS):
        m = softmax(product("W", x[t]) + product("U", mask * h))
        h = m * h + (mask * softmax(h)) @ p["V"].T
        np.testing.assert_allclose(found[t], h, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("projection", [False, True])
def test_residual_connection_of_a_gru(projection: bool) -> None:
    cell = symrnn.residual("gru", projection=projection)
    kernels, p, x, state = drawn(cell, **({} if projection else {"input": UNITS}))
    found, final = kernels.infer(p, x, state)
    plain = {name: array for name, array in p.items() if name != "P"}
    inner, end = symrnn.build("gru", "numpy", dtype="float64").infer(plain, x, state)
    np.testing.assert_allclose(found, inner + (x @ p["P"].T if projection else x), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(final["h"], end["h"], rtol=1e-12, atol=1e-14)


def test_a_stack_of_a_residual_lstm_and_a_gru_is_one_behind_the_other() -> None:
    lower, upper = symrnn.residual("lstm", projection=True), symrnn.zoneout("gru", 0.3)
    cell = symrnn.stack([lower, upper])
    assert cell.sizes == ("input", "hidden", "l2_hidden")
    kernels, p, x, state = drawn(cell, l2_hidden=5)
    masks = symrnn.masks(cell, STEPS, ROWS, l2_hidden=5, dtype="float64")
    found, final = kernels.infer(p, x, state, inputs=masks)
    first = {name: array for name, array in p.items() if not name.startswith("l2_")}
    second = {name.removeprefix("l2_"): array for name, array in p.items() if name.startswith("l2_")}
    between, middle = symrnn.build(lower, "numpy", dtype="float64").infer(
        first, x, {name: state[name] for name in ("c", "h")}
    )
    expected, end = symrnn.build(upper, "numpy", dtype="float64").infer(
        second, between, {"h": state["l2_h"]}, inputs={"zoneout_h": masks["l2_zoneout_h"]}
    )
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(final["c"], middle["c"], rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(final["l2_h"], end["h"], rtol=1e-11, atol=1e-13)
