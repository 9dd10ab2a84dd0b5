"""Layouts of a cell file: what is read, and what is refused, at its line."""

from __future__ import annotations

from typing import Any

import pytest

import symrnn
from symrnn.errors import CellError
from symrnn.language.cellfile import read_cell

START = 'name = "mine"\nequations = "h\' = tanh(W @ x + U @ h + b)"\n\n'


def test_a_layout_is_read() -> None:
    cell = read_cell(f'{START}[layouts.torch]\nw = ["W"]\nu = ["U"]\nb = ["b"]\nc = ["b"]\n', "mine.toml")
    assert cell.layouts == {"torch": {"w": ("W",), "u": ("U",), "b": ("b",), "c": ("b",)}}
    assert read_cell(START, "mine.toml").layouts == {}
    given: Any = {"keras": {"kernel": ["W"], "rest": ["U"], "bias": ["b"]}}
    made = symrnn.Cell.from_equations("h' = tanh(W @ x + U @ h + b)", layouts=given)
    assert made.layouts["keras"]["rest"] == ("U",)


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru_reset_after"])
def test_bundled_cells_that_pytorch_has_say_how(name: str) -> None:
    assert list(symrnn.load(name).layouts["torch"]) == ["weight_ih", "weight_hh", "bias_ih", "bias_hh"]


@pytest.mark.parametrize(
    ("table", "line", "message"),
    [
        (
            '[layouts.torch]\nw = ["W"]\nu = ["U"]',
            4,
            "`b` stands in no stack; every parameter stands in one or several",
        ),
        ('[layouts.torch]\nw = ["V"]', 5, r"'V' is not a parameter of the cell"),
        ('[layouts.torch]\nw = ["w"]', 5, r"did you mean `W`\?"),
        ('[layouts.torch]\nw = ["W", "U"]', 5, r"`U` is \(hidden, hidden\) and `W` \(hidden, input\); the blocks"),
        ('[layouts.torch]\nw = ["U", "b"]', 5, r"`b` is \(hidden\) and `U` \(hidden, hidden\)"),
        ('[layouts.torch]\nw = ["W", "W"]', 5, "`W` stands in it twice"),
        ("[layouts.torch]\nw = []", 5, "expected a list of parameters"),
        ("[layouts.torch]\nw = 3", 5, "expected a list of parameters, found"),
        ('[layouts.torch]\n"a-b" = ["W"]', 5, "expected a name of letters, digits and underscores"),
        ("[layouts]\ntorch = 3", 5, "expected a list of parameters for each name, found"),
        ('layouts = "torch"', 4, "expected a table"),
    ],
)
def test_a_wrong_layout_is_refused_where_it_stands(table: str, line: int, message: str) -> None:
    with pytest.raises(CellError, match=message) as caught:
        read_cell(f"{START}{table}\n", "mine.toml")
    assert f"mine.toml:{line}:" in str(caught.value)
