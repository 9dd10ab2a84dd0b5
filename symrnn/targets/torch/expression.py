"""Elementwise expressions in operations of PyTorch.

Reads trees over names of values; returns Python text, and the helpers that they call. Leaves out: linear forms
(`symrnn.targets.torch.forms`).
"""

from __future__ import annotations

from collections.abc import Iterable

from symrnn.emit.inline import picked
from symrnn.emit.python_expression import PythonPrinter
from symrnn.language.tree import Broadcast, Call, Expression, Reduce, VectorCall, walk
from symrnn.targets.torch.functions import HELPERS, OVER, REPEAT, reduction, spelling, vector_function


class TorchPrinter(PythonPrinter):
    """Prints expressions over tensors."""

    library = "PyTorch"
    square = "torch.square"

    def of_call(self, function: str, arguments: list[str], constant: bool) -> str:
        """A call of tensors. ``x`` gives a constant its dtype and device."""
        given = [f"x.new_tensor({argument})" if constant else argument for argument in arguments]
        return f"{spelling(function)}({', '.join(given)})"

    def of_reduction(self, kind: str, operand: str) -> str:
        """A method."""
        return f"{operand}.{reduction(kind)}(-1, keepdim=True)"

    def of_axes(self, kind: str, operand: str, axes: list[str]) -> str:
        """A helper."""
        return f"{OVER}(torch.{reduction(kind)}, {operand}, {', '.join(axes)})"

    def of_broadcast(self, operand: str, axes: list[str]) -> str:
        """A helper."""
        return f"{REPEAT}({operand}, {', '.join(axes)})"

    def of_vector(self, kind: str, operand: str) -> str:
        """A function of all units."""
        return f"{vector_function(kind)}({operand}, -1)"


def helpers(nodes: Iterable[Expression]) -> tuple[str, ...]:
    """The sources of the helpers that ``nodes`` call, with those that these call, in the order of the function table."""
    parts = [part for node in nodes for part in walk(node)]
    callees = {spelling(part.function) for part in parts if isinstance(part, Call)}
    callees |= {vector_function(part.kind) for part in parts if isinstance(part, VectorCall)}
    callees |= {REPEAT for part in parts if isinstance(part, Broadcast)}
    callees |= {OVER for part in parts if isinstance(part, Reduce) and part.of}
    return picked(HELPERS, {callee for callee in callees if "." not in callee})
