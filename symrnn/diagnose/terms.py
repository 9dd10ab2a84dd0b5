"""Sums and products as lists: takes an expression apart into signed terms or factors, and joins them again.

Reads trees; returns lists, or trees in the order of the lists. Leaves out: algebra; nothing is multiplied out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

from symrnn.language.tree import Binary, Expression, Negate, integer

Term = tuple[bool, Expression]
"""Whether it is subtracted, and the term without its sign."""

Factor = tuple[bool, Expression]
"""Whether it is divided by, and the factor."""


def is_sum(node: Expression) -> bool:
    """Whether ``node`` adds or subtracts."""
    return isinstance(node, Binary) and node.op in "+-"


def is_product(node: Expression) -> bool:
    """Whether ``node`` multiplies or divides."""
    return isinstance(node, Binary) and node.op in "*/"


def terms(node: Expression, minus: bool = False) -> list[Term]:
    """The terms of a sum, in order; anything else is one term."""
    match node:
        case Binary("+" | "-" as op, left, right):
            return terms(left, minus) + terms(right, minus != (op == "-"))
        case Negate(operand):
            return terms(operand, not minus)
        case _:
            return [(minus, node)]


def added(parts: Sequence[Term]) -> Expression:
    """The sum of ``parts``; zero where there are none."""
    if not parts:
        return integer(0)
    (minus, first), *rest = parts
    total: Expression = Negate(first) if minus else first
    for minus, term in rest:
        total = Binary("-" if minus else "+", total, term)
    return total


def factors(node: Expression, inverse: bool = False) -> list[Factor]:
    """The factors of a product, in order; anything else is one factor."""
    match node:
        case Binary("*" | "/" as op, left, right):
            return factors(left, inverse) + factors(right, inverse != (op == "/"))
        case _:
            return [(inverse, node)]


def multiplied(parts: Iterable[Factor]) -> Expression:
    """The product of ``parts``; one where there are none."""
    above: Expression | None = None
    below: list[Expression] = []
    for inverse, factor in parts:
        if inverse:
            below.append(factor)
        else:
            above = factor if above is None else Binary("*", above, factor)
    result = integer(1) if above is None else above
    for factor in below:
        result = Binary("/", result, factor)
    return result


def subsets(count: int, most: int = 5) -> Iterator[tuple[int, ...]]:
    """What may be left out of ``count`` things, few first: all proper subsets; of more than ``most``, one or all but one."""
    sizes = range(1, count) if count <= most else sorted({1, count - 1})
    for size in sizes:
        yield from combinations(range(count), size)
