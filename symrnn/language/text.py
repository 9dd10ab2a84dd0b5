"""Expressions as one line of plain text, in the notation of cell files.

Reads trees; returns text that the parser would read back to an equal tree (derived nodes excepted).
"""

from __future__ import annotations

from symrnn.language.fold import Fold
from symrnn.language.functions import operator_of
from symrnn.language.tree import (
    Applied,
    Binary,
    Broadcast,
    Call,
    Constant,
    Expression,
    Eye,
    MatVec,
    Name,
    Negate,
    Number,
    Outer,
    Power,
    Reduce,
    SizeOf,
    Transpose,
    VectorCall,
)

SUM, PRODUCT, UNARY, FORM, POWER, ATOM = range(6)
"""Binding strengths, weakest first; ``A @ v`` binds tighter than ``*`` and unary minus, looser than ``**``."""


def strength(node: Expression) -> int:
    """How tightly the outermost operator of ``node`` binds."""
    match node:
        case Binary("+" | "-"):
            return SUM
        case Binary():
            return PRODUCT
        case Number(value, _) if value < 0:
            return UNARY
        case Negate():
            return UNARY
        case MatVec() | Outer() | Applied():
            return FORM
        case Power():
            return POWER
        case Broadcast(operand):
            return strength(operand)
        case _:
            return ATOM


class _Text(Fold[str]):
    """The printer of cell files."""

    def _of_number(self, node: Number) -> str:
        return node.text

    def _of_constant(self, node: Constant) -> str:
        return node.name

    def _of_name(self, node: Name) -> str:
        return node.name

    def _of_negate(self, node: Negate) -> str:
        return "-" + self._wrapped(node.operand, UNARY)

    def _of_binary(self, node: Binary) -> str:
        level = strength(node)
        # `a - (b + c)` and `a * (b / c)` need their parentheses: the right side binds one step tighter.
        return f"{self._wrapped(node.left, level)} {node.op} {self._wrapped(node.right, level + 1)}"

    def _of_power(self, node: Power) -> str:
        exponent = node.exponent
        bare = str(exponent) if exponent.denominator == 1 and exponent >= 0 else f"({exponent})"
        power = bare if node.written is None else self._wrapped(node.written, ATOM)
        return f"{self._wrapped(node.base, ATOM)}**{power}"

    def _of_call(self, node: Call) -> str:
        operator = operator_of(node.function)
        if operator == "**":
            return "**".join(self._wrapped(argument, ATOM) for argument in node.arguments)
        if operator:
            return f" {operator} ".join(self._wrapped(argument, SUM) for argument in node.arguments)
        return f"{node.written or node.function}({', '.join(self(argument) for argument in node.shown)})"

    def _of_form(self, node: MatVec) -> str:
        return f"{node.matrix}{'.T' if node.transposed else ''} @ {self._wrapped(node.operand, FORM)}"

    def _of_reduction(self, node: Reduce) -> str:
        return f"{node.kind}({self(node.operand)}{f', {node.axis}' if node.axis else ''})"

    def _of_vector(self, node: VectorCall) -> str:
        return f"{node.kind}({self(node.operand)}{f', {node.axis}' if node.axis else ''})"

    def _of_broadcast(self, node: Broadcast) -> str:
        return self(node.operand)

    def _of_outer(self, node: Outer) -> str:
        return f"{node.left.name} @ {node.right.name}.T"

    def _of_size(self, node: SizeOf) -> str:
        return f"size({node.size})"

    def _of_transpose(self, node: Transpose) -> str:
        return f"{self._wrapped(node.operand, ATOM)}.T"

    def _of_eye(self, node: Eye) -> str:
        return "eye"

    def _of_applied(self, node: Applied) -> str:
        return f"{self._wrapped(node.left, ATOM)} @ {self._wrapped(node.right, FORM)}"

    def _wrapped(self, node: Expression, least: int) -> str:
        """``node``, in parentheses where it binds more loosely than ``least``."""
        infix = operator_of(node.function) if isinstance(node, Call) else ""
        loose = strength(node) < least or (least > POWER if infix == "**" else bool(infix))
        return f"({self(node)})" if loose else self(node)


to_text = _Text()
"""An expression as it would stand in a cell file."""
