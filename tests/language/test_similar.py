"""Misspelt names become parameters: which of them are noted, and that names which differ by intention are not."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

import symrnn
from symrnn.cli import main
from symrnn.language.similar import lookalikes, numbers_meant, sizes_shared

CELLS = sorted(Path(__file__).parents[1].joinpath("cells").glob("*.toml"))


@pytest.mark.parametrize(
    ("equations", "misspelt", "meant"),
    [
        ("gate = sigmoid(W @ x)\nh' = gate * h + (1 - gaet) * x", "gaet", "gate"),
        ("gate = sigmoid(W @ x)\nh' = gate * h + (1 - gates) * x", "gates", "gate"),
        ("gate = sigmoid(W @ x)\nh' = gate * h + (1 - gats) * x", "gats", "gate"),
        ("gate = sigmoid(W @ x)\nh' = gate * h + (1 - Gate) * x", "Gate", "gate"),
        ("h_new = tanh(W @ x)\nh' = h_new + hnew * h", "hnew", "h_new"),
        ("mem' = mem + tanh(W @ x)\nh' = mem' + 0.5 * men", "men", "mem"),
        ("h' = tanh(W_x @ x + Wx @ x + U @ h)", "Wx", "W_x"),
        ("m' = m + W @ x\nh' = tanh(U @ h + V @ m_t)", "m_t", "m"),
        ("m' = m + W @ x\nh' = tanh(U @ h + V @ m_prev)", "m_prev", "m"),
        ("m' = m + W @ x\nh' = tanh(U @ h + v * mm)", "mm", "m"),
        ("h' = tanh(W @ x + x_t * h)", "x_t", "x"),
    ],
)
def test_a_name_one_edit_from_another_is_noted(equations: str, misspelt: str, meant: str) -> None:
    (sentence,) = lookalikes(symrnn.Cell.from_equations(equations))
    assert sentence.startswith(f"`{misspelt}` is never assigned, so it is a new parameter")
    assert sentence.endswith(f"if you mean `{meant}`, correct it")


@pytest.mark.parametrize("cell", [*symrnn.cells(), *CELLS], ids=lambda cell: getattr(cell, "stem", cell))
def test_names_that_differ_by_intention_are_not(cell: str) -> None:
    assert lookalikes(symrnn.load(cell)) == ()


@pytest.mark.parametrize("name", ["pi", "PI", "e", "tau", "eps", "epsilon", "dt"])
def test_a_parameter_with_the_name_of_a_number_is_noted(name: str) -> None:
    (sentence,) = numbers_meant(symrnn.Cell.from_equations(f"h' = sin({name} * h) + W @ x"))
    assert sentence.startswith(f"`{name}` is not a number here but a new parameter, (hidden); if you mean it, write")
    assert f"write `{name} = " in sentence
    assert sentence.endswith("in [constants]")
    entry = sentence.split("`")[3].split(" = ")
    cell = symrnn.Cell.from_equations(f"h' = sin({name} * h) + W @ x", constants={entry[0]: entry[1]})
    assert numbers_meant(cell) == ()


@pytest.mark.parametrize("name", ["inf", "nan", "NaN", "infinity"])
def test_no_cell_holds_what_is_not_finite(name: str) -> None:
    (sentence,) = numbers_meant(symrnn.Cell.from_equations(f"h' = minimum({name}, h) + W @ x"))
    assert "numbers are finite" in sentence


@pytest.mark.parametrize(
    ("equations", "declared"),
    [
        ("h' = sin(pi * h) + W @ x", {"constants": {"pi": "3.14"}}),
        ("h' = h / tau + W @ x", {"init": {"tau": "ones"}}),
        ("h' = tanh(E @ x + e @ h)", {}),
        ("e = W @ x\nh' = e + h", {}),
        ("e' = W @ x\nh' = e' + h", {}),
        ("h' = b * h + P @ x + p_i", {}),
    ],
)
def test_a_name_that_is_meant_is_not(equations: str, declared: dict[str, Any]) -> None:
    assert numbers_meant(symrnn.Cell.from_equations(equations, **declared)) == ()


@pytest.mark.parametrize("cell", [*symrnn.cells(), *CELLS], ids=lambda cell: getattr(cell, "stem", cell))
def test_known_cells_mean_their_names(cell: str) -> None:
    assert numbers_meant(symrnn.load(cell)) == ()


def test_a_matrix_that_ties_input_and_hidden_is_noted_until_it_is_parted_or_declared() -> None:
    equations = "z = sigmoid(W @ x)\nh' = z * tanh(W @ h + W @ x + W.T @ (z * h))"
    (sentence,) = sizes_shared(symrnn.Cell.from_equations(equations))
    assert sentence.startswith(
        "`W` in `W @ x`, `W @ h` and `W.T @ (z * h)` makes `input` and `hidden` one number; if you"
    )
    entry = tomllib.loads(sentence.split("`")[-2])
    assert entry == {"W": ["hidden", "hidden"]}
    assert sizes_shared(symrnn.Cell.from_equations(equations, sizes=entry)) == ()
    assert sizes_shared(symrnn.Cell.from_equations("z = sigmoid(W @ x)\nh' = z * tanh(V @ h + W @ x)")) == ()


@pytest.mark.parametrize("cell", [*symrnn.cells(), *CELLS], ids=lambda cell: getattr(cell, "stem", cell))
def test_known_cells_share_what_they_mean_to_share(cell: str) -> None:
    assert sizes_shared(symrnn.load(cell)) == ()


@pytest.mark.parametrize(
    "command",
    [["generate", "--no-build", "--dry-run"], ["show"], ["check", "--backend", "numpy", "--dtype", "float64"]],
)
def test_commands_note_it_on_standard_error_and_go_on(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("typo.toml").write_text(
        'name = "typo"\nequations = "gate = sigmoid(W @ x)\\nh\' = gate * h + (1 - gaet) * V @ x + V @ h + pi"\n'
    )
    assert main([*command, "typo.toml"]) == 0
    told = capsys.readouterr()
    assert told.err.startswith("symrnn: note: typo.toml: `gaet` is never assigned, so it is a new parameter, (hidden)")
    assert "symrnn: note: typo.toml: `pi` is not a number here but a new parameter, (hidden); if you mean" in told.err
    assert (
        "symrnn: note: typo.toml: `V` in `V @ x` and `V @ h` makes `input` and `hidden` one number; if you" in told.err
    )
    assert "note" not in told.out


def test_show_lists_what_a_step_reads_and_returns_with_its_shapes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "rnn", "--part", "equations"]) == 0
    assert capsys.readouterr().out.splitlines()[2:] == [
        "Inputs, states and outputs of a step",
        "  inputs   x (input)",
        "  states   h (hidden)",
        "  outputs  h (hidden)",
        "Parameters, every name that is never assigned",
        "  W_xh  (hidden, input)",
        "  W_hh  (hidden, hidden)",
        "  b_h   (hidden)",
    ]
