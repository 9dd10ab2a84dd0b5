"""Expressions on the rows of a batch: rows first, units last, as in a person's own code.

Reads trees, also trees that no derivation would give, and values by name; returns arrays. A value of a step is
``(B, size)``, ``(B, 1)`` where it broadcasts; a parameter has its own shape. Values may have an axis of variants in
front. Leaves out: time, and sums over it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from symrnn.check.measure import Array
from symrnn.derive.evaluate import evaluate, floats
from symrnn.language.tree import (
    Binary,
    Expression,
    Negate,
    Outer,
)

Values = Mapping[str, Array]


@dataclass(frozen=True)
class Rows:
    """The rows of a batch.

    Attributes:
        count: B.
        sizes: the number behind each size name.
    """

    count: int
    sizes: Mapping[str, int]

    def evaluate(self, node: Expression, values: Values) -> Array:
        """The value of ``node`` for every row; the outer product of a row is ``(B, rows, columns)``."""
        return evaluate(node, values, self.sizes, floats())

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
                first, second = self.total(left, shape, values), self.total(right, shape, values)
                return first + second if op == "+" else first - second
            case Negate(operand) if len(shape) == 2:
                return -self.total(operand, shape, values)
            case _:
                part = self.contribution(node, shape, values)
                total: Array = part.sum(axis=max(-1 - len(shape), -part.ndim))
                return total
