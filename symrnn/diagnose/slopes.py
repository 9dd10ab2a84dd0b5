"""Slips in the derivative of a function: left out, half of it, of the wrong value, of another function, the function itself.

Reads a step and the right side of one of its adjoint's equations; returns `Rewrite` records. A derivative is found by
its factors (``y`` and ``1 - y``), which are restored from SymPy like those of the adjoint. Leaves out: functions of two
arguments, whose derivatives choose.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

import sympy

from symrnn.derive.adjoint import root_derivative
from symrnn.diagnose.rules import Path, Rewrite, SlipKind, listed
from symrnn.diagnose.terms import Factor, factors, is_product, multiplied, subsets
from symrnn.language.functions import FUNCTIONS
from symrnn.language.symbolic import Restorer, atoms_of
from symrnn.language.system import Equation, System
from symrnn.language.text import to_text
from symrnn.language.tree import (
    Binary,
    Call,
    Expression,
    Name,
    Negate,
    Number,
    children,
    integer,
    rebuild,
    transform,
    walk,
)

_HERE = "argument of the function"
"""Stands for the argument while the output is replaced. It has spaces, so it is never a cell's name."""


@dataclass(frozen=True)
class Slope:
    """The derivative of the function at the root of an equation, and what a person may write in its place.

    Attributes:
        function: its name.
        output: the value that the equation assigns.
        argument: the function's argument.
        factors: the derivative, by its factors, without its sign.
        minus: whether it has a minus in front.
        wrong: whole derivatives that may replace it, whatever they are multiplied by.
    """

    function: str
    output: str
    argument: Expression
    factors: tuple[Factor, ...]
    minus: bool
    wrong: tuple[Wrong, ...]

    @property
    def whole(self) -> Expression:
        """The derivative."""
        return self.signed(self.factors)

    def signed(self, parts: Iterable[Factor]) -> Expression:
        """``parts`` with the sign of the derivative."""
        return Negate(multiplied(parts)) if self.minus else multiplied(parts)


@dataclass(frozen=True)
class Wrong:
    """A replacement of a derivative.

    Attributes:
        kind: what went wrong.
        slip: identifies the same slip in other places.
        tree: the replacement.
        detail: a sentence about it.
        doubt: how much less likely it is than others of its kind.
    """

    kind: SlipKind
    slip: str
    tree: Expression
    detail: str
    doubt: int = 0


@cache
def slopes_of(system: System) -> tuple[Slope, ...]:
    """The derivatives of the one-argument functions of a step, except constant ones."""
    found = []
    nodes = (node for equation in system.equations for node in walk(equation.expression))
    used = {node.function for node in nodes if isinstance(node, Call)}
    for equation in system.equations:
        match equation.expression:
            case Call(function, (argument,)):
                tree = _derivative(equation, function)
                if not isinstance(tree, Number):
                    minus = isinstance(tree, Negate)
                    every = factors(tree.operand if isinstance(tree, Negate) else tree)
                    parts = tuple(part for part in every if part != (False, integer(1))) or tuple(every)
                    plain = Slope(function, equation.target, argument, parts, minus, ())
                    wrong = (*_of_wrong_values(plain), *_underived(plain), *_of_others(equation, plain, used))
                    found.append(replace(plain, wrong=wrong))
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


def _moved(node: Expression, slope: Slope, output: Expression, argument: Expression) -> Expression:
    """``node`` with ``output`` and ``argument`` in the place of those of the function."""

    def change(part: Expression) -> Expression:
        return output if part == Name(slope.output) else part

    kept = _swapped(node, slope.argument, Name(_HERE))
    return _swapped(transform(kept, change), Name(_HERE), argument)


def _swapped(node: Expression, old: Expression, new: Expression) -> Expression:
    """``node`` with each subtree ``old`` replaced by ``new``."""
    if node == old:
        return new
    parts = children(node)
    return rebuild(node, tuple(_swapped(part, old, new) for part in parts)) if parts else node


