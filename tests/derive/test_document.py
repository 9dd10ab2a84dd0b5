"""The document: `pdflatex` takes it, nothing runs off the page, and it has what a lecture has in that order."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import symrnn
from symrnn.cli import main
from symrnn.derive.derivation import Derivation, derive
from symrnn.derive.document import escaped
from symrnn.language.cell import Cell

SECTIONS = (
    "The step",
    "The Jacobian of one step",
    "The adjoint of one step",
    "Backpropagation through time",
    "What the",
)
MOST_OVERFULL = 3.0
"""Points by which a line may stick out: less than a character."""


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed (texlive-latex-base has it)")
def test_pdflatex_takes_the_document(cell: Cell, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    known = cell.name if cell.name in symrnn.cells() else cell.source
    assert main(["show", known, "--format", "latex", "--document"]) == 0
    (tmp_path / "cell.tex").write_text(capsys.readouterr().out, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "cell.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, errors="replace")
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "cell.pdf").stat().st_size > 10_000
    overfull = [float(points) for points in re.findall(r"Overfull \\hbox \(([0-9.]+)pt too wide", done.stdout)]
    assert max(overfull, default=0) <= MOST_OVERFULL, done.stdout
    assert "Warning" not in done.stdout.replace("LaTeX Font Warning", "")


def test_sections_stand_in_the_order_of_a_lecture(derivation: Derivation) -> None:
    text = derivation.document()
    places = [text.index(rf"\section{{{title}") for title in SECTIONS]
    assert places == sorted(places)


def test_the_lstm_keeps_the_direct_path_apart() -> None:
    text = derive(symrnn.load("lstm")).document()
    assert r"One path from $c_{t-1}$ to $c_t$ crosses no matrix." in text
    assert r"\textstyle\prod_{t=k+1}^{T} \operatorname{diag}(f_t)" in text
    assert r"Every path from $h_{t-1}$ to $h_t$ crosses a matrix" in text
    assert r"\begin{pmatrix}" in text


def test_one_state_has_no_blocks_and_no_direct_path_no_product() -> None:
    text = derive(symrnn.load("rnn")).document()
    assert "pmatrix" not in text
    assert r"\prod" not in text


def test_constants_are_written_as_powers_of_ten() -> None:
    cell = symrnn.Cell.from_equations("h' = tanh(W @ x + eps * h)", constants={"eps": "1e-5"})
    assert r"The constant: $\varepsilon = 10^{-5}$." in derive(cell).document()


def test_a_persons_text_is_escaped() -> None:
    assert escaped("50% of a_b & {c} \\ ~^ 你") == (
        r"50\% of a\_b \& \{c\} \textbackslash{} \textasciitilde{}\textasciicircum{} ?"
    )
