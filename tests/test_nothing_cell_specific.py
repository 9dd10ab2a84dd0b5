"""No template, printer or planner knows a cell: none of their names stands in the code, comments included.

Docstrings, help texts and errors may show examples of use, and options may be called as people know them. What is looked
for comes from the cell files, bundled ones and those of the tests.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from symrnn.language.functions import FUNCTIONS
from symrnn.language.reductions import REDUCTIONS
from symrnn.language.vectors import VECTORS

ROOT = Path(__file__).parents[1]
CELL_FILES = sorted([*(ROOT / "symrnn/cells").rglob("*.toml"), *(ROOT / "tests/cells").glob("*.toml")])
STAGES = ("templates", "symrnn/derive", "symrnn/plan", "symrnn/emit", "symrnn/report")
"""Where no name of any cell file may stand."""
EVERYWHERE = ("templates", "symrnn")
WORDS = ("lstm", "gru", "gate", "forget")
"""Whose names are cells, and what a person would say of their equations."""
HELP = ("help", "description", "epilog")
"""Arguments of argparse that a person reads."""
OPTION = re.compile(r"--[a-z-]+")
LONG = 3
"""Letters from which a name is more than a letter of mathematics."""
NAMESAKES = {
    "symrnn/torch/__init__.py": "the names of the modules that stand in for PyTorch's",
    "symrnn/torch/modules.py": "modules that stand in for PyTorch's, under its names",
}
"""Files whose subject are modules of another library that are called like cells, each with what it holds."""
CONTROL = {"repeat", "for", "odd", "even", "previous", "eye"}
"""Words of the language that are no functions of a table."""
ORDINARY = {"back", "delta", "eps", "head", "key", "ran", "scale", "sigma", "state", "value"}
"""Words of plain English and of numerics by which cells name a value, and other code other things."""


def files(folders: tuple[str, ...]) -> list[str]:
    found = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in (".jinja", ".py")]
    return sorted(path.relative_to(ROOT).as_posix() for path in found if "_templates" not in path.parts)


def names_of_cells() -> set[str]:
    """Cells, and what their equations name by more than a letter or two: `W_xi`, `h_tilde`, `b_f`."""
    names = {path.stem for path in CELL_FILES}
    for path in CELL_FILES:
        cell = tomllib.loads(path.read_text(encoding="utf-8"))
        equations = re.sub(r"#.*", "", cell["equations"])
        words = set(re.findall(r"[A-Za-z][A-Za-z0-9_]*", equations))
        names |= {cell["name"]} | {word for word in words if "_" in word or len(word) >= LONG}
    return names - {*FUNCTIONS, *REDUCTIONS, *VECTORS, *CONTROL, *ORDINARY}


def exempt(tree: ast.AST) -> Iterator[range]:
    """The lines of docstrings, help texts and errors, and of options, which are words that a person types."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and OPTION.fullmatch(node.value):
            yield range(node.lineno, node.lineno + 1)
        documents = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        helps = isinstance(node, ast.keyword) and node.arg in HELP
        if (documents or helps or isinstance(node, ast.Raise)) and isinstance(node, ast.Expr | ast.keyword | ast.Raise):
            assert node.end_lineno is not None
            yield range(node.lineno, node.end_lineno + 1)


def occurrences(file: str, text: str, words: set[str], *, ignore_case: bool = False) -> list[str]:
    """Where whole ``words`` stand in ``text``, but for exempt lines."""
    lines = list(enumerate(text.splitlines(), start=1))
    if file.endswith(".py"):
        skipped = {line for lines_of_one in exempt(ast.parse(text)) for line in lines_of_one}
        lines = [(number, line) for number, line in lines if number not in skipped]
    alternatives = "|".join(sorted(map(re.escape, words)))
    pattern = re.compile(rf"\b(?:{alternatives})\b", re.IGNORECASE if ignore_case else 0)
    return [f"{file}:{number}: {line.strip()}" for number, line in lines if pattern.search(line)]


@pytest.mark.parametrize("file", files(STAGES))
def test_no_cell_is_known(file: str) -> None:
    assert occurrences(file, (ROOT / file).read_text(encoding="utf-8"), names_of_cells()) == []


@pytest.mark.parametrize("file", sorted({*files(EVERYWHERE)} - NAMESAKES.keys()))
def test_no_cell_is_spoken_of(file: str) -> None:
    assert occurrences(file, (ROOT / file).read_text(encoding="utf-8"), set(WORDS), ignore_case=True) == []


def test_the_names_are_those_of_the_cell_files() -> None:
    assert len(CELL_FILES) >= 13
    assert {"lstm", "gru_reset_after", "W_xi", "b_f", "h_tilde", "W_hh"} <= names_of_cells()


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("a.py", "x = 'lstm'"),
        ("a.py", "x = 1  # the LSTM's way"),
        ("a.py", "def f():\n    return name == 'W_xi'"),
        ("a.py", "W_xi = 1"),
        ("a.jinja", "{# the forget gate #}"),
        ("a.jinja", "{{ h_tilde }}"),
    ],
)
def test_a_name_is_found(file: str, text: str) -> None:
    words = names_of_cells()
    found = {*occurrences(file, text, words), *occurrences(file, text, set(WORDS), ignore_case=True)}
    assert len(found) == 1


def test_docstrings_help_texts_and_errors_may_show_examples() -> None:
    text = '''
"""lstm"""
def f():
    """An lstm, W_xi."""
    add(help="lstm", epilog="""examples:
  lstm""")
    add("--forget-bias", dest="biases")
    raise ValueError("write lstm"
                     "or W_xi")
NAME = 1
"""What lstm is."""
'''
    assert occurrences("a.py", text, {"lstm", "W_xi"}) == []
    assert occurrences("a.py", text, set(WORDS)) == []
    assert occurrences("a.py", text.replace("NAME", "W_xi"), {"lstm", "W_xi"}) == ["a.py:10: W_xi = 1"]
