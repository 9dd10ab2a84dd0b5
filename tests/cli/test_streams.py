"""Output, errors and progress: on terminals, through pipes, to where nothing can be written, and on an interrupt."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from symrnn.cli import main
from tests.cli.conftest import CELL, Run

ROOT = Path(__file__).parents[2]


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
    assert terminal.getvalue().startswith("\r\x1b[Kreading rnn\r\x1b[K\r\x1b[Krnn: ")
    assert terminal.getvalue().endswith("\r\x1b[K")
    assert "\n" not in terminal.getvalue()
