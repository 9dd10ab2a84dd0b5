"""Elementwise expressions as C over vectors: ``f_sigmoid_f32(i_x + i_sum)``.

Reads trees over names of values; returns C text in one precision, and which primitives and functions of the table it
calls. Leaves out: linear forms (accumulators by then) and where values are loaded from (`symrnn.targets.c.stages`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction

from symrnn.errors import GenerateError
from symrnn.language.fold import Fold
from symrnn.language.text import ATOM, strength
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
    walk,
)
from symrnn.targets.c.functions import reduction
from symrnn.targets.c.polynomials import c_literal

REPEATED = 8
"""Whole powers up to this one are products; the others call ``pow`` lane by lane."""


class CPrinter(Fold[str], refuses=(MatVec, Reduce, Outer)):
    """Prints elementwise expressions in one precision; a linear form is refused, since only a stage can compute it.

    Args:
        precision: ``f32`` or ``f64``.
        names: the C identifier of every value.
        sizes: the C expression of every size name.
    """

    def __init__(self, precision: str, names: Mapping[str, str], sizes: Mapping[str, str]) -> None:
        self._p, self._names, self._sizes = precision, names, sizes
        self._real = "float" if precision == "f32" else "double"

    def _refusal(self, node: Expression) -> Exception:
        return GenerateError(f"C: {type(node).__name__} is not elementwise, so no statement can compute it")

    def _of_number(self, node: Number) -> str:
        return self._constant(node.value)

    def _of_constant(self, node: Constant) -> str:
        return self._constant(node.value)

    def _of_name(self, node: Name) -> str:
        return self._names[node.name]

    def _of_negate(self, node: Negate) -> str:
        return f"-{self._wrapped(node.operand, ATOM)}"

    def _of_binary(self, node: Binary) -> str:
        level = strength(node)
        return f"{self._wrapped(node.left, level)} {node.op} {self._wrapped(node.right, level + (node.op in '-/'))}"

    def _of_call(self, node: Call) -> str:
        return f"f_{node.function}_{self._p}({', '.join(self(argument) for argument in node.arguments)})"

    def _of_size(self, node: SizeOf) -> str:
        return f"K_{self._p}(({self._real}){self._sizes[node.size]})"

    def _of_power(self, node: Power) -> str:
        base, exponent = self(node.base), node.exponent
        whole = exponent.denominator == 1 and 1 <= abs(exponent) <= REPEATED
        if not whole:
            return f"v_pow_{self._p}({base}, {c_literal(float(exponent), self._p)})"
        product = f"power_{abs(exponent)}_{self._p}({base})"
        return product if exponent > 0 else f"({self._constant(Fraction(1))} / {product})"

    def reduction(self, node: Reduce, pointer: str, count: str) -> str:
        """``node`` over the ``count`` numbers at ``pointer``, in every lane."""
        spelt = reduction(node.kind)
        total = f"{spelt.function}_{self._p}({pointer}, {count})"
        return f"K_{self._p}({total} / ({self._real}){count})" if spelt.divides else f"K_{self._p}({total})"

    def _wrapped(self, node: Expression, least: int) -> str:
        return self(node) if strength(node) >= least else f"({self(node)})"

    def _constant(self, value: Fraction) -> str:
        return f"K_{self._p}({c_literal(float(value), self._p)})"


def primitives(nodes: Iterable[Expression]) -> tuple[str, ...]:
    """The vector primitives and functions of the table that ``nodes`` call."""
    found: dict[str, None] = {}
    for node in nodes:
        for part in walk(node):
            if isinstance(part, Call):
                found[part.function] = None
            elif isinstance(part, Power) and not (
                part.exponent.denominator == 1 and 1 <= abs(part.exponent) <= REPEATED
            ):
                found["v_pow"] = None
    return tuple(found)


def whole_powers(nodes: Iterable[Expression]) -> tuple[int, ...]:
    """The whole powers that ``nodes`` take by repeated products, ascending."""
    found = {
        int(abs(part.exponent))
        for node in nodes
        for part in walk(node)
        if isinstance(part, Power) and part.exponent.denominator == 1 and 1 <= abs(part.exponent) <= REPEATED
    }
    return tuple(sorted(found))
