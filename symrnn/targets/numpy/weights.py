"""Weights as the kernels multiply by them: parameters stacked so that one array call serves several.

Reads the stacks that nodes ask for; returns their names and the lines that build them. A stack that two functions need
is built once: what the forward pass multiplies by transposed is what the backward pass multiplies by. Leaves out: when
they are built (`templates/numpy/module.py.jinja`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from symrnn.emit.python_text import collection, commented
from symrnn.language.names import Allocator
from symrnn.targets.numpy.names import common, identifier

Entry = tuple[tuple[str, bool], ...]
"""Matrices that are added, each with whether it is transposed."""


@dataclass(frozen=True)
class Weight:
    """One attribute of the weights.

    Attributes:
        name: also that of the local in the kernels.
        lines: statements that set ``self.name`` from the parameters ``p``.
        shape: for people.
        holds: the parameters in it.
    """

    name: str
    lines: tuple[str, ...]
    shape: str
    holds: tuple[str, ...]


class Weights:
    """Collects the stacks of one set of functions.

    Args:
        variables: the cell's names.
        shape_of: the shape of a parameter, or of a value of parameters alone, as size names.
        total: the expression of a sum of sizes.
        once: the names of values that are computed from parameters alone: attributes by themselves.
    """

    def __init__(
        self,
        variables: Collection[str],
        shape_of: Callable[[str], tuple[str, ...]],
        total: Callable[[Sequence[str]], str],
        once: Mapping[str, str],
    ) -> None:
        self._variables, self._shape, self._total, self.once = variables, shape_of, total, once
        self._allocators: list[Allocator] = []
        self._found: dict[object, Weight] = {}

    @property
    def found(self) -> tuple[Weight, ...]:
        """Every stack, in the order in which they were asked for."""
        return tuple(self._found.values())

    def vector(self, names: tuple[str, ...]) -> str:
        """The name of the vectors ``names`` side by side."""
        if len(names) == 1 and names[0] in self.once:
            return self.once[names[0]]
        if names not in self._found:
            texts = [self._read(name) for name in names]
            shape = f"({self._total([size for name in names for size in self._shape(name)])},)"
            self._add(names, names, texts[0] if len(texts) == 1 else None, texts, "", shape)
        return self._found[names].name

    def matrix(self, blocks: tuple[tuple[Entry, ...], ...], *, repeated: bool) -> str:
        """The expression that operands are multiplied by from the right: a stack, or its transpose.

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
            return self._transpose(self._found[key])
        if repeated:
            self._align(key)
        return self._found[key].name + ("" if mirrored else ".T")

    def _align(self, key: object) -> None:
        weight = self._found[key]
        line = f"        self.{weight.name} = _aligned(self.{weight.name})"
        if line not in weight.lines:
            self._found[key] = replace(weight, lines=(*weight.lines, line))

    def _transpose(self, weight: Weight) -> str:
        key = ("transpose", weight.name)
        if key not in self._found:
            name = self._fresh(f"{weight.name}_T", False)
            rows, _, columns = weight.shape.strip("()").partition(", ")
            line = f"        self.{name} = _aligned(self.{weight.name}.T)"
            shape = f"({columns}, {rows})"
            self._found[key] = Weight(name, tuple(commented(line, shape)), shape, weight.holds)
        return self._found[key].name

    def _build(self, grid: tuple[tuple[Entry, ...], ...]) -> None:
        names = tuple(dict.fromkeys(matrix for row in grid for entry in row for matrix, _ in entry))
        rows = [[self._entry(entry) for entry in row] for row in grid]
        heights = [self._sides(row[0])[0] for row in grid]
        widths = [self._sides(entry)[1] for entry in grid[0]]
        shape = f"({self._total(heights)}, {self._total(widths)})"
        if len(rows) == len(rows[0]) == 1:
            self._add(grid, names, rows[0][0], [], "", shape)
        elif len(rows[0]) == 1:
            self._add(grid, names, None, [row[0] for row in rows], "", shape)
        elif len(rows) == 1:
            self._add(grid, names, None, rows[0], ", axis=1", shape)
        else:
            self._add(grid, names, None, [f"[{', '.join(row)}]" for row in rows], "block", shape)

    def _add(
        self, key: object, names: tuple[str, ...], alone: str | None, parts: list[str], how: str, shape: str
    ) -> None:
        name = self._fresh(common([identifier(name) for name in names]), len(names) == 1)
        comment = shape.replace(" * ", " ")
        if alone is not None:
            lines = commented(f"        self.{name} = {alone}", comment)
        else:
            function, tail = ("np.block", "") if how == "block" else ("np.concatenate", how)
            lines = collection(f"self.{name} = {function}([", parts, f"]{tail})", 2)
            if len(lines) == 1:
                lines = commented(lines[0], comment)
            else:
                lines = [lines[0], *lines[1:-1], f"{lines[-1]}  # {comment}"]
                lines = _hugged(f"self.{name} = {function}(", parts, tail, comment)
        self._found[key] = Weight(name, tuple(lines), comment, names)

    def share(self, allocator: Allocator) -> None:
        """Take names that are free in a function as well: a weight is called the same everywhere.

        The names that the weights have by then must be taken in it.
        """
        self._allocators.append(allocator)

    def _fresh(self, hint: str, own: bool) -> str:
        """A free name; a variable's name is free for its own weight alone."""
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


def _hugged(head: str, parts: list[str], tail: str, comment: str) -> list[str]:
    """A call with one long list among its arguments, as the formatter breaks it."""
    inner = ", ".join(parts)
    pad = " " * 8
    if len(f"{pad}    [{inner}]{tail}") <= 120:
        return [f"{pad}{head}", f"{pad}    [{inner}]{tail}", f"{pad})  # {comment}"]
    items = [f"{pad}        {part}," for part in parts]
    if tail:
        return [f"{pad}{head}", f"{pad}    [", *items, f"{pad}    ],", f"{pad}    {tail[2:]},", f"{pad})  # {comment}"]
    return [f"{pad}{head}", f"{pad}    [", *items, f"{pad}    ]", f"{pad})  # {comment}"]
