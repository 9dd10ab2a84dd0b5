"""The weights of the kernels: parameters stacked so that one array call serves several.

Reads the stacks that nodes ask for; returns their names and the lines that build them. A stack that two functions need
is built once: the forward pass multiplies by its transpose, the backward pass by the stack itself. Leaves out: when
they are built (`templates/numpy/run.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from symrnn.emit.python_names import common, identifier
from symrnn.emit.python_text import INDENT, WIDTH, collection, commented
from symrnn.language.identifiers import Allocator
from symrnn.plan.size import Count
from symrnn.targets.numpy.names import shape, width

Entry = tuple[tuple[str, bool], ...]
"""Matrices that are added, each with whether it is transposed."""

DEPTH = 2


@dataclass(frozen=True)
class Weight:
    """One attribute of the weights.

    Attributes:
        name: also that of the local in the kernels.
        code: what it is made of: an expression of the parameters ``p``, or several that are joined.
        join: the function that joins several, and its other arguments; empty for a single one.
        size: rows and columns, or the numbers of a vector.
        note: the same for people.
        holds: the parameters in it.
        aligned: whether it is laid out for steps to multiply by.
    """

    name: str
    code: tuple[str, ...]
    join: tuple[str, ...]
    size: tuple[Count, ...]
    note: str
    holds: tuple[str, ...]
    aligned: bool = False

    @property
    def lines(self) -> list[str]:
        """The statements that set the attribute."""
        again = [f"{INDENT * DEPTH}self.{self.name} = _aligned(self.{self.name})"] if self.aligned else []
        if not self.join:
            return [*commented(f"self.{self.name} = {self.code[0]}", self.note, DEPTH), *again]
        function, *others = self.join
        tail = "".join(f", {other}" for other in others)
        lines = collection(f"self.{self.name} = {function}([", self.code, f"]{tail})", DEPTH)
        if len(lines) == 1:
            line = f"self.{self.name} = {function}([{', '.join(self.code)}]{tail})"
            return [*commented(line, self.note, DEPTH), *again]
        return [*_hugged(f"self.{self.name} = {function}(", self.code, others, self.note), *again]


@dataclass(frozen=True)
class Factor:
    """The right factor of a product: a weight, or its transpose if it is ``turned``."""

    name: str
    turned: bool


class Weights:
    """Collects the stacks of one set of functions.

    Args:
        variables: the cell's names.
        shape_of: the shape of a parameter, or of a value of parameters alone, as size names.
        letters: of every size name, for people.
        once: the names of values that are computed from parameters alone; each has an attribute of its own.
    """

    def __init__(
        self,
        variables: Collection[str],
        shape_of: Callable[[str], tuple[str, ...]],
        letters: Mapping[str, str],
        once: Mapping[str, str],
    ) -> None:
        self._variables, self._shape, self._letters, self.once = variables, shape_of, letters, once
        self._allocators: list[Allocator] = []
        self._found: dict[object, Weight] = {}

    @property
    def found(self) -> tuple[Weight, ...]:
        """Every stack, in order of first use."""
        return tuple(self._found.values())

    def vector(self, names: tuple[str, ...]) -> str:
        """The name of the vectors ``names`` side by side."""
        if len(names) == 1 and names[0] in self.once:
            return self.once[names[0]]
        if names not in self._found:
            join = () if len(names) == 1 else ("np.concatenate",)
            size = width(size for name in names for size in self._shape(name))
            self._add(names, names, [self._read(name) for name in names], join, (size,))
        return self._found[names].name

    def matrix(self, blocks: tuple[tuple[Entry, ...], ...], *, repeated: bool) -> Factor:
        """The right factor of a product.

        Args:
            blocks: for each target, for each operand, the matrices that are added.
            repeated: whether it is read in every step. It is then laid out row by row, from an aligned address: BLAS
                multiplies few rows by it in two thirds of the time.
        """
        mirrored = all(transposed for row in blocks for entry in row for _, transposed in entry)
        grid = tuple(zip(*blocks, strict=True)) if mirrored else blocks
        key = tuple(tuple(tuple((m, t != mirrored) for m, t in entry) for entry in row) for row in grid)
        if key not in self._found:
            self._build(key)
        if not mirrored and repeated:
            return Factor(self._transpose(self._found[key]), False)
        if repeated:
            self._found[key] = replace(self._found[key], aligned=True)
        return Factor(self._found[key].name, not mirrored)

    def _transpose(self, weight: Weight) -> str:
        key = ("transpose", weight.name)
        if key not in self._found:
            name = self._fresh(f"{weight.name}_T", False)
            size = tuple(reversed(weight.size))
            code = (f"_aligned(self.{weight.name}.T)",)
            self._found[key] = Weight(name, code, (), size, self._note(size), weight.holds)
        return self._found[key].name

    def _build(self, grid: tuple[tuple[Entry, ...], ...]) -> None:
        names = tuple(dict.fromkeys(matrix for row in grid for entry in row for matrix, _ in entry))
        rows = [[self._entry(entry) for entry in row] for row in grid]
        size = (width(self._sides(row[0])[0] for row in grid), width(self._sides(entry)[1] for entry in grid[0]))
        if len(rows) == len(rows[0]) == 1:
            self._add(grid, names, rows[0], (), size)
        elif len(rows[0]) == 1:
            self._add(grid, names, [row[0] for row in rows], ("np.concatenate",), size)
        elif len(rows) == 1:
            self._add(grid, names, rows[0], ("np.concatenate", "axis=1"), size)
        else:
            self._add(grid, names, [f"[{', '.join(row)}]" for row in rows], ("np.block",), size)

    def _add(
        self, key: object, names: tuple[str, ...], code: list[str], join: tuple[str, ...], size: tuple[Count, ...]
    ) -> None:
        name = self._fresh(common([identifier(name) for name in names]), len(names) == 1)
        self._found[key] = Weight(name, tuple(code), join, size, self._note(size), names)

    def _note(self, size: tuple[Count, ...]) -> str:
        return shape("", *size, letters=self._letters)

    def share(self, allocator: Allocator) -> None:
        """Take names that are free in a function as well, since a weight has one name everywhere.

        The names of the weights so far must be taken in it.
        """
        self._allocators.append(allocator)

    def _fresh(self, hint: str, own: bool) -> str:
        """A free name; only a variable's own weight may have the variable's name."""
        name, number = hint, 1
        while (name in self._variables and not own) or any(each.is_taken(name) for each in self._allocators):
            number += 1
            name = f"{hint}_{number}"
        for allocator in self._allocators:
            allocator.fresh(name)
        return name

    def _read(self, name: str) -> str:
        return self.once.get(name, f'p["{name}"]')

    def _entry(self, entry: Entry) -> str:
        terms = [f'p["{matrix}"]{".T" if transposed else ""}' for matrix, transposed in entry]
        return " + ".join(terms)

    def _sides(self, entry: Entry) -> tuple[str, str]:
        matrix, transposed = entry[0]
        rows, columns = self._shape(matrix)
        return (columns, rows) if transposed else (rows, columns)


def _hugged(head: str, items: Sequence[str], others: Sequence[str], comment: str) -> list[str]:
    """A call with one long list and then ``others`` for arguments, as the formatter breaks it."""
    pad, inner = INDENT * DEPTH, INDENT * (DEPTH + 1)
    line = inner + ", ".join([f"[{', '.join(items)}]", *others])
    if len(line) <= WIDTH:
        return [f"{pad}{head}", line, f"{pad})  # {comment}"]
    listed = [f"{inner}[", *(f"{inner}{INDENT}{item}," for item in items)]
    rest = [f"{inner}],", *(f"{inner}{other}," for other in others)] if others else [f"{inner}]"]
    return [f"{pad}{head}", *listed, *rest, f"{pad})  # {comment}"]
