"""The cells that come with symrnn: their names and their files.

Reads the folder `symrnn/cells`; returns names, and what files say for people. Imports nothing that takes a while, for the
help of the command line names them. Leaves out: what is in the files (`symrnn.language.cellfile`).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

SUFFIX = ".toml"
"""Of a cell file."""

_BUNDLED = Path(__file__).resolve().parents[1] / "cells"
_MORE = "more"  # its subfolder of cells that commands use only by name
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")


@dataclass(frozen=True)
class About:
    """What the file of a bundled cell says for people.

    Attributes:
        name: of the cell.
        title: one line.
        family: a word of `symrnn.language.families.FAMILIES`.
        reference: where it was published.
    """

    name: str
    title: str
    family: str
    reference: str

    @property
    def year(self) -> str:
        """The year of its publication, as `year_of` says."""
        return year_of(self.reference)

    def has(self, word: str) -> bool:
        """Whether ``word`` stands in any of the fields, in small or in large letters."""
        fields = (self.name, self.title, self.family, self.reference)
        return any(word.casefold() in field.casefold() for field in fields)


def cells() -> tuple[str, ...]:
    """The names of the bundled cells in the order of their publication, the first year in ``reference``."""
    return tuple(cell.name for cell in about_cells())


def first_cells() -> tuple[str, ...]:
    """The bundled cells that commands use by default, in the order of `cells`.

    The others are in the folder ``more`` beside them.
    """
    return tuple(cell.name for cell in _about(path for path in bundled_files().values() if path.parent == _BUNDLED))


def about_cells() -> tuple[About, ...]:
    """What the files of the bundled cells say for people, in the order of `cells`."""
    return _about(bundled_files().values())


def year_of(reference: str) -> str:
    """The first year in ``reference``; empty if it has none.

    >>> year_of("Cho et al. 2014, arXiv:1406.1078")
    '2014'
    """
    found = _YEAR.search(reference)
    return found.group() if found else ""


def bundled_in_a_sentence() -> str:
    """The bundled cells as a message names them: those of `first_cells`, and how many others there are."""
    first = first_cells()
    others = len(bundled_files()) - len(first)
    return ", ".join(first) + (f", and {others} more that `python -m symrnn list` names" if others else "")


def bundled_files() -> dict[str, Path]:
    """The files of the bundled cells by name."""
    paths = (*_BUNDLED.glob(f"*{SUFFIX}"), *(_BUNDLED / _MORE).glob(f"*{SUFFIX}"))
    return {path.stem: path for path in sorted(paths)}


def _about(paths: Iterable[Path]) -> tuple[About, ...]:
    found = []
    for path in paths:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        texts = (str(table.get(key, "")) for key in ("title", "family", "reference"))
        found.append(About(path.stem, *texts))
    return tuple(sorted(found, key=lambda cell: (cell.year or "later", cell.name)))
