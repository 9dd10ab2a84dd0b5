"""FLOPs and bytes of a cell's matrix products."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.grid import CELLS, Mode, load_cell
from benchmarks.matrix_products import Depends, dependences, flops, forms, recurrent_bytes, sizes_of, weight_traffic
from symrnn.language.cell import Cell

ROOT = Path(__file__).parents[2]
GATES = {"rnn": 1, "gru": 3, "gru_reset_after": 3, "lstm": 4, "peephole_lstm": 4, "layernorm_lstm": 4}
STEPS, BATCH, INPUT, HIDDEN = 7, 3, 5, 11


@pytest.mark.parametrize("name", CELLS)
def test_flops_are_those_of_the_protocol(name: str) -> None:
    cell = load_cell(name)
    sizes = sizes_of(cell, INPUT, HIDDEN)
    expected = 2 * STEPS * BATCH * GATES[name] * HIDDEN * (INPUT + HIDDEN)
    assert flops(cell, sizes, STEPS, BATCH, Mode.INFERENCE) == expected
    assert flops(cell, sizes, STEPS, BATCH, Mode.TRAINING) == 3 * expected


@pytest.mark.parametrize("name", CELLS)
def test_recurrent_weights_are_read_every_step_and_input_weights_once(name: str) -> None:
    cell = load_cell(name)
    sizes = sizes_of(cell, INPUT, HIDDEN)
    once = 4 * GATES[name] * (STEPS * HIDDEN * HIDDEN + HIDDEN * INPUT)
    assert weight_traffic(cell, sizes, STEPS, Mode.INFERENCE) == once
    assert weight_traffic(cell, sizes, STEPS, Mode.TRAINING) == 2 * once
    assert recurrent_bytes(cell, sizes) == 4 * GATES[name] * HIDDEN * HIDDEN


def test_a_form_that_stands_twice_counts_once_and_its_transpose_again() -> None:
    cell = Cell.from_equations("a = tanh(U @ h)\nb = exp(U @ h)\nh' = a * b + U.T @ a + x")
    found = forms(cell, sizes_of(cell, 2, 2))
    assert [(form.matrix, form.transposed) for form in found] == [("U", False), ("U", True)]


def test_a_transpose_swaps_rows_and_columns() -> None:
    cell = Cell.from_equations("p = W @ x\nh' = tanh(U @ h + V @ p) + 0 * mean(W.T @ p)", sizes={"p": "projection"})
    found = {(form.matrix, form.transposed): (form.rows, form.columns) for form in forms(cell, sizes_of(cell, 3, 5))}
    assert found["W", False] == (5, 3)
    assert found["W", True] == (3, 5)


def test_a_product_without_a_state_is_not_recurrent() -> None:
    cell = Cell.from_equations("g = sigmoid(W @ x)\nh' = g * h + V @ g")
    known = dependences(cell)
    assert (known["g"], known["h"], known["V"]) == (Depends.INPUT, Depends.STATE, Depends.PARAMETERS)
    sizes = sizes_of(cell, 3, 5)
    assert [form.recurrent for form in forms(cell, sizes)] == [False, False]
    assert recurrent_bytes(cell, sizes) == 4 * (5 * 3 + 5 * 5)


@pytest.mark.parametrize("name", ["peephole_lstm", "layernorm_lstm"])
def test_own_cells_are_those_that_the_oracles_check(name: str) -> None:
    ours, checked = (load_cell(str(ROOT / f"{folder}/cells/{name}.toml")) for folder in ("benchmarks", "tests"))
    assert ours.equations == checked.equations
    assert (ours.init, ours.constants) == (checked.init, checked.constants)
