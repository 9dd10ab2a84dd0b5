"""The README and the pages of docs/ do what they say: their blocks are run in a folder of their own, in their order.

The folder of each page has the cell file of the README. A block that follows "`file`:" is written to that file. Shell
blocks are run line by line, and a ``text`` block behind one, or behind a Python block, holds lines of its output in order;
"…" stands for lines left out. Python blocks are run, and those with prompts are held to their output. Left out: lines that
install something or run the tests, and most iterations of the examples; where somebody waits, what takes long, and the
compiler's optimisation.
"""

from __future__ import annotations

import doctest
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symrnn
from symrnn.language.bundled import first_cells
from symrnn.language.cellfile import read_cell
from symrnn.language.families import FAMILIES
from symrnn.language.functions import PUBLIC

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
LANGUAGE = ROOT / "docs" / "language.md"
STREAMS = ROOT / "docs" / "streams.md"
PYTORCH = ROOT / "docs" / "pytorch.md"
PAGES = (README, *sorted((ROOT / "docs").glob("*.md")))
SET_UP = (
    "    python -m pip install -e . && python -m symrnn generate\n",
    '    python -m pip install -e ".[test]" && python -m pytest\n',
)
FEW_ITERATIONS = "--iterations 2"
COSTLY = ("symrnn flow ", " examples/", "symrnn report rnn ")
"""What runs with ``-m long`` alone: a line of many runs, and programs that have tests of their own."""
QUICK = Path(__file__).with_name("quick_cc")
LEFT_OUT = "…"

_FENCE = re.compile(r"^```(?P<kind>\w*)$")
_FILE = re.compile(r"`(?P<name>[\w.]+)`:$")
_LINK = re.compile(r"\]\((?P<target>[^)#:]+)(?:#[^)]*)?\)")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, its first line in the page, and the file that it is named as."""

    kind: str
    text: str
    line: int
    file: str


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    lines = page.read_text(encoding="utf-8").splitlines()
    start, kind, before = 0, "", ""
    for number, line in enumerate(lines, 1):
        fence = _FENCE.match(line)
        if fence and not start:
            start, kind = number, fence["kind"]
        elif fence:
            named = _FILE.search(before)
            yield Block(kind, "\n".join(lines[start : number - 1]) + "\n", start + 1, named["name"] if named else "")
            start, before = 0, ""
        elif not start and line:
            before = line
    assert not start, f"{page.name}:{start}: this block is never closed"


def is_costly(block: Block) -> bool:
    """Whether somebody would wait for what the block runs."""
    return block.kind == "sh" and any(line in block.text for line in COSTLY)


def costly(page: Path) -> bool:
    """Whether a page has anything that runs with ``-m long`` alone."""
    return any(map(is_costly, blocks(page)))


class Reader:
    """Does what a page says, in a folder."""

    def __init__(self, page: Path, folder: Path, *, whole: bool = True) -> None:
        self.page, self.folder, self.whole = page, folder, whole
        self.output: str | None = ""  # None where the line before was left out
        self.names: dict[str, Any] = {}  # of the sessions: each goes on where the last one ended
        programs = folder / "bin"
        programs.mkdir()
        python = programs / "python"  # the name that the page uses, whatever this one is called
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
        python.chmod(0o755)
        self.environment = os.environ | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": ""}
        compiler = shutil.which("cc")
        if not whole and compiler:
            self.environment["SYMRNN_CC"] = str(QUICK)
            programs.joinpath("cc").write_text(f'#!/bin/sh\nexec "{compiler}" "$@" -O0\n', encoding="utf-8")
            programs.joinpath("cc").chmod(0o755)

    def follow(self, block: Block) -> None:
        """Do what one block says."""
        match block.kind:
            case "sh":
                left_out = not self.whole and is_costly(block)
                left_out |= "examples/torch_" in block.text and importlib.util.find_spec("torch") is None
                self.output = None if left_out else "".join(self.shell(each, block) for each in block.text.splitlines())
            case "text":
                self.compare(block)
            case "python":
                missing = "import torch" in block.text and importlib.util.find_spec("torch") is None
                self.output = None if missing else self.run([sys.executable, "-c", block.text], block)
            case "pycon":
                self.session(block)
            case "toml":
                read_cell(block.text, f"{self.page.name}:{block.line}")
        if block.file:
            self.folder.joinpath(block.file).write_text(block.text, encoding="utf-8")

    def shell(self, line: str, block: Block) -> str:
        if " examples/" in line:
            line += f" {FEW_ITERATIONS}"
        if line.startswith(("cc ", "./")) and shutil.which("cc", path=self.environment["PATH"]) is None:
            pytest.skip("there is no C compiler called cc")
        return self.run(["sh", "-c", line], block)

    def run(self, command: list[str], block: Block) -> str:
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{self.page.name}:{block.line}: {command[-1]}\n{done.stdout}{done.stderr}"
        return done.stdout

    def compare(self, block: Block) -> None:
        """Hold that the block's lines occur in the last output in this order, together but for lines left out."""
        if self.output is None:
            return
        place = 0
        for part in re.split(rf"^{LEFT_OUT}\n", block.text, flags=re.MULTILINE):
            found = self.output.find(part, place)
            assert found >= 0, f"{self.page.name}:{block.line}: not in the output:\n{part}\nwhich is\n{self.output}"
            place = found + len(part)

    def session(self, block: Block) -> None:
        test = doctest.DocTestParser().get_doctest(
            block.text, self.names, self.page.name, str(self.page), block.line - 1
        )
        said: list[str] = []
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
        failed = runner.run(test, out=said.append, clear_globs=False).failed
        self.names = test.globs
        assert not failed, "".join(said)


