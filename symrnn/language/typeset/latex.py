r"""Expression trees as LaTeX, in the author's order and the notation of a lecture.

Reads trees and a `Notation`, which says how each name is written; returns LaTeX for mathematics mode: products of
vectors with ``\odot``, quotients and powers unit by unit, function texts from the table. Leaves out: which symbols a
derivation uses (`symrnn.derive.notation`) and where lines are broken (`symrnn.language.typeset.lines`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from symrnn.language.fold import Fold
from symrnn.language.functions import FUNCTIONS, PUBLIC
from symrnn.language.names import GREEK
from symrnn.language.normalise import expression_size
from symrnn.language.reductions import REDUCTIONS
from symrnn.language.system import HIDDEN, INPUT, ONE, Role, System, Variable
from symrnn.language.text import ATOM, FORM, PRODUCT, SUM, UNARY, strength
from symrnn.language.tree import (
    PRIME,
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
    is_next,
    names,
    transform,
)

ALIASES = {"eps": r"\varepsilon"}
"""Names that stand for a letter under another name."""

ACCENTS = {"tilde": r"\tilde", "hat": r"\hat", "bar": r"\bar", "dot": r"\dot"}
"""Last parts of names that are accents: ``h_tilde``."""

TRANSPOSE = r"\top"

WIDE = 24
"""Characters of a numerator or denominator beyond which a quotient is written on one line, where it can be broken."""


def spell(name: str, time: str = "", over: str = "") -> str:
    r"""The LaTeX of a name: letters, Greek names, accents and subscripts by its underscores.

    >>> spell("W_xi"), spell("h_tilde", "t"), spell("h", "t-1"), spell("delta_i", "t")
    ('W_{xi}', '\\tilde{h}_t', 'h_{t-1}', '\\delta_{i,t}')
    >>> spell("gamma_c"), spell("rh", "t"), spell("W1"), spell("c", "t", r"\overline")
    ('\\gamma_c', '\\mathit{rh}_t', 'W_1', '\\overline{c}_t')

    Args:
        name: an identifier, without prime.
        time: index of the step; the last subscript.
        over: command that spans the stem, such as ``\overline``.
    """
    first, *rest = [part for part in re.split(r"_+", name) if part]
    letters = re.match("[A-Za-z]+", first)
    assert letters
    stem, digits = letters.group(), first[letters.end() :]
    if stem in GREEK:
        stem = "\\" + stem
    elif stem in PUBLIC:
        # A part of an equation that is named by its function.
        stem = rf"\mathrm{{{stem}}}"
    elif len(stem) > 1:
        stem = ALIASES.get(stem, rf"\mathit{{{stem}}}")
    parts = [stem]
    if digits:
        parts.append(digits)
    for part in rest:
        if part in ACCENTS:
            parts[-1] = f"{ACCENTS[part]}{{{parts[-1]}}}"
        else:
            parts.append(_subscript(part))
    stem, *below = parts
    return (f"{over}{{{stem}}}" if over else stem) + _under([*below, *([time] if time else [])])


def _subscript(part: str) -> str:
    """A part of a subscript: two letters are two indices (``W_xi`` leads from x to i), three or more are a word."""
    if len(part) < 3 or part.isdigit():
        return part
    return "\\" + part if part in GREEK else rf"\mathrm{{{part}}}"


def _under(parts: list[str]) -> str:
    if not parts:
        return ""
    text = ",".join(parts)
    return f"_{text}" if len(text) == 1 else f"_{{{text}}}"


def parentheses(text: str) -> str:
    r"""``text`` in parentheses as tall as it is; of a fixed size, so that a line may be broken between them."""
    return rf"\Bigl({text}\Bigr)" if r"\frac" in text else f"({text})"


def _call(form: str, arguments: list[str]) -> str:
    if any(r"\frac" in argument for argument in arguments):
        form = form.replace("(", r"\Bigl(").replace(")", r"\Bigr)")
    return form.format(*arguments)


def raised(base: str, exponent: str) -> str:
    """``base`` with a superscript; LaTeX refuses a second one, so a base that has one becomes a group."""
    return f"{{{base}}}^{{{exponent}}}" if "^" in base else f"{base}^{{{exponent}}}"


@dataclass(frozen=True)
class Notation(Fold[str]):
    """How names are written, and the printer that writes expressions with them.

    Attributes:
        names: LaTeX by name, constants included; others are spelt by `spell`.
        shapes: shape by name: a product of two vectors gets its own sign.
        parts: names that are written out as what they stand for (``tanh(c')`` where the author nested it).
    """

    names: Mapping[str, str]
    shapes: dict[str, tuple[str, ...]]
    parts: Mapping[str, Expression] = field(default_factory=dict)

    def name(self, name: str) -> str:
        """The LaTeX of a variable, parts written out."""
        return self(Name(name))

    def equation(self, target: str, node: Expression) -> str:
        """``target = node``; the target is written by its name."""
        return f"{self.names.get(target, spell(target))} = {self(node)}"

    def shown(self, node: Expression) -> Expression:
        """``node`` with parts written out, as far as that is possible (an outer product is of names)."""
        if isinstance(node, Outer):
            return node
        return transform(node, lambda part: self._resolved(part) if isinstance(part, Name) else part)

    def wrapped(self, node: Expression, least: int) -> str:
        """The LaTeX of ``node``, in parentheses where it binds more loosely than ``least``."""
        node = self._resolved(node)
        return self(node) if strength(node) >= least else parentheses(self(node))

    def __call__(self, node: Expression) -> str:
        """The LaTeX of ``node``, for mathematics mode."""
        return super().__call__(self._resolved(node))

    def _of_number(self, node: Number) -> str:
        return number_latex(node.value, node.text)

    def _of_constant(self, node: Constant) -> str:
        return self.names.get(node.name) or spell(node.name)

    def _of_name(self, node: Name) -> str:
        return self.names.get(node.name) or spell(node.name)

    def _of_negate(self, node: Negate) -> str:
        return "-" + self.wrapped(node.operand, PRODUCT)

    def _of_binary(self, node: Binary) -> str:
        match node.op:
            case "*":
                return self._product(node.left, node.right)
            case "/":
                return self._quotient(node.left, node.right)
            case op:
                # `a + (-b)`: two signs never meet.
                least = SUM + (op == "-")
                negative = self._is_negative(node.right)
                second = parentheses(self(node.right)) if negative else self.wrapped(node.right, least)
                return f"{self.wrapped(node.left, SUM)} {op} {second}"

    def _of_call(self, node: Call) -> str:
        return _call(FUNCTIONS[node.function].latex, [self(argument) for argument in node.arguments])

    def _of_form(self, node: MatVec) -> str:
        return f"{self.matrix(node.matrix, node.transposed)} {self.wrapped(node.operand, FORM)}"

    def _of_reduction(self, node: Reduce) -> str:
        return f"{REDUCTIONS[node.kind].latex}{parentheses(self(node.operand))}"

    def _of_outer(self, node: Outer) -> str:
        return f"{self.wrapped(node.left, ATOM)} {raised(self.wrapped(node.right, ATOM), TRANSPOSE)}"

    def _of_size(self, node: SizeOf) -> str:
        return size_latex(node.size)

    def matrix(self, name: str, transposed: bool) -> str:
        """A parameter, or its transpose."""
        text = self.names.get(name) or spell(name)
        return raised(text, TRANSPOSE) if transposed else text

    def _resolved(self, node: Expression) -> Expression:
        while isinstance(node, Name) and node.name in self.parts:
            node = self.parts[node.name]
        return node

    def _is_negative(self, node: Expression) -> bool:
        node = self._resolved(node)
        return isinstance(node, Negate) or (isinstance(node, Number) and node.value < 0)

    def _is_vector(self, node: Expression) -> bool:
        return expression_size(node, self.shapes) != ONE

    def _product(self, left: Expression, right: Expression) -> str:
        if not (self._is_vector(left) and self._is_vector(right)):
            first, second = self.wrapped(left, PRODUCT), self._factor(right, PRODUCT)
            # Digits that touch would read as one number.
            return f"{first} \\cdot {second}" if second[0].isdigit() else f"{first}\\, {second}"
        return rf"{self._factor(left, PRODUCT)} \odot {self._factor(right, PRODUCT)}"

    def _factor(self, node: Expression, least: int) -> str:
        """A factor; a linear form and a quotient on one line get parentheses: `(W h) ⊙ r`, not `W h ⊙ r`."""
        node = self._resolved(node)
        sloped = isinstance(node, Binary) and node.op == "/" and not self(node).startswith((r"\frac", r"\tfrac"))
        if sloped or isinstance(node, MatVec) or self._is_negative(node):
            return parentheses(self(node))
        return self.wrapped(node, least)

    def _quotient(self, left: Expression, right: Expression) -> str:
        above, below = self(left), self(right)
        if isinstance(left, Number) and isinstance(right, Number):
            return rf"\tfrac{{{above}}}{{{below}}}"
        if max(glyphs(above), glyphs(below)) <= WIDE:
            return rf"\frac{{{above}}}{{{below}}}"
        return f"{self._factor(left, PRODUCT)} / {self._factor(right, FORM)}"

    def _of_power(self, node: Power) -> str:
        if node.written is None and node.exponent == Fraction(1, 2):
            return rf"\sqrt{{{self(node.base)}}}"
        base, exponent = self._resolved(node.base), self._exponent(node)
        if isinstance(base, Call) and node.exponent > 0 and (command := re.match(r"\\[a-z]+(?=\()", self(base))):
            # As usual: the square of tanh(a) is tanh²(a).
            return rf"{command.group()}^{{{exponent}}}{self(base)[command.end() :]}"
        return raised(self.wrapped(base, ATOM), exponent)

    def _exponent(self, node: Power) -> str:
        """The exponent: a number, or its author's words; a quotient stands on one line."""
        match node.written:
            case None:
                exponent = node.exponent
                below = "" if exponent.denominator == 1 else f"/{exponent.denominator}"
                return f"{exponent.numerator}{below}"
            case Binary(_, left, right):
                return f"{self.wrapped(left, UNARY)}/{self.wrapped(right, ATOM)}"
            case written:
                return self(written)


NOW, BEFORE = "t", "t-1"
"""The index of the step, and of the step before it."""


def step_notation(system: System) -> Notation:
    """How the names of a step are written."""
    fixed = timeless(system)
    names = {variable.name: step_name(variable, fixed) for variable in system.variables}
    return Notation(names, {variable.name: variable.shape for variable in system.variables})


def timeless(system: System) -> frozenset[str]:
    """The names that depend on parameters alone: they have no index of a step."""
    fixed = {variable.name for variable in system.of_role(Role.PARAMETER)}
    for equation in system.equations:
        read = names(equation.expression)
        if read and not is_next(equation.target) and fixed.issuperset(read):
            fixed.add(equation.target)
    return frozenset(fixed)


def step_name(variable: Variable, fixed: frozenset[str], now: str = NOW, before: str = BEFORE) -> str:
    """The LaTeX of a variable of a step; what is ``fixed`` has no index."""
    if variable.name in fixed:
        return spell(variable.name)
    return spell(variable.name.removesuffix(PRIME), before if variable.role is Role.STATE else now)


_LETTERS = {INPUT: r"\mathrm{I}", HIDDEN: r"\mathrm{H}", ONE: ONE}


def size_latex(size: str) -> str:
    """The LaTeX of a number of units: an upright letter, as no variable is written, or the size's name."""
    word = size.replace("_", r"\_")
    return _LETTERS.get(size, rf"\mathrm{{{word}}}")


_WEIGHTLESS = "operatorname|mathit|mathrm|mathbf|overline|overset|tilde|hat|bar|dot|[dt]?frac|sqrt"


def glyphs(latex: str) -> int:
    """About how many characters of full width ``latex`` fills on the page."""
    bare = re.sub(rf"\\(?:{_WEIGHTLESS})\b", "", latex)
    bare = re.sub(r"\\[A-Za-z]+", "m", bare)
    return len(re.sub(r"[{}_^\\ ,]", "", bare))


def number_latex(value: Fraction, text: str) -> str:
    """A literal as the author wrote it, powers of ten set as such."""
    mantissa, mark, power = text.lower().partition("e")
    if not mark:
        return text
    ten = f"10^{{{int(power)}}}"
    return ten if Fraction(mantissa) == 1 else rf"{mantissa} \cdot {ten}"
