"""Cell files: from TOML text to `Cell`, for bundled cells and yours alike.

Reads a name or a path; returns the cell. A file is data: it is parsed, never run, and reading stops at the size limit.
Leaves out: the equations themselves (`symrnn.language.compose`).
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from symrnn.errors import CellError
from symrnn.language.bundled import SUFFIX, bundled_files, bundled_in_a_sentence
from symrnn.language.cell import Cell
from symrnn.language.given import described
from symrnn.language.origin import Origin, nearest, shown
from symrnn.language.tomlplaces import places
from symrnn.language.transform.recipe import read_recipe
from symrnn.language.transform.transformed import transformed

MAX_BYTES = 256 * 1024
"""Largest cell file."""

CellLike = Cell | str | os.PathLike[str]
"""A cell, the name of a bundled one, the path of a cell file, or a recipe: what every public function takes."""

_STRINGS = ("name", "title", "reference", "family", "parent", "difference", "equations")
_CHECKED_LATER = ("output", "departures")
"""Keys that hold a name or a list: `Cell.from_equations` checks these, which Python gives too."""
_LISTS = ("fixed",)
_TABLES = ("inputs", "sizes", "constants", "define", "init", "domain", "functions", "layouts")
_WANTED: Mapping[tuple[bool, bool], tuple[type, str]] = {
    (True, False): (str, "a string"),
    (False, True): (list, 'a list, `{} = ["…"]`'),
    (False, False): (dict, "a table, `[{}]`"),
}
"""The type of a key's value, and what it is called, by whether the key is a string and whether it is a list."""
_TOML_PLACE = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)$")
_KEY = re.compile(r"""\s*([A-Za-z0-9_-]+|"[^"\\]+"|'[^']+')\s*=""")
_HEADER = re.compile(r"\s*\[\s*([A-Za-z0-9_-]+)\s*\]")


class _Decimal(str):
    """A number of a cell file, as its author wrote it: exact, where a float would be rounded."""

    __slots__ = ()


def load(name_or_path: CellLike) -> Cell:
    """A bundled cell by its name, the cell of a file by its path, or one of these transformed.

    Args:
        name_or_path: ``lstm``, or the path of a cell file. A string that is a bundled name means the bundled cell.
            Transformations may stand behind it, as in ``lstm+layer_norm+zoneout:h=0.1``, unless a file has this name. A
            `Cell` is returned as it is.

    Raises:
        CellError: there is no such cell or file; the file is too large, or is not UTF-8, not TOML or not a
            cell. The message has the line and column, what was expected, and the nearest right name.
    """
    if isinstance(name_or_path, Cell):
        return name_or_path
    asked = os.fspath(name_or_path) if isinstance(name_or_path, str | os.PathLike) else name_or_path
    if not isinstance(asked, str):
        raise CellError(f"expected a Cell, the name of one, or the path of a cell file, found {described(asked)}")
    if not asked:
        raise CellError(
            f"expected a cell's name or the path of a cell file; the bundled cells are {bundled_in_a_sentence()}",
            source="''",
        )
    bundled = bundled_files()
    if isinstance(name_or_path, str) and asked in bundled:
        file = f"{asked}{SUFFIX}"
        return read_cell(_read(bundled[asked], file), file)
    recipe = read_recipe(asked) if isinstance(name_or_path, str) else None
    if recipe and not Path(asked).exists():
        cell, steps = recipe
        return transformed(load(cell), steps, asked)
    return read_cell(_read(Path(asked), asked), asked)


def read_cell(text: str, source: str) -> Cell:
    """The cell of the TOML text ``text``; errors call it ``source``.

    Raises:
        CellError: as `load`.
    """
    text = text.replace("\r\n", "\n")
    table = _parse(text, source)
    where = places(text, source)
    _check_table(table, where)
    return Cell.from_equations(
        table["equations"],
        name=table["name"],
        title=table.get("title", ""),
        reference=table.get("reference", ""),
        family=table.get("family", ""),
        parent=table.get("parent", ""),
        difference=table.get("difference", ""),
        departures=table.get("departures"),
        sizes=table.get("sizes"),
        constants=table.get("constants"),
        define=table.get("define"),
        init=table.get("init"),
        domain=table.get("domain"),
        fixed=table.get("fixed", ()),
        output=table.get("output"),
        inputs=table.get("inputs"),
        layouts=table.get("layouts"),
        functions=table.get("functions"),
        source=where,
    )


