"""The command line: what each command prints and writes, its exit codes, and what a user's mistake looks like."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import symrnn
from symrnn.build.loading import import_text
from symrnn.check.report import Deviation, Report
from symrnn.cli import main
from symrnn.language import bundled as language_bundled
from symrnn.parts import DERIVED, PARTS

pytestmark = pytest.mark.usefixtures("quick_compiler")

ROOT = Path(__file__).parents[1]
CELL = "rnn"
"""The smallest bundled cell."""
CELL_FILE = """
name = "mine"
title = "A cell of the test"
equations = "h' = tanh(W @ x + u * h)"
"""

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs one command in an empty folder and returns its exit code, output and errors."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        try:
            code: Any = main(arguments)
        except SystemExit as stop:
            code = stop.code
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def cell_file(tmp_path: Path) -> str:
    """A cell file that is not bundled."""
    path = tmp_path / "mine.toml"
    path.write_text(CELL_FILE, encoding="utf-8")
    return path.name


@pytest.fixture
def no_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The search path is one empty folder, and the package ziglang is not installed."""
    for variable in ("SYMRNN_CC", "CC"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)


def test_version(run: Run) -> None:
    assert run("--version") == (0, f"symrnn {symrnn.__version__}\n", "")


def test_list(run: Run) -> None:
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


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "required: COMMAND"),
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
        (["generate", "--backend", "fortran"], "Unknown backend 'fortran'; choose numpy, c or all\n"),
        (["check", "--backend", "fortran"], "Unknown backend 'fortran'; choose numpy, c or all\n"),
        (["show", CELL, "--plan", "--backend", "fortran"], "Unknown backend 'fortran'; choose numpy or c\n"),
        (["show", CELL, "--plan", "--backend", "all"], "Unknown backend 'all'; choose numpy or c\n"),
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
    generate = ("generate", CELL, "--out", "out")
    built = json.loads(run(*generate, "--json")[1])["libraries"]["c"]
    if built["not_built"]:
        pytest.skip(built["not_built"])
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
    assert (code, len(out.splitlines())) == (1, 13), "eleven files, what to do, and what was left out"
    assert run(*generate, "--no-backward")[0] == 0
    assert run(*generate, "--no-backward", "--check")[0] == 0
    code, out, _ = run(*generate, "--check")
    assert code == 1
    assert "rnn.c was generated with other options (--no-backward then, no options now)\n" in out
    assert "@@" not in out


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
    code, out, err = run("generate", CELL, "--json")
    assert (code, err) == (0, "")
    built = json.loads(out)["libraries"]["c"]
    if built["not_built"]:
        pytest.skip(built["not_built"])
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


@pytest.mark.usefixtures("no_compiler")
def test_a_compiler_that_is_named_and_unusable_is_trouble(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYMRNN_CC", "no-such-compiler")
    for command in (("generate", CELL, "--out", "out"), ("check", CELL)):
        code, out, err = run(*command)
        assert (code, out) == (2, "")
        assert "SYMRNN_CC names 'no-such-compiler'" in err
    assert not Path("out").exists()  # it is looked for before anything is written


@pytest.mark.usefixtures("no_compiler")
def test_check_without_a_compiler_says_that_c_was_left_out(run: Run) -> None:
    code, out, _ = run("check", CELL)
    assert code == 0
    assert "rnn: C kernels not run: no C compiler found" in out
    assert out.endswith("errors are within their bounds; C not checked\n")


@pytest.mark.usefixtures("no_compiler")
def test_checking_c_alone_without_a_compiler_is_trouble(run: Run) -> None:
    code, _, err = run("check", CELL, "--backend", "c")
    assert code == 2
    assert "no C compiler found" in err


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


def report(*errors: float) -> Report:
    dtypes = ("float64", "float32", "exact")
    return Report(
        tuple(
            Deviation(CELL, "numpy", dtype, "oracle", "y", error, 1e-3, "case")
            for dtype, error in zip(dtypes, errors, strict=False)
        )
    )


@pytest.mark.parametrize(
    ("dtype", "errors", "code"),
    [("all", (0, 1, 0), 1), ("float64", (0, 1, 0), 0), ("float32", (0, 1, 0), 1), ("float64", (0, 0, 1), 1)],
)
def test_check_exits_1_where_a_reported_error_misses_its_bound(
    run: Run, monkeypatch: pytest.MonkeyPatch, dtype: str, errors: tuple[float, ...], code: int
) -> None:
    monkeypatch.setattr("symrnn.cli.commands.check", lambda cells, **_: report(*errors))
    found = run("check", CELL, "--dtype", dtype, "--json")
    assert found[0] == code
    assert json.loads(found[1])["passed"] == (code == 0)
    assert run("check", CELL, "--dtype", dtype)[0] == code


def test_check_runs_the_oracles(run: Run, cell_file: str) -> None:
    code, out, err = run("check", cell_file, "--backend", "numpy", "--json")
    assert (code, err) == (0, "")
    assert {row["cell"] for row in json.loads(out)["rows"]} == {"mine"}


def test_an_interrupt_ends_without_traceback(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("symrnn.cli.commands.derive", interrupt)
    assert run("show", CELL) == (130, "", "symrnn: interrupted\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
@pytest.mark.parametrize(
    ("redirection", "words"),
    [(">/dev/full", "cannot write the output: No space left on device"), (">&-", "standard output is closed")],
)
def test_output_that_goes_nowhere_is_trouble(redirection: str, words: str) -> None:
    command = f'exec "$0" -m symrnn list {redirection}'
    done = subprocess.run(["sh", "-c", command, sys.executable], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("symrnn: error: ")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows closes streams by other means")
@pytest.mark.parametrize(("arguments", "code"), [("show nope", 2), ("generate rnn --dry-run --backend numpy", 0)])
def test_without_standard_error_nothing_else_changes(arguments: str, code: int) -> None:
    command = f'exec "$0" -m symrnn {arguments} 2>&-'
    done = subprocess.run(["sh", "-c", command, sys.executable], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert "error" not in done.stdout
    assert "Traceback" not in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such pipes")
@pytest.mark.parametrize("arguments", [["show", CELL], ["--help"]])
def test_a_reader_that_leaves_is_no_trouble(arguments: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "symrnn", *arguments]
    done = subprocess.run(command, cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert done.stderr == b""
    assert done.returncode in (141, 0)  # argparse keeps silent about a help that nobody read


def test_a_terminal_without_the_letters_gets_their_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding="ascii"))
    assert main(["show", CELL]) == 0
    assert raw.getvalue().isascii()


def test_progress_is_one_line_on_a_terminal(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    assert run("generate", CELL, "--dry-run", "--backend", "numpy")[0] == 0
    assert terminal.getvalue().startswith("\r\x1b[Krnn: ")
    assert terminal.getvalue().endswith("\r\x1b[K")
    assert "\n" not in terminal.getvalue()
