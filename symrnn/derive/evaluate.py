"""Expressions and equations on arrays: in floating point, or over any scalars that an `Arithmetic` brings.

Reads trees and values by name; returns values. One walk serves NumPy arrays of floats, SymPy expressions and numbers
of many digits alike, since arrays of objects add and multiply like any other. A vector's units are its last axis: axes
before it, of rows or of steps, are carried along. Leaves out: the order of steps, and speed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np

from symrnn.derive.numeric import array_functions
from symrnn.errors import DerivationError
from symrnn.language.system import ONE, Equation, Variable
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

Array = np.ndarray[Any, np.dtype[Any]]
Values = Mapping[str, Array]


@dataclass(frozen=True)
class Arithmetic:
    """What scalars are.

    Attributes:
        functions: the function table on arrays of such scalars.
        number: an exact number as such a scalar.
    """

    functions: Mapping[str, Callable[..., Array]]
    number: Callable[[Fraction], Any]


@cache
def floats() -> Arithmetic:
    """Floating point, real or complex."""
    return Arithmetic(array_functions(), float)


def evaluate(node: Expression, values: Values, sizes: Mapping[str, int], arithmetic: Arithmetic) -> Array:
    """The value of ``node``: ``(…, size)``, ``(…, 1)`` where it broadcasts, or a matrix.

    Args:
        node: any expression; an outer product is of two vectors without further axes.
        values: vectors ``(…, size)`` and matrices ``(rows, columns)`` by name.
        sizes: the number behind each size name.
        arithmetic: the scalars that the values are made of.
    """

    def value(part: Expression) -> Array:
        return evaluate(part, values, sizes, arithmetic)

    match node:
        case Number(exact, _) | Constant(_, exact, _):
            return np.array([arithmetic.number(exact)])
        case SizeOf(size):
            return np.array([arithmetic.number(Fraction(sizes[size]))])
        case Name(name):
            return values[name]
        case Negate(operand):
            return -value(operand)
        case Binary(op, left, right):
            return _OPERATORS[op](value(left), value(right))
        case Power(base, exponent):
            return value(base) ** (int(exponent) if exponent.denominator == 1 else arithmetic.number(exponent))
        case Call(function, arguments):
            return arithmetic.functions[function](*(value(argument) for argument in arguments))
        case MatVec(matrix, transposed, operand):
            return value(operand) @ (values[matrix] if transposed else values[matrix].T)
        case Reduce(kind, operand):
            vector = value(operand)
            total: Array = vector.sum(axis=-1, keepdims=True)
            mean: Array = total / arithmetic.number(Fraction(vector.shape[-1]))
            return mean if kind == "mean" else total
        case Outer(left, right):
            return np.outer(values[left.name], values[right.name])


_OPERATORS: Mapping[str, Callable[[Array, Array], Array]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
}


def run(
    equations: Iterable[Equation],
    variables: Mapping[str, Variable],
    given: Values,
    sizes: Mapping[str, int],
    arithmetic: Arithmetic,
) -> dict[str, Array]:
    """``given`` and the target of every equation, in order; a right side of size 1 broadcasts to its target."""
    values = dict(given)
    for equation in equations:
        value = evaluate(equation.expression, values, sizes, arithmetic)
        shape = tuple(sizes[size] for size in variables[equation.target].shape)
        values[equation.target] = np.broadcast_to(value, np.broadcast_shapes(value.shape, shape))
    return values


def sizes_of(variables: Iterable[Variable], values: Values) -> dict[str, int]:
    """The number behind each size name, from the shapes of the values that are there.

    Raises:
        DerivationError: an array has the wrong number of axes, or two disagree about a size.
    """
    sizes = {ONE: 1}
    for variable in variables:
        if variable.name not in values:
            continue
        shape = np.shape(values[variable.name])
        expected = [sizes.get(size, size) for size in variable.shape]
        pairs = list(zip(shape, expected, strict=False))
        if len(shape) != len(expected) or any(isinstance(known, int) and found != known for found, known in pairs):
            raise DerivationError(
                f"{variable.name!r} has shape {shape} where the cell has ({', '.join(map(str, expected))}); "
                "give vectors as (size,) and matrices as (rows, columns), one row of the batch at a time"
            )
        sizes |= dict(zip(variable.shape, shape, strict=True))
    return sizes
