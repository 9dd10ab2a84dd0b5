"""Elementwise expressions as C over vectors: ``f_sigmoid(i_x[v] + i_sum[v])``.

Reads trees over names of values; returns C text, which the macros of the runtime give a precision. Leaves out: linear forms
(accumulators by then) and where values are loaded from (`symrnn.targets.c.stages`).
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from types import MappingProxyType

from symrnn.errors import GenerateError
from symrnn.language.fold import Fold
from symrnn.language.text import ATOM, strength
from symrnn.language.tree import (
    MATRICES,
    Binary,
    Broadcast,
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
    VectorCall,
)
from symrnn.targets.c.along import line_key
from symrnn.targets.c.functions import reduction, spelling, vector_function

REPEATED = 8
"""Whole powers up to this one are products; the others call ``pow`` lane by lane."""


class CPrinter(Fold[str], refuses=(MatVec, Reduce, VectorCall, Outer, *MATRICES)):
    """Prints elementwise expressions; a linear form is refused, since only a stage can compute it.

    Args:
        names: the C expression of every value.
        sizes: the C expression of every size name.
        lines: in a stage along axes, the C expression of every value that is repeated.
    """

    def __init__(
        self, names: Mapping[str, str], sizes: Mapping[str, str], lines: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self._names, self._sizes, self._lines = names, sizes, lines

    def _refusal(self, node: Expression) -> Exception:
        return GenerateError(f"C: {type(node).__name__} is not elementwise, so no statement can compute it")

    def _of_number(self, node: Number) -> str:
        return _constant(node.value)

    def _of_constant(self, node: Constant) -> str:
        return _constant(node.value)

    def _of_name(self, node: Name) -> str:
        return self._names[node.name]

    def _of_negate(self, node: Negate) -> str:
        return f"-{self._wrapped(node.operand, ATOM)}"

    def _of_binary(self, node: Binary) -> str:
        level = strength(node)
        return f"{self._wrapped(node.left, level)} {node.op} {self._wrapped(node.right, level + 1)}"

    def _of_call(self, node: Call) -> str:
        return f"{spelling(node.function)}({', '.join(self(argument) for argument in node.arguments)})"

    def _of_size(self, node: SizeOf) -> str:
        return f"K({self._sizes[node.size]})"

    def _of_broadcast(self, node: Broadcast) -> str:
        assert isinstance(node.operand, Name)
        return self._lines[line_key(node.operand.name, node.of)]

    def _of_power(self, node: Power) -> str:
        base, exponent = self(node.base), node.exponent
        whole = exponent.denominator == 1 and 1 <= abs(exponent) <= REPEATED
        if not whole:
            return f"v_pow({base}, (real){float(exponent)!r})"
        product = f"power_{abs(exponent)}({base})"
        return product if exponent > 0 else f"({_constant(Fraction(1))} / {product})"

    def reduction(self, node: Reduce, pointer: str, count: str) -> str:
        """``node`` over the ``count`` numbers at ``pointer``, in every lane."""
        spelt = reduction(node.kind)
        total = f"{spelt.function}({pointer}, {count})"
        return f"K({total} / (real){count})" if spelt.divides else f"K({total})"

    def vector(self, node: VectorCall, pointer: str) -> str:
        """The units at hand of ``node`` over the units at ``pointer``."""
        return f"ACROSS({vector_function(node.kind)}, {pointer})"

    def _wrapped(self, node: Expression, least: int) -> str:
        return self(node) if strength(node) >= least else f"({self(node)})"


def _constant(value: Fraction) -> str:
    """A number in every lane; whole ones without a fraction."""
    return f"K({value})" if value.denominator == 1 and abs(value) < 2**24 else f"K({float(value)!r})"
