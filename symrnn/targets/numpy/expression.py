"""Elementwise expressions as NumPy.

Reads trees over names of values; returns Python text, and the helpers that they call. Leaves out:
linear forms (matrix products of panels by then) and where values are stored (`symrnn.targets.numpy.module`).
"""

from __future__ import annotations

from collections.abc import Iterable

from symrnn.emit.inline import picked
from symrnn.emit.python_expression import PythonPrinter
from symrnn.language.tree import Broadcast, Call, Expression, Reduce, VectorCall, walk
from symrnn.targets.numpy.functions import HELPERS, OVER, REPEAT, reduction, spelling, vector_function


class NumpyPrinter(PythonPrinter):
    """Prints expressions over arrays of NumPy."""

    library = "NumPy"
    square = "np.square"

    def of_call(self, function: str, arguments: list[str], constant: bool) -> str:
        """A ufunc or a helper. Helpers take arrays; as a plain number again, a constant widens no array."""
        callee = spelling(function)
        if constant:
            return f"{callee}({', '.join(f'np.full(1, {argument}, float)' for argument in arguments)}).item()"
        return f"{callee}({', '.join(arguments)})"

    def of_reduction(self, kind: str, operand: str) -> str:
        """A function of the whole array."""
        return f"{reduction(kind).whole}({operand}, axis=-1, keepdims=True)"

    def of_axes(self, kind: str, operand: str, axes: list[str]) -> str:
        """A helper."""
        return f"{OVER}({reduction(kind).whole}, {operand}, {', '.join(axes)})"

    def of_broadcast(self, operand: str, axes: list[str]) -> str:
        """A helper."""
        return f"{REPEAT}({operand}, {', '.join(axes)})"

    def of_vector(self, kind: str, operand: str) -> str:
        """A function of all units."""
        return f"{vector_function(kind)}({operand}, axis=-1)"


def helpers(nodes: Iterable[Expression]) -> tuple[str, ...]:
    """The sources of the helpers that ``nodes`` call, with those that these call, in the order of the function table."""
    parts = [part for node in nodes for part in walk(node)]
    callees = {spelling(part.function) for part in parts if isinstance(part, Call)}
    callees |= {vector_function(part.kind) for part in parts if isinstance(part, VectorCall)}
    callees |= {callee for part in parts if isinstance(part, Reduce) for callee in reduction(part.kind).callees}
    callees |= {REPEAT for part in parts if isinstance(part, Broadcast)}
    callees |= {OVER for part in parts if isinstance(part, Reduce) and part.of}
    return picked(HELPERS, {callee for callee in callees if "." not in callee})
