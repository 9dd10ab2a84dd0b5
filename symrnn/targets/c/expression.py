"""Elementwise expressions as C over vectors: ``f_sigmoid(i_x + i_sum)``.

Reads trees over names of values; returns C text, which the runtime's macros give a precision. Leaves out: linear forms (accumulators by then) and where values are loaded from (`symrnn.targets.c.stages`).
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from symrnn.errors import GenerateError
from symrnn.language.text import ATOM, strength
from symrnn.language.tree import (
    Binary,
    Call,
    Constant,
    Expression,
    Name,
    Negate,
    Number,
    Power,
    Reduce,
    SizeOf,
)
from symrnn.targets.c.functions import spelling

REPEATED = 8
"""Whole powers up to this one are products; the others call ``pow`` lane by lane."""


class CPrinter:
    """Prints expressions, the same text for either precision.

    Args:
        names: the C expression of every value.
        sizes: the C expression of every size name.
    """

    def __init__(self, names: Mapping[str, str], sizes: Mapping[str, str]) -> None:
        self._names, self._sizes = names, sizes

    def __call__(self, node: Expression) -> str:
        """The C text of ``node``.

        Raises:
            GenerateError: ``node`` contains a linear form, which only a stage can compute.
        """
        match node:
            case Number(value, _) | Constant(_, value, _):
                return _constant(value)
            case Name(name):
                return self._names[name]
            case Negate(operand):
                return f"-{self._wrapped(operand, ATOM)}"
            case Binary(op, left, right):
                level = strength(node)
                return f"{self._wrapped(left, level)} {op} {self._wrapped(right, level + (op in '-/'))}"
            case Power(base, exponent):
                return self._power(base, exponent)
            case Call(function, arguments):
                return f"{spelling(function)}({', '.join(self(argument) for argument in arguments)})"
            case SizeOf(size):
                return f"K({self._sizes[size]})"
            case _:
                raise GenerateError(f"C: {type(node).__name__} is not elementwise, so no statement can compute it")

    def reduction(self, node: Reduce, pointer: str, count: str) -> str:
        """``node`` over the ``count`` numbers at ``pointer``, in every lane."""
        total = f"sum_of({pointer}, {count})"
        return f"K({total})" if node.kind == "sum" else f"K({total} / (real){count})"

    def _wrapped(self, node: Expression, least: int) -> str:
        return self(node) if strength(node) >= least else f"({self(node)})"

    def _power(self, base: Expression, exponent: Fraction) -> str:
        if exponent.denominator != 1 or not 1 <= abs(exponent) <= REPEATED:
            return f"v_pow({self(base)}, (real){float(exponent)!r})"
        product = f"power_{abs(exponent)}({self(base)})"
        return product if exponent > 0 else f"({_constant(Fraction(1))} / {product})"


def _constant(value: Fraction) -> str:
    """A number in every lane; whole ones without a fraction."""
    return f"K({value})" if value.denominator == 1 and abs(value) < 2**24 else f"K({float(value)!r})"