def _read(path: Path, name: str) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        beside = {file.stem: shown(str(file)) for file in sorted(path.parent.glob(f"*{SUFFIX}"))}
        hint = nearest(path.stem, beside | {bundled: bundled for bundled in bundled_files()})
        hint = hint or f"; the bundled cells are {bundled_in_a_sentence()}"
        message = f"no file and no bundled cell has this name{hint}"
        raise CellError(message, source=shown(name)) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CellError(f"the file cannot be read: {reason}", source=shown(name)) from error
    if len(data) > MAX_BYTES:
        raise CellError(f"the file has more than {MAX_BYTES // 1024} KiB; cells are shorter", source=name)
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")  # some editors begin a file with a byte order mark
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = len(data[data.rfind(b"\n", 0, error.start) + 1 : error.start].decode()) + 1
        message = "this is not UTF-8 text; save the file as UTF-8"
        raise CellError(message, source=name, line=line, column=column) from error


def _parse(text: str, source: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text, parse_float=lambda number: _Decimal(number.replace("_", "")))
    except RecursionError as error:
        raise CellError("this is not a cell file: its values are nested too deeply", source=source, line=1) from error
    except ValueError as error:  # tomllib's own error, or Python's for a number of thousands of digits
        message, line, column = str(error), 1, 1
        if found := _TOML_PLACE.search(message):
            message = message[: found.start()]
            lines = text.split("\n")
            line, column = (int(found[1]), int(found[2])) if found[1] else (len(lines), len(lines[-1]) + 1)
        if twice := _twice(text, line, source):
            raise twice from error
        hint = "quotation marks come in pairs; write equations between triple quotation marks"
        raise CellError(f"this is not TOML: {message}; {hint}", source=source, line=line, column=column) from error


def _twice(text: str, line: int, source: str) -> CellError | None:
    """The error for a key or table that is defined twice, if `tomllib` found one in ``line``."""
    lines = text.split("\n")
    start = next((end for end in range(line - 1, -1, -1) if _is_toml(lines[:end])), 0)
    before, statement = "\n".join(lines[:start]) + "\n", lines[start]
    known = places(before, source).entries
    tables = {path: at for path, at in known.items() if lines[at[0] - 1][at[1] - 1 :].startswith("[")}
    inside = max(tables, key=lambda path: tables[path], default=())
    found = _HEADER.match(statement) or _KEY.match(statement)
    if not found:
        return None
    path = (found[1],) if statement.lstrip().startswith("[") else (*inside, found[1].strip("\"'"))
    if path not in known or (path in tables) != statement.lstrip().startswith("["):
        return None
    what = f"[{found[1]}]" if path in tables else f"`{path[-1]}`"
    message = f"{what} is defined twice, in line {known[path][0]} and in line {start + 1}; remove one of them"
    return CellError(message, source=source, line=start + 1, column=len(statement) - len(statement.lstrip()) + 1)


def _is_toml(lines: Sequence[str]) -> bool:
    try:
        tomllib.loads("\n".join(lines))
    except ValueError:
        return False
    return True


def _check_table(table: Mapping[str, Any], where: Origin) -> None:
    """Check the keys of a cell file and the types of their values."""
    known = (*_STRINGS, *_CHECKED_LATER, *_LISTS, *_TABLES)
    for key, value in table.items():
        if key not in known:
            hint = nearest(key, known) or f"; expected {', '.join(known)}"
            raise where.entry_error(f"`{shown(key)}` is not a key of a cell file{hint}", key)
        if key in _CHECKED_LATER:
            continue
        wanted, word = _WANTED[key in _STRINGS, key in _LISTS]
        if not isinstance(value, wanted) or isinstance(value, _Decimal):
            raise where.entry_error(f"{key}: expected {word.format(key)}, found {described(value)}", key)
    for head, entries in table.items():
        for key in entries if head in _TABLES and isinstance(entries, dict) else ():
            of_file = key in known and key not in table
            if of_file and not re.search(rf"\b{key}\b", str(table.get("equations", ""))):
                message = f"`{key}` stands under [{head}], as all does that follows its head; move it above the tables"
                raise where.entry_error(message, head, key)
    for key in ("name", "equations"):
        if key not in table:
            message = f"`{key}` is missing; a cell file has at least `name` and `equations`"
            raise CellError(message, source=where.name, line=1, column=1)
    for head, value in table.get("define", {}).items():
        if isinstance(value, _Decimal):
            message = f"[define] {shown(head)}: expected an expression in quotation marks, found {value}"
            raise where.entry_error(message, "define", head)
    for name, value in table.get("constants", {}).items():
        if isinstance(value, str) and not isinstance(value, _Decimal):
            message = f"[constants] {name}: expected a number, found the string {shown(repr(value))}"
            raise where.entry_error(message, "constants", name)
    for name, entry in table.get("init", {}).items():
        for key, value in entry.items() if isinstance(entry, dict) else [("", entry)]:
            if isinstance(value, str) and not isinstance(value, _Decimal) and value[:1] in "+-.0123456789":
                message = f"[init] {name}: write a number without quotation marks, found {shown(repr(value))}"
                raise where.entry_error(message, "init", name, *([key] if key else []))
