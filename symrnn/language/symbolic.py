"""From trees to SymPy and back: the only place where the author's order meets SymPy's algebra.

`to_sympy` turns linear forms, reductions, vector functions and sizes into opaque symbols named by their text. So SymPy sees
one scalar expression for a representative unit. `Restorer` turns SymPy's result back into a tree whose terms and factors
stand in an order of ours (SymPy's own order would change with its version).
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import sympy

from symrnn.language.fold import Fold
from symrnn.language.function import Algebra, symbols
from symrnn.language.functions import FUNCTIONS
from symrnn.language.text import to_text
from symrnn.language.tree import (
    Applied,
    Binary,
    Broadcast,
    Call,
    Constant,
    Expression,
    Eye,
    MatVec,
    Name,
    Negate,
    Number,
    Outer,
    Power,
    Reduce,
    SizeOf,
    Transpose,
    VectorCall,
    children,
    integer,
)


def symbol(node: Expression) -> Algebra:
    """The SymPy symbol that stands for a name, a constant, a linear form, a reduction, a vector function or a size."""
    return sympy.Symbol(to_text(node))


class _Algebra(Fold[Algebra]):
    """The crossing to SymPy; nothing is evaluated but numbers."""

    def _of_number(self, node: Number) -> Algebra:
        return sympy.Rational(node.value.numerator, node.value.denominator)

    def _of_negate(self, node: Negate) -> Algebra:
        return -self(node.operand)

    def _of_binary(self, node: Binary) -> Algebra:
        return _OPERATORS[node.op](self(node.left), self(node.right))

    def _of_power(self, node: Power) -> Algebra:
        return self(node.base) ** sympy.Rational(node.exponent.numerator, node.exponent.denominator)

    def _of_call(self, node: Call) -> Algebra:
        return FUNCTIONS[node.function].symbol(*(self(argument) for argument in node.arguments))

    def _of_constant(self, node: Constant) -> Algebra:
        return symbol(node)

    def _of_name(self, node: Name) -> Algebra:
        return symbol(node)

    def _of_form(self, node: MatVec) -> Algebra:
        return symbol(node)

    def _of_reduction(self, node: Reduce) -> Algebra:
        return symbol(node)

    def _of_vector(self, node: VectorCall) -> Algebra:
        return symbol(node)

    def _of_broadcast(self, node: Broadcast) -> Algebra:
        return symbol(node)

    def _of_outer(self, node: Outer) -> Algebra:
        return symbol(node)

    def _of_size(self, node: SizeOf) -> Algebra:
        return symbol(node)

    def _of_transpose(self, node: Transpose) -> Algebra:
        return symbol(node)

    def _of_eye(self, node: Eye) -> Algebra:
        return symbol(node)

    def _of_applied(self, node: Applied) -> Algebra:
        return symbol(node)


_OPERATORS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}

to_sympy = _Algebra()
"""The scalar SymPy expression of a tree for one representative unit."""


def equation_form(target: str, expression: Expression) -> Algebra:
    """``target = expression`` as a SymPy ``Eq``, with linear forms and reductions as opaque symbols."""
    return sympy.Eq(sympy.Symbol(target), to_sympy(expression), evaluate=False)


def literal(value: Fraction) -> Expression:
    """A tree for a rational number: a short decimal where there is one, else a quotient of whole numbers."""
    if value.denominator == 1:
        return Number(value, str(value.numerator))
    decimal = f"{float(value):.15g}"
    if Fraction(decimal) == value and "e" not in decimal and len(decimal) <= 8:
        return Number(value, decimal)
    if max(abs(value.numerator), value.denominator) < 10**6:
        return Binary("/", integer(value.numerator), integer(value.denominator))
    return Number(value, f"{float(value):.17g}")


class Restorer:
    """SymPy expressions back to trees.

    Args:
        atoms: names, constants, linear forms, reductions and sizes that may occur, in the order in which factors and
            terms that contain them are to be written.
    """

    def __init__(self, atoms: Iterable[Expression]) -> None:
        self._nodes: dict[str, Expression] = {}
        for atom in atoms:
            self._nodes.setdefault(to_text(atom), atom)
        self._rank = {text: rank for rank, text in enumerate(self._nodes)}
        self._keys: dict[Algebra, tuple[bool, tuple[int, ...], str]] = {}

    def __call__(self, expression: Algebra) -> Expression:
        """The tree of ``expression``.

        Raises:
            KeyError: it contains a symbol that was not among the atoms.
        """
        if expression.is_Symbol:
            return self._nodes[expression.name]
        if expression.is_Number:
            return literal(Fraction(int(expression.p), int(expression.q)))
        if expression.is_Add:
            return self._sum(expression)
        if expression.is_Mul or (expression.is_Pow and expression.exp.is_negative):
            return self._product(expression)
        if expression.is_Pow:
            return Power(self(expression.base), Fraction(int(expression.exp.p), int(expression.exp.q)))
        return Call(type(expression).__name__, tuple(self(argument) for argument in expression.args))

    def _key(self, expression: Algebra) -> tuple[bool, tuple[int, ...], str]:
        """Numbers first, then by the ranks of the atoms inside, simple before compound; text breaks ties."""
        if expression not in self._keys:  # sorting asks again for the same factor
            ranks = sorted(self._rank[atom.name] for atom in expression.free_symbols)
            self._keys[expression] = (bool(ranks), tuple(ranks), sympy.srepr(expression))
        return self._keys[expression]

    def _factor_key(self, factor: Algebra) -> tuple[bool, tuple[bool, tuple[int, ...], str]]:
        return (factor.is_Add, self._key(factor))

    def _sum(self, expression: Algebra) -> Expression:
        positive: list[Algebra] = []
        negative: list[Algebra] = []
        for term in sorted(expression.args, key=self._key):
            (negative if term.could_extract_minus_sign() and not term.is_Add else positive).append(term)
        if not positive:
            positive = [negative.pop(0)]
        result = self(positive[0])
        for term in positive[1:]:
            result = Binary("+", result, self(term))
        for term in negative:
            result = Binary("-", result, self(-term))
        return result

    def _product(self, expression: Algebra) -> Expression:
        if choice := next((factor for factor in sympy.Mul.make_args(expression) if _is_choice(factor)), None):
            return self._chosen(choice, expression / choice)
        coefficient, rest = expression.as_coeff_Mul()
        above: list[Expression] = []
        below: list[Expression] = []
        for factor in sorted(sympy.Mul.make_args(rest), key=self._factor_key):
            if factor.is_Pow and factor.exp.is_negative:
                below.append(self(1 / factor))
            elif factor != 1:
                above.append(self(factor))
        number = Fraction(int(coefficient.p), int(coefficient.q))
        magnitude = literal(abs(number))
        if isinstance(magnitude, Binary):
            below.insert(0, magnitude.right)
            magnitude = magnitude.left
        if not above or magnitude != integer(1):
            above.insert(0, magnitude)
        result = _chain("*", above)
        if below:
            result = Binary("/", result, _chain("*", below))
        return Negate(result) if number < 0 else result

    def _chosen(self, choice: Algebra, rest: Algebra) -> Expression:
        """``rest`` where the condition holds, or where it does not, else 0: no product, which would be 0 times infinity."""
        condition, first, _ = choice.args
        return Choice(self(condition), first == 1, integer(1))(self(rest))


def _is_choice(factor: Algebra) -> bool:
    """Whether ``factor`` is 1 on one side of a condition and 0 on the other."""
    return isinstance(factor, FUNCTIONS["where"].symbol) and set(factor.args[1:]) == {
        sympy.Integer(0),
        sympy.Integer(1),
    }


@dataclass(frozen=True)
class Choice:
    """A value on one side of a condition, and 0 on the other; a call puts another value in place of its own.

    Attributes:
        condition: as `where` has it.
        holds: whether the value is there where the condition holds.
        value: on that side.
    """

    condition: Expression
    holds: bool
    value: Expression

    def __call__(self, value: Expression) -> Expression:
        """``value`` on that side, and 0 on the other."""
        sides = (value, integer(0))
        return Call("where", (self.condition, *(sides if self.holds else reversed(sides))))


def choice_of(node: Expression) -> Choice | None:
    """``node`` as a `Choice`, where it is one."""
    match node:
        case Call("where", (condition, value, Number(Fraction(numerator=0)))):
            return Choice(condition, True, value)
        case Call("where", (condition, Number(Fraction(numerator=0)), value)):
            return Choice(condition, False, value)
    return None


@cache
def formula_of(function: str) -> tuple[Expression, tuple[Name, ...]]:
    """The formula of a function that is made of others, as a tree, and the names that stand for its arguments."""
    row = FUNCTIONS[function]
    assert row.formula is not None
    given = tuple(Name(symbol.name) for symbol in symbols(row.arity))
    return Restorer(given)(row.formula(*symbols(row.arity))), given


def _chain(op: str, nodes: list[Expression]) -> Expression:
    result = nodes[0]
    for node in nodes[1:]:
        result = Binary(op, result, node)
    return result


def atoms_of(node: Expression) -> tuple[Expression, ...]:
    """The opaque atoms of ``node`` (all but numbers and arithmetic), each once, in order of appearance."""
    if isinstance(node, Number):
        return ()
    if isinstance(node, Negate | Binary | Power | Call):
        return tuple(dict.fromkeys(atom for part in children(node) for atom in atoms_of(part)))
    return (node,)
