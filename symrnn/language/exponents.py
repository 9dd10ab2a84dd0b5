"""Exponents that are known when a cell is loaded: arithmetic on numbers and constants, done exactly.

Reads a syntax tree; returns its value and its tree. Leaves out: exponents that a step computes (`symrnn.language.parser`).
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from fractions import Fraction

from symrnn.language.matrices import OPERATORS
from symrnn.language.tree import Binary, Constant, Expression, Negate, Number

Constants = Mapping[str, tuple[Fraction, str]]
"""The value and text of each scalar hyper-parameter."""

_ARITHMETIC: dict[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def is_fixed(node: ast.expr, constants: Constants) -> bool:
    """Whether an exponent is made of numbers and constants."""
    match node:
        case ast.Name(id=name):
            return name in constants
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=inner):
            return is_fixed(inner, constants)
        case ast.BinOp(op=op, left=left, right=right) if isinstance(op, ast.Pow) or type(op) in _ARITHMETIC:
            return is_fixed(left, constants) and is_fixed(right, constants)
        case _:
            return isinstance(node, ast.Constant)


def exponent(
    node: ast.expr,
    constants: Constants,
    number: Callable[[ast.Constant], Number],
    error: Callable[[ast.expr, str], Exception],
) -> tuple[Fraction, Expression]:
    """The value of an exponent that `is_fixed`, and its tree.

    Args:
        node: its syntax tree.
        constants: of the cell.
        number: reads a literal.
        error: an error at a node.
    """

    def read(part: ast.expr) -> tuple[Fraction, Expression]:
        return exponent(part, constants, number, error)

    match node:
        case ast.Constant():
            literal = number(node)
            return literal.value, literal
        case ast.Name(id=name):
            value, text = constants[name]
            return value, Constant(name, value, text)
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            value, written = read(inner)
            return -value, Negate(written)
        case ast.UnaryOp(operand=inner):
            return read(inner)
        case ast.BinOp(op=ast.Pow()):
            raise error(node, "an exponent holds no power of numbers; write its value")
        case ast.BinOp(op=op, left=first, right=second):
            (value, left), (other, right) = read(first), read(second)
            if isinstance(op, ast.Div) and not other:
                raise error(node, "the exponent divides by zero")
            return _ARITHMETIC[type(op)](value, other), Binary(OPERATORS[type(op)], left, right)
        case _:
            raise AssertionError(f"{type(node).__name__} is no part of a fixed exponent")
