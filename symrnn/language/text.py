"""Expressions as one line of plain text, in the notation of cell files.

Reads trees; returns text that the parser would read back to an equal tree (derived nodes excepted).
"""

from __future__ import annotations

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
        case MatVec() | Outer():
            return FORM
        case Power():
            return POWER
        case _:
            return ATOM


def to_text(node: Expression) -> str:
    """``node`` as it would stand in a cell file."""
    match node:
        case Number(_, text):
            return text
        case Constant(name, _, _) | Name(name):
            return name
        case Negate(operand):
            return "-" + _wrapped(operand, UNARY)
        case Binary(op, left, right):
            level = strength(node)
            # `a - (b + c)` and `a * (b / c)` need their parentheses: the right side binds one step tighter.
            return f"{_wrapped(left, level)} {op} {_wrapped(right, level + 1)}"
        case Power(base, exponent, written):
            bare = str(exponent) if exponent.denominator == 1 and exponent >= 0 else f"({exponent})"
            power = bare if written is None else _wrapped(written, ATOM)
            return f"{_wrapped(base, ATOM)}**{power}"
        case Call(function, arguments):
            return f"{function}({', '.join(to_text(argument) for argument in arguments)})"
        case MatVec(matrix, transposed, operand):
            return f"{matrix}{'.T' if transposed else ''} @ {_wrapped(operand, FORM)}"
        case Reduce(kind, operand):
            return f"{kind}({to_text(operand)})"
        case Outer(left, right):
            return f"{left.name} @ {right.name}.T"
        case SizeOf(size):
            return f"size({size})"


def _wrapped(node: Expression, least: int) -> str:
    """``node``, in parentheses where it binds more loosely than ``least``."""
    return to_text(node) if strength(node) >= least else f"({to_text(node)})"
