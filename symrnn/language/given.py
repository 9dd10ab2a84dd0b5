"""Checks the types of what a cell is made from: arguments in Python, and values in a cell file.

Reads values of any type; returns nothing, or raises a `CellError` that names the argument or key, what came and what is
expected. Leaves out: what the values say (`symrnn.language.compose`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from symrnn.errors import CellError
from symrnn.language.origin import Origin, shown
from symrnn.language.starts import DOMAINS, INITIALISERS

SIZE_TABLE, CONSTANT_TABLE, INIT_TABLE, INPUT_TABLE, DOMAIN_TABLE = "sizes", "constants", "init", "inputs", "domain"
DEFINE_TABLE = "define"

_WANTED = {
    SIZE_TABLE: "`input`, `hidden`, the name of another size, or 1, and a list of two for a matrix",
    CONSTANT_TABLE: "a finite number",
    INIT_TABLE: f"{', '.join(INITIALISERS)}, a table with one of them as its `kind`, or a number",
    INPUT_TABLE: "`input`, `hidden`, the name of another size, or 1; a list of axes; or a table of `size` and `gradient`",
    DEFINE_TABLE: "an expression, which is a string",
    DOMAIN_TABLE: ", ".join(DOMAINS),
}
_NUMBERS = (int, float, str)
_TYPES: Mapping[str, tuple[type, ...]] = {
    SIZE_TABLE: (str, int),
    CONSTANT_TABLE: _NUMBERS,
    INIT_TABLE: (*_NUMBERS, Mapping),
    INPUT_TABLE: (str, int),
    DEFINE_TABLE: (str,),
    DOMAIN_TABLE: (str,),
}


def read_source(source: object) -> Origin:
    """The name of a text in error messages, or its place in a file.

    Raises:
        CellError: it is neither a string nor an `Origin`.
    """
    if isinstance(source, Origin):
        return source
    if isinstance(source, str):
        return Origin(source)
    raise CellError(f"source: expected a string, the name of the text in error messages, found {described(source)}")


def hold_types(strings: Mapping[str, object], output: object, tables: Mapping[str, object], origin: Origin) -> None:
    """Refuse values of a wrong type.

    Args:
        strings: values that must be strings, by argument or key.
        output: a name, several, or None.
        tables: ``sizes``, ``constants``, ``init``, ``inputs``, ``define`` and ``domain``, None where there is none.
        origin: for errors.

    Raises:
        CellError: at the key, where it stands in a file.
    """
    for key, value in strings.items():
        if not isinstance(value, str):
            raise origin.entry_error(f"{key}: expected a string, found {described(value)}", key)
    several = output if isinstance(output, list | tuple) else (output,)
    if output is not None and not (several and all(isinstance(name, str) for name in several)):
        message = f"output: expected a name, or a list of names, found {described(output)}"
        raise origin.entry_error(message, "output")
    for key, table in tables.items():
        if table is not None:
            _hold_table(key, table, origin)


def hold_fixed(fixed: object, origin: Origin) -> None:
    """Refuse what is no list of names.

    Raises:
        CellError: at the key, where it stands in a file.
    """
    if not isinstance(fixed, list | tuple):
        raise origin.entry_error(f"fixed: expected a list of parameters, found {described(fixed)}", "fixed")
    for name in fixed:
        if not isinstance(name, str):
            message = f"fixed: expected names of parameters, which are strings, found {described(name)}"
            raise origin.entry_error(message, "fixed")


def _hold_table(key: str, table: object, origin: Origin) -> None:
    if not isinstance(table, Mapping):
        message = f"{key}: expected a mapping of names to {_WANTED[key]}, found {described(table)}"
        raise origin.entry_error(message, key)
    for name, value in table.items():
        if not isinstance(name, str):
            raise origin.entry_error(
                f"[{key}]: expected names, which are strings, found the key {described(name)}", key
            )
        if key == INPUT_TABLE and isinstance(value, Mapping):
            _hold_input(name, value, origin)
            continue
        for part in _listed(value) if key in (SIZE_TABLE, INPUT_TABLE) else (value,):
            if isinstance(part, bool) or not isinstance(part, _TYPES[key]):
                message = f"[{key}] {shown(name)}: expected {_WANTED[key]}, found {described(value)}"
                raise origin.entry_error(message, key, name)
        if isinstance(value, Mapping):
            _hold_options(key, name, value, origin)


def _listed(value: object) -> Sequence[object]:
    """The sizes of an entry, one or several."""
    return value if isinstance(value, list | tuple) else (value,)


def _hold_input(name: str, table: Mapping[object, object], origin: Origin) -> None:
    """Refuse a table of an input that holds anything but a size, and whether the input has a gradient."""
    for option, value in table.items():
        if option not in ("size", "gradient"):
            path = (INPUT_TABLE, name, option) if isinstance(option, str) else (INPUT_TABLE, name)
            message = f"[inputs] {shown(name)}: expected `size` and `gradient`, found {described(option)}"
            raise origin.entry_error(message, *path)
        if option == "gradient" and not isinstance(value, bool):
            message = f"[inputs] {shown(name)}: gradient: expected true or false, found {described(value)}"
            raise origin.entry_error(message, INPUT_TABLE, name, option)
    size = table.get("size")
    if any(isinstance(part, bool) or not isinstance(part, _TYPES[INPUT_TABLE]) for part in _listed(size)):
        found = described(size) if "size" in table else "none"
        wanted = "`input`, `hidden`, the name of another size, or 1, or a list of axes"
        message = f"[inputs] {shown(name)}: size: expected {wanted}, found {found}"
        raise origin.entry_error(message, INPUT_TABLE, name, *(["size"] if "size" in table else []))


def _hold_options(key: str, name: str, table: Mapping[object, object], origin: Origin) -> None:
    """Refuse options of a start that are neither words nor numbers."""
    for option, value in table.items():
        if not isinstance(option, str) or isinstance(value, bool) or not isinstance(value, _NUMBERS):
            path = (key, name, option) if isinstance(option, str) else (key, name)
            message = f"[{key}] {shown(name)}: an option is a name and a number, found {described(option)} = {described(value)}"
            raise origin.entry_error(message, *path)


def described(value: object, most: int = 60) -> str:
    """A value as a message quotes it."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no number of thousands of digits
        return f"an object of type {type(value).__name__} that is too long to write"
    # The default repr contains an address, which differs from run to run.
    return f"an object of type {type(value).__name__}" if text.startswith("<") else shown(text, most)
