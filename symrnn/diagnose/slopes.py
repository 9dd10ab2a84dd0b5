"""Slips in the derivative of a function: left out, half of it, of the wrong value, of another function.

Reads a step and the right side of one of its adjoint's equations; returns `Rewrite` records. A derivative is found by
its factors (``y`` and ``1 - y``), which are restored from SymPy as the adjoint's own were. Leaves out: functions of two
arguments, whose derivatives choose.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import sympy

from symrnn.derive.adjoint import root_derivative
from symrnn.diagnose.rules import Kind, Path, Rewrite, listed
from symrnn.diagnose.terms import Factor, factors, is_product, multiplied, subsets
from symrnn.language.functions import FUNCTIONS
from symrnn.language.symbolic import Restorer, atoms_of
from symrnn.language.system import Equation, System
from symrnn.language.text import to_text
from symrnn.language.tree import Call, Expression, Name, Number, children, names, transform, walk


@dataclass(frozen=True)
class Slope:
    """The derivative of the function at the root of an equation, and what a person may take for it.

    Attributes:
        function: its name.
        output: the value that the equation assigns.
        argument: what the function is given.
        factors: the derivative, by its factors.
        others: derivatives of other functions at the same place, by their names.
    """

    function: str
    output: str
    argument: Expression
    factors: tuple[Factor, ...]
    others: tuple[tuple[str, Expression], ...]


@cache
def slopes_of(system: System) -> tuple[Slope, ...]:
    """The derivatives of the one-argument functions of a step; constant ones excepted."""
    found = []
    nodes = (node for equation in system.equations for node in walk(equation.expression))
    used = {node.function for node in nodes if isinstance(node, Call)}
    for equation in system.equations:
        match equation.expression:
            case Call(function, (argument,)):
                tree = _derivative(equation, function)
                if not isinstance(tree, Number):
                    others = tuple(_others(equation, function, tree, used))
                    found.append(Slope(function, equation.target, argument, tuple(factors(tree)), others))
            case _:
                pass
    return tuple(found)


def slope_rewrites(node: Expression, slopes: Sequence[Slope]) -> Iterator[Rewrite]:
    """Every slip in every derivative that stands in ``node``."""
    yield from _search(node, (), slopes)


def _derivative(equation: Equation, function: str) -> Expression:
    """The derivative of ``function`` in place of the one at the root of ``equation``, in the saved output."""
    assert isinstance(equation.expression, Call)
    swapped = Equation(equation.label, equation.target, Call(function, equation.expression.arguments))
    restore = Restorer((*atoms_of(equation.expression), Name(equation.target)))
    return restore(sympy.sympify(root_derivative(swapped)))


def _others(
    equation: Equation, function: str, right: Expression, used: Collection[str]
) -> Iterator[tuple[str, Expression]]:
    """The derivatives of the other functions of the step, and of those whose derivative is written in their output."""
    for row in FUNCTIONS.values():
        if row.arity == 1 and row.name != function and (row.name in used or _is_plain(row.name)):
            tree = _derivative(equation, row.name)
            if tree != right:
                yield row.name, tree


@cache
def _is_plain(function: str) -> bool:
    row = FUNCTIONS[function]
    return row.public and row.smooth and not row.needs_argument


def _search(node: Expression, path: Path, slopes: Sequence[Slope], in_product: bool = False) -> Iterator[Rewrite]:
    if not in_product:
        parts = factors(node)
        for slope in slopes:
            places = _places(parts, slope.factors)
            if places:
                yield from _slips(parts, places, path, slope)
    inside = is_product(node)
    for place, child in enumerate(children(node)):
        yield from _search(child, (*path, place), slopes, inside and is_product(child))


def _places(parts: Sequence[Factor], wanted: Sequence[Factor]) -> tuple[int, ...]:
    """Where the factors ``wanted`` stand among ``parts``; nothing unless all are there."""
    places: list[int] = []
    for factor in wanted:
        free = [place for place, part in enumerate(parts) if part == factor and place not in places]
        if not free:
            return ()
        places.append(free[0])
    return tuple(places)


def _slips(parts: Sequence[Factor], places: Sequence[int], path: Path, slope: Slope) -> Iterator[Rewrite]:
    def without(*new: Factor) -> Expression:
        """The product with ``new`` in place of the derivative."""
        first = min(places)
        rest = [part for place, part in enumerate(parts) if place not in places and place > first]
        return multiplied([*parts[:first], *new, *rest])

    whole = multiplied(slope.factors)
    name, text = slope.function, to_text(whole)
    yield _rewrite(Kind.FACTOR, path, without(), name, "gone", f"the derivative of {name}, `{text}`, is missing")
    for gone in subsets(len(slope.factors)):
        kept = [factor for place, factor in enumerate(slope.factors) if place not in gone]
        lost = [slope.factors[place][1] for place in gone]
        left = listed([multiplied(kept)])
        detail = f"the derivative of {name} is `{text}`; {left} alone lacks {listed(lost)}"
        yield _rewrite(Kind.SLOPE, path, without(*kept), name, f"without {gone}", detail)
    if slope.output in names(whole):
        given = transform(whole, lambda node: slope.argument if node == Name(slope.output) else node)
        detail = (
            f"`{text}`, the derivative of {name}, is written in its output `{slope.output}`; "
            f"it was given what goes into {name}, `{to_text(slope.argument)}`"
        )
        yield _rewrite(Kind.ARGUMENT, path, without((False, given)), name, "argument", detail)
        again = Call(name, (Name(slope.output),))
        twice = transform(whole, lambda node: again if node == Name(slope.output) else node)
        detail = f"`{slope.output}` is the output of {name} already; {name} was applied to it once more"
        yield _rewrite(Kind.ARGUMENT, path, without((False, twice)), name, "twice", detail)
    for other, tree in slope.others:
        detail = f"`{to_text(tree)}` is the derivative of {other}; that of {name} is `{text}`"
        yield _rewrite(Kind.FUNCTION, path, without((False, tree)), name, other, detail)


def _rewrite(kind: Kind, path: Path, after: Expression, function: str, slip: str, detail: str) -> Rewrite:
    return Rewrite(kind, path, after, detail, ((kind, slip, function), (kind, slip)))
