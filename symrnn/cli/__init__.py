"""The command line: ``symrnn``, or ``python -m symrnn``.

Reads the arguments; prints what the command returns and exits with its code: 0 done, 1 something differs or failed a
check, 2 trouble. Help answers before SymPy or NumPy is loaded: the commands come in through the package, which loads
late. Leaves out: the arguments (`symrnn.cli.arguments`), and what the commands do (`symrnn.cli.commands`).
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence

import symrnn
from symrnn.cli.arguments import parse
from symrnn.errors import SymrnnError

_TROUBLE = 2
_INTERRUPTED = 130  # 128 and the signal's number, as a shell reports it
_BROKEN_PIPE = 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        argv: the arguments; those of the process unless given.

    Raises:
        SystemExit: help or the version was printed (0), or the arguments are wrong (2).
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal without ∂ gets its number
    try:
        try:
            arguments = parse(argv)
            code, text = symrnn.run_command(arguments)
            sys.stdout.write(text)
        finally:
            sys.stdout.flush()
    except SymrnnError as error:
        print(f"symrnn: error: {error}", file=sys.stderr)
        return _TROUBLE
    except KeyboardInterrupt:
        print("symrnn: interrupted", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:
        # Whoever read, as `head` does, has left; nothing may be flushed to it when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    return code
