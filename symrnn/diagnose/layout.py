"""Parameters that a person keeps stacked: ``W = W_i above W_f``, transposed or side by side, and taken apart again.

Reads texts such as ``W_xi/W_xf`` (one above the other) or ``W_xi.T,W_xf.T`` (side by side, transposed); returns a
`Layout`, which turns the cell's parameters into the person's, and the person's gradients into the cell's. Leaves out:
gates of one matrix that are interleaved unit by unit, and biases that are sums of two.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from symrnn.check.measure import Array
from symrnn.errors import DiagnoseError
from symrnn.language.cell import Cell
from symrnn.language.origin import nearest, shown


@dataclass(frozen=True)
class StackedParameter:
    """A parameter of the cell in a stack."""

    name: str
    transposed: bool


Grid = tuple[tuple[StackedParameter, ...], ...]
"""Rows of blocks; a stack of vectors is one row."""


@dataclass(frozen=True)
class Layout:
    """How a person keeps the parameters.

    Attributes:
        cell: whose parameters they are.
        stacks: the blocks of each stacked parameter, by the person's name for it.
    """

    cell: Cell
    stacks: Mapping[str, Grid]

    @property
    def names(self) -> tuple[str, ...]:
        """The person's names for the parameters."""
        stacked = {block.name for grid in self.stacks.values() for block in _blocks(grid)}
        return (*self.stacks, *(each.name for each in self.cell.parameters if each.name not in stacked))

    def stack(self, params: Mapping[str, Array]) -> dict[str, Array]:
        """The cell's parameters as the person keeps them, copied."""
        return {name: self._stacked(name, params) for name in self.names}

    def shape(self, name: str, params: Mapping[str, Array]) -> tuple[int, ...]:
        """The shape of the parameter that the person calls ``name``."""
        shape: tuple[int, ...] = self._stacked(name, params).shape
        return shape

    def split(self, name: str, gradient: Array, params: Mapping[str, Array]) -> dict[str, Array]:
        """The cell's gradients in a stacked gradient, whose last axes have the shape of the stack."""
        if name not in self.stacks:
            return {name: gradient}
        parts, row = {}, 0
        for blocks in self.stacks[name]:
            column = 0
            for block in blocks:
                shape = params[block.name].T.shape if block.transposed else params[block.name].shape
                if len(shape) == 1:
                    parts[block.name] = gradient[..., column : column + shape[0]]
                    column += shape[0]
                    continue
                part = gradient[..., row : row + shape[0], column : column + shape[1]]
                parts[block.name] = np.swapaxes(part, -1, -2) if block.transposed else part
                column += shape[1]
            row += shape[0] if len(shape) == 2 else 0
        return parts

    def _stacked(self, name: str, params: Mapping[str, Array]) -> Array:
        if name not in self.stacks:
            return params[name].copy()
        grid = [
            [params[block.name].T if block.transposed else params[block.name] for block in blocks]
            for blocks in self.stacks[name]
        ]
        return np.concatenate([np.concatenate(row, axis=-1) for row in grid], axis=0)


def read_layout(cell: Cell, texts: Mapping[str, str]) -> Layout:
    """The layout that ``texts`` describe: the person's name to blocks, ``/`` between rows and ``,`` within them.

    Raises:
        DiagnoseError: a block is not a parameter of the cell or is used twice, shapes do not fit, or a name is taken.
    """
    stacks: dict[str, Grid] = {}
    used: dict[str, str] = {}
    for name, text in texts.items():
        grid = tuple(tuple(_block(cell, name, part) for part in row.split(",")) for row in text.split("/"))
        for block in _blocks(grid):
            if block.name in used:
                raise DiagnoseError(f"layout {name}: {block.name} is already in {used[block.name]}; use it once")
            used[block.name] = name
        stacks[name] = _checked(cell, name, grid)
    for name in stacks:
        if name in cell.by_name and name not in used:
            raise DiagnoseError(f"layout {name}: the cell has an unstacked parameter {name}; rename the stack")
    return Layout(cell, stacks)


def _block(cell: Cell, stack: str, text: str) -> StackedParameter:
    name, dot, mark = text.strip().partition(".")
    known = [parameter.name for parameter in cell.parameters]
    if name not in known or (dot and mark != "T"):
        raise DiagnoseError(
            f"layout {stack}: {shown(text)!r} is not a parameter of {cell.name}{nearest(name, known)}; "
            f"write names or NAME.T, with / between rows and , within a row (it has {', '.join(known)})"
        )
    if dot and len(cell.by_name[name].shape) == 1:
        raise DiagnoseError(f"layout {stack}: {name} is a vector, which has no transpose; leave out .T")
    return StackedParameter(name, bool(dot))


def _checked(cell: Cell, stack: str, grid: Grid) -> Grid:
    """``grid``, vectors in one row; every block must be as high as its row and every row as wide as the stack."""
    shapes = [[_shape(cell, block) for block in row] for row in grid]
    axes = {len(shape) for row in shapes for shape in row}
    if axes == {1}:
        return (tuple(_blocks(grid)),)
    fits = axes == {2} and all(len({shape[0] for shape in row}) == 1 for row in shapes)
    if not fits or len({tuple(shape[1] for shape in row) for row in shapes}) > 1:
        text = " / ".join(
            ", ".join(f"{b.name} {s}" for b, s in zip(*each, strict=True)) for each in _pairs(grid, shapes)
        )
        raise DiagnoseError(f"layout {stack}: these shapes do not make one array: {text}")
    return grid


def _pairs(grid: Grid, shapes: list[list[tuple[str, ...]]]) -> Iterator[tuple[tuple[StackedParameter, ...], list[str]]]:
    for blocks, row in zip(grid, shapes, strict=True):
        yield blocks, [f"({', '.join(shape)})" for shape in row]


def _shape(cell: Cell, block: StackedParameter) -> tuple[str, ...]:
    shape = cell.by_name[block.name].shape
    return shape[::-1] if block.transposed else shape


def _blocks(grid: Grid) -> Iterator[StackedParameter]:
    for row in grid:
        yield from row
