"""What a cell says of itself for people: title, reference, and its place among other cells.

Reads values of any type; returns them checked, in a record that `Cell` shares. Nothing here changes kernels. Leaves out: the
families (`symrnn.language.families`), and whether a cell of the parent's name exists.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from symrnn.language.families import FAMILIES
from symrnn.language.given import described
from symrnn.language.origin import Origin, nearest, shown
from symrnn.language.scanner import COMMENT_MARKS, name_fault

_LINES = ("title", "reference", "difference")
_FAMILY, _PARENT, _DEPARTURES = "family", "parent", "departures"


def hold_about(strings: Mapping[str, str], name: str, place: Origin) -> None:
    """Refuse what is no line of text, a family that is not known, and a parent that cannot be another cell.

    Args:
        strings: title, reference, difference, family and parent by their keys; empty where there is none.
        name: of the cell.
        place: for errors.

    Raises:
        CellError: at the key.
    """
    for key in _LINES:
        if fault := _line_fault(strings[key]):
            raise place.entry_error(f"{key}: {fault}", key)
    family, parent = strings[_FAMILY], strings[_PARENT]
    if family and family not in FAMILIES:
        hint = nearest(family, [*FAMILIES]) or f"; expected {', '.join(FAMILIES)}"
        raise place.entry_error(f"{_FAMILY}: there is no family `{shown(family)}`{hint}", _FAMILY)
    if parent and (fault := name_fault(parent)):
        raise place.entry_error(f"{_PARENT}: {fault}", _PARENT)
    if parent and parent == name:
        message = f"{_PARENT}: `{parent}` is the cell itself; name the cell that it descends from, or leave the key out"
        raise place.entry_error(message, _PARENT)


def read_departures(given: object, place: Origin) -> tuple[str, ...]:
    """The departures of a cell from its paper, each one line.

    Args:
        given: a list of lines; None for no departure.
        place: for errors.

    Raises:
        CellError: it is no list, or one of them is not a line of plain text.
    """
    if given is None:
        return ()
    if isinstance(given, str) or not isinstance(given, Sequence):
        message = f"{_DEPARTURES}: expected a list of lines, found {described(given)}; write [ ] around it"
        raise place.entry_error(message, _DEPARTURES)
    for number, line in enumerate(given, start=1):
        if not isinstance(line, str):
            raise place.entry_error(
                f"{_DEPARTURES}: expected a line of text, found {described(line)} as number {number}", _DEPARTURES
            )
        if fault := _line_fault(line) or ("" if line.strip() else "expected a line of text, found an empty one"):
            raise place.entry_error(f"{_DEPARTURES}, number {number}: {fault}", _DEPARTURES)
    return tuple(given)


def _line_fault(value: str) -> str:
    """Why ``value`` is not one line of plain text, or an empty string."""
    if not value.isprintable() or any(mark in value for mark in COMMENT_MARKS):
        return f"expected one line of plain text without {' '.join(COMMENT_MARKS)}"
    return ""
