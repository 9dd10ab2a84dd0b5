"""Elementwise expressions as NumPy: ``f * c + i * g``.

Reads trees over names of values; returns Python text, and the helpers that they call. Leaves out:
linear forms (matrix products of panels by then) and where values are stored (`symrnn.targets.numpy.module`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction

from symrnn.emit.inline import picked
from symrnn.errors import GenerateError
from symrnn.language.fold import Fold
from symrnn.language.text import ATOM, POWER, strength
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
from symrnn.targets.numpy.functions import HELPERS, reduction, spelling


class NumpyPrinter(Fold[str], refuses=(MatVec, Outer)):
    """Prints expressions over Python names; a linear form is refused, since only a stage can compute it.

    Args:
        names: the Python identifier of every value.
        sizes: the Python expression of every size name.
    """

    def __init__(self, names: Mapping[str, str], sizes: Mapping[str, str]) -> None:
        self._names, self._sizes = names, sizes

    def _refusal(self, node: Expression) -> Exception:
        return GenerateError(f"NumPy: {type(node).__name__} is not elementwise, so no statement can compute it")

    def _of_number(self, node: Number) -> str:
        return number(node.value)

    def _of_constant(self, node: Constant) -> str:
        return number(node.value)

    def _of_name(self, node: Name) -> str:
        return self._names[node.name]

    def _of_negate(self, node: Negate) -> str:
        return f"-{self._wrapped(node.operand, ATOM)}"

    def _of_binary(self, node: Binary) -> str:
        level = strength(node)
        return f"{self._wrapped(node.left, level)} {node.op} {self._wrapped(node.right, level + (node.op in '-/'))}"

    def _of_power(self, node: Power) -> str:
        if node.exponent == 2:
            return f"np.square({self(node.base)})"
        return f"{self._wrapped(node.base, POWER + 1)} ** {_exponent(node.exponent)}"

    def _of_call(self, node: Call) -> str:
        callee = spelling(node.function)
        if all(isinstance(argument, Number | Constant) for argument in node.arguments):
            # Helpers take arrays; as a plain number again, the value widens no array.
            values = ", ".join(f"np.full(1, {self(argument)}, float)" for argument in node.arguments)
            return f"{callee}({values}).item()"
        return f"{callee}({', '.join(self(argument) for argument in node.arguments)})"

    def _of_reduction(self, node: Reduce) -> str:
        return f"{reduction(node.kind).whole}({self(node.operand)}, axis=-1, keepdims=True)"

    def _of_size(self, node: SizeOf) -> str:
        return self._sizes[node.size]

    def _wrapped(self, node: Expression, least: int) -> str:
        # A square is printed as a call, and so binds as tightly as a name.
        called = isinstance(node, Power) and node.exponent == 2
        return self(node) if called or strength(node) >= least else f"({self(node)})"


def number(value: Fraction) -> str:
    """An exact number as a Python literal."""
    return str(value.numerator) if value.denominator == 1 and abs(value) < 10**6 else repr(float(value))


def _exponent(exponent: Fraction) -> str:
    text = number(exponent)
    return f"({text})" if exponent < 0 else text


def helpers(nodes: Iterable[Expression]) -> tuple[str, ...]:
    """The sources of the helpers that ``nodes`` call, with those that these call, in the order of the function table."""
    callees = {spelling(part.function) for node in nodes for part in walk(node) if isinstance(part, Call)}
    return picked(HELPERS, {callee for callee in callees if "." not in callee})
