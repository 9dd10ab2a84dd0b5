"""Optional packages: loaded when needed. If one is missing, the error names the extra that installs it.

Reads a module's name; returns the module. Imports nothing of symrnn but its errors. Leaves out: what symrnn always needs.
"""

from __future__ import annotations

import importlib
from types import ModuleType

from symrnn.errors import MissingPackageError


def load_optional(module: str, *, extra: str, purpose: str) -> ModuleType:
    """The module, imported.

    Args:
        module: its dotted name.
        extra: the extra of symrnn that installs it.
        purpose: what it is needed for, as the beginning of a sentence.

    Raises:
        MissingPackageError: its package is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if error.name != package:
            raise
        raise MissingPackageError(
            f"{purpose} needs {package}, which is not installed; install it with: "
            f"python -m pip install 'symrnn[{extra}]', or, in a clone, python -m pip install -e '.[{extra}]'"
        ) from None
