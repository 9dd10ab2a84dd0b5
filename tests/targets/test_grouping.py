"""Parentheses that an author writes hold in every target: another order may overflow, or lose what is small."""

from __future__ import annotations

import numpy as np
import pytest

import symrnn
from symrnn.language.cell import Cell
from symrnn.language.text import to_text
from symrnn.targets import registry

pytestmark = pytest.mark.usefixtures("quick_compiler")

LARGE = 1e30  # its square is infinite in float32
GROUPED = {
    "x * (a / a)": LARGE,
    "x * (a * (1 / a))": LARGE,
    "x / (a * (x / a))": 1,
    "minimum(1 + (x - a), 2)": 1,
    "minimum(x - (a - 1), 2)": 0,
}
CELL = "\n".join(f"s_{number}' = {right}" for number, right in enumerate(GROUPED))


def test_the_text_of_an_equation_keeps_them() -> None:
    cell = Cell.from_equations(CELL)
    assert [to_text(equation.expression) for equation in cell.equations] == [*GROUPED]


@pytest.mark.parametrize("backend", registry.loadable())
def test_products_and_quotients_and_sums_inside_a_function_keep_their_order(backend: str) -> None:
    cell = Cell.from_equations(
        CELL, name="grouped", sizes=dict.fromkeys((f"s_{i}" for i in range(len(GROUPED))), "input")
    )
    given = pytest.importorskip("torch").from_numpy if backend == "torch" else np.asarray
    x, params = given(np.full((1, 1, 1), LARGE, np.float32)), {"a": given(np.full(1, LARGE, np.float32))}
    _, state = symrnn.build(cell, backend).infer(params, x)
    found = dict(zip(GROUPED, (float(array[0, 0]) for array in state.values()), strict=True))
    assert found == pytest.approx(GROUPED, rel=1e-6)
