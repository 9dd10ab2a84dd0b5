"""The benchmarks' code names no parameter of a cell; the names in other libraries are data."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CELL_FILES = sorted([*(ROOT / "symrnn/cells").glob("*.toml"), *(ROOT / "benchmarks/cells").glob("*.toml")])
MODULES = sorted((ROOT / "benchmarks").rglob("*.py"))


def names() -> set[str]:
    """Matrices, biases and intermediates: names with an underscore."""
    texts = [tomllib.loads(path.read_text(encoding="utf-8"))["equations"] for path in CELL_FILES]
    return {word for text in texts for word in re.findall(r"[A-Za-z]\w*", text) if "_" in word}


def occurrences(text: str) -> list[str]:
    """Lines that name one, examples in docstrings left out: they stand in double backquotes."""
    pattern = re.compile(rf"\b({'|'.join(sorted(names()))})\b")
    plain = re.sub(r"``[^`]*``", "", text)
    return [line.strip() for line in plain.splitlines() if pattern.search(line)]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_parameter_is_known(path: Path) -> None:
    assert occurrences(path.read_text(encoding="utf-8")) == []


def test_a_parameter_is_found() -> None:
    assert {"W_xi", "b_hh", "h_tilde", "p_o"} <= names()
    assert occurrences("x = W_xi\nA result is labelled ``gradient W_xi``.\n") == ["x = W_xi"]
