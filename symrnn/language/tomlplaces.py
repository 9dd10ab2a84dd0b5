"""Where the keys of a TOML file stand, which `tomllib` does not tell: for errors that point at a line.

Reads the text of a file that `tomllib` has accepted; returns the place of each key of the top level and of its tables,
and where each character of the equations stands. Knows of TOML only what a cell file holds: bare keys, tables of one
level, strings of one or several lines. A key written in another way has no place, and its errors name the table.
"""

from __future__ import annotations

import re

from symrnn.language.source import Place, Source

_TABLE = re.compile(r"\s*\[\s*([A-Za-z0-9_-]+)\s*\]")
_KEY = re.compile(r"\s*(?:\"([^\"]*)\"|'([^']*)'|([A-Za-z0-9_-]+))\s*=\s*")


def places(text: str, name: str, equations: str) -> Source:
    """The `Source` of the cell file ``name``.

    Args:
        text: of the file.
        name: the file as it was asked for.
        equations: the value of its key ``equations``.
    """
    entries: dict[tuple[str, ...], Place] = {}
    characters: tuple[tuple[Place, ...], ...] = ()
    lines = text.split("\n")
    table: tuple[str, ...] = ()
    number = 0
    while number < len(lines):
        line = lines[number]
        if found := _TABLE.match(line):
            table = (found[1],)
            entries.setdefault(table, (number + 1, line.index("[") + 1))
        elif found := _KEY.match(line):
            key = next(group for group in found.groups() if group is not None)
            entries.setdefault((*table, key), (number + 1, len(line) - len(line.lstrip()) + 1))
            start = (number, found.end())
            if (*table, key) == ("equations",):
                characters = _characters(lines, start, equations)
            number = _end_of_value(lines, start)
        number += 1
    return Source(name, characters, entries)


def _end_of_value(lines: list[str], start: tuple[int, int]) -> int:
    """The line in which the value at ``start`` ends: another one only for strings of several lines."""
    number, column = start
    quotes = lines[number][column : column + 3]
    if quotes not in ('"""', "'''"):
        return number
    rest = lines[number][column + 3 :]
    while quotes not in rest and number + 1 < len(lines):
        number += 1
        rest = lines[number]
    return number


def _characters(lines: list[str], start: tuple[int, int], equations: str) -> tuple[tuple[Place, ...], ...]:
    """The place of each character of ``equations``; exact where the string has no escapes."""
    number, column = start
    column += 3 if lines[number][column : column + 3] in ('"""', "'''") else 1
    if column >= len(lines[number].rstrip("\r")) and number + 1 < len(lines) and column - start[1] == 3:
        number, column = number + 1, 0  # a line break right behind the quotes is no part of the string
    rows = []
    for offset, row in enumerate(equations.split("\n")):
        line = min(number + offset, len(lines) - 1)
        first = column if offset == 0 else 0
        rows.append(tuple((line + 1, first + index + 1) for index in range(len(row) + 1)))
    return tuple(rows)
