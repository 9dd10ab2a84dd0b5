"""A cell with named axes and what it computes: in NumPy by hand, or by a small reading of its equations by axis names.

Reads a cell's text; returns a `Along`, with the values of one step of one row. Nothing here is shared with symrnn: the
equations go through Python's ``ast`` alone, and every value is an array with the names of its axes. All of it takes complex
numbers, for complex steps. Leaves out: what the tests compare.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import symrnn
from symrnn.language.cell import Cell
from symrnn.language.size_tables import InputEntry, SizeEntry
from symrnn.language.system import HIDDEN, INPUT

Array = np.ndarray[Any, np.dtype[Any]]
Arrays = Mapping[str, Array]
Step = Callable[[Arrays, Array, Arrays], Arrays]
"""Parameters and the inputs beside ``x``, the input of a row and its states, to everything that the step assigns."""

FILES = Path(__file__).parent / "cells" / "axes"


@dataclass(frozen=True, eq=False)
class Along:
    """A cell with named axes, and numbers for its sizes.

    Attributes:
        name: of the cell, or of its file under ``cells/axes``.
        text: its equations; empty where it has a file.
        sizes: ``[sizes]``.
        numbers: of units along each axis.
        output: what it returns.
        by_hand: its step; empty where its text is read.
        inputs: ``[inputs]``.
    """

    name: str
    text: str = ""
    sizes: Mapping[str, SizeEntry] = field(default_factory=dict)
    numbers: Mapping[str, int] = field(default_factory=dict)
    output: tuple[str, ...] | None = None
    by_hand: Step | None = None
    inputs: Mapping[str, InputEntry] = field(default_factory=dict)

    @cached_property
    def cell(self) -> Cell:
        if not self.text:
            return symrnn.load(FILES / f"{self.name}.toml")
        return Cell.from_equations(self.text, name=self.name, sizes=self.sizes, output=self.output, inputs=self.inputs)

    @property
    def input(self) -> int:
        return self.numbers.get(INPUT, 3)

    @property
    def hidden(self) -> int:
        return self.numbers.get(HIDDEN, self.input if self.cell.input_is_hidden else 2)

    @property
    def own(self) -> dict[str, int]:
        """The numbers of sizes that the cell names itself, as keywords."""
        return {name: number for name, number in self.numbers.items() if name not in (INPUT, HIDDEN)}

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The array of each name, in units."""
        numbers = {INPUT: self.input, HIDDEN: self.hidden, **self.own, "1": 1}
        shapes = {each.name: "*".join(each.shape).replace("'", "").split("*") for each in self.cell.variables}
        return {name: tuple(numbers[axis] for axis in axes) for name, axes in shapes.items()}

    @cached_property
    def step(self) -> Step:
        return self.by_hand or _Reading(self.cell, self.text, self.shapes).step

    def run(
        self,
        params: Arrays,
        x: Array,
        state: Arrays,
        lengths: Array | None = None,
        reverse: bool = False,
        inputs: Arrays | None = None,
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """Outputs and final states, a row and a step at a time."""
        steps, batch, *_ = x.shape
        others = inputs or {}
        kind = np.result_type(x, *params.values(), *state.values(), *others.values())
        after = dict(zip(self.cell.returned, self.cell.output_values, strict=True))
        outputs = {name: np.zeros((steps, batch, *self.shapes[value]), kind) for name, value in after.items()}
        final = {name: np.array(array, kind) for name, array in state.items()}
        for row in range(batch):
            taken = range(steps if lengths is None else lengths[row])
            for t in reversed(taken) if reverse else taken:
                given = {**params, **{name: array[t, row] for name, array in others.items()}}
                found = self.step(given, x[t, row], {name: array[row].copy() for name, array in final.items()})
                for name, array in final.items():
                    array[row] = found[f"{name}'"]
                for name, value in after.items():
                    outputs[name][t, row] = found[value]
        return outputs, final


class _Value(NamedTuple):
    array: Array
    axes: tuple[str, ...]


def _stood(value: _Value, axes: tuple[str, ...]) -> Array:
    """A value along ``axes``, which are all of its own and more, of one unit where it has none."""
    array = value.array.transpose([value.axes.index(axis) for axis in axes if axis in value.axes])
    own = iter(array.shape)
    return array.reshape([next(own) if axis in value.axes else 1 for axis in axes])


_SUMMED = "+"
"""What the names of axes over which a product sums begin with."""


def _contracted(matrix: _Value, names: tuple[str, ...], value: _Value, of: tuple[str, ...]) -> _Value:
    """A matrix times a value by the names of their axes: what the value keeps, then what the matrix adds."""
    letters = {name: chr(ord("a") + place) for place, name in enumerate(dict.fromkeys((*of, *names)))}
    left = [name for name in letters if not name.startswith(_SUMMED)]
    told = ("".join(letters[name] for name in each) for each in (of, names, left))
    return _Value(np.einsum("{},{}->{}".format(*told), value.array, matrix.array), tuple(left))


def _together(function: Callable[..., Array], *values: _Value) -> _Value:
    """Arithmetic unit by unit, by the names of axes."""
    axes = tuple(dict.fromkeys(axis for value in values for axis in value.axes))
    return _Value(function(*(_stood(value, axes) for value in values)), axes)


def sigmoid(a: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-a)))