def _of_wrong_values(slope: Slope) -> Iterator[Wrong]:
    """The derivative evaluated at the argument instead of the output, or the reverse; or only half of it."""
    name, out, given = slope.function, Name(slope.output), slope.argument
    text, inside = to_text(slope.whole), to_text(given)
    moves = {
        "argument": (
            (given, given),
            f"`{text}`, the derivative of {name}, reads its output `{slope.output}`; "
            f"it got the argument of {name}, `{inside}`",
        ),
        "twice": (
            (Call(name, (out,)), out),
            f"`{slope.output}` is already the output of {name}; {name} was applied to it again",
        ),
        "output": (
            (out, out),
            f"`{text}`, the derivative of {name}, reads the argument of {name}; it got the output `{slope.output}`",
        ),
    }
    for slip, ((output, argument), detail) in moves.items():
        if slip == "twice" and out not in walk(slope.whole):
            continue  # the derivative reads the argument, and got the output
        yield Wrong(SlipKind.ARGUMENT, slip, _moved(slope.whole, slope, output, argument), detail)
        for some in subsets(len(slope.factors)):
            parts = [
                (inverse, _moved(factor, slope, output, argument) if place in some else factor)
                for place, (inverse, factor) in enumerate(slope.factors)
            ]
            half = listed([factor for place, (_, factor) in enumerate(slope.factors) if place in some])
            yield Wrong(SlipKind.ARGUMENT, f"{slip} {some}", slope.signed(parts), f"{detail}, in {half} alone", doubt=1)


def _underived(slope: Slope) -> Iterator[Wrong]:
    """The function itself, of the argument or of the output, in place of its derivative; or the derivative twice."""
    name, out, text = slope.function, Name(slope.output), to_text(slope.whole)
    belongs = f"stands where the derivative of {name}, `{text}`, belongs"
    again = Call(name, (out,))
    already = f"; `{slope.output}` is already the output of {name}"
    yield Wrong(SlipKind.UNDERIVED, "of the argument", out, f"`{slope.output}` itself {belongs}")
    yield Wrong(SlipKind.UNDERIVED, "of the output", again, f"`{to_text(again)}` {belongs}{already}")
    detail = f"`{to_text(slope.argument)}`, the argument of {name}, {belongs}"
    yield Wrong(SlipKind.UNDERIVED, "argument", slope.argument, detail, doubt=1)
    less = Binary("-", integer(1), again)
    yield Wrong(SlipKind.UNDERIVED, "one less of the output", less, f"`{to_text(less)}` {belongs}{already}", doubt=1)
    yield Wrong(
        SlipKind.TWICE,
        "derivative",
        multiplied([*slope.factors, *slope.factors]),
        f"it is multiplied by the derivative of {name}, `{text}`, twice",
    )


def _of_others(equation: Equation, slope: Slope, used: Collection[str]) -> Iterator[Wrong]:
    """The derivatives of other functions of the step, and of those whose derivative is written in their output."""
    out, given, text = Name(slope.output), slope.argument, to_text(slope.whole)
    for row in FUNCTIONS.values():
        if row.arity != 1 or row.name == slope.function or not (row.name in used or _is_plain(row.name)):
            continue
        other, right = row.name, f"that of {slope.function} is `{text}`"
        tree = _derivative(equation, other)
        if tree != slope.whole:
            yield Wrong(SlipKind.FUNCTION, other, tree, f"`{to_text(tree)}` is the derivative of {other}; {right}")
        for what, argument in (("argument", given), ("output", out)) if other in used else ():
            form = Call(other, (argument,))
            moved = _moved(tree, slope, form, argument)
            detail = f"`{to_text(moved)}` is the derivative of {other}; {right}"
            yield Wrong(SlipKind.FUNCTION, f"{other} of the {what}", moved, detail, doubt=1)
            detail = f"`{to_text(form)}` is {other} itself; the derivative of {slope.function} is `{text}`"
            yield Wrong(SlipKind.FUNCTION, f"{other} itself of the {what}", form, detail, doubt=2)


@cache
def _is_plain(function: str) -> bool:
    row = FUNCTIONS[function]
    return row.public and row.smooth and not row.needs_argument


