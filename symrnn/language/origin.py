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

Rows = tuple[tuple[Place, ...], ...]
"""For each line of a text, the place in the file of each of its characters and of its end."""

_FAR = 1_000_000
"""Lines from one passage to the next; no text has as many."""


@dataclass(frozen=True)
class Passage:
    """A text beside the equations, such as the body of a definition.

    Attributes:
        name: the file, or what messages call a text that was given as a string.
        characters: as in `Origin`.
        note: what messages about this text add, such as the call that wrote it into an equation.
    """

    name: str
    characters: Rows = ()
    note: str = ""

    def at(self, place: Place) -> Place:
        """The place in the file of a place in this text."""
        return _place_in(self.characters, place)


@dataclass(frozen=True)
class Origin:
    """A cell file, or equations given as a string.

    Attributes:
        name: the file as it was asked for, or ``<equations>``.
        characters: for each line of the equations, the place in the file of each of its characters and of its end;
            empty where the equations are the whole text.
        entries: the place in the file of each key, by its path.
        strings: what ``characters`` is for the equations, for each other string with text of the language, by its path.
        passages: texts whose places count beside those of the equations (`within`).
    """

    name: str = "<equations>"
    characters: Rows = ()
    entries: Mapping[tuple[str, ...], Place] = field(default_factory=dict)
    strings: Mapping[tuple[str, ...], Rows] = field(default_factory=dict)
    passages: tuple[Passage, ...] = ()

    def at(self, place: Place) -> Place:
        """The place in the file of a place in the equations, or in a passage."""
        passage = passage_of(place)
        return self.passages[passage - 1].at(place) if passage else _place_in(self.characters, place)

    def text_at(self, place: Place) -> str:
        """What messages call the text of a place in the equations, or in a passage."""
        passage = passage_of(place)
        return self.passages[passage - 1].name if passage else self.name

    def error(self, message: str, place: Place) -> CellError:
        """An error at a place in the equations, or in a passage."""
        line, column = self.at(place)
        passage = passage_of(place)
        note = self.passages[passage - 1].note if passage else ""
        return CellError(message + note, source=self.text_at(place), line=line, column=column)

    def entry_error(self, message: str, *path: str) -> CellError:
        """An error at the key ``path``, or at the nearest table around it that has a place."""
        known = (self.entries[path[:end]] for end in range(len(path), 0, -1) if path[:end] in self.entries)
        line, column = next(known, NOWHERE)
        return CellError(message, source=self.name, line=line, column=column)


def passage_of(place: Place) -> int:
    """The number of the passage that ``place`` stands in; 0 for the equations."""
    return place[0] // _FAR


def within(passage: int, place: Place) -> Place:
    """``place`` in passage number ``passage``, from 1, in place of the text that it stands in."""
    return (place[0] % _FAR + passage * _FAR, place[1])


def _place_in(characters: Rows, place: Place) -> Place:
    place = (place[0] % _FAR, place[1])
    if not characters or place == NOWHERE:
        return place
    row = characters[min(place[0], len(characters)) - 1]
    return row[min(place[1], len(row)) - 1]


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
