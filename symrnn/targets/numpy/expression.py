"""Elementwise expressions as NumPy: ``f * c + i * g``.

Reads trees over names of values; returns Python text, and which helpers of the function table it calls. Leaves out:
linear forms (matrix products of panels by then) and where values are stored (`symrnn.targets.numpy.module`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction

from symrnn.errors import GenerateError
from symrnn.language.functions import FUNCTIONS
from symrnn.language.text import ATOM, POWER, strength
from symrnn.language.tree import (
    Binary,
    Call,
    Constant,
    Expression,
    Name,
    Negate,
    Number,
    Power,
    Reduce,
    SizeOf,
    walk,
)
from symrnn.targets.numpy.functions import spelling


class NumpyPrinter:
    """Prints expressions over Python names.

    Args:
        names: the Python identifier of every value.
        sizes: the Python expression of every size name.
    """

    def __init__(self, names: Mapping[str, str], sizes: Mapping[str, str]) -> None:
        self._names, self._sizes = names, sizes

    def __call__(self, node: Expression) -> str:
        """The Python text of ``node``.

        Raises:
            GenerateError: ``node`` contains a linear form, which only a stage can compute.
        """
        match node:
            case Number(value, _) | Constant(_, value, _):
                return number(value)
            case Name(name):
                return self._names[name]
            case Negate(operand):
                return f"-{self._wrapped(operand, ATOM)}"
            case Binary(op, left, right):
                level = strength(node)
                return f"{self._wrapped(left, level)} {op} {self._wrapped(right, level + (op in '-/'))}"
            case Power(base, exponent):
                if exponent == 2:
                    return f"np.square({self(base)})"
                return f"{self._wrapped(base, POWER + 1)} ** {_exponent(exponent)}"
            case Call(function, arguments) if all(isinstance(a, Number | Constant) for a in arguments):
                # Helpers take arrays; as a plain number again, the value widens no array.
                values = ", ".join(f"np.full(1, {self(argument)}, float)" for argument in arguments)
                return f"{spelling(function).callee}({values}).item()"
            case Call(function, arguments):
                return f"{spelling(function).callee}({', '.join(self(argument) for argument in arguments)})"
            case Reduce(kind, Name(name)):
                return f"np.{kind}({self._names[name]}, axis=-1, keepdims=True)"
            case SizeOf(size):
                return self._sizes[size]
            case _:
                raise GenerateError(f"NumPy: {type(node).__name__} is not elementwise, so no statement can compute it")

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
    """The sources of the functions that ``nodes`` call and that are no ufuncs, callees first."""
    called = {part.function for node in nodes for part in walk(node) if isinstance(part, Call)}
    found: dict[str, None] = {}
    for name in FUNCTIONS:
        if name in called:
            row = spelling(name)
            for each in (*(spelling(needed) for needed in row.needs), row):
                found |= {each.source: None} if each.source else {}
    return tuple(found)
