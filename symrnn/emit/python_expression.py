"""Elementwise expressions as Python over whole arrays: ``f * c + i * g``.

Reads trees over names of values; returns text. A subclass says how one array library spells what is not an operator. Leaves
out: linear forms, which a target computes for a whole stage.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction

from symrnn.errors import GenerateError
from symrnn.language.axes import axes_of
from symrnn.language.fold import Fold
from symrnn.language.text import ATOM, POWER, strength
from symrnn.language.tree import (
    MATRICES,
    Binary,
    Broadcast,
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
    VectorCall,
    walk,
)


class PythonPrinter(Fold[str], refuses=(MatVec, Outer, *MATRICES)):
    """Prints expressions over Python names; a linear form is refused, since only a stage can compute it.

    Args:
        names: the Python text of every value.
        sizes: the Python text of every size name.

    Attributes:
        library: the array library's name, for messages.
        square: the callee that squares an array.
    """

    library = ""
    square = ""

    def __init__(self, names: Mapping[str, str], sizes: Mapping[str, str]) -> None:
        self._names, self._sizes = names, sizes

    def of_call(self, function: str, arguments: list[str], constant: bool) -> str:
        """A call of the language's ``function``; ``constant`` says that the arguments are plain numbers, not arrays."""
        raise NotImplementedError

    def of_reduction(self, kind: str, operand: str) -> str:
        """The reduction ``kind`` of an array over its last axis, which stays with one entry."""
        raise NotImplementedError

    def of_axes(self, kind: str, operand: str, axes: list[str]) -> str:
        """The reduction ``kind`` over some of the axes of an array; ``axes`` are those of the array, and which, as tuples."""
        raise NotImplementedError

    def of_broadcast(self, operand: str, axes: list[str]) -> str:
        """An array along further axes; ``axes`` are its own, each 1 where it lacks one, and those of the result, as tuples."""
        raise NotImplementedError

    def of_vector(self, kind: str, operand: str) -> str:
        """The vector function ``kind`` of an array, over its last axis."""
        raise NotImplementedError

    def _refusal(self, node: Expression) -> Exception:
        return GenerateError(
            f"{self.library}: {type(node).__name__} is not elementwise, so no statement can compute it"
        )

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
        return f"{self._wrapped(node.left, level)} {node.op} {self._wrapped(node.right, level + 1)}"

    def _of_power(self, node: Power) -> str:
        if node.exponent == 2:
            return f"{self.square}({self(node.base)})"
        return f"{self._wrapped(node.base, POWER + 1)} ** {_exponent(node.exponent)}"

    def _of_call(self, node: Call) -> str:
        constant = not any(isinstance(part, Name) for part in walk(node))
        return self.of_call(node.function, [self(argument) for argument in node.arguments], constant)

    def _of_reduction(self, node: Reduce) -> str:
        if node.of:
            return self.of_axes(node.kind, self(node.operand), over_texts(node.of, node.axis, self._sizes))
        return self.of_reduction(node.kind, self(node.operand))

    def _of_broadcast(self, node: Broadcast) -> str:
        return self.of_broadcast(self(node.operand), axes_texts(node.of, node.size, self._sizes))

    def _of_vector(self, node: VectorCall) -> str:
        return self.of_vector(node.kind, self(node.operand))

    def _of_size(self, node: SizeOf) -> str:
        return self._sizes[node.size]

    def _wrapped(self, node: Expression, least: int) -> str:
        # A square is printed as a call, and so binds as tightly as a name.
        called = isinstance(node, Power) and node.exponent == 2
        return self(node) if called or strength(node) >= least else f"({self(node)})"


def axes_texts(of: str, size: str, texts: Mapping[str, str]) -> list[str]:
    """The axes of a value of size ``of``, each 1 where it lacks one of ``size``, and the axes of ``size``: two tuples."""
    own = axes_of(of)
    return [
        _tuple(texts[axis] if axis in own else "1" for axis in axes_of(size)),
        _tuple(texts[a] for a in axes_of(size)),
    ]


def over_texts(of: str, axis: str, texts: Mapping[str, str]) -> list[str]:
    """The axes of a value of size ``of``, and the places, counted from the last, of those in ``axis``: two tuples."""
    own = axes_of(of)
    places = [index - len(own) for index, each in enumerate(own) if each in axes_of(axis)]
    return [_tuple(texts[each] for each in own), _tuple(map(str, places))]


def _tuple(parts: Iterable[str]) -> str:
    texts = list(parts)
    return f"({', '.join(texts)}{',' * (len(texts) == 1)})"


def number(value: Fraction) -> str:
    """An exact number as a Python literal."""
    return str(value.numerator) if value.denominator == 1 and abs(value) < 10**6 else repr(float(value))


def _exponent(exponent: Fraction) -> str:
    text = number(exponent)
    return f"({text})" if exponent < 0 else text
