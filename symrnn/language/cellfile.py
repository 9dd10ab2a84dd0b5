"""Cell files: TOML text to `Cell`, for the bundled cells and for anybody's.

Reads a name or a path; returns the cell. A file is data: it is parsed, never run, and a file too large to be a cell is
refused before it is read. Leaves out: the equations themselves (`symrnn.language.compose`).
"""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Any

from symrnn.errors import CellError
from symrnn.language.cell import Cell
from symrnn.language.source import Source, nearest
from symrnn.language.tomlplaces import places

MAX_BYTES = 256 * 1024
"""Largest cell file."""

SUFFIX = ".toml"

_BUNDLED = Path(__file__).resolve().parents[1] / "cells"
_ORDER = ("rnn", "lstm", "gru", "gru_reset_after")
_STRINGS = ("name", "title", "reference", "equations", "output")
_TABLES = ("sizes", "constants", "init")
_TOML_PLACE = re.compile(r"\s*\(at line (\d+), column (\d+)\)$")


def cells() -> tuple[str, ...]:
    """The names of the bundled cells, simple before elaborate."""
    names = sorted(path.stem for path in _BUNDLED.glob(f"*{SUFFIX}"))
    return tuple(sorted(names, key=lambda name: (_ORDER.index(name) if name in _ORDER else len(_ORDER), name)))


def load(name_or_path: str | os.PathLike[str]) -> Cell:
    """A bundled cell by its name, or the cell of a file by its path.

    Args:
        name_or_path: ``lstm``, or a path that ends in ``.toml`` or contains a separator.

    Raises:
        CellError: there is no such cell or file; the file is too large, no UTF-8, no TOML, or no cell. With the line
            and column, what was expected, and the nearest right name.
    """
    asked = os.fspath(name_or_path)
    bundled = _BUNDLED / f"{asked}{SUFFIX}"
    is_name = isinstance(name_or_path, str) and re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", asked) is not None
    if is_name and bundled.is_file():
        return read_cell(_read(bundled, f"{asked}{SUFFIX}"), f"{asked}{SUFFIX}")
    path = Path(asked)
    if not path.exists():
        hint = nearest(asked, cells()) or f"; bundled are {', '.join(cells())}"
        what = "no bundled cell has this name" if is_name else "there is no such file"
        raise CellError(f"{what}{hint}", source=asked)
    return read_cell(_read(path, asked), asked)


def read_cell(text: str, source: str) -> Cell:
    """The cell of the TOML text ``text``; errors call it ``source``.

    Raises:
        CellError: as `load`.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message, line, column = str(error), 0, 0
        if found := _TOML_PLACE.search(message):
            message, line, column = message[: found.start()], int(found[1]), int(found[2])
        elif "end of document" in message:
            message, line, column = message.split(" (at")[0], text.count("\n") + 1, len(text.split("\n")[-1]) + 1
        hint = "; quotation marks come in pairs, and equations stand between three of them"
        raise CellError(f"this is no TOML: {message}{hint}", source=source, line=line, column=column) from error
    except RecursionError as error:
        raise CellError("this is no cell file: its values are nested too deeply", source=source, line=1) from error
    equations = table.get("equations")
    where = places(text, source, equations if isinstance(equations, str) else "")
    _check_table(table, where)
    return Cell.from_equations(
        table["equations"],
        name=table["name"],
        title=table.get("title", ""),
        reference=table.get("reference", ""),
        sizes=table.get("sizes"),
        constants=table.get("constants"),
        init=table.get("init"),
        output=table.get("output"),
        source=where,
    )


def _read(path: Path, name: str) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise CellError(f"the file cannot be read: {error.strerror or error}", source=name) from error
    if len(data) > MAX_BYTES:
        raise CellError(f"the file has more than {MAX_BYTES // 1024} KiB; no cell is that long", source=name, line=1, column=1)
    try:
        return data.decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise CellError("the file is not UTF-8 text; save it as UTF-8", source=name, line=line) from error


def _check_table(table: dict[str, Any], where: Source) -> None:
    """Hold the keys of a cell file and the types of their values."""
    known = (*_STRINGS, *_TABLES)
    for key, value in table.items():
        if key not in known:
            hint = nearest(key, known) or f"; expected {', '.join(known)}"
            raise where.entry_error(f"`{key}` is no key of a cell file{hint}", key)
        wanted, word = (str, "a string") if key in _STRINGS else (dict, f"a table, `[{key}]`")
        if not isinstance(value, wanted):
            raise where.entry_error(f"{key}: expected {word}, found {value!r}", key)
    for key in ("name", "equations"):
        if key not in table:
            raise CellError(f"`{key}` is missing; a cell file has at least `name` and `equations`", source=where.name, line=1)
    for key in ("title", "reference"):
        if not table.get(key, "").isprintable() or "*/" in table.get(key, "") or '"""' in table.get(key, ""):
            raise where.entry_error(f"{key}: expected one line of plain text", key)
