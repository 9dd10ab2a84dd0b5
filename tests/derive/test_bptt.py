"""Backpropagation through time: recurrences run by hand over steps give the gradients of the whole sequence."""

from __future__ import annotations

from typing import Any

import numpy as np

import symrnn
from symrnn.derive.derivation import Derivation, derive
from symrnn.derive.evaluate import floats, run
from symrnn.language.cell import Cell

Array = np.ndarray[Any, np.dtype[Any]]
STEPS = 4


def loss_of(
    cell: Cell,
    params: dict[str, Array],
    x: Array,
    sizes: dict[str, int],
    weights: dict[str, Array],
    last: dict[str, Array],
) -> Any:
    """Σ_t weights_t · outputs_t + Σ last · final state, by the author's equations from zero states."""
    state = {name: np.zeros(sizes[cell.size(f"{name}'")], x.dtype) for name in cell.states}
    total: Any = 0
    for t in range(STEPS):
        after = run(cell.equations, cell.by_name, {**params, **state, "x": x[t]}, sizes, floats())
        state = {name: after[f"{name}'"] for name in cell.states}
        total = total + sum(each[t] @ after[name] for name, each in weights.items())
    return total + sum(last[name] @ state[name] for name in cell.states)


def test_the_recurrences_give_the_gradient_of_a_sequence(
    cell: Cell, derivation: Derivation, point: dict[str, Array], sizes: dict[str, int]
) -> None:
    draw = np.random.default_rng(3)
    x = draw.uniform(-1, 1, (STEPS, *point["x"].shape))
    weights = {name: draw.uniform(-1, 1, (STEPS, sizes[cell.size(name)])) for name in cell.output_values}
    last = {name: draw.uniform(-1, 1, sizes[cell.size(f"{name}'")]) for name in cell.states}
    params = {name: point[name] for name in (*(each.name for each in cell.parameters), *cell.given[1:])}
    state = {name: np.zeros_like(value) for name, value in last.items()}
    tape = []
    for t in range(STEPS):
        tape.append(run(cell.normal.equations, cell.normal.by_name, {**params, **state, "x": x[t]}, sizes, floats()))
        state = {name: tape[-1][f"{name}'"] for name in cell.states}
    backward, recurrences = derivation.adjoint, derivation.recurrences
    handed = dict(last)
    grads = {each.name: np.zeros_like(params[each.name]) for each in cell.trainable}
    for t in reversed(range(STEPS)):
        given = dict(tape[t])
        for each in recurrences.carried:
            given[each.arrives] = handed[each.state] + (weights[f"{each.state}'"][t] if each.is_output else 0)
        given |= {each.arrives: weights[each.output][t] for each in recurrences.read}
        after = run(backward.equations, backward.by_name, given, sizes, floats())
        handed = {e.state: after[e.returned] if e.returned else 0 * last[e.state] for e in recurrences.carried}
        for item in recurrences.gradients:
            grads[item.parameter] += after[
                backward.definition[
                    next(n for n in backward.outputs if backward.by_name[n].of == item.parameter)
                ].target
            ]
    for name, grad in grads.items():
        direction = draw.uniform(-1, 1, grad.shape)
        moved = {**params, name: params[name] + 1e-30j * direction}
        expected = loss_of(cell, moved, x + 0j, sizes, weights, last).imag / 1e-30
        np.testing.assert_allclose(np.sum(grad * direction), expected, rtol=1e-11, atol=1e-12, err_msg=name)


def test_each_state_and_each_parameter_that_counts_is_there(cell: Cell, derivation: Derivation) -> None:
    recurrences = derivation.recurrences
    assert [each.state for each in recurrences.carried] == list(cell.states)
    outputs = [*(each.state for each in recurrences.carried if each.is_output), *(e.output for e in recurrences.read)]
    assert sorted(outputs) == sorted(cell.returned)
    assert [each.parameter for each in recurrences.gradients] == [variable.name for variable in cell.trainable]


def test_the_text_says_what_is_handed_on_and_summed() -> None:
    assert derive(symrnn.load("rnn")).recurrences.text().splitlines() == [
        "for t = T, ..., 1:",
        "  dh_out = dloss_t/dh_t + dh of step t + 1 (at t = T: dL/dh_T)",
        "  (b1), (b2), ... of the step t",
        "gradients:",
        "  dL/dW_xh = sum over t of delta_h @ x.T",
        "  dL/dW_hh = sum over t of delta_h @ h.T",
        "  dL/db_h = sum over t of delta_h",
    ]


def test_a_state_that_nothing_reads_gets_nothing_back() -> None:
    found = derive(symrnn.Cell.from_equations("c' = tanh(W @ x + U @ h)\nh' = c' + b")).recurrences
    assert [(each.state, bool(each.returned)) for each in found.carried] == [("c", False), ("h", True)]
    assert "dc_out = 0 (at t = T: dL/dc_T)" in found.text()
