"""The example notebook: it runs, everything in it shows itself, and it is kept without outputs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import symrnn

NOTEBOOK = Path(__file__).parents[1] / "examples" / "gradients.ipynb"
WANTED = (
    {"text/html", "text/latex"},
    {"image/svg+xml"},
    {"text/latex"},
    {"text/html", "text/latex"},
    {"image/svg+xml"},
)
"""What the cells of code show, in order, those that draw with matplotlib left out."""


def test_it_is_kept_without_outputs() -> None:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert code
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert NOTEBOOK.stat().st_size < 10_000


@pytest.mark.filterwarnings("default")  # of the kernel's own packages
def test_every_cell_of_it_runs_and_shows_something(tmp_path: Path) -> None:
    nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbclient.NotebookClient(notebook, timeout=None, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown: list[Mapping[str, Any]] = [cell.outputs[-1].data for cell in notebook.cells if cell.cell_type == "code"]
    assert len(shown) == len(WANTED) + 1
    for data, kinds in zip(shown, WANTED, strict=False):
        assert kinds <= set(data)
    assert {"image/svg+xml", "text/html"} & set(shown[-1])


def test_a_cell_and_a_derivation_are_shown_in_latex_and_in_mathml() -> None:
    cell = symrnn.Cell.from_equations(
        "h' = tanh(W @ x + eps * h)", constants={"eps": "1e-5"}, title="<mine>", reference="&"
    )
    latex, html = cell._repr_latex_(), cell._repr_html_()
    assert r"h_t &= \tanh(W x_t + \varepsilon\, h_{t-1}) \tag{1}" in latex
    assert "&lt;mine&gt;" in html
    assert "<mine>" not in html
    assert html.count("<math>") == 3
    derived = symrnn.derive(cell)._repr_html_()
    assert derived.count("<h4>") == len([s for s in symrnn.derive(cell).lecture() if not s.appendix])
    assert "\\" not in derived
