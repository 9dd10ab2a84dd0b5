"""The notation of a lecture: indices of time, bars, arrows, deltas; every name its own."""

from __future__ import annotations

import pytest

import symrnn
from symrnn.derive.derivation import Derivation, derive
from symrnn.derive.notation import notation_of, written_out
from symrnn.language.cell import Cell
from symrnn.language.typeset.symbols import timeless


@pytest.mark.parametrize(
    ("cell_name", "name", "latex"),
    [
        ("rnn", "x", "x_t"),
        ("rnn", "h", "h_{t-1}"),
        ("rnn", "h'", "h_t"),
        ("rnn", "W_xh", "W_{xh}"),
        ("rnn", "dh_out", r"\overline{h}_t"),
        ("rnn", "dh", r"\overset{\scriptscriptstyle\leftarrow}{h}_{t-1}"),
        ("rnn", "dW_xh", r"\overline{W}_{xh}^{(t)}"),
        ("lstm", "dc_out", r"\overline{c}_t^{\mathrm{in}}"),
        ("lstm", "dc_all", r"\overline{c}_t"),
        ("lstm", "delta_i", r"\delta_{i,t}"),
        ("lstm", "tanh_c", r"\tanh(c_t)"),
        ("lstm", "dtanh_c", r"\overline{\tanh(c_t)}"),
        ("gru", "h_tilde", r"\tilde{h}_t"),
        ("gru", "r_h", r"r_t \odot h_{t-1}"),
    ],
)
def test_names_are_written_as_in_the_lecture(cell_name: str, name: str, latex: str) -> None:
    assert derive(symrnn.load(cell_name)).notation.name(name) == latex


def test_no_two_names_look_alike(derivation: Derivation) -> None:
    notation = derivation.notation
    shown = [text for name, text in notation.names.items() if name not in notation.parts]
    assert len(shown) == len(set(shown))


def test_names_that_would_look_alike_are_written_as_typed() -> None:
    derivation = derive(symrnn.Cell.from_equations("a_1 = W @ x\na1 = U @ h\nh' = tanh(a_1 + a1)"))
    assert derivation.notation.name("a_1") == "a_{1,t}"
    assert derivation.notation.name("a1") == r"\mathtt{a1}"


def test_short_parts_are_written_out_and_long_ones_are_not(cell: Cell) -> None:
    parts = written_out(cell)
    assert all(name not in cell.by_name for name in parts)
    assert notation_of(cell, derive(cell).adjoint).parts == parts


def test_what_depends_on_parameters_alone_has_no_index_of_time() -> None:
    cell = symrnn.Cell.from_equations("a = exp(w)\nb = a * x\nh' = tanh(b + U @ h)")
    assert timeless(cell.normal) == {"w", "U", "a"}
    assert derive(cell).notation.name("a") == "a"
    assert "a" not in derive(cell).tape
