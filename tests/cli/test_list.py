"""`list`: all bundled cells, one family, or those that have some words; and what it says where there are none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import symrnn
from symrnn.language import bundled
from symrnn.language.families import FAMILIES
from tests.cli.conftest import CELL, Run


def names(run: Run, *arguments: str) -> list[str]:
    code, out, err = run("list", *arguments)
    assert (code, err) == (0, "")
    return [line.split()[0] for line in out.splitlines()]


def test_it_names_every_bundled_cell_with_family_year_and_title(run: Run) -> None:
    assert tuple(names(run)) == symrnn.cells()
    lines = run("list")[1].splitlines()
    assert all(line.split()[1] in FAMILIES and line.split()[2].isdecimal() for line in lines)
    (rnn,) = (line for line in lines if line.split()[0] == CELL)
    assert rnn.split()[1:] == ["simple", "1990", "Simple", "recurrent", "network"]
    assert len({line.index(line.split()[2], len(line.split()[0])) for line in lines}) == 1


def test_a_family_and_words_narrow_it(run: Run) -> None:
    orthogonal = names(run, "--family", "orthogonal")
    assert orthogonal == ["antisymmetric_rnn", "antisymmetric_rnn_gated", "lipschitz_rnn"]
    assert names(run, "HINTON", "2016") == ["gru_layernorm", "lstm_layernorm", "rnn_layernorm"]
    assert names(run, "hinton", "--family", "simple") == ["multiplicative_rnn", "irnn"]
    assert names(run, "1902.09689") == orthogonal[:2]


def test_json_has_what_it_prints_and_more(run: Run) -> None:
    described = json.loads(run("list", "--json", "--family", "orthogonal")[1])
    assert [cell["name"] for cell in described] == names(run, "--family", "orthogonal")
    gated = described[1]
    assert (gated["family"], gated["parent"]) == ("orthogonal", "antisymmetric_rnn")
    assert gated["difference"] == symrnn.load("antisymmetric_rnn_gated").difference
    assert gated["departures"] == list(symrnn.load("antisymmetric_rnn_gated").departures)
    assert gated["parameters"]["W_h"] == ["hidden", "hidden"]


@pytest.mark.parametrize(
    ("family", "words"),
    [
        ("gatd", "unknown family 'gatd'; did you mean `gated`?; choose simple, gated, minimal, "),
        ("Linear", "unknown family 'Linear'; did you mean `linear`?; choose"),
        ("nope", "unknown family 'nope'; choose simple, gated, "),
    ],
)
def test_an_unknown_family_is_answered_with_the_known_ones(run: Run, family: str, words: str) -> None:
    code, out, err = run("list", "--family", family)
    assert (code, out) == (2, "")
    assert f"argument --family: {words}" in err
    assert err.endswith("spiking or reservoir\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["hintn"], "no bundled cell has `hintn` in its name, title, family or reference; did you mean `Hinton`?"),
        (
            ["lipshitz", "2020"],
            "has `lipshitz` and `2020` in its name, title, family or reference; did you mean `Lipschitz`?",
        ),
        (["hinton", "--family", "linear"], "no bundled cell of the family linear has `hinton` in its name"),
    ],
)
def test_where_there_is_none_it_says_so(run: Run, arguments: list[str], words: str) -> None:
    code, out, err = run("list", *arguments)
    assert (code, out) == (0, "")
    assert err.startswith("symrnn: note: ")
    assert words in err
    assert json.loads(run("list", "--json", *arguments)[1]) == []


def test_a_family_without_cells_names_those_that_have_some(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.joinpath("one.toml").write_text('name = "one"\nfamily = "gated"\nequations = "h\' = W @ x"\n')
    monkeypatch.setattr(bundled, "_BUNDLED", tmp_path)
    code, out, err = run("list", "--family", "reservoir")
    assert (code, out) == (0, "")
    assert err == "symrnn: note: no bundled cell is of the family reservoir yet; try gated\n"
