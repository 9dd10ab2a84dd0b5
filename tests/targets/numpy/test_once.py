"""What depends on parameters alone is computed when they are packed, at its full size."""

from __future__ import annotations

import pytest

import symrnn
from symrnn.check.cases import CASES
from symrnn.check.suite import run_suite
from symrnn.language.cell import Cell

SMALL = tuple(case for case in CASES if case.steps <= 9 and case.hidden < 20 and not case.others)
UPDATE = "h' = tanh(W @ x + U @ h + {})"


@pytest.mark.parametrize(
    "term",
    [
        "sigmoid(0.5) * b",
        "sigmoid(sigmoid(b)) + sigmoid(b) * mean(b)",
        "exp(s) * b + exp(s)",
        "sum(exp(s) + 0 * b) / 4",
        "minimum(b, 0.1) * softplus(a) + softplus(b)",
        "V @ sigmoid(b)",
        "sum(b) * a",
    ],
)
def test_the_oracles_hold(term: str) -> None:
    sizes = {"s": 1} if "(s)" in term else {}
    cell = symrnn.Cell.from_equations(UPDATE.format(term), name="once", sizes=sizes)
    check(cell)


@pytest.mark.parametrize("made", ["sum(exp(b))", "max(b)", "mean(b**2)", "softmax(b)", "logsumexp(a)"])
def test_an_output_may_be_made_of_all_units_of_a_parameter(made: str) -> None:
    text = f"d = {made}\n" + UPDATE.format("a + b") + " * sigmoid(d)"
    check(symrnn.Cell.from_equations(text, name="once", output=("h", "d")))


def test_a_step_of_one_value_needs_no_sizes() -> None:
    check(symrnn.Cell.from_equations("h' = tanh(sigmoid(b))", name="once"))


def check(cell: Cell) -> None:
    kernels = symrnn.build(cell)
    rows = run_suite(cell, kernels, {"numpy": kernels}, SMALL)
    assert [row for row in rows if not row.error <= row.bound] == []
