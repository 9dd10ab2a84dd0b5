"""The table of vector functions: one row for each way to make a vector of all units of a vector of the same size.

A row holds what the function means and its Jacobian in one line; adjoint, tangent, paths and figures are derived from it.
Leaves out: how a target spells it (`functions.py` in the target's folder, one entry for each row that is not made of
others).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from symrnn.language.reductions import SCALAR, Reduced, Scalars, named_exponentials, shifted_exponentials
from symrnn.language.tree import Binary, Expression, Name, Reduce


@dataclass(frozen=True)
class VectorFunction:
    """One row of the table. Each is smooth.

    Attributes:
        name: as written in equations.
        meaning: ``(vector, scalars) -> vector``, from an array ``(…, units)`` to one of the same shape.
        latex: the operator.
        weights: a vector s, of the operand and the result; the Jacobian is diag(s) - s sᵀ.
        made_of: the same in reductions and functions, which a plan computes in its place.
    """

    name: str
    meaning: Callable[[Any, Scalars], Any]
    latex: str
    weights: Callable[[Reduced], Expression]
    made_of: Callable[[Reduced], Expression]

    def adjoint(self, incoming: Name, at: Reduced) -> Expression:
        """What the adjoint of the operand receives, where ``incoming`` is the adjoint of the result."""
        return self._through(incoming, at)

    def tangent(self, dot: Name, at: Reduced) -> Expression:
        """The tangent of the result, where ``dot`` is that of the operand."""
        return self._through(dot, at)

    def _through(self, vector: Name, at: Reduced) -> Expression:
        """The Jacobian, which is its own transpose, times ``vector``."""
        weights = self.weights(at)
        weighted = at.named("weighted", Binary("*", vector, weights), at.size)
        total = at.named("total", Reduce("sum", weighted), SCALAR)
        return Binary("*", weights, Binary("-", vector, total))


def _softmax(vector: Any, scalars: Scalars) -> Any:
    _, powers = shifted_exponentials(vector, scalars)
    return powers / powers.sum(axis=-1, keepdims=True)


def _softmax_parts(at: Reduced) -> Expression:
    _, powers, total = named_exponentials(at)
    return Binary("/", powers, total)


_ROWS = (
    VectorFunction("softmax", _softmax, r"\operatorname{softmax}", weights=lambda at: at.value, made_of=_softmax_parts),
)

VECTORS: dict[str, VectorFunction] = {row.name: row for row in _ROWS}
"""Every row by name."""
