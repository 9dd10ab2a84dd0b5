"""Transformed cells on the command line: shown, generated under their names, and written again by the command they name."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from symrnn.language.transform.recipe import SUMMARIES
from tests.cli.conftest import Run

RECIPE = "rnn+layer_norm+zoneout:h=0.05"


def test_show_prints_the_equations_of_a_transformed_cell(run: Run) -> None:
    code, out, err = run("show", RECIPE, "--part", "equations")
    assert (code, err) == (0, "")
    assert "h_new = tanh(normed_W_xh + normed_W_hh + b_h)" in out
    assert "h' = zoneout_h * h + (1 - zoneout_h) * h_new" in out
    assert run("show", "rnn+layer_norm+zoneout(h=0.05)", "--part", "equations")[1] == out
    code, out, _ = run("show", RECIPE, "--json")
    assert json.loads(out)["inputs"] == {"x": ["input"], "zoneout_h": ["hidden"]}
    code, out, _ = run("show", RECIPE)
    assert code == 0
    assert "zoneout" in out


def test_the_command_in_a_file_writes_the_same_file(run: Run) -> None:
    assert run("generate", RECIPE, "rnn+residual", "--no-build", "--out", "first")[0] == 0
    names = {path.name for path in Path("first").iterdir()}
    assert {"rnn_layer_norm_zoneout.c", "rnn_layer_norm_zoneout_numpy.py", "rnn_residual.h"} <= names
    text = Path("first/rnn_layer_norm_zoneout.c").read_text(encoding="utf-8")
    (command,) = set(re.findall(r"python -m symrnn (generate [^`]*)`", " ".join(text.split())))
    assert command == f"generate {RECIPE}"
    assert run(*shlex.split(command), "--no-build", "--out", "second")[0] == 0
    written = sorted(path.name for path in Path("second").iterdir() if path.name.startswith("rnn_"))
    assert len(written) > 3
    for name in written:
        assert Path("second", name).read_bytes() == Path("first", name).read_bytes()
    assert run("generate", RECIPE, "--no-build", "--out", "second", "--check")[0] == 0


def test_a_cell_of_a_file_is_named_by_it(run: Run, cell_file: str) -> None:
    assert run("generate", f"{cell_file}+zoneout", "--backend", "numpy")[0] == 0
    text = " ".join(Path("generated/mine_zoneout_numpy.py").read_text(encoding="utf-8").split())
    assert "change the cell and run `python -m symrnn generate mine.toml+zoneout --backend numpy`" in text or (
        "change the cell and run `python -m symrnn generate mine.toml+zoneout`" in text
    )


def test_two_transformations_of_one_name_are_refused(run: Run) -> None:
    code, _, err = run("generate", "rnn+zoneout:0.1", "rnn+zoneout:0.2")
    assert code == 2
    assert err == (
        "symrnn: error: rnn.toml+zoneout:0.2 and rnn.toml+zoneout:0.1 are both named 'rnn_zoneout'; "
        "run the command for one of them\n"
    )
    assert not Path("generated").exists()


@pytest.mark.parametrize("command", ["show", "generate", "report", "check", "flow"])
def test_a_wrong_recipe_is_told_by_every_command(run: Run, command: str) -> None:
    code, out, err = run(command, "rnn+zonout")
    assert (code, out) == (2, "")
    assert err == "symrnn: error: rnn+zonout: `zonout` is not a transformation; did you mean `zoneout`?\n"
    assert not list(Path().iterdir())


def test_help_lists_the_transformations(run: Run) -> None:
    _, out, _ = run("--help")
    lines = out.splitlines()
    for name, summary in SUMMARIES.items():
        assert any(line.startswith(f"  +{name}") and line.endswith(summary) for line in lines)
    assert "lstm+zoneout:h=0.1,c=0.05" in out


def test_libraries_of_a_transformed_cell_are_built_and_run(run: Run, tmp_path: Path) -> None:
    code, out, err = run("generate", "rnn+zoneout", "--backend", "c", "--out", str(tmp_path))
    assert code == 0, err
    assert "rnn_zoneout.so built and run" in out
