"""A file replaced in one step: a reader sees the whole old file or the whole new one.

Reads bytes; writes one file. Leaves out: which files belong together (`symrnn.emit.manifest`).
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

SUFFIX = ".tmp"
"""Suffix of files that a killed process may leave behind; their names begin with a dot, the file's own name and a dash."""


def write_atomically(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Replace ``path`` by ``data``, even if the machine stops half-way.

    Args:
        path: of the file; its folder must exist.
        data: its new contents.
        mode: its permissions.

    Raises:
        OSError: the file cannot be written; nothing is left behind.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-", suffix=SUFFIX)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(mode)
        temporary.replace(path)
    except BaseException:  # Ctrl-C too must leave no half-written file
        temporary.unlink(missing_ok=True)
        raise
    _sync_directory(path.parent)


def _sync_directory(directory: Path) -> None:
    """Make a replacement in ``directory`` last, where directories can be opened."""
    if sys.platform == "win32":
        return
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
