"""The cells that come with symrnn: their names and their files.

Reads the folder `symrnn/cells`; returns names. Imports nothing that takes a while, for the help of the command line names
them. Leaves out: what is in the files (`symrnn.language.cellfile`).
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

SUFFIX = ".toml"
"""Of a cell file."""

_BUNDLED = Path(__file__).resolve().parents[1] / "cells"
_MORE = "more"  # its subfolder of cells that commands use only by name
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")


def cells() -> tuple[str, ...]:
    """The names of the bundled cells in the order of their publication, the first year in ``reference``."""

    def published(path: Path) -> tuple[str, str]:
        year = _YEAR.search(str(tomllib.loads(path.read_text(encoding="utf-8")).get("reference", "")))
        return (year.group() if year else "later", path.stem)

    return tuple(path.stem for path in sorted(bundled_files().values(), key=published))


def first_cells() -> tuple[str, ...]:
    """The bundled cells that commands use by default, in the order of `cells`.

    The others are in the folder ``more`` beside them.
    """
    files = bundled_files()
    return tuple(name for name in cells() if files[name].parent == _BUNDLED)


def bundled_files() -> dict[str, Path]:
    """The files of the bundled cells by name."""
    paths = (*_BUNDLED.glob(f"*{SUFFIX}"), *(_BUNDLED / _MORE).glob(f"*{SUFFIX}"))
    return {path.stem: path for path in sorted(paths)}
