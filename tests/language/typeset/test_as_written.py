"""A step as its author wrote it: calls, passes and the input before in LaTeX and in plain text, what they are beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

import symrnn
from symrnn.derive.derivation import derive
from symrnn.derive.lecture_section import Display
from symrnn.language.cell import Cell
from symrnn.language.listing import written_lines
from symrnn.language.typeset.lines import align
from symrnn.language.typeset.mathml import mathml
from symrnn.pipeline import render

CELLS = Path(__file__).parents[1] / "cells"


def rows(cell: Cell) -> list[str]:
    return cell.latex().removeprefix("\\begin{align*}\n").removesuffix("\n\\end{align*}").split(" \\\\\n")


def test_definitions_and_calls() -> None:
    cell = Cell.from_equations(
        "h' = F(U, h) * gate(x) + F(W, x)**2 - G_2(previous(x))",
        define={"F(A, v)": "tanh(A @ v + b) * v_2", "gate(x)": "sigmoid(V @ x)", "G_2(h)": "R @ h"},
    )
    assert rows(cell) == [
        r"F(A, v) &= \tanh(A v + b) \odot v_2",
        r"\operatorname{gate}(x) &= \sigma(V x)",
        r"G_2(h) &= R h",
        r"h_t &= F(U, h_{t-1}) \odot \operatorname{gate}(x_t) + (F(W, x_t))^{2} - G_2(x_{t-1}) \tag{1}",
    ]


def test_passes() -> None:
    cell = symrnn.load(CELLS / "mogrifier_lstm.toml")
    assert rows(cell)[1:5] == [
        r"m_t &= x_t \tag{1}",
        r"n_t &= h_{t-1} \tag{2}",
        r"m_t &\leftarrow 2\, \sigma(Q_k n_t) \odot m_t \quad (k = 1, \dots, \mathit{rounds};\ k \text{ odd}) \tag{3}",
        r"n_t &\leftarrow 2\, \sigma(R_k m_t) \odot n_t \quad (k = 1, \dots, \mathit{rounds};\ k \text{ even}) \tag{4}",
    ]


def test_passes_without_a_count_and_indices_with_terms() -> None:
    text = "s = h\nrepeat 2:\n  repeat k = 0..L:\n    s = k * (R_h[k + 1, 2].T @ s) for k >= 1\nh' = s + W @ x"
    cell = Cell.from_equations(text, constants={"L": 2})
    expected = (
        r"s_t &\leftarrow k\, (R_{h,k+1,2}^{\top} s_t) \quad (2 \text{ times};\ k = 0, \dots, L;\ k \geq 1) \tag{2}"
    )
    assert rows(cell)[1] == expected


@pytest.mark.parametrize("name", ["liquid_time_constant", "mogrifier_lstm", "ode_rnn", "recurrent_highway", "t_gru"])
def test_every_form_of_it_is_there(name: str) -> None:
    cell = symrnn.load(CELLS / f"{name}.toml")
    derivation = derive(cell)
    given, written_out = [block for block in derivation.lecture()[0].blocks if isinstance(block, Display)][:2]
    assert align(given.rows, limit=10_000) == cell.latex()
    assert len(written_out.rows) == len(cell.equations)
    text = derivation.text("equations")
    for line in written_lines(cell.written):
        assert line in text
    html = cell._repr_html_()
    assert all(mathml(row.right) in html for row in given.rows)


@pytest.mark.parametrize("name", ["liquid_time_constant", "mogrifier_lstm", "ode_rnn", "recurrent_highway", "t_gru"])
def test_the_listing_reads_back(name: str) -> None:
    cell = symrnn.load(CELLS / f"{name}.toml")
    wide = max(len(row.label) for row in cell.written) + 4
    listed = [line[wide:] for line in written_lines(cell.written, indent="")]
    bodies = len(cell.define)
    define = dict(line.split(" = ", 1) for line in listed[:bodies])
    again = Cell.from_equations("\n".join(listed[bodies:]), define=define, constants=cell.constants)
    assert again.equations == cell.equations


def test_the_listing_of_repeats_in_repeats() -> None:
    text = "s = h\nrepeat 2:\n  repeat k = 0..1:\n    s = A[k] @ s for k > 0\n  s = s + x\nh' = tanh(s)"
    cell = Cell.from_equations(text, sizes={"x": "hidden"})
    assert written_lines(cell.written) == [
        "  (1)  s = h",
        "       repeat 2:",
        "         repeat k = 0..1:",
        "  (2)      s = A[k] @ s  for k > 0",
        "  (3)    s = s + x",
        "  (4)  h' = tanh(s)",
    ]


def test_generated_files_quote_both() -> None:
    cell = symrnn.load(CELLS / "liquid_time_constant.toml")
    found = render(cell, backends=["numpy", "c"])
    for name in ("liquid_time_constant_numpy.py", "liquid_time_constant.c", "liquid_time_constant.h"):
        assert "(3)    v = (v + dt * f(v) * A) / (1 + dt * (w + f(v)))" in found[name]
        assert "f_v_1 = sigmoid(W_x + U @ v_1 + b)" in found[name]
