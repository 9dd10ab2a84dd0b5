"""Cell files: the bundled ones and those of the tests load, by name and by path; other files are refused."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from symrnn.errors import CellError
from symrnn.language.bundled import about_cells, cells, first_cells
from symrnn.language.cellfile import MAX_BYTES, load, read_cell
from symrnn.language.text import to_text

BUNDLED = {
    "rnn": (["h' = tanh(W_xh @ x + W_hh @ h + b_h)"], {}),
    "lstm": (
        [
            "i = sigmoid(W_xi @ x + W_hi @ h + b_i)",
            "f = sigmoid(W_xf @ x + W_hf @ h + b_f)",
            "o = sigmoid(W_xo @ x + W_ho @ h + b_o)",
            "g = tanh(W_xg @ x + W_hg @ h + b_g)",
            "c' = f * c + i * g",
            "h' = o * tanh(c')",
        ],
        {"b_f": "ones"},
    ),
    "gru": (
        [
            "z = sigmoid(W_xz @ x + W_hz @ h + b_z)",
            "r = sigmoid(W_xr @ x + W_hr @ h + b_r)",
            "h_tilde = tanh(W_xh @ x + W_hh @ (r * h) + b_h)",
            "h' = z * h + (1 - z) * h_tilde",
        ],
        {},
    ),
    "gru_reset_after": (
        [
            "z = sigmoid(W_xz @ x + W_hz @ h + b_z)",
            "r = sigmoid(W_xr @ x + W_hr @ h + b_r)",
            "h_tilde = tanh(W_xh @ x + b_h + r * (W_hh @ h + b_hh))",
            "h' = z * h + (1 - z) * h_tilde",
        ],
        {},
    ),
}
OTHERS = sorted((Path(__file__).parents[1] / "cells").glob("*.toml"))


def test_the_bundled_cells_come_in_the_order_of_their_publication() -> None:
    assert first_cells() == ("rnn", "lstm", "gru", "gru_reset_after")
    years = [about.year for about in about_cells()]
    assert years == sorted(years)
    assert tuple(name for name in cells() if name in first_cells()) == first_cells()


@pytest.mark.parametrize("name", BUNDLED)
def test_the_bundled_cells_are_those_of_the_literature(name: str) -> None:
    cell = load(name)
    equations, init = BUNDLED[name]
    assert [f"{equation.target} = {to_text(equation.expression)}" for equation in cell.equations] == equations
    assert (cell.name, cell.output, cell.init, cell.sizes) == (name, "h", init, ("input", "hidden"))
    assert cell.source == f"{name}.toml"
    assert cell.title
    assert cell.reference
    for variable in cell.parameters:
        rows = ("hidden", "input") if variable.name.startswith("W_x") else ("hidden", "hidden")
        assert variable.shape == (rows if variable.name.startswith("W") else ("hidden",))


def test_a_bundled_name_means_the_bundled_cell_whatever_lies_around(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rnn").write_text("no cell")
    (tmp_path / "rnn.toml").write_text("name = 'mine'\nequations = \"h' = x\"\n")
    monkeypatch.chdir(tmp_path)
    assert load("rnn").name == "rnn"
    assert load("rnn.toml").name == "mine"
    assert load(Path("rnn.toml")).name == "mine"
    with pytest.raises(CellError, match="not TOML"):
        load(Path("rnn"))


@pytest.mark.parametrize("path", OTHERS, ids=lambda path: path.stem)
def test_other_cells_load_by_their_paths(path: Path) -> None:
    cell = load(path)
    assert cell == load(str(path))
    assert (cell.name, cell.source) == (path.stem, str(path))


def test_the_cells_of_the_tests_are_as_odd_as_they_should_be() -> None:
    odd = {path.stem: load(path) for path in OTHERS}
    assert odd["projection_lstm"].sizes == ("input", "hidden", "projection")
    assert odd["projection_lstm"].by_name["h'"].shape == ("projection",)
    assert odd["coupled"].output == "v"
    assert odd["layernorm_lstm"].constants == {"eps": "1e-5"}
    assert odd["shared_transpose"].by_name["scale"].shape == ("1",)


EVERY_KEY = """\
title = 'A cell'\r
family = "gated"
parent = 'rnn'
difference = "a gate, and no bias"
departures = ["k is fixed", 'R is free']
name = "full"
output = "c"
sizes = { h = "projection", s = 1 }
constants.k = 0.1
constants.n = -3
equations = '''
c' = tanh(W @ x + U @ h + s * c + k)
h' = n * (R @ c')  # projected
'''
[init]
U = "orthogonal"
s = 0.25
"""


def test_every_key_however_it_is_written() -> None:
    cell = read_cell(EVERY_KEY, "full.toml")
    assert (cell.name, cell.title, cell.reference, cell.output) == ("full", "A cell", "", "c")
    assert (cell.family, cell.parent, cell.difference) == ("gated", "rnn", "a gate, and no bias")
    assert cell.departures == ("k is fixed", "R is free")
    assert cell.constants == {"k": "0.1", "n": "-3"}
    assert cell.init == {"U": "orthogonal", "s": "0.25"}
    assert cell.by_name["R"].shape == ("projection", "hidden")
    assert cell.text == "c' = tanh(W @ x + U @ h + s * c + k)\nh' = n * (R @ c')  # projected\n"


def test_a_name_that_is_not_bundled() -> None:
    with pytest.raises(CellError, match="did you mean `lstm`"):
        load("lsmt")
    with pytest.raises(CellError, match=r"the bundled cells are rnn, lstm, gru, gru_reset_after, and [0-9]+ more that"):
        load("no/such/file.toml")


@pytest.mark.parametrize("name", ["", "LSTM", "../cells/rnn", "rnn\0", "a" * 5000])
def test_strange_names_are_refused(name: str) -> None:
    with pytest.raises(CellError):
        load(name)


def test_a_folder_is_no_cell(tmp_path: Path) -> None:
    with pytest.raises(CellError, match="cannot be read"):
        load(tmp_path)


class Unread(io.BytesIO):
    """A file that can be asked, after it was closed, how much of it was read."""

    position = 0

    def close(self) -> None:
        self.position = self.tell()
        super().close()


def test_ten_megabytes_are_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    file = Unread(b'name = "big"\nequations = """\n' + b"h' = x\n" * 1_500_000 + b'"""\n')
    monkeypatch.setattr(Path, "open", lambda path, mode: file)
    monkeypatch.setattr("tomllib.loads", None)
    with pytest.raises(CellError, match=f"more than {MAX_BYTES // 1024} KiB"):
        load("big.toml")
    assert file.position == MAX_BYTES + 1


def test_text_that_is_not_utf8_has_a_place(tmp_path: Path) -> None:
    path = tmp_path / "latin.toml"
    path.write_bytes("name = 'a'\ntitle = 'é".encode() + b"\xe9'\n")
    with pytest.raises(CellError, match="not UTF-8") as raised:
        load(path)
    assert (raised.value.line, raised.value.column) == (2, 11)


def test_the_mark_that_some_editors_put_in_front_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "marked.toml"
    path.write_bytes(b'\xef\xbb\xbfname = "marked"\nequations = "h\' = x"\n')
    assert load(path).name == "marked"
