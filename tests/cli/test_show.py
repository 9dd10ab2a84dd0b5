"""`list` and `show`: what they print, as text, LaTeX and JSON."""

from __future__ import annotations

import json

import symrnn
from symrnn.parts import DERIVED, PARTS
from tests.cli.conftest import CELL, Run


def test_list_names_every_bundled_cell(run: Run) -> None:
    code, out, err = run("list")
    assert (code, err) == (0, "")
    assert tuple(line.split()[0] for line in out.splitlines()) == symrnn.cells()
    described = json.loads(run("list", "--json")[1])
    assert [cell["name"] for cell in described] == list(symrnn.cells())
    (rnn,) = (cell for cell in described if cell["name"] == CELL)
    assert rnn["parameters"] == {"W_xh": ["hidden", "input"], "W_hh": ["hidden", "hidden"], "b_h": ["hidden"]}
    assert (rnn["states"], rnn["output"]) == ({"h": ["hidden"]}, "h")


def test_show_prints_each_part_and_all_of_them(run: Run) -> None:
    shown = {part: run("show", CELL, "--part", part) for part in PARTS}
    assert all((code, err) == (0, "") and out.strip() for code, out, err in shown.values())
    derivation = symrnn.derive(symrnn.load(CELL))
    for part in DERIVED:
        assert shown[part][1] == derivation.text(part).rstrip() + "\n"
        assert shown[part][1] in shown["all"][1]
        assert run("show", CELL, "--part", part, "--format", "latex")[1] == derivation.latex(part).rstrip() + "\n"
    assert shown["plan"][1] in shown["all"][1]
    assert run("show", CELL, "--plan") == shown["plan"]
    assert run("show", CELL) == shown["all"]


def test_show_prints_the_plan_of_a_backend(run: Run) -> None:
    default, c = run("show", CELL, "--plan")[1], run("show", CELL, "--plan", "--backend", "c")[1]
    assert run("show", CELL, "--plan", "--backend", "numpy")[1] == default
    assert "\n  fused: in place of hoisting and the loop\n" in c
    assert "fused" not in default
    assert "\n  register tile " in c.partition("\nforward\n")[0]


def test_show_document_is_the_whole_file(run: Run) -> None:
    code, out, _ = run("show", CELL, "--document")
    assert code == 0
    assert out == symrnn.render(CELL, backends=())[f"{CELL}.tex"]
    assert run("show", CELL, "--document", "--format", "latex")[1] == out
    assert "\\documentclass" in out


def test_show_json_holds_text_and_latex(run: Run) -> None:
    shown = json.loads(run("show", CELL, "--json")[1])
    assert tuple(shown["latex"]) == DERIVED
    assert tuple(shown["text"]) == (*DERIVED, "plan")
    assert shown["equations"] == symrnn.load(CELL).text.strip().splitlines()
    assert tuple(json.loads(run("show", CELL, "--json", "--part", "tape")[1])["text"]) == ("tape",)
