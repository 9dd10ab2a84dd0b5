"""Expressions on a batch: rows in front, units behind, as a person's own code has them.

Reads trees, also ones that no derivation would write, and values by name; returns arrays. A value of a step is
``(B, size)``, ``(B, 1)`` where it broadcasts; a parameter has its own shape. Values may have an axis of variants in
front. Leaves out: time, and what is summed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from symrnn.check.measure import Array
from symrnn.derive.evaluate import floats
from symrnn.language.tree import (
    Binary,
    Call,
    Constant,
    Expression,
    MatVec,
    Name,
    Negate,
    Number,
    Outer,
    Power,
    Reduce,
    SizeOf,
)

Values = Mapping[str, Array]

_OPERATORS: Mapping[str, Callable[..., Array]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
}
_FUNCTIONS = floats().functions


@dataclass(frozen=True)
class Rows:
    """A batch.

    Attributes:
        count: B.
        sizes: the number behind each size name.
    """

    count: int
    sizes: Mapping[str, int]

    def evaluate(self, node: Expression, values: Values) -> Array:
        """The value of ``node`` for every row; the outer product of a row is ``(B, rows, columns)``."""
        match node:
            case Name(name):
                return values[name]
            case Binary(op, left, right):
                return _OPERATORS[op](self.evaluate(left, values), self.evaluate(right, values))
            case Number(exact, _) | Constant(_, exact, _):
                return np.array([float(exact)])
            case MatVec(matrix, transposed, operand):
                weights = values[matrix]
                return self.evaluate(operand, values) @ (weights if transposed else weights.T)
            case Negate(operand):
                return -self.evaluate(operand, values)
            case Power(base, exponent):
                power = int(exponent) if exponent.denominator == 1 else float(exponent)
                return np.power(self.evaluate(base, values), float(power) if power < 0 else power)
            case Call(function, arguments):
                return _FUNCTIONS[function](*(self.evaluate(argument, values) for argument in arguments))
            case Reduce(kind, operand):
                vector = self.evaluate(operand, values)
                total: Array = vector.sum(axis=-1, keepdims=True)
                return total / vector.shape[-1] if kind == "mean" else total
            case Outer(left, right):
                return values[left.name][..., :, np.newaxis] * values[right.name][..., np.newaxis, :]
            case SizeOf(size):
                return np.array([float(self.sizes[size])])

    def assign(self, node: Expression, size: str, values: Values) -> Array:
        """The value of ``node`` for every row, broadcast to a vector of ``size``."""
        return self._broadcast(self.evaluate(node, values), size)

    def contribution(self, node: Expression, shape: tuple[str, ...], values: Values) -> Array:
        """What every row adds to the gradient of a parameter: ``(B, …)``; its shape is what ``node`` gives."""
        value = self.evaluate(node, values)
        return self._broadcast(value, shape[0]) if len(shape) == 1 else value

    def _broadcast(self, value: Array, size: str) -> Array:
        """``value`` as a vector of ``size`` for every row; an axis of lanes in front stays."""
        shape = (self.count, self.sizes[size])
        return value if value.shape[-2:] == shape else np.broadcast_to(value, (*value.shape[:-2], *shape))

    def total(self, node: Expression, shape: tuple[str, ...], values: Values) -> Array:
        """The sum of `contribution` over the rows, by matrix products where ``node`` is made of outer products."""
        match node:
            case Outer(left, right):
                return np.swapaxes(values[left.name], -1, -2) @ values[right.name]
            case Binary("+" | "-" as op, left, right) if len(shape) == 2:
                return _OPERATORS[op](self.total(left, shape, values), self.total(right, shape, values))
            case Negate(operand) if len(shape) == 2:
                return -self.total(operand, shape, values)
            case _:
                part = self.contribution(node, shape, values)
                total: Array = part.sum(axis=max(-1 - len(shape), -part.ndim))
                return total
