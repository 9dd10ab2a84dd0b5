"""Where the keys of a TOML file stand. `tomllib` does not tell; errors need it to point at a line.

Reads the text of a file that `tomllib` has accepted; returns the place of each key, of each element of an inline table
too, and where each character of the equations and of the definitions stands. Leaves out: values, and every check that
`tomllib` makes.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator

from symrnn.language.given import DEFINE_TABLE
from symrnn.language.origin import Origin, Place, Rows

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BETWEEN = re.compile(r"(?:[ \t\r\n,]|#[^\n]*)*")
_DOT = re.compile(r"[ \t]*\.[ \t]*")
_EQUALS = re.compile(r"[ \t]*=[ \t]*")
_SPACE = re.compile(r"[ \t]*")
_CLOSING = re.compile(r"\]+")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\]}#\n]+")
_ESCAPE = re.compile(r"\\(?:[ \t]*\n[ \t\n]*|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|x[0-9a-fA-F]{2}|.)")
_NEWLINE = re.compile(r"\n|\\n|\\(?:u00|U000000|x)0[aA]")

Path = tuple[str, ...]
EQUATIONS: Path = ("equations",)


def places(text: str, name: str) -> Origin:
    """The `Origin` of the cell file ``name`` with the content ``text``, in which no carriage returns end lines."""
    walker = _Walker(text)
    walker.walk()
    return Origin(name, walker.characters, walker.entries, walker.strings)


class _Walker:
    """Goes through a valid document once; ``at`` is the offset reached."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0
        self._lines = [0, *(found.end() for found in re.finditer("\n", text))]
        self.entries: dict[Path, Place] = {}
        self.characters: Rows = ()
        self.strings: dict[Path, Rows] = {}

    def walk(self) -> None:
        """Every statement of the document."""
        table: Path = ()
        self._skip(_BLANK)
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                start = self._at
                self._at += 2 if self._text.startswith("[[", start) else 1
                table = self._key(())
                self.entries[table] = self._place(start)
                self._at = self._text.index("]", self._at)
                self._skip(_CLOSING)
            else:
                self._pair(table)
            self._skip(_BLANK)

    def _skip(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        self._at = found.end() if found else self._at
        return found.group() if found else ""

    def _place(self, offset: int) -> Place:
        line = bisect_right(self._lines, offset)
        return line, offset - self._lines[line - 1] + 1

    def _key(self, table: Path) -> Path:
        """A key within ``table``, dotted perhaps; each of its parts has a place."""
        path = table
        dot = " "
        while dot:
            self._skip(_SPACE)
            start = self._at
            quoted = self._text[start] in "\"'"
            part = self._skip(_STRING)[1:-1] if quoted else self._skip(_BARE)
            path = (*path, part)
            self.entries.setdefault(path, self._place(start))
            dot = self._skip(_DOT)
        return path

    def _pair(self, table: Path) -> None:
        path = self._key(table)
        self._skip(_EQUALS)
        self._value(path)

    def _value(self, path: Path) -> None:
        start = self._at
        opening = self._text[start]
        if opening in "\"'":
            self._skip(_STRING)
            if path == EQUATIONS:
                self.characters = self._rows(start)
            elif path[:1] == (DEFINE_TABLE,):
                self.strings[path] = self._rows(start)
        elif opening in "[{":
            self._at += 1
            self._skip(_BETWEEN)
            while self._text[self._at] not in "]}":
                if opening == "{":
                    self._pair(path)
                else:
                    self._value(path)
                self._skip(_BETWEEN)
            self._at += 1
        else:
            self._skip(_SCALAR)

    def _rows(self, start: int) -> Rows:
        """For each line of the string from ``start`` to here, the places of its characters and of its end."""
        quote = self._text[start]
        width = 3 if self._text.startswith(quote * 3, start) and self._at - start >= 6 else 1
        first, last = start + width, self._at - width
        if width == 3 and self._text.startswith("\n", first):
            first += 1  # a line break right behind the quotes does not belong to the string
        rows: list[list[Place]] = [[]]
        for offset, raw in self._decoded(first, last, escapes=quote == '"'):
            rows[-1].append(self._place(offset))
            if _NEWLINE.fullmatch(raw):
                rows.append([])
        rows[-1].append(self._place(last))
        return tuple(tuple(row) for row in rows)

    def _decoded(self, at: int, end: int, *, escapes: bool) -> Iterator[tuple[int, str]]:
        """The offset and the spelling of each character of a string's value."""
        while at < end:
            found = _ESCAPE.match(self._text, at, end) if escapes else None
            raw = found.group() if found else self._text[at]
            # A backslash at the end of a line joins it with the next one: it stands for nothing.
            if not (found and raw[1] in " \t\n"):
                yield at, raw
            at += len(raw)
