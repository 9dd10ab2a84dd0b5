r"""Expression trees as LaTeX, in the author's order and the notation of a lecture.

Reads trees and a `Notation`, which says how each name is written; returns LaTeX for mathematics mode: products of
vectors with ``\odot``, quotients and powers unit by unit, function texts from the table. Leaves out: how names are spelt
(`symrnn.language.typeset.symbols`), which symbols a derivation uses (`symrnn.derive.notation`), and where lines are
broken (`symrnn.language.typeset.lines`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from symrnn.language.choices import COMPARISONS
from symrnn.language.fold import Fold
from symrnn.language.function import word
from symrnn.language.functions import FUNCTIONS, operator_of
from symrnn.language.normalise import expression_size
from symrnn.language.reductions import REDUCTIONS
from symrnn.language.system import ONE, System
from symrnn.language.text import ATOM, FORM, POWER, PRODUCT, SUM, UNARY, strength
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
    opposite,
    transform,
    walk,
)
from symrnn.language.typeset.latex import TRANSPOSE, Latex, glyphs, number_latex, parentheses, raised
from symrnn.language.typeset.symbols import size_latex, spell, step_name, timeless
from symrnn.language.vectors import VECTORS

WIDE = 24
"""Characters of a numerator or denominator beyond which a quotient is written on one line, where it can be broken."""


@dataclass(frozen=True)
class Notation(Fold[Latex]):
    """How names are written, and the printer that writes expressions with them.

    Attributes:
        names: LaTeX by name, constants included; others are spelt by `spell`.
        shapes: shape by name: a product of two vectors gets its own sign.
        parts: names that are written out as what they stand for (``tanh(c')`` where the author nested it).
    """

    names: Mapping[str, Latex]
    shapes: dict[str, tuple[str, ...]]
    parts: Mapping[str, Expression] = field(default_factory=dict)

    def name(self, name: str) -> Latex:
        """The LaTeX of a variable, parts written out."""
        return self(Name(name))

    def is_compound(self, name: str) -> bool:
        """Whether a name is written out as something with a sum or a product of vectors in it."""
        return any(
            isinstance(node, Binary)
            and (node.op in "+-" or (node.op == "*" and self._are_vectors(node.left, node.right)))
            for node in walk(self.shown(Name(name)))
        )

    def equation(self, target: str, node: Expression) -> str:
        """``target = node``; the target is written by its name."""
        return f"{self.names.get(target, spell(target))} = {self(node)}"

    def shown(self, node: Expression) -> Expression:
        """``node`` with parts written out, as far as that is possible (an outer product is of names)."""
        if isinstance(node, Outer):
            return node
        return transform(node, lambda part: self.resolved(part) if isinstance(part, Name) else part)

    def wrapped(self, node: Expression, least: int) -> Latex:
        """The LaTeX of ``node``, in parentheses where it binds more loosely than ``least``."""
        node = self.resolved(node)
        power = isinstance(node, Call) and operator_of(node.function) == "**"
        loose = strength(node) < least or (power and least > POWER)
        return parentheses(self(node)) if loose else self(node)

    def __call__(self, node: Expression) -> Latex:
        """The LaTeX of ``node``, for mathematics mode."""
        return super().__call__(self.resolved(node))

    def signed(self, node: Expression) -> tuple[bool, Latex]:
        """Whether the LaTeX of ``node`` begins with a minus, and the LaTeX without it."""
        match self.resolved(node):
            case Negate(operand):
                return True, self.wrapped(operand, PRODUCT)
            case Number(value, _) as number if value < 0:
                return True, self(opposite(number))
            case Binary("+" | "-" as op, left, right):
                minus, first = self.signed(left)
                return minus, self._joined(first, self.behind(op, right))
            case Binary("*", left, right) if strength(self.resolved(left)) >= PRODUCT and not self._are_vectors(
                left, right
            ):
                minus, first = self.signed(left)
                return minus, self._multiplied(first, right, vectors=False)
            case whole:
                return False, self(whole)

    def behind(self, op: str, node: Expression) -> Latex:
        """``node`` as a later summand, with ``op`` (``+`` or ``-``) before it."""
        # `a + (-b)`: two signs never meet.
        negative = self._is_negative(node)
        second = parentheses(self(node)) if negative else self.wrapped(node, SUM + (op == "-"))
        return Latex(f"{op} {second}", second)

    def times(self, node: Expression) -> Latex:
        """``node`` as the later factor of a vector, with the sign before it, where there is one."""
        second = self._factor(node)
        sign = self._times(second, self._is_vector(node))
        return Latex(f"{sign} {second}", second) if sign else second

    def _of_number(self, node: Number) -> Latex:
        return number_latex(node.value, node.text)

    def _of_constant(self, node: Constant) -> Latex:
        return self.names.get(node.name) or spell(node.name)

    def _of_name(self, node: Name) -> Latex:
        return self.names.get(node.name) or spell(node.name)

    def _of_negate(self, node: Negate) -> Latex:
        operand = self.wrapped(node.operand, PRODUCT)
        return Latex(f"-{operand}", operand)

    def _of_binary(self, node: Binary) -> Latex:
        match node.op:
            case "*":
                return self._product(node.left, node.right)
            case "/":
                return self._quotient(node)
            case op:
                return self._joined(self.wrapped(node.left, SUM), self.behind(op, node.right))

    def _of_call(self, node: Call) -> Latex:
        return self._call(node)

    def _call(self, node: Call, exponent: Latex | None = None) -> Latex:
        """A call; an ``exponent`` stands behind the operator: the square of tanh(a) is tanh²(a)."""
        if FUNCTIONS[node.function].operator == "**":
            base, power = node.arguments
            return raised(self.wrapped(base, ATOM), self(power))
        written = word(node.written.replace("_", r"\_")) if node.written else FUNCTIONS[node.function].latex
        arguments = [self._argument(argument) for argument in node.shown]
        operator = Latex(written.operator)
        if exponent:
            operator = raised(operator, exponent)
        inside = Latex(written.between.join(arguments), *arguments)
        if written.is_plain:
            return self._joined(operator, parentheses(inside), "")
        return Latex(f"{operator}{written.left}{inside}{written.right}", operator, inside)

    def _argument(self, node: Expression) -> Latex:
        """An argument of a call; a comparison there needs no fences of its own."""
        node = self.resolved(node)
        if isinstance(node, Call) and node.function in COMPARISONS.values():
            left, right = (self.wrapped(argument, SUM) for argument in node.arguments)
            return self._joined(left, right, FUNCTIONS[node.function].latex.between)
        return self(node)

    def _of_form(self, node: MatVec) -> Latex:
        return self._joined(self.matrix(node.matrix, node.transposed), self.wrapped(node.operand, FORM))

    def _of_reduction(self, node: Reduce) -> Latex:
        operator = Latex(REDUCTIONS[node.kind].latex)
        if node.axis:
            operator = Latex(rf"{operator}_{{{size_latex(node.axis)}}}")
        return self._joined(operator, parentheses(self(node.operand)), "")

    def _of_vector(self, node: VectorCall) -> Latex:
        operator = Latex(VECTORS[node.kind].latex)
        if node.axis:
            operator = Latex(rf"{operator}_{{{size_latex(node.axis)}}}")
        return self._joined(operator, parentheses(self(node.operand)), "")

    def _of_broadcast(self, node: Broadcast) -> Latex:
        return self(node.operand)

    def _of_outer(self, node: Outer) -> Latex:
        return self._joined(self.wrapped(node.left, ATOM), raised(self.wrapped(node.right, ATOM), TRANSPOSE))

    def _of_size(self, node: SizeOf) -> Latex:
        return size_latex(node.size)

    def _of_transpose(self, node: Transpose) -> Latex:
        return raised(self.wrapped(node.operand, ATOM), TRANSPOSE)

    def _of_eye(self, node: Eye) -> Latex:
        return Latex(r"\mathbf{1}")

    def _of_applied(self, node: Applied) -> Latex:
        return self._joined(self.wrapped(node.left, ATOM), self.wrapped(node.right, FORM))

    def matrix(self, name: str, transposed: bool) -> Latex:
        """A parameter, or its transpose."""
        text = self.names.get(name) or spell(name)
        return raised(text, TRANSPOSE) if transposed else text

    @staticmethod
    def _joined(first: Latex, second: Latex, between: str = " ") -> Latex:
        return Latex(f"{first}{between}{second}", first, second)

    def resolved(self, node: Expression) -> Expression:
        """What ``node`` stands for, where it is a name that is written out."""
        while isinstance(node, Broadcast) or (isinstance(node, Name) and node.name in self.parts):
            node = node.operand if isinstance(node, Broadcast) else self.parts[node.name]
        return node

    def _is_negative(self, node: Expression) -> bool:
        node = self.resolved(node)
        return isinstance(node, Negate) or (isinstance(node, Number) and node.value < 0)

    def _is_vector(self, node: Expression) -> bool:
        return expression_size(node, self.shapes) != ONE

    def _are_vectors(self, left: Expression, right: Expression) -> bool:
        return self._is_vector(left) and self._is_vector(right)

    def _product(self, left: Expression, right: Expression) -> Latex:
        vectors = self._are_vectors(left, right)
        return self._multiplied(self._factor(left) if vectors else self.wrapped(left, PRODUCT), right, vectors=vectors)

    def _multiplied(self, first: Latex, right: Expression, *, vectors: bool) -> Latex:
        second = self._factor(right)
        sign = self._times(second, vectors)
        return self._joined(first, second, f" {sign} " if sign else r"\, ")

    @staticmethod
    def _times(second: Latex, vectors: bool) -> str:
        """The sign of a product; none between a number and what begins with no digit."""
        if vectors:
            return r"\odot"
        # Digits that touch would read as one number.
        return r"\cdot" if second[0].isdigit() else ""

    def _factor(self, node: Expression, least: int = PRODUCT) -> Latex:
        """A factor; a linear form and a quotient on one line get parentheses: `(W h) ⊙ r`, not `W h ⊙ r`."""
        node = self.resolved(node)
        sloped = isinstance(node, Binary) and node.op == "/" and not self._is_stacked(node)
        if sloped or isinstance(node, MatVec) or self._is_negative(node):
            return parentheses(self(node))
        return self.wrapped(node, least)

    def _is_stacked(self, node: Binary) -> bool:
        """Whether a quotient is a fraction, one part above the other, and not on one line."""
        if isinstance(node.left, Number) and isinstance(node.right, Number):
            return True
        return max(glyphs(self(node.left)), glyphs(self(node.right))) <= WIDE

    def _quotient(self, node: Binary) -> Latex:
        if not self._is_stacked(node):
            return self._joined(self._factor(node.left), self._factor(node.right, FORM), " / ")
        above, below = self(node.left), self(node.right)
        if isinstance(node.left, Number) and isinstance(node.right, Number):
            return Latex(rf"\tfrac{{{above}}}{{{below}}}", above, below)
        return Latex(rf"\frac{{{above}}}{{{below}}}", above, below, tall=True)

    def _of_power(self, node: Power) -> Latex:
        if node.written is None and node.exponent == Fraction(1, 2):
            inside = self(node.base)
            return Latex(rf"\sqrt{{{inside}}}", inside)
        base, exponent = self.resolved(node.base), self._exponent(node)
        whole = self.wrapped(base, ATOM)
        if (
            isinstance(base, Call)
            and node.exponent > 0
            and FUNCTIONS[base.function].latex.is_command
            and not whole.tall
        ):
            return self._call(base, exponent)
        return raised(whole, exponent)

    def _exponent(self, node: Power) -> Latex:
        """The exponent: a number, or its author's words; a quotient stands on one line."""
        match node.written:
            case None:
                exponent = node.exponent
                below = "" if exponent.denominator == 1 else f"/{exponent.denominator}"
                return Latex(f"{exponent.numerator}{below}")
            case Binary("/", left, right):
                return self._joined(self.wrapped(left, UNARY), self.wrapped(right, ATOM), "/")
            case written:
                return self(written)


def step_notation(system: System) -> Notation:
    """How the names of a step are written."""
    fixed = timeless(system)
    names = {variable.name: step_name(variable, fixed) for variable in system.variables}
    return Notation(names, {variable.name: variable.shape for variable in system.variables})
