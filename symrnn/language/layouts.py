"""Layouts: how frameworks stack the parameters of a cell, as ``[layouts.<framework>]`` of a cell file says.

A stack is a tensor of a framework, and a list of parameters: its blocks of rows, from the first on. A parameter that stands
in several stacks is the sum of its blocks, as a bias that a framework keeps twice. Reads the table; returns it checked. Leaves
out: what a home makes of a layout.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from symrnn.language.given import described
from symrnn.language.origin import Origin, nearest, shown
from symrnn.language.system import Variable

Layouts = Mapping[str, Mapping[str, tuple[str, ...]]]
"""By framework: the parameters in each stack, by the name that the framework gives it."""

TABLE = "layouts"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")


def read_layouts(given: object, parameters: Sequence[Variable], place: Origin) -> Layouts:
    """The layouts of a cell.

    Args:
        given: framework to stacks, stack to parameters; None for no layout.
        parameters: of the cell.
        place: for errors.

    Raises:
        CellError: a name is none, a parameter is unknown or left out, or the blocks of a stack do not fit.
    """
    found = {}
    for framework, stacks in _items(given, (TABLE,), "a table of stacks", place):
        read = {
            stack: _blocks(names, parameters, (TABLE, framework, stack), place)
            for stack, names in _items(stacks, (TABLE, framework), "a list of parameters", place)
        }
        stacked = {name for names in read.values() for name in names}
        missing = next((each.name for each in parameters if each.name not in stacked), None)
        if missing is not None:
            message = f"[{TABLE}.{framework}]: `{missing}` stands in no stack; every parameter stands in one or several"
            raise place.entry_error(message, TABLE, framework)
        found[framework] = read
    return found


def _items(given: object, path: tuple[str, ...], wanted: str, place: Origin) -> list[tuple[str, object]]:
    """The entries of a table whose keys are names."""
    title = ".".join(map(shown, path))
    if given is None:
        return []
    if not isinstance(given, Mapping):
        raise place.entry_error(f"[{title}]: expected {wanted} for each name, found {described(given)}", *path)
    for key in given:
        if not isinstance(key, str) or not _NAME.fullmatch(key):
            message = f"[{title}]: expected a name of letters, digits and underscores, found {described(key)}"
            raise place.entry_error(message, *path, *([key] if isinstance(key, str) else []))
    return list(given.items())


def _blocks(names: object, parameters: Sequence[Variable], path: tuple[str, ...], place: Origin) -> tuple[str, ...]:
    title, known = f"[{'.'.join(path[:-1])}] {path[-1]}", {each.name: each for each in parameters}
    if not isinstance(names, list | tuple) or not names:
        raise place.entry_error(f"{title}: expected a list of parameters, found {described(names)}", *path)
    for name in names:
        if not isinstance(name, str) or name not in known:
            hint = nearest(name, [*known]) if isinstance(name, str) else ""
            message = f"{title}: {described(name)} is not a parameter of the cell{hint or '; expected one'}"
            raise place.entry_error(message, *path)
        if names.count(name) > 1:
            raise place.entry_error(f"{title}: `{name}` stands in it twice; a stack has each block once", *path)
        first, shape = known[names[0]].shape, known[name].shape
        if len(shape) != len(first) or shape[1:] != first[1:]:
            message = (
                f"{title}: `{name}` is ({', '.join(shape)}) and `{names[0]}` ({', '.join(first)}); the blocks of a stack have "
                "the same columns"
            )
            raise place.entry_error(message, *path)
        if known[name].gradient != known[names[0]].gradient:
            one, other = (name, names[0]) if known[names[0]].gradient else (names[0], name)
            message = (
                f"{title}: `{one}` is fixed and `{other}` is not; a tensor has a gradient or none: give them two stacks"
            )
            raise place.entry_error(message, *path)
    return tuple(names)
