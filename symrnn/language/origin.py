"""Where a cell's text came from, so that each error can point at the author's own line and column.

Reads places in the equations (line and column from 1) and paths of table entries (``("sizes", "h")``); returns them as
places of the file, inside a ready `CellError`. Leaves out: how the places of a file are found (`tomlplaces`).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from symrnn.errors import CellError

Place = tuple[int, int]
"""Line and column, both from 1; (0, 0) where there is none."""

NOWHERE: Place = (0, 0)


@dataclass(frozen=True)
class Origin:
    """A cell file, or equations given as a string.

    Attributes:
        name: the file as it was asked for, or ``<equations>``.
        characters: for each line of the equations, the place in the file of each of its characters and of its end;
            empty where the equations are the whole text.
        entries: the place in the file of each key, by its path.
    """

    name: str = "<equations>"
    characters: tuple[tuple[Place, ...], ...] = ()
    entries: Mapping[tuple[str, ...], Place] = field(default_factory=dict)

    def at(self, place: Place) -> Place:
        """The place in the file of a place in the equations."""
        if not self.characters or place == NOWHERE:
            return place
        row = self.characters[min(place[0], len(self.characters)) - 1]
        return row[min(place[1], len(row)) - 1]

    def error(self, message: str, place: Place) -> CellError:
        """An error at a place in the equations."""
        line, column = self.at(place)
        return CellError(message, source=self.name, line=line, column=column)

    def entry_error(self, message: str, *path: str) -> CellError:
        """An error at the key ``path``, or at the nearest table around it that has a place."""
        known = (self.entries[path[:end]] for end in range(len(path), 0, -1) if path[:end] in self.entries)
        line, column = next(known, NOWHERE)
        return CellError(message, source=self.name, line=line, column=column)


def nearest(word: str, options: Iterable[str] | Mapping[str, str]) -> str:
    """``; did you mean `…`?`` with the option nearest to ``word``, or nothing where none is near.

    A mapping says what to write in place of each option.

    >>> nearest("sigmod", ["tanh", "sigmoid"])
    '; did you mean `sigmoid`?'
    >>> nearest("TANH", ["tanh", "sigmoid"])
    '; did you mean `tanh`?'
    """
    texts = options if isinstance(options, Mapping) else {option: option for option in options}
    small = {option.lower(): text for option, text in texts.items()}
    # Comparison is quadratic in length, and no name has more than 63 characters.
    found = difflib.get_close_matches(word[:80].lower(), tuple(small), n=1)
    return f"; did you mean `{small[found[0]]}`?" if found else ""


def shown(text: str, most: int = 60) -> str:
    """``text`` on one line, cut where it is long, for quotation in a message."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"
