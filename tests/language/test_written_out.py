"""Cells of definitions, repeats and inputs before are the cells that are written out by hand, and pass every oracle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import symrnn
from symrnn.check.cases import CASES
from symrnn.check.check import check
from symrnn.derive.derivation import derive
from symrnn.language.cell import Cell
from symrnn.language.text import to_text
from symrnn.language.typeset.mathml import mathml

FILES = sorted((Path(__file__).parent / "cells").glob("*.toml"))
CHOSEN = tuple(case for case in CASES if case.steps <= 20 and (case.hidden < 10 or case.ragged))
CHECKED = ("ode_rnn", "t_gru")
"""Cells of calls in passes, and of two inputs. The others are bundled with other names (`ltc`, `lstm_mogrifier`, `rhn`)."""


@pytest.mark.usefixtures("quick_compiler")
@pytest.mark.parametrize("name", CHECKED)
def test_every_oracle_holds(name: str) -> None:
    report = check((Path(__file__).parent / "cells" / f"{name}.toml",), backends=("numpy", "c"), cases=CHOSEN)
    assert report.passed, report.table()


@pytest.mark.parametrize("name", [*map(str, FILES)], ids=lambda name: Path(name).stem)
def test_it_is_the_cell_that_is_written_out_by_hand(name: str) -> None:
    cell = symrnn.load(name)
    text = "\n".join(f"{each.target} = {to_text(each.expression)}" for each in cell.equations)
    used = {key: value for key, value in cell.constants.items() if key == "dt"}
    again = Cell.from_equations(text, constants=used, init=cell.init)
    assert [(each.target, each.expression) for each in again.equations] == [
        (each.target, each.expression) for each in cell.equations
    ]
    assert {each.name: each.shape for each in again.parameters} == {each.name: each.shape for each in cell.parameters}
    assert [each.expression for each in again.normal.equations] == [each.expression for each in cell.normal.equations]


def test_highway_layers_against_numpy() -> None:
    """The paper's equations, by hand: a loop over layers, and the input in the first alone."""
    kernels = symrnn.build(FILES[[file.stem for file in FILES].index("recurrent_highway")], backend="numpy")
    p = kernels.init_params(3, 4, seed=2, dtype="float64")
    x = np.random.default_rng(5).normal(size=(5, 2, 3))
    y, _ = kernels.infer(p, x)
    s = np.zeros((2, 4))
    for t in range(5):
        for layer in (1, 2, 3):
            first = layer == 1
            g = np.tanh(first * (x[t] @ p["W_h"].T) + s @ p[f"R_h_{layer}"].T + p[f"b_h_{layer}"])
            gate = 1 / (1 + np.exp(-(first * (x[t] @ p["W_t"].T) + s @ p[f"R_t_{layer}"].T + p[f"b_t_{layer}"])))
            s = g * gate + s * (1 - gate)
        np.testing.assert_allclose(y[t], s, rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", [*map(str, FILES)], ids=lambda name: Path(name).stem)
def test_pages_can_show_it(name: str) -> None:
    for section in derive(symrnn.load(name)).lecture():
        for row in (row for block in section.blocks for row in getattr(block, "rows", ()) if hasattr(row, "left")):
            for latex in (row.left, row.relation, row.right):
                assert "monospace" not in mathml(latex).replace("var(--mono)", "")
