"""The sizes that a cell file declares: the tables ``[sizes]`` and ``[inputs]``.

Reads the tables as plain values; returns shapes in size names, or the error of an entry. Leaves out: sizes that equations
determine (`symrnn.language.sizes`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from symrnn.language.axes import has_axes, size_of
from symrnn.language.given import described
from symrnn.language.origin import Origin, nearest, shown
from symrnn.language.parser import function_fault
from symrnn.language.scanner import name_fault
from symrnn.language.sizes import Shape
from symrnn.language.system import HIDDEN, INPUT, ONE
from symrnn.language.tree import is_next

SizeEntry = str | int | Sequence[str | int]

InputEntry = SizeEntry | Mapping[str, Any]
"""The size of an input, or several axes; or its ``size`` and whether it has a ``gradient``."""

ARGUMENTS = ("params", "seed", "dtype", "given", "input_size", "hidden_size")
"""Keyword arguments of generated functions. Sizes are arguments too, so no size may have such a name."""


def input_sizes(inputs: Mapping[str, InputEntry]) -> dict[str, SizeEntry]:
    """The sizes of ``[inputs]``."""
    return {name: each["size"] if isinstance(each, Mapping) else each for name, each in inputs.items()}


def held_inputs(inputs: Mapping[str, InputEntry]) -> set[str]:
    """The inputs that have no gradient."""
    return {name for name, each in inputs.items() if isinstance(each, Mapping) and not each.get("gradient", True)}


def counts(sizes: Mapping[str, SizeEntry]) -> dict[str, int]:
    """The number of sizes that ``[sizes]`` gives each name; 0 where it is the size 1."""
    return {
        name: len(entry) if isinstance(entry, list | tuple) else int(entry not in (1, ONE))
        for name, entry in sizes.items()
    }


class SizeTables:
    """Reads ``[sizes]`` and ``[inputs]``; every method raises a `CellError` at an entry that is wrong.

    Args:
        sizes: ``[sizes]``.
        inputs: ``[inputs]``.
        known: the names of the equations that ``[sizes]`` may list.
        matrices: those of them that are matrices.
        constants: the names of constants.
        origin: for errors.
    """

    def __init__(
        self,
        sizes: Mapping[str, SizeEntry],
        inputs: Mapping[str, InputEntry],
        known: Sequence[str],
        matrices: Collection[str],
        constants: Collection[str],
        origin: Origin,
    ) -> None:
        self._sizes, self._inputs, self._known, self._matrices = sizes, inputs, known, matrices
        self._constants, self._origin = constants, origin

    def declared(self) -> dict[str, Shape]:
        """The shapes of the names of ``[sizes]``."""
        found: dict[str, Shape] = {}

        for name, entry in self._sizes.items():
            if name in self._constants:
                message = f"[sizes] {name}: a constant has no size; remove one of the two"
                raise self._origin.entry_error(message, "sizes", name)
            if name in self._inputs:
                message = f"[sizes] {name}: [inputs] gives the size of an input; remove one of the two"
                raise self._origin.entry_error(message, "sizes", name)
            if name not in self._known:
                hint = nearest(name, self._known) or "; it lists names of the equations"
                message = f"[sizes] {shown(name)}: the equations have no such name{hint}"
                raise self._origin.entry_error(message, "sizes", name)
            if is_next(name):
                message = f"[sizes] {name}: a state has one size, given without the prime; write {name[:-1]}"
                raise self._origin.entry_error(message, "sizes", name)
            found[name] = self._read_shape(name, entry)
            if name == "x" and not has_axes(*found[name]) and found[name] not in ((INPUT,), (HIDDEN,)):
                message = (
                    "[sizes] x: the input has size `input`, `hidden` where the two are one number, or several axes"
                )
                raise self._origin.entry_error(message, "sizes", name)
        return found

    def _read_shape(self, name: str, entry: SizeEntry, table: str = "sizes") -> Shape:
        """The sizes of a vector, one, or of a matrix, two; each is one size, or several axes."""
        parts = tuple(entry) if isinstance(entry, list | tuple) else (entry,)
        sizes = tuple(self._read_size(part, name, table) for part in parts)
        matrix = name in self._matrices
        if len(sizes) < 1 + matrix:
            form = '`["rows", "columns"]`' if matrix else "one size, or a list of axes"
            kind = "a matrix" if matrix else "a vector"
            message = f"[{table}] {name}: {kind} takes {form}, found {described(entry, 30)}"
            raise self._origin.entry_error(message, table, name)
        axes = sizes[:-1] if matrix else sizes
        if len(axes) > 1:
            fault = (
                f"a name has an axis once{' among its rows' * matrix}"
                if len({*axes}) < len(axes)
                else "1 is no axis; leave it out" * (ONE in axes)
            )
            if fault:
                raise self._origin.entry_error(f"[{table}] {name}: {fault}, found {described(entry, 30)}", table, name)
        return (size_of(axes), sizes[-1]) if matrix else (size_of(axes),)

    def _read_size(self, entry: SizeEntry, name: str, table: str = "sizes") -> str:
        if entry in (1, ONE):
            return ONE
        if not isinstance(entry, str):
            raise self._origin.entry_error(
                f"[{table}] {name}: expected `input`, `hidden`, the name of another size, or 1, "
                f"found {described(entry, 30)}",
                table,
                name,
            )
        fault = name_fault(entry) or function_fault(entry)
        taken = (*self._inputs, *self._known, *self._constants, *ARGUMENTS)
        if not fault and entry not in (INPUT, HIDDEN) and entry in taken:
            fault = f"`{entry}` is taken; give the size another name"
        if fault:
            raise self._origin.entry_error(f"[{table}] {name}: {fault}", table, name)
        return entry

    def of_inputs(self) -> dict[str, Shape]:
        """The shapes of the names of ``[inputs]``."""
        return {name: self._read_shape(name, size, "inputs") for name, size in input_sizes(self._inputs).items()}

    def names(self) -> tuple[str, ...]:
        """Every size name: ``input``, ``hidden``, then new ones in order."""
        found = {INPUT: None, HIDDEN: None}
        for name, entry in (*input_sizes(self._inputs).items(), *self._sizes.items()):
            parts = entry if isinstance(entry, list | tuple) else (entry,)
            found.update((size, None) for part in parts if (size := self._read_size(part, name)) != ONE)
        return tuple(found)
