"""Which part of a step can be computed for all steps at once, and which sums a step can share with its products.

Reads a `Cell` and sizes; returns a `Hoisting`. Leaves out: its text (`benchmarks.scan`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import reduce

from benchmarks.matrix_products import Depends, dependences, depends
from symrnn.language.cell import Cell
from symrnn.language.tree import (
    PRIME,
    Binary,
    Expression,
    MatVec,
    Name,
    Negate,
    Reduce,
    children,
    rebuild,
    transform,
    walk,
)

Term = tuple[str, Expression]
"""A sign, ``+`` or ``-``, and its term."""

HOISTED = "_hoisted"
"""Beginning of the names of hoisted values; no name of a cell begins with an underscore."""


@dataclass
class Hoisting:
    """The statements before the loop and in it.

    Attributes:
        before: statements ahead of the loop, which depend on parameters and input alone.
        loop: statements of a step.
        sums: a hoisted value and a form whose sum shares an accumulator, by the accumulator's name.
    """

    before: list[tuple[str, Expression]] = field(default_factory=list)
    loop: list[tuple[str, Expression]] = field(default_factory=list)
    sums: dict[str, tuple[str, MatVec]] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """The hoisted values that are not variables of the cell."""
        return tuple(name for name, _ in self.before if name.startswith(HOISTED))


def hoist(cell: Cell, sizes: Mapping[str, int], *, shared_sums: bool) -> Hoisting:
    """Split the normalised step.

    Args:
        cell: any.
        sizes: a number for every size name.
        shared_sums: whether hoisted values are paired with products that they are added to.
    """
    return _Splitter(cell, sizes, shared_sums).split()


class _Splitter:
    """Splits the normalised step into what can be computed for all steps at once, and the rest."""

    def __init__(self, cell: Cell, sizes: Mapping[str, int], shared_sums: bool) -> None:
        self._cell, self._sizes, self._shared = cell, sizes, shared_sums
        self._known = dependences(cell)
        self._plan = Hoisting()

    def split(self) -> Hoisting:
        for equation in self._cell.normal.equations:
            if self._known[equation.target] is Depends.STATE or equation.target.endswith(PRIME):
                self._plan.loop.append((equation.target, self._lifted(equation.expression)))
            else:
                self._plan.before.append((equation.target, equation.expression))
        if self._shared:
            self._share()
        return self._plan

    def _lifted(self, node: Expression) -> Expression:
        """``node`` with the parts that depend on the input alone named and computed before the loop."""
        if isinstance(node, Name) or not children(node):
            return node
        kind = depends(node, self._known)
        if kind is Depends.INPUT:
            return self._hoist(node)
        if _is_sum(node):
            return self._lifted_sum(list(terms(node)))
        return rebuild(node, tuple(self._lifted(part) for part in children(node)))

    def _lifted_sum(self, parts: list[Term]) -> Expression:
        apart = [depends(term, self._known) is not Depends.STATE for _, term in parts]
        early = [term for term, is_early in zip(parts, apart, strict=True) if is_early]
        late = [(s, self._lifted(t)) for (s, t), is_early in zip(parts, apart, strict=True) if not is_early]
        if all(depends(term, self._known) is Depends.PARAMETERS for _, term in early):
            return joined([*late, *early])
        return joined([("+", self._hoist(joined(early))), *late])

    def _hoist(self, node: Expression) -> Name:
        if isinstance(node, Name):
            return node
        name = f"{HOISTED}_{sum(target.startswith(HOISTED) for target, _ in self._plan.before) + 1}"
        self._plan.before.append((name, node))
        self._known[name] = Depends.INPUT
        return Name(name)

    def _share(self) -> None:
        """Pair each hoisted value with a form that it is added to."""
        counts = Counter(n for _, e in self._plan.loop for n in walk(e) if isinstance(n, MatVec))
        widths = {
            target: width(e, self._cell, self._sizes) for target, e in self._plan.before if target.startswith(HOISTED)
        }
        for index, (target, expression) in enumerate(self._plan.loop):
            for node in [n for n in walk(expression) if _is_sum(n)]:
                parts = list(terms(node))
                hoisted = next((t for s, t in parts if s == "+" and isinstance(t, Name) and t.name in widths), None)
                form = next((t for s, t in parts if s == "+" and isinstance(t, MatVec) and counts[t] == 1), None)
                if hoisted is None or form is None or widths[hoisted.name] != width(form, self._cell, self._sizes):
                    continue
                name = f"_sum_{len(self._plan.sums) + 1}"
                self._plan.sums[name] = (hoisted.name, form)
                rest = [("+", Name(name)), *((s, t) for s, t in parts if t not in (hoisted, form))]
                expression = _replaced(expression, node, joined(rest))
                counts[form] = 0
            self._plan.loop[index] = (target, expression)


def width(node: Expression, cell: Cell, sizes: Mapping[str, int]) -> int:
    """Units of a value of the normalised step; 1 for one that broadcasts."""
    match node:
        case MatVec(matrix, transposed, _):
            return sizes[cell.normal.by_name[matrix].shape[1 if transposed else 0]]
        case Reduce():
            return 1
        case Name(name):
            return sizes[cell.normal.size(name)]
        case _:
            return max((width(part, cell, sizes) for part in children(node)), default=1)


def _is_sum(node: Expression) -> bool:
    return isinstance(node, Binary) and node.op in "+-"


def terms(node: Expression, sign: str = "+") -> Iterator[Term]:
    """The terms of a sum, with their signs."""
    flipped = {"+": "-", "-": "+"}
    match node:
        case Binary("+", left, right):
            yield from terms(left, sign)
            yield from terms(right, sign)
        case Binary("-", left, right):
            yield from terms(left, sign)
            yield from terms(right, flipped[sign])
        case Negate(operand):
            yield from terms(operand, flipped[sign])
        case _:
            yield sign, node


def joined(terms: list[Term]) -> Expression:
    """The sum of terms, one with a plus first where there is one."""
    ordered = sorted(terms, key=lambda term: term[0] == "-")
    (sign, first), *others = ordered
    start = first if sign == "+" else Negate(first)
    return reduce(lambda total, term: Binary(term[0], total, term[1]), others, start)


def _replaced(node: Expression, old: Expression, new: Expression) -> Expression:
    return transform(node, lambda part: new if part == old else part)
