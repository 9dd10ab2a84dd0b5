"""Imports a generated module from its text: `build` returns it, and a debugger can step through it.

Reads the text of a generated Python module and the place where it would stand; returns the module. Leaves out: the
text (`symrnn.emit`), and the library that a C module loads from beside itself (`symrnn.targets.c.library`).
"""

from __future__ import annotations

import hashlib
import linecache
import sys
import threading
from pathlib import Path
from types import ModuleType

_PREFIX = "symrnn_generated_"
_LOCK = threading.RLock()
"""Held while a module runs, so that other threads get the whole module."""


def module_name(cell: str, target: str) -> str:
    """The generated module of a cell, without ``.py``.

    >>> module_name("elman", "numpy")
    'elman_numpy'
    """
    return f"{cell}_{target}"


def import_text(text: str, name: str, directory: Path | None = None) -> ModuleType:
    """The module of ``text``; the same module for the same arguments.

    Args:
        text: of a generated Python file.
        name: the module's name, without ``.py``.
        directory: the folder of the module's library; None if it has no library.

    Raises:
        ImportError: the module refuses its library.
    """
    file = str(directory / f"{name}.py") if directory is not None else f"<generated {name}.py>"
    digest = hashlib.sha256(f"{file}\n{text}".encode()).hexdigest()[:16]
    full_name = f"{_PREFIX}{name}_{digest}"
    with _LOCK:
        if full_name in sys.modules:
            return sys.modules[full_name]
        module = ModuleType(full_name)
        module.__file__ = file
        # The second entry is the time of change: with None, linecache never looks for a file.
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
        sys.modules[full_name] = module  # dataclasses look their module up while it runs
        try:
            exec(compile(text, file, "exec"), module.__dict__)
        except BaseException:  # Ctrl-C too: the next import must not find half a module
            del sys.modules[full_name]
            raise
        return module
