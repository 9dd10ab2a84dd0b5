"""Expressions and equations on arrays: in floating point, or over any scalars that an `Arithmetic` brings.

Reads trees and values by name; returns values. One walk serves NumPy arrays of floats, SymPy expressions and numbers
of many digits alike, since arrays of objects add and multiply like any other. A vector's units are its last axis;
further axes in front, of rows or steps, are kept. Leaves out: the order of steps, and speed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import islice
from typing import Any

import numpy as np

from symrnn.derive.numeric import array_functions
from symrnn.errors import DerivationError
from symrnn.language.axes import Numbers, axes_of, has_axes, shape_axes, size_of, without
from symrnn.language.fold import Fold
from symrnn.language.reductions import REDUCTIONS
from symrnn.language.system import ONE, Equation, Variable
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
)
from symrnn.language.vectors import VECTORS

Array = np.ndarray[Any, np.dtype[Any]]
Values = Mapping[str, Array]


@dataclass(frozen=True)
class Arithmetic:
    """What scalars are.

    Attributes:
        functions: the function table on arrays of such scalars.
        number: an exact number as such a scalar.
    """

    functions: Mapping[str, Callable[..., Array]]
    number: Callable[[Fraction], Any]


@cache
def floats() -> Arithmetic:
    """Floating point, real or complex."""
    return Arithmetic(array_functions(), float)


_OPERATORS: Mapping[str, Callable[[Array, Array], Array]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
}


@dataclass(frozen=True)
class Evaluator(Fold[Array], refuses=MATRICES):
    """Gives expressions their values: ``(…, size)``, ``(…, 1)`` where it broadcasts, or matrices ``(…, rows, columns)``.

    Attributes:
        values: vectors ``(…, size)`` and matrices ``(rows, columns)`` by name.
        sizes: the number behind each size name.
        arithmetic: the scalars that the values are made of.
    """

    values: Values
    sizes: Mapping[str, int]
    arithmetic: Arithmetic

    def _number(self, exact: Fraction) -> Array:
        return np.array([self.arithmetic.number(exact)])

    def _of_number(self, node: Number) -> Array:
        return self._number(node.value)

    def _of_constant(self, node: Constant) -> Array:
        return self._number(node.value)

    def _of_size(self, node: SizeOf) -> Array:
        return self._number(Fraction(self.sizes[node.size]))

    def _of_name(self, node: Name) -> Array:
        return self.values[node.name]

    def _of_negate(self, node: Negate) -> Array:
        return -self(node.operand)

    def _of_binary(self, node: Binary) -> Array:
        return _OPERATORS[node.op](self(node.left), self(node.right))

    def _of_power(self, node: Power) -> Array:
        exponent = node.exponent
        power: Array = self(node.base) ** (
            int(exponent) if exponent.denominator == 1 else self.arithmetic.number(exponent)
        )
        return power

    def _of_call(self, node: Call) -> Array:
        return self.arithmetic.functions[node.function](*(self(argument) for argument in node.arguments))

    def _of_form(self, node: MatVec) -> Array:
        matrix = self.values[node.matrix]
        if node.shape:
            return self._acted(node, matrix)
        return self(node.operand) @ (matrix if node.transposed else matrix.T)

    def _acted(self, node: MatVec, matrix: Array) -> Array:
        """A form of a matrix that acts on the last axis of a value with several axes, as an author wrote it."""
        rows, columns = node.shape
        inner, outer = (rows, columns) if node.transposed else (columns, rows)
        kept = axes_of(node.of)[: -len(axes_of(inner))]
        own = [axis for axis in axes_of(outer) if axis in kept]
        table, operand = matrix.reshape(self.sizes[rows], self.sizes[columns]), self(node.operand)
        table = table.T if node.transposed else table
        before, width = size_of(kept), self.sizes[inner]
        apart = operand.reshape(*operand.shape[:-1], self.sizes[before], 1, width)
        if own:  # of the rows that a unit of an axis has to itself, those of each unit
            new = without(outer, kept)
            places = repeated(np.arange(len(table)), outer, size_of([*kept, *axes_of(new)]), self.sizes)
            table = table[places.reshape(self.sizes[before], self.sizes[new])]
        acted: Array = (apart * table).sum(axis=-1)
        return acted.reshape(*operand.shape[:-1], acted.shape[-2] * acted.shape[-1])

    def _of_reduction(self, node: Reduce) -> Array:
        operand, meaning = self(node.operand), REDUCTIONS[node.kind].meaning
        if node.of:
            return over_axes(operand, node.of, node.axis, self.sizes, lambda rows: meaning(rows, self.arithmetic))
        value: Array = meaning(operand, self.arithmetic)
        return value

    def _of_broadcast(self, node: Broadcast) -> Array:
        return repeated(self(node.operand), node.of, node.size, self.sizes)

    def _of_vector(self, node: VectorCall) -> Array:
        operand, meaning = self(node.operand), VECTORS[node.kind].meaning
        if node.of:
            return along_axis(operand, node.of, node.axis, self.sizes, lambda rows: meaning(rows, self.arithmetic))
        value: Array = meaning(operand, self.arithmetic)
        return value

    def _of_outer(self, node: Outer) -> Array:
        left, right = self(node.left), self(node.right)
        product: Array = left[..., :, np.newaxis] * right[..., np.newaxis, :]
        return product


def repeated(array: Array, of: str, size: str, sizes: Mapping[str, int]) -> Array:
    """``array``, ``(…, units of of)``, repeated along the axes of ``size`` that ``of`` lacks: ``(…, units of size)``."""
    own, wanted, lead = axes_of(of), axes_of(size), array.shape[:-1]
    table = array.reshape(*lead, *(sizes[axis] for axis in own))
    turned = [len(lead) + own.index(axis) for axis in wanted if axis in own]
    table = table.transpose(*range(len(lead)), *turned)
    table = table.reshape(*lead, *(sizes[axis] if axis in own else 1 for axis in wanted))
    whole = tuple(sizes[axis] for axis in wanted)
    return np.broadcast_to(table, (*lead, *whole)).reshape(*lead, math.prod(whole))


def over_axes(array: Array, of: str, axis: str, sizes: Mapping[str, int], meaning: Callable[[Array], Array]) -> Array:
    """A reduction over the axes ``axis`` of ``array``, ``(…, units of of)``.

    ``meaning`` reduces ``(…, units)`` to ``(…, 1)``.
    """
    own, gone, lead = axes_of(of), axes_of(axis), array.shape[:-1]
    kept = [each for each in own if each not in gone]
    table = array.reshape(*lead, *(sizes[each] for each in own))
    table = table.transpose(*range(len(lead)), *(len(lead) + own.index(each) for each in (*kept, *gone)))
    left = math.prod(sizes[each] for each in kept)
    return meaning(table.reshape(*lead, left, math.prod(sizes[each] for each in gone)))[..., 0]


def along_axis(array: Array, of: str, axis: str, sizes: Mapping[str, int], meaning: Callable[[Array], Array]) -> Array:
    """A vector function along ``axis`` of ``array``, ``(…, units of of)``; ``meaning`` is one of ``(…, units)``."""
    own, lead = axes_of(of), array.shape[:-1]
    place = len(lead) + own.index(axis)
    table = np.moveaxis(array.reshape(*lead, *(sizes[each] for each in own)), place, -1)
    return np.moveaxis(meaning(table), -1, place).reshape(array.shape)


def evaluate(node: Expression, values: Values, sizes: Mapping[str, int], arithmetic: Arithmetic) -> Array:
    """The value of ``node`` as an `Evaluator` of these values gives it."""
    return Evaluator(values, sizes, arithmetic)(node)


def run(
    equations: Iterable[Equation],
    variables: Mapping[str, Variable],
    given: Values,
    sizes: Mapping[str, int],
    arithmetic: Arithmetic,
) -> dict[str, Array]:
    """``given`` and the target of every equation, in order; a right side of size 1 broadcasts to its target."""
    values = dict(given)
    for equation in equations:
        value = evaluate(equation.expression, values, sizes, arithmetic)
        shape = tuple(sizes[size] for size in variables[equation.target].shape)
        values[equation.target] = np.broadcast_to(value, np.broadcast_shapes(value.shape, shape))
    return values


def sizes_of(variables: Iterable[Variable], values: Values) -> dict[str, int]:
    """The number behind each size name, from the shapes of the given values.

    Raises:
        DerivationError: an array has the wrong number of axes, or two disagree about a size.
    """
    sizes = Numbers({ONE: 1})
    for variable in variables:
        if variable.name not in values:
            continue
        shape = np.shape(values[variable.name])
        axes = shape_axes(variable.shape)
        expected = [sizes.get(size, size) for size in axes]
        pairs = list(zip(shape, expected, strict=False))
        if len(shape) != len(expected) or any(isinstance(known, int) and found != known for found, known in pairs):
            raise DerivationError(
                f"{variable.name!r} has shape {shape} where the cell has ({', '.join(map(str, expected))}); "
                "give vectors as (size,) and matrices as (rows, columns), one row of the batch at a time"
            )
        sizes.update(zip(axes, shape, strict=True))
    return sizes


def flat(variables: Iterable[Variable], values: Values, lead: int = 0) -> dict[str, Array]:
    """``values`` as vectors and matrices: several axes of a size become one; ``lead`` axes in front stay."""
    of = {variable.name: variable.shape for variable in variables}
    found = dict(values)
    for name, array in values.items():
        if any(has_axes(size) for size in of.get(name, ())):
            counts = [len(axes_of(size) or (ONE,)) for size in of[name]]
            axes = iter(array.shape[lead:])
            units = [math.prod(islice(axes, count)) for count in counts]
            found[name] = array.reshape(*array.shape[:lead], *units)
    return found


def shaped(variables: Iterable[Variable], values: Values, sizes: Mapping[str, int], lead: int = 0) -> dict[str, Array]:
    """The reverse of `flat`: ``values`` with an array axis for each axis."""
    of = {variable.name: variable.shape for variable in variables}
    return {
        name: array.reshape(*array.shape[:lead], *(sizes[axis] for axis in shape_axes(of[name])))
        if any(has_axes(size) for size in of.get(name, ()))
        else array
        for name, array in values.items()
    }
