"""The table of vector functions: one row for each way to make a vector of all units of a vector of the same size.

A row holds what the function means and its Jacobian in one line; adjoint, tangent, paths and figures are derived from it.
Leaves out: how a target spells it (`functions.py` in the target's folder, one entry for each row that is not made of
others).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from symrnn.language.reductions import Reduced, Scalars, named_exponentials, shifted_exponentials
from symrnn.language.tree import Binary, Expression, Name, VectorCall


@dataclass(frozen=True)
class VectorFunction:
    """One row of the table; each function is smooth, and has either `weights` or, if it is linear, `transposed`.

    Attributes:
        name: as written in equations.
        meaning: ``(vector, scalars) -> vector``, from an array ``(…, units)`` to one of the same shape.
        latex: the operator.
        weights: a vector s, of the operand and the result; the Jacobian is diag(s) - s sᵀ.
        transposed: of a linear function, the row whose matrix is the transpose of its own.
        matrix: of a linear function, the word for what makes its matrix of a matrix of ones.
        made_of: the same in reductions and functions, which a plan computes in its place. None: targets spell it.
        public: whether equations may use it; the others occur in derivatives alone.
    """

    name: str
    meaning: Callable[[Any, Scalars], Any]
    latex: str
    weights: Callable[[Reduced], Expression] | None = None
    transposed: str = ""
    matrix: str = ""
    made_of: Callable[[Reduced], Expression] | None = None
    public: bool = True

    def adjoint(self, incoming: Name, at: Reduced) -> Expression:
        """What the adjoint of the operand receives, where ``incoming`` is the adjoint of the result."""
        if self.weights is not None:
            return self._through(incoming, self.weights(at), at)
        # A name, for what a value receives is added up, and a vector function is a whole right side.
        return at.named("back", VectorCall(self.transposed, incoming), at.size)

    def tangent(self, dot: Name, at: Reduced) -> Expression:
        """The tangent of the result, where ``dot`` is that of the operand."""
        return self._through(dot, self.weights(at), at) if self.weights else VectorCall(self.name, dot)

    @staticmethod
    def _through(vector: Name, weights: Expression, at: Reduced) -> Expression:
        """The Jacobian of the weights, which is its own transpose, times ``vector``."""
        weighted = at.named("weighted", Binary("*", vector, weights), at.size)
        total = at.named("total", at.reduced("sum", weighted), at.left)
        return Binary("*", weights, Binary("-", vector, at.repeated(total)))


def _softmax(vector: Any, scalars: Scalars) -> Any:
    _, powers = shifted_exponentials(vector, scalars)
    return powers / powers.sum(axis=-1, keepdims=True)


def _softmax_parts(at: Reduced) -> Expression:
    _, powers, total = named_exponentials(at)
    return Binary("/", powers, at.repeated(total))


def _cumsum(vector: Any, scalars: Scalars) -> Any:
    return vector.cumsum(axis=-1)


def _revcumsum(vector: Any, scalars: Scalars) -> Any:
    return vector[..., ::-1].cumsum(axis=-1)[..., ::-1]


_ROWS = (
    VectorFunction("softmax", _softmax, r"\operatorname{softmax}", weights=lambda at: at.value, made_of=_softmax_parts),
    VectorFunction("cumsum", _cumsum, r"\operatorname{cumsum}", transposed="revcumsum", matrix="tril"),
    VectorFunction(
        "revcumsum", _revcumsum, r"\operatorname{revcumsum}", transposed="cumsum", matrix="triu", public=False
    ),
)

VECTORS: dict[str, VectorFunction] = {row.name: row for row in _ROWS}
"""Every row by name."""