def logsigmoid(a: Array) -> Array:
    return np.asarray(-np.log1p(np.exp(-a)))


def softplus(a: Array) -> Array:
    return np.asarray(np.log1p(np.exp(a)))


def maximum(a: Array, b: Array) -> Array:
    return np.where(np.real(a) > np.real(b), a, b)


def absolute(a: Array) -> Array:
    return np.where(np.real(a) < 0, -a, a)


def _largest(a: Array, axis: int) -> Array:
    place = np.expand_dims(np.real(a).argmax(axis), axis)
    return np.take_along_axis(a, place, axis).squeeze(axis)


_FUNCTIONS: Mapping[str, Callable[..., Array]] = {
    "sigmoid": sigmoid,
    "softplus": softplus,
    "tanh": np.tanh,
    "sin": np.sin,
    "cos": np.cos,
    "exp": np.exp,
    "maximum": maximum,
}
_REDUCTIONS: Mapping[str, Callable[[Array, int], Array]] = {
    "sum": lambda a, axis: np.asarray(a.sum(axis)),
    "mean": lambda a, axis: np.asarray(a.mean(axis)),
    "max": _largest,
    "logsumexp": lambda a, axis: np.asarray(np.log(np.exp(a).sum(axis))),
}
_OPERATORS: Mapping[type, Callable[..., Array]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
}


class _Reading:
    """The equations of a cell, read by the names of axes; ``@`` stands in parentheses there."""

    def __init__(self, cell: Cell, text: str, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self._equations = [
            (statement.targets[0].id.replace("_after", "'"), statement.value)
            for statement in ast.parse(text.replace("'", "_after")).body
            if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)
        ]
        self._shapes = shapes
        self._axes = {
            each.name: tuple(axis for axis in "*".join(each.shape).replace("'", "").split("*") if axis != "1")
            for each in cell.variables
        }

    def step(self, params: Arrays, x: Array, state: Arrays) -> Arrays:
        given = {**params, "x": x, **state}
        values = {name: self._held(name, array) for name, array in given.items()}
        found: dict[str, Array] = {}
        for target, right in self._equations:
            value, axes = self._of(right, values), self._axes[target]
            found[target] = np.broadcast_to(
                _stood(value, axes).reshape(_stood(value, axes).shape or (1,)), self._shapes[target]
            )
            values[target] = self._held(target, found[target])
        before = [name for name in state if name.endswith("_previous")]
        return {**found, **{f"{name}'": given[name.removesuffix("_previous")] for name in before}}

    def _held(self, name: str, array: Array) -> _Value:
        return _Value(array if self._axes[name] else array.reshape(()), self._axes[name])

    def _of(self, node: ast.expr, values: Mapping[str, _Value]) -> _Value:
        match node:
            case ast.Name(name):
                return values[name.replace("_after", "'")]
            case ast.Constant(int() | float() as number):
                return _Value(np.array(number), ())
            case ast.UnaryOp(ast.USub(), operand):
                return _together(np.negative, self._of(operand, values))
            case ast.BinOp(ast.Name(name), ast.MatMult(), operand):
                matrix, value = values[name], self._of(operand, values)
                assert value.axes[-1:] == matrix.axes[-1:]
                return _contracted(matrix, (*matrix.axes[:-1], _SUMMED), value, (*value.axes[:-1], _SUMMED))
            case ast.BinOp(ast.Attribute(ast.Name(name), "T"), ast.MatMult(), operand):
                matrix, value = values[name], self._of(operand, values)
                rows = [f"{_SUMMED}{axis}" for axis in matrix.axes[:-1]]
                assert value.axes[-len(rows) :] == matrix.axes[:-1]
                return _contracted(matrix, (*rows, matrix.axes[-1]), value, (*value.axes[: -len(rows)], *rows))
            case ast.BinOp(left, operator, right):
                return _together(_OPERATORS[type(operator)], self._of(left, values), self._of(right, values))
            case ast.Call(ast.Name(name), [operand, ast.Name(axis)]) if name in _REDUCTIONS:
                value = self._of(operand, values)
                place = value.axes.index(axis)
                left_over = value.axes[:place] + value.axes[place + 1 :]
                return _Value(_REDUCTIONS[name](value.array, place), left_over)
            case ast.Call(ast.Name("softmax"), [operand, ast.Name(axis)]):
                value = self._of(operand, values)
                powers = np.exp(value.array)
                return _Value(powers / powers.sum(value.axes.index(axis), keepdims=True), value.axes)
            case ast.Call(ast.Name(name), [operand]) if name in _REDUCTIONS:
                return _Value(_REDUCTIONS[name](self._of(operand, values).array.ravel(), 0), ())
            case ast.Call(ast.Name("previous"), [ast.Name(name)]):
                return values[f"{name}_previous"]
            case ast.Call(ast.Name(name), arguments):
                return _together(_FUNCTIONS[name], *(self._of(each, values) for each in arguments))
        raise TypeError(ast.dump(node))
