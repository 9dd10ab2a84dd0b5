"""The slips that a person makes in an equation, as rewrites of the tree on its right side.

Reads one right side and what can be confused (`Alternatives`); returns `Rewrite` records, each at one place of the
tree. They know arithmetic, linear forms and reductions, never a cell. Leaves out: slips in the derivative of a function
(`symrnn.diagnose.slopes`), and the same slip made in several places (`symrnn.diagnose.mistakes`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from symrnn.diagnose.terms import added, factors, is_product, is_sum, multiplied, subsets, terms
from symrnn.language.reductions import REDUCTIONS
from symrnn.language.text import to_text
from symrnn.language.tree import (
    Binary,
    Call,
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
    children,
    integer,
    rebuild,
    transform,
)
from symrnn.language.vectors import VECTORS

Path = tuple[int, ...]
"""The path to a subtree: the number of the child at each level, from the root of a right side."""


class SlipKind(StrEnum):
    """Kinds of slips, in the words of reports; the likeliest first."""

    TERM = "a term is left out"
    SIGN = "a sign is wrong"
    FACTOR = "a factor is left out"
    SLOPE = "a derivative is incomplete"
    ROWS = "the rows of the batch are not added up"
    TRANSPOSE = "a transpose is missing"
    TIME = "a value is taken at the wrong time"
    OVERWRITTEN = "gradients are overwritten and not added"
    CARRY = "the steps are not chained as they should be"
    ORDER = "gradients have changed places"
    ARGUMENT = "a derivative is taken of the wrong value"
    UNDERIVED = "a function stands where its derivative belongs"
    FUNCTION = "the derivative is that of another function"
    POWER = "a power is wrong"
    VALUE = "one value stands where another belongs"
    MATRIX = "one matrix stands where another belongs"
    FORM = "a matrix is left out"
    REDUCTION = "a sum over the units is wrong"
    TWICE = "something is counted twice"
    CLIPPED = "gradients are clipped"
    INVERSE = "a factor is on the wrong side of a fraction"
    EXTRA = "something does not belong in it"
    SHAPE = "a gradient has the wrong shape"
    NUMBER = "a number is wrong"


RANK: Mapping[SlipKind, int] = {kind: rank for rank, kind in enumerate(SlipKind)}
"""The order of kinds, the likeliest first."""


@dataclass(frozen=True)
class Rewrite:
    """One subtree replaced.

    Attributes:
        kind: what went wrong.
        path: where the subtree stands.
        after: the subtree that replaces it.
        detail: part of a sentence about it.
        keys: identify the same slip in different places, in several ways.
        doubt: how much less likely it is than others of its kind.
    """

    kind: SlipKind
    path: Path
    after: Expression
    detail: str
    keys: tuple[tuple[str, ...], ...]
    doubt: int = 0


@dataclass(frozen=True)
class Alternatives:
    """What can be confused in one equation.

    Attributes:
        alike: for a name, the other names of its shape.
        moments: the same value at another time, by name.
        matrices: for a matrix, the other matrices of its shape or, if the second is true, of its transpose's.
        square: whether a matrix has as many rows as columns.
        wrongly: by name, values that were computed again and wrongly, each with what is wrong.
        is_parameter: whether a name is a parameter.
        extra: values that a person may have multiplied a whole term by, or added to it.
    """

    alike: Callable[[str], Sequence[str]]
    moments: Callable[[str], Sequence[str]]
    matrices: Callable[[str], Sequence[str]]
    square: Callable[[str], bool]
    wrongly: Callable[[str], Sequence[tuple[Expression, str]]]
    is_parameter: Callable[[str], bool]
    extra: Sequence[str]


def at(node: Expression, path: Path) -> Expression:
    """The subtree of ``node`` at ``path``."""
    for child in path:
        node = children(node)[child]
    return node


def replaced(node: Expression, path: Path, after: Expression) -> Expression:
    """``node`` with the subtree at ``path`` replaced."""
    if not path:
        return after
    parts = list(children(node))
    parts[path[0]] = replaced(parts[path[0]], path[1:], after)
    return rebuild(node, tuple(parts))


def rewrites(node: Expression, alternatives: Alternatives) -> Iterator[Rewrite]:
    """Every slip at every place of a right side."""
    yield from _everywhere(node, (), None, alternatives)
    yield from _root(node, alternatives)


def skeleton(*nodes: Expression) -> str:
    """``nodes`` with names replaced by numbers in order of appearance; equal for equal forms."""
    known: dict[str, str] = {}

    def number(name: str) -> str:
        return known.setdefault(name, f"v{len(known)}")

    def change(node: Expression) -> Expression:
        match node:
            case Name(name):
                return Name(number(name))
            case MatVec(matrix, transposed, operand):
                return MatVec(number(matrix), transposed, operand)
            case _:
                return node

    return " -> ".join(to_text(transform(node, change)) for node in nodes)


def listed(nodes: Sequence[Expression]) -> str:
    """Expressions in a sentence."""
    texts = [f"`{to_text(node)}`" for node in nodes]
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"


def _plain(kind: SlipKind, path: Path, before: Expression, after: Expression, detail: str) -> Rewrite:
    return Rewrite(kind, path, after, detail, ((kind, skeleton(before, after)),))


def _literal(kind: SlipKind, path: Path, before: Expression, after: Expression, detail: str) -> Rewrite:
    return Rewrite(kind, path, after, detail, ((kind, to_text(before), to_text(after)),))


def _everywhere(
    node: Expression, path: Path, parent: Expression | None, alternatives: Alternatives
) -> Iterator[Rewrite]:
    yield from _here(node, path, parent, alternatives)
    for place, child in enumerate(children(node)):
        for each in _everywhere(child, (*path, place), node, alternatives):
            if isinstance(node, Outer) and not isinstance(each.after, Name):
                continue  # an outer product is of names
            yield each


def _here(node: Expression, path: Path, parent: Expression | None, alternatives: Alternatives) -> Iterator[Rewrite]:
    if is_sum(node) and not (parent is not None and (is_sum(parent) or isinstance(parent, Negate))):
        yield from sum_rewrites(node, path)
    if is_product(node) and not (parent is not None and is_product(parent)):
        yield from _product(node, path, alternatives)
    match node:
        case Power(base, exponent):
            text = to_text(node)
            yield _plain(SlipKind.POWER, path, node, base, f"`{to_text(base)}` stands where `{text}` belongs")
            turned = Power(base, -exponent)
            yield _plain(SlipKind.INVERSE, path, node, turned, f"`{to_text(turned)}` stands where `{text}` belongs")
        case Name(name):
            yield from _name(name, path, alternatives)
            if parent is not None and is_product(parent):
                rest = Binary("-", integer(1), node)
                yield _literal(SlipKind.VALUE, path, node, rest, f"`{to_text(rest)}` stands where `{name}` belongs")
        case MatVec():
            yield from _form(node, path, alternatives)
        case Outer(left, right):
            turned_outer = Outer(right, left)
            detail = f"`{to_text(turned_outer)}` stands where `{to_text(node)}` belongs"
            yield _plain(SlipKind.TRANSPOSE, path, node, turned_outer, detail)
        case Reduce(kind, operand):
            for other in REDUCTIONS:
                if other != kind:
                    detail = f"a {other} is taken in place of a {kind}"
                    yield _plain(SlipKind.REDUCTION, path, node, Reduce(other, operand), detail)
        case VectorCall(kind, operand) if turned_function := VECTORS[kind].transposed:
            detail = f"a {turned_function} is taken in place of a {kind}"
            yield _plain(SlipKind.TRANSPOSE, path, node, VectorCall(turned_function, operand), detail)
        case Call(function, arguments):
            for argument in arguments:
                detail = f"`{to_text(argument)}` stands where `{function}` of it belongs"
                yield _plain(SlipKind.VALUE, path, node, argument, detail)
        case _:
            pass


def _root(node: Expression, alternatives: Alternatives) -> Iterator[Rewrite]:
    """Slips in a whole right side."""
    parts = terms(node)
    turned = added([(not minus, term) for minus, term in parts])
    detail = "everything has the opposite sign"
    yield Rewrite(SlipKind.SIGN, (), turned, detail, ((SlipKind.SIGN, skeleton(node, turned)),), doubt=1)
    for scale, text in ((Fraction(2), "2"), (Fraction(1, 2), "0.5")):
        scaled = Binary("*", Number(scale, text), node)
        yield _plain(SlipKind.EXTRA, (), node, scaled, f"everything is multiplied by {text}")
    for place, (minus, term) in enumerate(parts):
        doubled = [*parts[: place + 1], (minus, term), *parts[place + 1 :]]
        yield _plain(SlipKind.TWICE, (), node, added(doubled), f"the term {listed([term])} is added twice")
    if any(isinstance(term, Outer) for _, term in parts):
        return
    for name in alternatives.extra:
        detail = f"the term `{name}` does not belong here"
        yield _literal(SlipKind.EXTRA, (), Name("…"), Binary("+", node, Name(name)), detail)
        for place, (minus, term) in enumerate(parts):
            product = Binary("*", term, Name(name))
            whole = added([*parts[:place], (minus, product), *parts[place + 1 :]])
            yield _literal(SlipKind.EXTRA, (), term, whole, f"the factor `{name}` does not belong here")


def sum_rewrites(node: Expression, path: Path) -> Iterator[Rewrite]:
    """Slips in a sum: terms left out, signs, and a power of the whole in place of that of a term."""
    parts = terms(node)
    for gone in subsets(len(parts)):
        kept = added([part for place, part in enumerate(parts) if place not in gone])
        if path and kept == integer(1):
            continue  # a factor that is left out
        missing = [added([parts[place]]) for place in gone]
        word = "the term" if len(gone) == 1 else "the terms"
        yield _plain(SlipKind.TERM, path, node, kept, f"{word} {listed(missing)} {_is(missing)} missing")
    for place, (minus, term) in enumerate(parts):
        turned = added([*parts[:place], (not minus, term), *parts[place + 1 :]])
        yield _plain(SlipKind.SIGN, path, node, turned, f"the term {listed([term])} has the wrong sign")
        if isinstance(term, Power):
            inside = added([*parts[:place], (minus, term.base), *parts[place + 1 :]])
            detail = f"`{to_text(Power(inside, term.exponent))}` stands where {listed([node])} belongs"
            yield _plain(SlipKind.POWER, path, node, Power(inside, term.exponent), detail)
    if path:
        turned = added(sorted(((not minus, term) for minus, term in parts), key=lambda part: part[0]))
        detail = f"`{to_text(turned)}` stands where {listed([node])} belongs"
        yield _plain(SlipKind.SIGN, path, node, turned, detail)
    match parts:
        case [(False, Number(value, _)), (True, Name() as rest)] if value == 1:
            yield _literal(SlipKind.VALUE, path, node, rest, f"{listed([rest])} stands where {listed([node])} belongs")
        case _:
            pass


def _product(node: Expression, path: Path, alternatives: Alternatives) -> Iterator[Rewrite]:
    parts = factors(node)
    for gone in subsets(len(parts)):
        kept = multiplied([part for place, part in enumerate(parts) if place not in gone])
        missing = [parts[place][1] for place in gone]
        word = "the factor" if len(gone) == 1 else "the factors"
        detail = f"{word} {listed(missing)} {_is(missing)} missing"
        keys: list[tuple[str, ...]] = [(SlipKind.FACTOR, skeleton(node, kept)), (SlipKind.FACTOR, listed(missing))]
        if all(isinstance(factor, Name) and alternatives.is_parameter(factor.name) for factor in missing):
            keys.append((SlipKind.FACTOR, "a parameter"))
        yield Rewrite(SlipKind.FACTOR, path, kept, detail, tuple(keys))
    for place, (inverse, factor) in enumerate(parts):
        if isinstance(factor, Number | SizeOf):
            continue
        squared = multiplied([*parts[: place + 1], (inverse, factor), *parts[place + 1 :]])
        yield _plain(SlipKind.POWER, path, node, squared, f"the factor {listed([factor])} occurs twice")
    for place, (inverse, factor) in enumerate(parts):
        turned = multiplied([*parts[:place], (not inverse, factor), *parts[place + 1 :]])
        detail = f"the factor {listed([factor])} is " + ("multiplied by" if inverse else "divided by")
        yield _plain(SlipKind.INVERSE, path, node, turned, detail)


def _name(name: str, path: Path, alternatives: Alternatives) -> Iterator[Rewrite]:
    for wrong, detail in alternatives.wrongly(name):
        yield _literal(SlipKind.VALUE, path, Name(name), wrong, detail)
    for other in alternatives.moments(name):
        detail = f"`{other}` stands where `{name}` belongs"
        moment = other.removeprefix(name) if other.startswith(name) else "before"
        keys = ((SlipKind.TIME, name, other), (SlipKind.TIME, moment))
        yield Rewrite(SlipKind.TIME, path, Name(other), detail, keys)
    for other in alternatives.alike(name):
        detail = f"`{other}` stands where `{name}` belongs"
        yield _literal(SlipKind.VALUE, path, Name(name), Name(other), detail)


def _form(node: MatVec, path: Path, alternatives: Alternatives) -> Iterator[Rewrite]:
    text = to_text(node)
    if alternatives.square(node.matrix):
        turned = MatVec(node.matrix, not node.transposed, node.operand)
        yield _plain(SlipKind.TRANSPOSE, path, node, turned, f"`{to_text(turned)}` stands where `{text}` belongs")
        yield _plain(SlipKind.FORM, path, node, node.operand, f"the matrix of `{text}` is missing")
    for matrix in alternatives.matrices(node.matrix):
        other = MatVec(matrix, node.transposed, node.operand)
        detail = f"`{matrix}` stands where `{node.matrix}` belongs"
        yield _literal(SlipKind.MATRIX, path, Name(node.matrix), other, detail)


def _is(things: Sequence[object]) -> str:
    return "is" if len(things) == 1 else "are"
