"""Recurrent matrices and holding biases are found by their use, never by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import symrnn
from symrnn.flow.structure import held_by, holding_biases, holding_signs, recurrent_matrices
from symrnn.flow.trajectory import run_steps
from symrnn.language.cell import Cell

CELLS = Path(__file__).parents[1] / "cells"


def cell_of(name: str) -> Cell:
    path = CELLS / f"{name}.toml"
    return symrnn.load(path if path.exists() else name)


@pytest.mark.parametrize(
    ("name", "matrices", "held", "biases"),
    [
        ("rnn", "W_hh", {"h": "0"}, {}),
        ("lstm", "W_hi W_hf W_ho W_hg", {"c": "f", "h": "0"}, {"c": ("b_f",)}),
        ("gru", "W_hz W_hr W_hh", {"h": "z"}, {"h": ("b_z",)}),
        ("gru_reset_after", "W_hz W_hr W_hh", {"h": "z"}, {"h": ("b_z",)}),
        ("peephole_lstm", "W_hi W_hf W_hg W_ho", {"c": "f", "h": "0"}, {"c": ("b_f",)}),
        ("projection_lstm", "W_hi W_hf W_ho W_hg W_rh", {"c": "f", "h": "0"}, {"c": ("b_f",)}),
        ("multiplicative_lstm", "W_hm W_mi W_mf W_mo W_mg", {"c": "f", "h": "0"}, {"c": ("b_f",)}),
        ("layernorm_lstm", "W_hi W_hf W_ho W_hg", {"c": "f", "h": "0"}, {"c": ("b_f",)}),
        ("minimal_gated_unit", "W_hf W_hh", {"h": "1 - f"}, {"h": ("b_f",)}),
        ("coupled", "A B C D", {"u": "0", "v": "9/10"}, {}),
        ("shared_transpose", "U W", {"h": "1"}, {}),
    ],
)
def test_what_is_recurrent_and_what_holds(
    name: str, matrices: str, held: dict[str, str], biases: dict[str, tuple[str, ...]]
) -> None:
    cell = cell_of(name)
    assert recurrent_matrices(cell) == tuple(matrices.split())
    assert {state: str(held_by(cell, state)) for state in cell.states} == held
    assert holding_biases(cell) == biases


@pytest.mark.parametrize(
    ("equations", "signs"),
    [
        ("u = sigmoid(W @ x + b)\nh' = u * h + (1 - u) * tanh(V @ x)", {"b": 1}),
        ("u = sigmoid(W @ x + b)\nh' = (1 - u) * h + u * tanh(V @ x)", {"b": -1}),
        ("a = W @ x + b\nu = sigmoid(d - a)\nk = u * h\nh' = k + tanh(V @ x)", {"d": 1, "b": -1}),
        ("u = sigmoid(W @ x + b)\nr = exp(-d - softplus(V @ x))\nh' = u * r * h + V @ x", {"b": 1, "d": -1}),
    ],
)
def test_biases_are_turned_to_what_holds_more(equations: str, signs: dict[str, int]) -> None:
    cell = Cell.from_equations(equations)
    params = symrnn.build(cell).init_params(2, 3, seed=0, dtype="float64")
    x = np.random.default_rng(0).normal(size=(2, 1, 2))
    assert holding_biases(cell) == {"h": tuple(signs)}
    assert holding_signs(run_steps(cell, params, x), "h") == signs
    for name, sign in signs.items():
        more = run_steps(cell, {**params, name: params[name] + sign}, x, {"h": np.ones((1, 3))})
        less = run_steps(cell, {**params, name: params[name] - sign}, x, {"h": np.ones((1, 3))})
        factor = [np.abs(symrnn.flow(cell, run.params, x).direct[0].diagonal).mean() for run in (more, less)]
        assert factor[0] > factor[1]


def test_a_gate_for_all_units_of_a_head_takes_part_in_a_factor() -> None:
    gated = "a = sigmoid(A @ x)\nf = sigmoid(W_f @ x + b_f)\nh' = a * f * h + tanh(W @ x)"
    heads = {name: ["head", "unit", "input"] for name in ("W_f", "W")}
    cell = Cell.from_equations(gated, sizes={**heads, "h": ["head", "unit"], "A": ["head", "input"], "a": "head"})
    params = symrnn.build(cell).init_params(2, 1, head=2, unit=3, seed=0, dtype="float64")
    steps = run_steps(cell, params, np.random.default_rng(0).normal(size=(2, 1, 2)))
    assert holding_signs(steps, "h") == {"b_f": 1}


def test_what_multiplies_a_bias_makes_it_no_bias() -> None:
    cell = Cell.from_equations("u = sigmoid(p * h + s * (W @ x))\nh' = u * h")
    assert holding_biases(cell) == {}
