"""`generate`: what it writes, builds and compares, and what it says if it cannot."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from symrnn.build.loading import import_text
from tests.cli.conftest import CELL, CELL_FILE, Run
from tests.processors import compiler_or_skip

pytestmark = pytest.mark.usefixtures("quick_compiler")


def test_generate_writes_compares_and_repairs(run: Run, cell_file: str) -> None:
    generate = ("generate", cell_file, CELL, "--out", "out", "--no-build")
    files = [f"{name}{end}" for name in ("mine", CELL) for end in ("_numpy.py", "_c.py", ".c", ".h", ".tex")]
    code, out, err = run(*generate)
    assert (code, err) == (0, "")
    assert all(file in out for file in files)
    assert {path.name for path in Path("out").iterdir()} >= {*files, "manifest.json"}
    before = {path.name: path.stat().st_mtime_ns for path in Path("out").iterdir() if path.suffix != ".lock"}
    assert "up to date" in run(*generate)[1]
    assert run(*generate, "--check")[0] == 0

    Path("out", "mine.c").write_text("int mine;\n")
    Path("out", "rnn.h").unlink()
    code, out, err = run(*generate, "--check")
    assert (code, err) == (1, "")
    assert "-int mine;\n" in out
    assert "mine.c is not what symrnn wrote" in out
    assert "rnn.h is missing" in out
    described = json.loads(run(*generate, "--check", "--json")[1])
    assert [(each["cell"], each["file"]) for each in described["differences"]] == [("mine", "mine.c"), (CELL, "rnn.h")]
    code, out, _ = run(*generate, "--dry-run")
    assert code == 0
    assert "mine: would write mine.c\nrnn: would write rnn.h\n" in out
    assert not Path("out", "rnn.h").exists()

    assert "mine: wrote mine.c\nrnn: wrote rnn.h\n" in run(*generate)[1]
    assert run(*generate, "--check")[0] == 0
    after = {path.name: path.stat().st_mtime_ns for path in Path("out").iterdir() if path.suffix != ".lock"}
    assert {name for name in before if before[name] != after[name]} == {"mine.c", "rnn.h"}


def test_check_looks_at_the_libraries_that_the_command_would_build(run: Run) -> None:
    compiler_or_skip()
    generate = ("generate", CELL, "--out", "out")
    built = json.loads(run(*generate, "--json")[1])["libraries"]["c"]
    library = Path(built["files"][CELL]["native"])
    assert run(*generate, "--check") == (0, "out: rnn up to date\n", "")
    library.write_bytes(b"of another source")
    code, out, _ = run(*generate, "--check")
    assert (code, out.splitlines()[0]) == (1, f"{library} is out of date")
    library.unlink()
    code, out, _ = run(*generate, "--check")
    assert (code, out.splitlines()[0]) == (1, f"{library} is missing")
    code, out, _ = run(*generate, "--check", "--no-build")
    assert (code, out) == (0, "out: rnn up to date\nlibraries not compared: --no-build leaves them out\n")
    assert run(*generate, "--check", "--backend", "numpy") == (0, "out: rnn up to date\n", "")


@pytest.mark.usefixtures("no_compiler")
def test_check_misses_no_library_where_none_could_be_built(run: Run) -> None:
    generate = ("generate", CELL, "--out", "out")
    assert run(*generate)[0] == run(*generate, "--check")[0] == 0


def test_check_names_the_options_that_differ_and_missing_files_in_a_line_each(run: Run) -> None:
    generate = ("generate", CELL, "--out", "out", "--no-build")
    code, out, _ = run(*generate, "--check")
    assert (code, len(out.splitlines())) == (1, 14), "twelve files, what to do, and what was left out"
    assert run(*generate, "--no-backward")[0] == 0
    assert run(*generate, "--no-backward", "--check")[0] == 0
    code, out, _ = run(*generate, "--check")
    assert code == 1
    assert "rnn.c was generated with other options (--no-backward then, no options now)\n" in out
    assert "@@" not in out


def test_generate_for_one_backend_writes_its_files_alone(run: Run) -> None:
    assert run("generate", CELL, "--backend", "numpy", "--out", "out")[0] == 0
    assert sorted(path.suffix for path in Path("out").glob("rnn*")) == [".py", ".tex"]
    assert run("generate", CELL, "--backend", "numpy", "--out", "out", "--check")[0] == 0
    assert run("generate", CELL, "--out", "out", "--check")[0] == 1


def test_generate_for_inference_alone_has_no_backward(run: Run) -> None:
    assert run("generate", CELL, "--no-backward", "--no-build")[0] == 0
    for file in ("rnn_numpy.py", "rnn_c.py"):
        text = Path("generated", file).read_text(encoding="utf-8")
        assert "def infer(" in text
        assert "def backward(" not in text
    module = import_text(Path("generated", "rnn_numpy.py").read_text(encoding="utf-8"), "rnn_numpy")
    with pytest.raises(AttributeError, match=r"has no 'backward': it was generated with --no-backward"):
        module.backward  # noqa: B018 - asking for it is the test
    with pytest.raises(AttributeError, match="has no attribute 'backwards'"):
        module.backwards  # noqa: B018 - asking for it is the test


def test_generate_builds_the_library_and_runs_it(run: Run) -> None:
    compiler_or_skip()
    code, out, err = run("generate", CELL, "--json")
    assert (code, err) == (0, "")
    built = json.loads(out)["libraries"]["c"]
    assert list(built["files"]) == [CELL]
    assert Path(built["files"][CELL]["native"]).is_file()
    assert built["tool"]
    assert f"C libraries: {Path(built['files'][CELL]['native']).name} built" in run("generate", CELL)[1]


@pytest.mark.usefixtures("no_compiler")
def test_generate_without_a_compiler_says_in_one_sentence_what_is_missing(run: Run) -> None:
    code, out, err = run("generate", CELL)
    assert (code, err) == (0, "")
    assert Path("generated", "rnn.c").is_file()
    (sentence,) = (line for line in out.splitlines() if line.startswith("C libraries"))
    assert "no C compiler found" in sentence
    assert "apt install gcc" in sentence


def test_two_cells_of_one_name_are_refused(run: Run, tmp_path: Path) -> None:
    tmp_path.joinpath("other.toml").write_text(CELL_FILE.replace("mine", CELL), encoding="utf-8")
    code, _, err = run("generate", CELL, "other.toml")
    assert code == 2
    assert "both named 'rnn'" in err
    assert run("generate", CELL, CELL, "--dry-run", "--no-build")[0] == 0


def test_a_directory_that_cannot_be_written_to_is_told(run: Run, tmp_path: Path) -> None:
    tmp_path.joinpath("file").write_text("")
    told = "symrnn: error: file is a file; give --out a directory\n"
    assert run("generate", CELL, "--out", "file") == (2, "", told)
    assert run("generate", CELL, "--out", "file", "--check") == (2, "", told)
    code, _, err = run("generate", CELL, "--out", "file/deeper")
    assert code == 2
    assert err.startswith("symrnn: error: file/deeper")
    assert "--out" in err
