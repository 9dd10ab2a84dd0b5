"""The one family of errors: each message names the thing, the place, the cause and the remedy.

Reads nothing; every package raises from here. Generated modules do not import this file (they need NumPy alone)
and raise ``ValueError`` and ``TypeError`` for wrong arguments.
"""

from __future__ import annotations


class SymrnnError(Exception):
    """Base of every error that a user's input or machine can cause; the command line prints it and exits 2."""


class CellError(SymrnnError):
    """A cell that cannot be accepted.

    Attributes:
        message: what is wrong, why, and what to write instead.
        source: the file, or the name the text was given under.
        line: line in that file or text, from 1; 0 where no line applies.
        column: column in that line, from 1; 0 where no column applies.
    """

    def __init__(self, message: str, *, source: str = "<equations>", line: int = 0, column: int = 0) -> None:
        self.message = message
        self.source = source
        self.line = line
        self.column = column
        place = source + (f":{line}" if line else "") + (f":{column}" if line and column else "")
        super().__init__(f"{place}: {message}")


class DerivationError(SymrnnError):
    """The cell does not have the requested derivative, or a proof failed."""


class PlanError(SymrnnError):
    """A pass produced a program that breaks a rule of the kernel vocabulary (a fault of symrnn, not of the cell)."""


class TargetError(SymrnnError):
    """A backend is unknown, cannot be loaded, or does not support an option."""


class GenerateError(SymrnnError):
    """Files cannot be written or are not what the manifest says."""


class BuildError(SymrnnError):
    """No compiler was found, it refused a file, or a library does not fit this machine."""


class CheckError(SymrnnError):
    """An oracle cannot run as requested."""


class DiagnoseError(SymrnnError):
    """A person's backward pass cannot be loaded, called or compared."""


class FlowError(SymrnnError):
    """Gradient flow cannot be computed for the given cell, point or path."""


class MissingPackageError(SymrnnError):
    """A required package is not installed; the message names the extra that installs it."""
