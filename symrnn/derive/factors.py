r"""The factors of a path of a Jacobian: as matrices, as LaTeX and as plain text.

    Factor = Diag | Matrix | Kron | OnesRow | Ones | Repeat | Linear | Identity | Ref

Reads values by name to build a factor's matrix. Leaves out: where factors come from (`symrnn.derive.jacobian`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from symrnn.derive.evaluate import Arithmetic, Array, Values, evaluate, repeated
from symrnn.language.axes import beyond
from symrnn.language.normalise import expression_size
from symrnn.language.system import ONE
from symrnn.language.text import ATOM, POWER, PRODUCT, strength, to_text
from symrnn.language.tree import Expression, Name, Negate, integer, names
from symrnn.language.typeset.expressions import Notation
from symrnn.language.typeset.latex import TRANSPOSE, parentheses, raised
from symrnn.language.typeset.symbols import size_latex
from symrnn.language.vectors import VECTORS


@dataclass(frozen=True)
class Diag:
    """``diag(expression)``; where ``expression`` has size 1, that number times the identity."""

    expression: Expression


@dataclass(frozen=True)
class Matrix:
    """A parameter matrix or its transpose."""

    name: str
    transposed: bool


@dataclass(frozen=True)
class Kron:
    """The Jacobian of a linear form in its matrix, over the rows of the matrix one after the other.

    ``I ⊗ vᵀ`` for ``W v`` and ``vᵀ ⊗ I`` for ``Wᵀ v``.

    Attributes:
        vector: ``v``.
        transposed: whether the form is of ``Wᵀ``.
        size: the size name of the identity, the rows of the form.
    """

    vector: Name
    transposed: bool
    size: str


@dataclass(frozen=True)
class OnesRow:
    """The Jacobian of a linear reduction over ``size`` units: a row of ones, divided by their number for an average."""

    size: str
    averages: bool = False


@dataclass(frozen=True)
class Ones:
    """The Jacobian of a broadcast to ``size`` units: a column of ones."""

    size: str


@dataclass(frozen=True)
class Repeat:
    """The Jacobian of a broadcast from the axes of ``of`` to those of ``size``, of zeros and ones.

    ``transposed``, it is that of a sum over the axes that ``of`` lacks, divided by their number if it ``averages``.
    """

    of: str
    size: str
    transposed: bool = False
    averages: bool = False

    @property
    def along(self) -> str:
        """The axes along which it repeats."""
        return beyond(self.of, self.size)


@dataclass(frozen=True)
class Linear:
    """The Jacobian of a linear vector function, a row of the table, over ``size`` units."""

    kind: str
    size: str


@dataclass(frozen=True)
class Identity:
    """The path that changes nothing."""

    size: str


@dataclass(frozen=True)
class Ref:
    """A reference by name to the Jacobian of ``output``, a value that several paths share."""

    output: str


Factor = Diag | Matrix | Kron | OnesRow | Ones | Repeat | Linear | Identity | Ref
Term = tuple[Factor, ...]
"""A path: a product of factors, never empty."""


def read_by(term: Term) -> Iterator[str]:
    """The names whose values a path needs, those of other Jacobians excepted."""
    for factor in term:
        match factor:
            case Diag(expression):
                yield from names(expression)
            case Matrix(name, _) | Kron(Name(name)):
                yield name
            case _:
                pass


def is_direct(term: Term) -> bool:
    """Whether no matrix and no reduction crosses the path: each unit of the input reaches its own unit only."""
    return all(isinstance(factor, Diag | Identity) for factor in term)


def direct_ways(term: Term, ways: Mapping[str, tuple[Term, ...]]) -> tuple[Term, ...]:
    """The direct paths of a path that may end in a reference; ``ways`` are those of the Jacobians that have names."""
    *before, last = term
    if isinstance(last, Ref) and is_direct(tuple(before)):
        return tuple((*before, *way) for way in ways[last.output])
    return (term,) if is_direct(term) else ()


def product(
    term: Term,
    columns: int,
    values: Values,
    sizes: Mapping[str, int],
    arithmetic: Arithmetic,
    known: Mapping[str, Array],
) -> Array:
    """The matrix of a path that ends in ``columns`` columns; ``known`` holds the Jacobians that have names."""
    # From the right: only the last factor may be as wide as a whole parameter.
    result: Array | None = None
    for factor in reversed(term):
        match factor:
            case Diag(expression):
                diagonal = evaluate(expression, values, sizes, arithmetic)
                if result is None:
                    result = np.eye(columns, dtype=int)
                result = diagonal[:, np.newaxis] * result
            case _:
                dense = _dense(factor, values, sizes, arithmetic, known)
                result = dense if result is None else dense @ result
    assert result is not None
    return result


def _dense(
    factor: Factor, values: Values, sizes: Mapping[str, int], arithmetic: Arithmetic, known: Mapping[str, Array]
) -> Array:
    match factor:
        case Matrix(name, transposed):
            return values[name].T if transposed else values[name]
        case Kron(vector, transposed, size):
            row, eye = values[vector.name][np.newaxis], np.eye(sizes[size], dtype=int)
            return np.kron(row, eye) if transposed else np.kron(eye, row)
        case OnesRow(size, averages):
            count = sizes[size]
            return np.full((1, count), arithmetic.number(Fraction(1, count if averages else 1)))
        case Ones(size):
            return np.ones((sizes[size], 1), dtype=int)
        case Repeat(of, size, transposed, averages):
            matrix = repeated(np.eye(sizes[of], dtype=int), of, size, sizes)
            turned = matrix if transposed else matrix.T
            return turned * arithmetic.number(Fraction(1, sizes[factor.along])) if averages else turned
        case Linear(kind, size):
            columns: Array = VECTORS[kind].meaning(np.eye(sizes[size], dtype=int), arithmetic)
            return columns.T
        case Identity(size):
            return np.eye(sizes[size], dtype=int)
        case Ref(output):
            return known[output]
        case Diag():
            raise AssertionError("a diagonal scales rows and is never dense")


def to_latex(terms: tuple[Term, ...], column: str, notation: Notation) -> str:
    """The sum of paths; ``column`` is the LaTeX of the input that they lead to."""
    return _sum(terms, r" \, ", lambda factor: _factor_latex(factor, column, notation))


def to_line(terms: tuple[Term, ...], column: str, shapes: dict[str, tuple[str, ...]]) -> str:
    """The sum of paths in one line of plain text; ``column`` is the name of the input that they lead to."""
    return _sum(terms, " @ ", lambda factor: _factor_text(factor, column, shapes))


def partial(output: str, column: str, notation: Notation, command: str = r"\frac") -> str:
    r"""``\frac{\partial output}{\partial column}``; ``column`` is the LaTeX of the input, ``command`` that of the fraction."""
    above = f"({notation.name(output)})" if notation.is_compound(output) else notation.name(output)
    return rf"{command}{{\partial {above}}}{{\partial {column}}}"


def _sum(terms: tuple[Term, ...], separator: str, text: Callable[[Factor], str]) -> str:
    """Paths with their signs; no path at all is zero."""
    result = ""
    for term in terms:
        minus = isinstance(term[0], Diag) and isinstance(term[0].expression, Negate)
        factors = separator.join(text(factor) for factor in _unsigned(term))
        result += f" {'-' if minus else '+'} {factors}" if result else ("-" if minus else "") + factors
    return result or "0"


def _unsigned(term: Term) -> Term:
    """A path without its sign; the first factor may be nothing but a sign."""
    first, *rest = term
    if isinstance(first, Diag) and isinstance(first.expression, Negate):
        if rest and first.expression.operand == integer(1):
            return tuple(rest)
        return (Diag(first.expression.operand), *rest)
    return term


def _factor_latex(factor: Factor, column: str, notation: Notation) -> str:
    match factor:
        case Diag(expression):
            if expression_size(expression, notation.shapes) == ONE:
                negative, _ = notation.signed(expression)  # the sign of a path is taken from its first factor before
                return parentheses(notation(expression)) if negative else notation.wrapped(expression, PRODUCT)
            return rf"\operatorname{{diag}}{parentheses(notation(expression))}"
        case Matrix(name, transposed):
            return notation.matrix(name, transposed)
        case Kron(vector, transposed, _):
            across = raised(notation.wrapped(vector, ATOM), TRANSPOSE)
            return rf"({across} \otimes I)" if transposed else rf"(I \otimes {across})"
        case OnesRow(size, averages):
            row = r"\mathbf{1}^{\top}"
            return rf"\tfrac{{1}}{{{size_latex(size)}}} {row}" if averages else row
        case Ones():
            return r"\mathbf{1}"
        case Repeat(transposed=transposed, averages=averages):
            along = rf"R_{{{size_latex(factor.along)}}}"
            first = rf"\tfrac{{1}}{{{size_latex(factor.along)}}} " * averages
            return f"{first}{along}^{{\\top}}" if transposed else along
        case Linear(kind, _):
            return rf"\operatorname{{{VECTORS[kind].matrix}}}(\mathbf{{1}} \mathbf{{1}}^{{\top}})"
        case Identity():
            return "I"
        case Ref(output):
            return partial(output, column, notation)


def _factor_text(factor: Factor, column: str, shapes: dict[str, tuple[str, ...]]) -> str:
    match factor:
        case Diag(expression):
            if expression_size(expression, shapes) == ONE:
                return to_text(expression) if strength(expression) >= POWER else f"({to_text(expression)})"
            return f"diag({to_text(expression)})"
        case Matrix(name, transposed):
            return f"{name}.T" if transposed else name
        case Kron(vector, transposed, _):
            return f"kron({vector.name}.T, I)" if transposed else f"kron(I, {vector.name}.T)"
        case OnesRow(size, averages):
            return f"(ones.T / size({size}))" if averages else "ones.T"
        case Ones():
            return "ones"
        case Repeat(transposed=transposed, averages=averages):
            along = f"repeat({factor.along}){'.T' if transposed else ''}"
            return f"({along} / size({factor.along}))" if averages else along
        case Linear(kind, _):
            return f"{VECTORS[kind].matrix}(ones)"
        case Identity():
            return "I"
        case Ref(output):
            return f"J[{output}, {column}]"
