"""Progress: every command with long work shows its progress on a terminal."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import pytest

from symrnn.cli import main, shared

pytestmark = pytest.mark.usefixtures("quick_compiler")

CELL_FILE = """
name = "mine"
equations = "h' = tanh(W @ x + u * h)"
"""
COMMANDS = {
    "show": (["show", "mine.toml"], ["mine: deriving", "mine: writing its adjoint", "mine: planning"]),
    "show, as JSON": (["show", "mine.toml", "--json"], ["mine: deriving", "mine: writing its jacobian"]),
    "show, as a document": (["show", "mine.toml", "--document"], ["mine: deriving", "the document"]),
    "generate": (
        ["generate", "mine.toml", "--march", "baseline"],
        ["mine: deriving and printing", "compiling mine.baseline", "0 of 1 libraries done", "running"],
    ),
    "generate, compared": (["generate", "mine.toml", "--check", "--no-build"], ["mine: deriving", "comparing"]),
    "report": (
        ["report", "mine.toml"],
        [
            "reading mine.toml",
            "mine: deriving (1 of 1)",
            "mine: planning (1 of 1)",
            "the overview, drawing mine",
            "the overview, mine: gradient flow",
            "mine: its page (1 of 1), printing kernels",
            "mine: its page (1 of 1), its gradient flow",
        ],
    ),
    "check": (
        ["check", "mine.toml", "--backend", "numpy"],
        [
            "mine: deriving",
            "mine: building kernels in NumPy",
            "mine: planning",
            "mine: T=2 B=1 I=1 H=1 (1 of ",
            "interpreter, row 1 of 1, step 2 of 2",
            "complex step",
            "NumPy in float32",
            "mine: scalar expansion at 3 of 3 units",
            "mine: scalar expansion at 3 of 3 units, differentiating equation (1) of 1",
            "the adjoint of h'[2]",
        ],
    ),
    "flow": (["flow", "mine.toml", "--steps", "3", "--hidden", "4"], ["deriving", "mine: gradient flow"]),
}


class Terminal(io.StringIO):
    """Takes the drawn text, and reports when it was drawn a number of times."""

    def __init__(self, draws: int = 0) -> None:
        super().__init__()
        self._left = draws
        self.reached = threading.Event()

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self._left -= 1
        if self._left <= 0:
            self.reached.set()
        return super().write(text)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_what_it_is_at(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    Path("mine.toml").write_text(CELL_FILE, encoding="utf-8")
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    arguments, lines = COMMANDS[name]
    main(arguments)
    drawn = terminal.getvalue()
    places = [drawn.find(line) for line in lines]
    assert min(places) >= 0, dict(zip(lines, places, strict=True))
    assert places == sorted(places)
    assert drawn.endswith("\r\x1b[K"), "the line is wiped"
    assert "\n" not in drawn


def test_work_that_says_nothing_new_is_seen_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal(draws=5)
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr(shared, "_REDRAWN", 0.001)
    monkeypatch.setattr(shared, "_QUICK", 0)
    with shared.progress() as say:
        say("at work")
        assert terminal.reached.wait()
    drawn = terminal.getvalue().split("\r\x1b[K")
    assert all(line.startswith("at work  ") and line.endswith(" s") for line in drawn[2:-1])
    assert len(drawn) > 4
    assert drawn[-1] == ""
    assert not any(thread.name.startswith("symrnn") for thread in threading.enumerate())


def test_a_line_is_no_longer_than_the_terminal_is_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setattr(shared, "_QUICK", 0)
    with shared.progress() as say:
        say("a very long line indeed")
    assert "\r\x1b[Ka very long li" in terminal.getvalue()
    assert max(map(len, terminal.getvalue().split("\r\x1b[K"))) == 19


def test_where_there_is_no_terminal_nothing_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with shared.progress() as say:
        say("at work")
    assert capsys.readouterr().err == ""
