"""The representations of cells, derivations and plans: one short line, which a traceback can show."""

from __future__ import annotations

import pytest

import symrnn
from symrnn.language.bundled import bundled_files
from symrnn.plan.planner import plan
from symrnn.plan.policy import Policy

SHORT = 400
SIZES = {"A": ["hidden", "p"], "C": ["hidden", "q"]}


def test_they_name_the_cell_its_digest_and_what_there_is() -> None:
    cell = symrnn.load("gru")
    derivation = symrnn.derive(cell)
    program = plan(derivation, Policy())
    name = f"name='gru' digest='{cell.digest[:8]}'"
    assert repr(cell) == f"<Cell {name} states=('h',) sizes=('input', 'hidden') equations=4 parameters=9>"
    assert (
        repr(derivation)
        == f"<Derivation {name} adjoint={len(derivation.adjoint.equations)} tape={len(derivation.tape)}>"
    )
    routines = "('forward', 'backward', 'tangent')"
    assert repr(program) == f"<Program {name} routines={routines} saved={len(program.saved)}>"
    assert repr(derivation.tangent) == '<System outputs=("h\'", "h_dot\'") equations=13>'


@pytest.mark.parametrize("name", bundled_files())
def test_they_are_short_for_every_cell(name: str) -> None:
    cell = symrnn.load(name)
    assert all(len(repr(each)) < SHORT and "\n" not in repr(each) for each in (cell, cell.normal, cell.preparation))


def test_a_digest_changes_with_what_has_no_gradient() -> None:
    cells = [
        symrnn.Cell.from_equations("h' = m * x + (1 - m) * h", inputs={"m": {"size": 1, "gradient": gradient}})
        for gradient in (True, False)
    ]
    assert cells[0].digest != cells[1].digest


def test_sizes_in_another_order_are_another_cell() -> None:
    """Generated functions take them in this order."""
    one = symrnn.Cell.from_equations("h' = mean(A, p) * h + mean(C, q) * x", sizes=SIZES)
    other = symrnn.Cell.from_equations("h' = mean(A, p) * h + mean(C, q) * x", sizes=dict(reversed(SIZES.items())))
    assert one.sizes != other.sizes
    assert one.digest != other.digest
