"""What the interpreter makes of prepared parameters: the author's equations on lists of rows, one scalar after another.

Reads the author's parsed trees and arrays; returns the prepared matrices and vectors. It shares nothing with the normal form of
these equations, nor with derivation or printing: how vectors stand along a matrix is decided here again. Leaves out: the step
(`symrnn.check.interpreter`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from symrnn.check.measure import Array
from symrnn.errors import CheckError
from symrnn.language.cell import Cell
from symrnn.language.system import ONE, Role
from symrnn.language.tree import (
    Binary,
    Call,
    Constant,
    Expression,
    Eye,
    MatVec,
    Name,
    Negate,
    Number,
    Power,
    Reduce,
    Transpose,
    children,
)

Scalars = Callable[..., float]


@dataclass(frozen=True)
class _Grid:
    """Rows of numbers, the names of the sizes of its axes, and whether it is a vector that may still turn."""

    rows: Sequence[Sequence[float]]
    axes: tuple[str, str]
    turns: bool = False

    @property
    def turned(self) -> _Grid:
        return _Grid([list(column) for column in zip(*self.rows, strict=True)], (self.axes[1], self.axes[0]))


def prepared_values(
    cell: Cell,
    sizes: Mapping[str, int],
    params: Mapping[str, Array],
    functions: Mapping[str, Scalars],
    operators: Mapping[str, Scalars],
) -> dict[str, Array]:
    """The parameters, and what is prepared from them, by name.

    Args:
        cell: the cell, as parsed.
        sizes: a number for each size name, 1 included.
        params: parameters by name, vectors ``(size,)`` and matrices ``(rows, columns)``.
        functions: the meaning of every function on one number.
        operators: that of every operator.

    Raises:
        CheckError: an equation leaves the domain of a function.
    """
    values = {}
    for name, array in params.items():
        names, table = cell.by_name[name].shape, array.astype(float)
        axes = (names[0], names[1] if len(names) == 2 else ONE)
        values[name] = _Grid(table.reshape(len(table), -1).tolist(), axes, len(names) == 1)
    found = dict(params)
    walker = _GridWalker(sizes, values, functions, operators)
    for equation in cell.equations:
        variable = cell.by_name[equation.target]
        if variable.role is not Role.PREPARED:
            continue
        try:
            grid = walker.assigned(equation.expression, variable.shape)
        except (ValueError, OverflowError, ZeroDivisionError) as error:
            raise CheckError(
                f"cell {cell.name!r}: equation {equation.label} ({equation.target} = …) cannot be evaluated "
                f"at the random point ({error}); keep the arguments of log, sqrt, / and ** in range"
            ) from error
        values[equation.target] = grid
        array = np.array(grid.rows)
        found[equation.target] = array if len(variable.shape) == 2 else array.ravel()
    return found


class _GridWalker:
    def __init__(
        self,
        sizes: Mapping[str, int],
        values: Mapping[str, _Grid],
        functions: Mapping[str, Scalars],
        operators: Mapping[str, Scalars],
    ) -> None:
        self._sizes, self._values, self._functions, self._operators = sizes, values, functions, operators

    def assigned(self, node: Expression, shape: tuple[str, ...]) -> _Grid:
        """The value of a right side for a target of this shape."""
        around = (shape[0], shape[1]) if len(shape) == 2 else (ONE, ONE)
        grid = self._value(node, around)
        if len(shape) == 1:
            return grid
        return self._each(
            lambda a, _: a, [grid, _Grid([[0.0] * self._sizes[shape[1]]] * self._sizes[shape[0]], around)]
        )

    def _value(self, node: Expression, around: tuple[str, str]) -> _Grid:
        """The value of ``node`` within arithmetic of the axes ``around``."""
        match node:
            case Number(value, _) | Constant(_, value, _):
                return _Grid([[float(value)]], (ONE, ONE))
            case Name(name):
                return self._values[name]
            case Eye():
                size = next(axis for axis in around if axis != ONE)
                count = range(self._sizes[size])
                return _Grid([[float(i == j) for j in count] for i in count], (size, size))
            case Transpose(operand):
                return self._value(operand, (around[1], around[0])).turned
            case MatVec(matrix, transposed, operand):
                return self._product(matrix, transposed, self._value(operand, self._inner(matrix, transposed, around)))
            case Reduce(kind, operand, axis):
                return self._reduced(kind, self._value(operand, (ONE, ONE)), axis)
        within = self._axes(node, around)
        match node:
            case Negate(operand):
                return self._each(lambda a: -a, [self._value(operand, within)])
            case Binary(op, left, right):
                return self._each(self._operators[op], [self._value(left, within), self._value(right, within)])
            case Power(base, exponent):
                return self._each(lambda a: math.pow(a, float(exponent)), [self._value(base, within)])
            case Call(_, (first, *_), written) if written:
                return self._value(first, within)
            case Call(function, arguments):
                return self._each(self._functions[function], [self._value(each, within) for each in arguments])
        raise CheckError(f"the interpreter has no case for {type(node).__name__} where parameters are prepared")

    def _inner(self, matrix: str, transposed: bool, around: tuple[str, str]) -> tuple[str, str]:
        axes = self._values[matrix].axes
        return (axes[0 if transposed else 1], around[1])

    def _axes(self, node: Expression, around: tuple[str, str]) -> tuple[str, str]:
        """The axes that the parts of ``node`` that cannot turn have together; those around it where there are none."""
        found = [ONE, ONE]
        for part in children(node):
            if not any(isinstance(each, Eye) for each in (part, *children(part))):
                grid = self._value(part, around)
                if not grid.turns:
                    found = [old if old != ONE else new for old, new in zip(found, grid.axes, strict=True)]
        axes = [old if old != ONE else new for old, new in zip(found, around, strict=True)]
        return (axes[0], axes[1])

    def _product(self, matrix: str, transposed: bool, right: _Grid) -> _Grid:
        left = self._values[matrix].turned if transposed else self._values[matrix]
        if right.axes[0] != left.axes[1] and right.axes == (ONE, left.axes[1]):
            right = right.turned
        columns = [list(column) for column in zip(*right.rows, strict=True)]
        rows = [[math.fsum(a * b for a, b in zip(row, column, strict=True)) for column in columns] for row in left.rows]
        return _Grid(rows, (left.axes[0], right.axes[1]), right.axes[1] == ONE)

    def _reduced(self, kind: str, grid: _Grid, axis: str) -> _Grid:
        def total(numbers: Sequence[float]) -> float:
            return math.fsum(numbers) / (len(numbers) if kind == "mean" else 1)

        if not axis:
            return _Grid([[total([number for row in grid.rows for number in row])]], (ONE, ONE))
        if axis == "columns" or (axis != "rows" and axis == grid.axes[1]):
            return _Grid([[total(row)] for row in grid.rows], (grid.axes[0], ONE))
        return _Grid([[total(column) for column in zip(*grid.rows, strict=True)]], (ONE, grid.axes[1]))

    def _each(self, function: Scalars, grids: Sequence[_Grid]) -> _Grid:
        """``function`` entry by entry; what has one row or column repeats it."""
        firm = [grid for grid in grids if not grid.turns]
        axes = [next((g.axes[i] for g in firm if g.axes[i] != ONE), ONE) for i in (0, 1)]
        stood = [self._stood(grid, axes) for grid in grids]
        height, width = max(len(g.rows) for g in stood), max(len(g.rows[0]) for g in stood)
        for i in (0, 1):
            axes[i] = next((g.axes[i] for g in stood if g.axes[i] != ONE), ONE)
        rows = [
            [function(*(g.rows[i % len(g.rows)][j % len(g.rows[0])] for g in stood)) for j in range(width)]
            for i in range(height)
        ]
        scalars = all(grid.turns or grid.axes == (ONE, ONE) for grid in grids)
        return _Grid(rows, (axes[0], axes[1]), scalars)

    def _stood(self, grid: _Grid, axes: Sequence[str]) -> _Grid:
        """A vector along the axis that has its size: along the rows where both have it, or none."""
        size = grid.axes[0]
        return grid.turned if grid.turns and size not in (ONE, axes[0]) and size == axes[1] else grid