def _search(
    node: Expression, path: Path, slopes: Sequence[Slope], in_product: bool = False, negated: bool = False
) -> Iterator[Rewrite]:
    if not in_product:
        sign = isinstance(node, Negate)
        parts = factors(node.operand if isinstance(node, Negate) else node)
        for slope in slopes:
            # The minus belongs to the derivative.
            places = _places(parts, slope.factors) if sign <= slope.minus and not (slope.minus and negated) else ()
            if places:
                yield from _slips(parts, places, path, slope, turned=slope.minus and not sign)
    inside = is_product(node)
    for place, child in enumerate(children(node)):
        yield from _search(child, (*path, place), slopes, inside and is_product(child), isinstance(node, Negate))


def _places(parts: Sequence[Factor], wanted: Sequence[Factor]) -> tuple[int, ...]:
    """The positions of the factors ``wanted`` in ``parts``; None unless all are there."""
    places: list[int] = []
    for factor in wanted:
        free = [place for place, part in enumerate(parts) if part == factor and place not in places]
        if not free:
            return ()
        places.append(free[0])
    return tuple(places)


def _slips(parts: Sequence[Factor], places: Sequence[int], path: Path, slope: Slope, turned: bool) -> Iterator[Rewrite]:
    """The slips in one place; ``turned`` if the derivative's minus is outside of it."""

    def without(*new: Factor) -> Expression:
        """The product with ``new`` in place of the derivative."""
        last = max(places)
        first = [part for place, part in enumerate(parts) if place not in places and place < last]
        return multiplied([*first, *new, *parts[last + 1 :]])

    def instead(tree: Expression) -> Expression:
        """The product with ``tree`` in place of the derivative and its sign."""
        if turned:
            tree = tree.operand if isinstance(tree, Negate) else Negate(tree)
        return without((False, tree))

    name, text = slope.function, to_text(slope.whole)
    yield _rewrite(SlipKind.FACTOR, path, without(), name, "gone", f"the derivative of {name}, `{text}`, is missing")
    for gone in subsets(len(slope.factors)):
        kept = [factor for place, factor in enumerate(slope.factors) if place not in gone]
        lost = [slope.factors[place][1] for place in gone]
        left = listed([multiplied(kept)])
        detail = f"the derivative of {name} is `{text}`; {left} alone lacks {listed(lost)}"
        yield _rewrite(SlipKind.SLOPE, path, without(*kept), name, f"without {gone}", detail)
    for wrong in slope.wrong:
        if wrong.tree != slope.whole:
            yield _rewrite(wrong.kind, path, instead(wrong.tree), name, wrong.slip, wrong.detail, wrong.doubt)
    yield from _of_gradients(without(), path, slope)


def _of_gradients(rest: Expression, path: Path, slope: Slope) -> Iterator[Rewrite]:
    """The function or its derivative, of the gradient in place of the value; ``rest`` is the other factor."""
    name, text = slope.function, to_text(rest)
    if isinstance(rest, Number):
        return
    tree = _moved(slope.whole, slope, rest, rest)
    detail = f"{name} is applied to the gradient `{text}`; its derivative, `{to_text(slope.whole)}`, belongs beside it"
    yield _rewrite(SlipKind.UNDERIVED, path, Call(name, (rest,)), name, "of the gradient", detail, doubt=1)
    detail = f"the derivative of {name} is taken at the gradient `{text}` in place of `{slope.output}`"
    yield _rewrite(SlipKind.ARGUMENT, path, tree, name, "gradient", detail, doubt=1)
    beside = multiplied([(False, rest), (False, tree)])
    yield _rewrite(SlipKind.ARGUMENT, path, beside, name, "gradient beside", detail, doubt=1)


def _rewrite(
    kind: SlipKind, path: Path, after: Expression, function: str, slip: str, detail: str, doubt: int = 0
) -> Rewrite:
    return Rewrite(kind, path, after, detail, ((kind, slip, function), (kind, slip)), doubt)
