"""The command line: ``symrnn``, or ``python -m symrnn``.

Reads the arguments; prints the result of the command and exits with its code: 0 done, 1 something differs or failed a
check, 2 trouble. Help answers before SymPy or NumPy is loaded: what the commands do is loaded when one runs. Leaves out:
the arguments (`symrnn.cli.arguments`), and what the commands do (`symrnn.cli.commands`).
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence

from symrnn.cli.arguments import parse
from symrnn.errors import SymrnnError
from symrnn.late import load_late

_COMMANDS = "symrnn.cli.commands:run_command"
_TROUBLE = 2
_INTERRUPTED = 130  # 128 and the signal's number, as a shell reports it
_BROKEN_PIPE = 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        argv: the arguments; the default is those of the process.

    Raises:
        SystemExit: help or the version was printed (0), or the arguments are wrong (2).
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal without ∂ gets its number
    try:
        arguments = parse(argv)
        code, text = load_late(_COMMANDS)(arguments)
    except SymrnnError as error:
        return _trouble(f"error: {error}")
    except KeyboardInterrupt:
        return _trouble("interrupted", _INTERRUPTED)
    return _print(text) or code


def _print(text: str) -> int:
    """Print what a command returned; an exit code where that fails, else 0."""
    if sys.stdout is None:  # closed before the start
        return _trouble("error: standard output is closed; open it, or redirect it to a file")
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader closed the pipe, as `head` does
        _discard_output()
        return _BROKEN_PIPE
    except OSError as error:
        _discard_output()
        return _trouble(f"error: cannot write the output: {error.strerror}; make room, or redirect it")
    return 0


def _discard_output() -> None:
    """Python flushes once more when it exits; that must not raise."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _trouble(message: str, code: int = _TROUBLE) -> int:
    if sys.stderr is not None:  # else `print` would take standard output
        print(f"symrnn: {message}", file=sys.stderr)
    return code