@pytest.mark.skipif(sys.platform == "win32", reason="the pages speak to a Unix shell")
@pytest.mark.parametrize(
    ("page", "whole"),
    [
        *(pytest.param(page, False, id=page.stem, marks=pytest.mark.brief if costly(page) else ()) for page in PAGES),
        *(pytest.param(page, True, id=f"{page.stem}-whole", marks=pytest.mark.long) for page in PAGES if costly(page)),
    ],
)
def test_the_page_does_what_it_says(page: Path, whole: bool, tmp_path: Path) -> None:
    if page == PYTORCH:
        pytest.importorskip("torch", reason="PyTorch is not installed")
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    write_cell_of_the_readme(tmp_path)
    reader = Reader(page, tmp_path, whole=whole)
    for block in blocks(page):
        reader.follow(block)


def write_cell_of_the_readme(folder: Path) -> Block:
    """Write the cell file that the README shows, and return its block."""
    (block,) = (block for block in blocks(README) if block.file.endswith(".toml"))
    folder.joinpath(block.file).write_text(block.text, encoding="utf-8")
    return block


def _stated(source: str) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays of numbers that a C program writes down."""
    found = re.findall(r"(\w+)\[\] = \{([^}]*)\}", source)
    return {name: np.array([float(n.rstrip("f")) for n in numbers.split(", ")], np.float32) for name, numbers in found}


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler called cc")
def test_the_program_in_c_is_free_of_warnings_and_computes_what_numpy_does(tmp_path: Path) -> None:
    found = list(blocks(STREAMS))
    (program,) = (block for block in found if block.file == "main.c")
    cell_file = write_cell_of_the_readme(tmp_path)
    (command,) = (line for block in found for line in block.text.splitlines() if line.startswith("cc "))
    (generate,) = (line for block in found for line in block.text.splitlines() if "--out stream" in line)
    assert "malloc" not in program.text
    (tmp_path / program.file).write_text(program.text)
    reader = Reader(STREAMS, tmp_path)
    for line in (generate, command.replace("cc ", "cc -Wall -Wextra -Werror ", 1)):
        reader.shell(line, program)
    printed = re.findall(r"x = (\S+) +h = \((\S+), (\S+)\)", reader.shell("./main", program))

    cell = read_cell(cell_file.text, "my_cell.toml")
    k = symrnn.build(cell)
    shapes = k.param_shapes(1, 2)
    stream = k.stream(k.pack({name: array.reshape(shapes[name]) for name, array in _stated(program.text).items()}))
    outputs = [stream(np.array([[float(x)]], np.float32))[0].copy() for x, _, _ in printed]
    assert len(printed) == 3
    np.testing.assert_allclose(outputs, [[float(n) for n in units] for _, *units in printed], atol=6e-5)


def test_an_output_that_differs_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```sh\nprintf 'one\\ntwo\\nthree\\n'\n```\n```text\none\n…\nthree\n```\n```text\ntwo\none\n```\n")
    first, right, wrong = blocks(page)
    reader = Reader(page, tmp_path)
    reader.follow(first)
    reader.follow(right)
    with pytest.raises(AssertionError, match=r"page.md:10: not in the output"):
        reader.follow(wrong)


def test_two_lines_do_all_the_set_up() -> None:
    text = README.read_text(encoding="utf-8")
    assert all(f"\n\n{line}\n" in text for line in SET_UP)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_a_page_points_to_is_there(page: Path) -> None:
    targets = [found["target"] for found in _LINK.finditer(page.read_text(encoding="utf-8"))]
    assert [target for target in targets if not page.parent.joinpath(target).exists()] == []


def test_every_function_has_a_row_and_every_key_too() -> None:
    text = LANGUAGE.read_text(encoding="utf-8")
    table = text.partition("## Functions")[2].partition("##")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert tuple(re.findall(r"`(\w+)`", " ".join(rows))) == PUBLIC
    keys = ("name", "title", "reference", "family", "parent", "difference", "departures", "equations", "output")
    for key in (*keys, "[sizes]", "[constants]", "[init]"):
        assert f"`{key}`" in text
    for family in FAMILIES:
        assert f"`{family}`" in text


def test_the_bundled_cells_are_named() -> None:
    text = README.read_text(encoding="utf-8")
    assert ", ".join(f"`{name}`" for name in first_cells()[:-1]) + f" and `{first_cells()[-1]}`" in text
    assert "More than a hundred published cells" in text
    assert len(symrnn.cells()) > 100
