"""What the tests of the command line share: a command in an empty folder, a cell file, no compiler."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from symrnn.cli import main

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
