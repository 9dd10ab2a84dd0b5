"""Arguments that no command takes, cells that cannot be loaded, and the cells that a command takes without names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import symrnn
from symrnn.language import bundled as language_bundled
from tests.cli.conftest import CELL, CELL_FILE, Run


def test_version_is_that_of_the_package(run: Run) -> None:
    assert run("--version") == (0, f"symrnn {symrnn.__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "the bundled cells"),
        (["bake"], "invalid choice: 'bake'"),
        (["show"], "required: CELL"),
        (["show", CELL, "--part", "wings"], "invalid choice: 'wings'"),
        (["show", CELL, "--plan", "--format", "latex"], "the plan is text"),
        (["show", CELL, "--document", "--part", "tape"], "--document prints the whole derivation"),
        (["show", CELL, "--document", "--json"], "--document prints LaTeX"),
        (
            ["show", CELL, "--part", "tape", "--backend", "c"],
            "tape is the same for all backends, so leave out --backend",
        ),
        (["generate", "--check", "--dry-run"], "not allowed with argument"),
        (["generate", "--backend", "fortran"], "Unknown backend 'fortran'; choose numpy, c, torch or all\n"),
        (["check", "--backend", "fortran"], "Unknown backend 'fortran'; choose numpy, c, torch or all\n"),
        (["show", CELL, "--plan", "--backend", "fortran"], "Unknown backend 'fortran'; choose numpy, c or torch\n"),
        (["show", CELL, "--plan", "--backend", "all"], "Unknown backend 'all'; choose numpy, c or torch\n"),
        (["generate", "--out", ""], "for this directory write ."),
        (["generate", "--march", "baseline,v5"], "separated by commas, found 'v5'"),
        (["generate", "--march", "v3", "--no-build"], "leave out --march or --no-build"),
        (["generate", "--march", "v3", "--backend", "numpy"], "leave out --backend numpy"),
        (["check", "--march", "v3", "--backend", "numpy"], "leave out --backend numpy"),
        (["check", "--march", "v3,v4"], "invalid choice: 'v3,v4'"),
    ],
)
def test_wrong_arguments_exit_2_with_usage(run: Run, arguments: list[str], words: str) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("usage: ")
    assert words in err


@pytest.mark.parametrize("command", ["show", "generate", "check"])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("lstn", "did you mean `lstm`?"),
        ("LSTM", "did you mean `lstm`?"),
        ("missing/cell.toml", "missing/cell.toml"),
        (".", "."),
        ("", "bundled cells are rnn"),
        ("broken.toml", "broken.toml:2"),
    ],
)
def test_a_cell_that_cannot_be_loaded_exits_2_without_traceback(run: Run, command: str, name: str, words: str) -> None:
    Path("broken.toml").write_text('name = "broken"\nequations = "h = x"\n', encoding="utf-8")
    code, out, err = run(command, name)
    assert (code, out) == (2, "")
    assert err.startswith("symrnn: error: ")
    assert words in err
    assert "Traceback" not in err
    assert [path.name for path in Path().iterdir()] == ["broken.toml"]


@pytest.mark.parametrize(
    ("asked", "suggested"),
    [
        ("mine", "mine.toml"),
        ("./mine", "mine.toml"),
        ("mien.toml", "mine.toml"),
        ("folder/oher", "folder/other.toml"),
        ("lstm.tml", "lstm"),
    ],
)
def test_a_cell_file_that_is_not_there_suggests_one_beside_it(
    run: Run, cell_file: str, asked: str, suggested: str
) -> None:
    Path("folder").mkdir()
    for path in (Path("folder", "other.toml"), Path("lstm.toml")):
        path.write_text(CELL_FILE, encoding="utf-8")
    code, _, err = run("show", asked)
    assert (code, Path(cell_file).is_file()) == (2, True)
    assert err.endswith(f"; did you mean `{suggested}`?\n")


@pytest.fixture
def bundled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two bundled cells, one of which commands use only by name."""
    folder = tmp_path / "bundled"
    folder.joinpath("more").mkdir(parents=True)
    folder.joinpath("first.toml").write_text(CELL_FILE.replace("mine", "first"), encoding="utf-8")
    folder.joinpath("more", "other.toml").write_text(CELL_FILE.replace("mine", "other"), encoding="utf-8")
    monkeypatch.setattr(language_bundled, "_BUNDLED", folder)


@pytest.mark.usefixtures("bundled")
def test_commands_without_names_take_the_first_cells_and_with_all_every_one(run: Run) -> None:
    assert symrnn.cells() == ("first", "other")
    generate = ("generate", "--dry-run", "--json", "--backend", "numpy")
    summary = json.loads(run(*generate)[1])
    assert (tuple(summary["written"]), summary["libraries"]) == (("first",), {})
    assert tuple(json.loads(run(*generate, "--all")[1])["written"]) == symrnn.cells()
    assert tuple(json.loads(run(*generate, "other")[1])["written"]) == ("other",)
    assert [cell["name"] for cell in json.loads(run("list", "--json")[1])] == ["first", "other"]
    code, _, err = run(*generate, "other", "--all")
    assert (code, "--all means every bundled cell; name no cell" in err) == (2, True)
