"""The forward oracle: a plain interpreter of a cell's equations, one scalar after another in Python floats.

Reads the author's parsed trees (`Cell.equations`) and arrays; returns outputs and states. It shares nothing with
derivation, planning or printing: every function is defined here again, sums are correctly rounded by `math.fsum`,
and no step is reordered. Leaves out: speed, gradients, complex numbers and every precision but double.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from operator import mul, truediv

import numpy as np

from symrnn.check.cases import Problem
from symrnn.check.measure import Array
from symrnn.check.prepared_values import prepared_values
from symrnn.errors import CheckError
from symrnn.language.axes import Numbers, axes_of, size_of
from symrnn.language.cell import Cell
from symrnn.language.system import ONE
from symrnn.language.tree import (
    PRIME,
    Binary,
    Broadcast,
    Call,
    Constant,
    Expression,
    MatVec,
    Name,
    Negate,
    Number,
    Power,
    Reduce,
    VectorCall,
)
from symrnn.saying import Progress, silent

Vector = list[float]


def _sigmoid(a: float) -> float:
    if a >= 0:
        return 1 / (1 + math.exp(-a))
    return math.exp(a) / (1 + math.exp(a))


def _gelu(a: float) -> float:
    return a * (1 + math.tanh(math.sqrt(2 / math.pi) * (a + 0.044715 * a**3))) / 2


def _sign(a: float) -> float:
    return a if a == 0 or math.isnan(a) else math.copysign(1.0, a)


def _mish(a: float) -> float:
    # tanh(log(1 + u)) = (u² + 2 u) / (u² + 2 u + 2), with u = exp(a)
    if a > 30:
        return a
    u = math.exp(a)
    return a * (u * u + 2 * u) / (u * u + 2 * u + 2)


def _selu(a: float) -> float:
    return 1.0507009873554805 * (a if a > 0 else 1.6732632423543772 * math.expm1(a))


FUNCTIONS: Mapping[str, Callable[..., float]] = {
    "sigmoid": _sigmoid,
    "tanh": math.tanh,
    "relu": lambda a: a if a > 0 else 0.0,
    "leaky_relu": lambda a: a if a > 0 else a / 100,
    "elu": lambda a: a if a > 0 else math.expm1(a),
    "softplus": lambda a: max(a, 0.0) + math.log1p(math.exp(-abs(a))),
    "softsign": lambda a: a / (1 + abs(a)),
    "silu": lambda a: a * _sigmoid(a),
    "gelu": _gelu,
    "hard_sigmoid": lambda a: min(max(a / 6 + 0.5, 0.0), 1.0),
    "hard_tanh": lambda a: min(max(a, -1.0), 1.0),
    "exp": math.exp,
    "log": math.log,
    "sqrt": math.sqrt,
    "abs": abs,
    "sin": math.sin,
    "cos": math.cos,
    "minimum": min,
    "maximum": max,
    "expm1": math.expm1,
    "log1p": math.log1p,
    "erf": math.erf,
    "erfc": math.erfc,
    "sign": _sign,
    "step": lambda a: 0.0 if a < 0 else 1.0,
    "floor": lambda a: float(math.floor(a)),
    "round": lambda a: float(round(a)),
    "where": lambda c, a, b: a if c > 0 else b,
    "less": lambda a, b: float(a < b),
    "less_equal": lambda a, b: float(a <= b),
    "equal": lambda a, b: float(a == b),
    "greater": lambda a, b: float(a > b),
    "greater_equal": lambda a, b: float(a >= b),
    "not_equal": lambda a, b: float(a != b),
    "relu6": lambda a: min(max(a, 0.0), 6.0),
    "celu": lambda a: a if a > 0 else math.expm1(a),
    "selu": _selu,
    "hard_swish": lambda a: a * min(max(a + 3, 0.0), 6.0) / 6,
    "mish": _mish,
    "gelu_erf": lambda a: a * math.erfc(-a / math.sqrt(2)) / 2,
    "logsigmoid": lambda a: min(a, 0.0) - math.log1p(math.exp(-abs(a))),
    "rsqrt": lambda a: 1 / math.sqrt(a),
    "power": lambda a, b: math.exp(b * math.log(a)),
}
"""The meaning of every function of the equation language on one number."""


def _logsumexp(vector: Sequence[float]) -> float:
    most = max(vector)
    return most + math.log(math.fsum(math.exp(a - most) for a in vector))


REDUCTIONS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "mean": lambda vector: math.fsum(vector) / len(vector),
    "sum": math.fsum,
    "max": max,
    "logsumexp": _logsumexp,
}
"""The meaning of every reduction on the units of one vector."""


def _softmax(vector: Sequence[float]) -> Vector:
    most = max(vector)
    powers = [math.exp(a - most) for a in vector]
    return [power / math.fsum(powers) for power in powers]


VECTORS: Mapping[str, Callable[[Sequence[float]], Vector]] = {
    "softmax": _softmax,
    "cumsum": lambda vector: [math.fsum(vector[: unit + 1]) for unit in range(len(vector))],
}
"""The meaning of every vector function on the units of one vector."""

OPERATORS: Mapping[str, Callable[[float, float], float]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": mul,
    "/": truediv,
}


@dataclass(frozen=True)
class Interpreted:
    """What a layer returns.

    Attributes:
        outputs: each output at every step by name, ``(T, B, size)``; zero beyond a row's length.
        state: every state after the last step, ``(B, size)``.
        states: every state before the first step and after each, in the order in which steps are *taken*,
            ``(T + 1, B, size)``.
    """

    outputs: Mapping[str, Array]
    state: Mapping[str, Array]
    states: Mapping[str, Array]

    @property
    def y(self) -> Array:
        """The output of a cell that has one."""
        (found,) = self.outputs.values()
        return found


def interpret(
    cell: Cell,
    sizes: Mapping[str, int],
    params: Mapping[str, Array],
    x: Array,
    state: Mapping[str, Array] | None = None,
    lengths: Sequence[int] | Array | None = None,
    reverse: bool = False,
    inputs: Mapping[str, Array] | None = None,
    progress: Progress = silent,
) -> Interpreted:
    """The layer's outputs and states by the author's equations.

    Args:
        cell: the cell, as parsed.
        sizes: a number for each of ``cell.sizes``.
        params: parameters by name, vectors ``(size,)`` and matrices ``(rows, columns)``.
        x: inputs, ``(T, B, input)``.
        state: initial states by name, ``(B, size)``; missing ones are zeros.
        lengths: steps of each row, 0 to T; beyond them its states keep their values and its outputs are zero.
        reverse: whether each row runs from its last valid step to its first.
        inputs: the inputs beside ``x``, ``(T, B, size)``.
        progress: called with a line of text before each step of each row.

    Raises:
        CheckError: an equation leaves the domain of a function (a logarithm of a negative number, an overflow).
    """
    steps, batch = x.shape[0], x.shape[1]
    numbers = Numbers({**sizes, ONE: 1})
    width = {name: numbers[cell.by_name[name + PRIME].shape[0]] for name in cell.states}
    given = {"x": x, **(inputs or {})}
    returned = dict(zip(cell.returned, cell.output_values, strict=True))
    ys = {name: np.zeros((steps, batch, numbers[cell.by_name[value].shape[0]])) for name, value in returned.items()}
    states = {name: np.zeros((steps + 1, batch, width[name])) for name in cell.states}
    step = _InterpretedStep(cell, numbers, params)
    for row in range(batch):
        length = steps if lengths is None else int(lengths[row])
        now = {name: _initial(state, name, row, width[name]) for name in cell.states}
        for name in cell.states:
            states[name][:, row] = now[name]
        for taken in range(length):
            progress(f"row {row + 1} of {batch}, step {taken + 1} of {length}")
            t = length - 1 - taken if reverse else taken
            values = step({name: _numbers(array[t, row]) for name, array in given.items()}, now)
            now = {name: values[name + PRIME] for name in cell.states}
            for name, value in returned.items():
                ys[name][t, row] = values[value]
            for name in cell.states:
                states[name][taken + 1 :, row] = now[name]
    ys = {name: _shaped(array, cell.size(returned[name]), numbers) for name, array in ys.items()}
    states = {name: _shaped(array, cell.size(name), numbers) for name, array in states.items()}
    return Interpreted(ys, {name: states[name][-1].copy() for name in cell.states}, states)


def interpret_at(cell: Cell, problem: Problem, progress: Progress = silent) -> Interpreted:
    """The outputs and states at the point of ``problem``; ``progress`` as in `interpret`.

    Raises:
        CheckError: as `interpret`.
    """
    lengths, reverse = problem.lengths, problem.case.reverse
    return interpret(
        cell, problem.sizes, problem.params, problem.x, problem.state, lengths, reverse, problem.inputs, progress
    )


def _initial(state: Mapping[str, Array] | None, name: str, row: int, width: int) -> Vector:
    if state is None or name not in state:
        return [0.0] * width
    return _numbers(state[name][row])


class _InterpretedStep:
    """One step of one row: calls take the inputs and the states, and return every value."""

    def __init__(self, cell: Cell, sizes: Mapping[str, int], params: Mapping[str, Array]) -> None:
        self._cell, self._sizes = cell, sizes
        if cell.preparation.equations:
            params = prepared_values(cell, sizes, params, FUNCTIONS, OPERATORS)
        given = {**cell.by_name, **cell.step.by_name}
        self._vectors = {name: _numbers(array) for name, array in params.items() if len(given[name].shape) == 1}
        # Every matrix by rows, under its name and whether it is transposed; rows may have several axes.
        tables = {n: a.reshape(-1, a.shape[-1]) for n, a in params.items() if len(given[n].shape) == 2}
        self._rows = {
            (name, transposed): [_numbers(row) for row in (table.T if transposed else table)]
            for name, table in tables.items()
            for transposed in (False, True)
        }
        self._values: dict[str, Vector] = {}
        # How many choices the expression at hand is a side of.
        self._choices = 0
        # What depends on sizes alone is found once, not at each step of each row.
        self._places, self._groups = cache(self._find_places), cache(self._find_groups)
        self._sources, self._met = cache(self._find_sources), cache(self._find_met)

    def __call__(self, inputs: Mapping[str, Vector], state: Mapping[str, Vector]) -> dict[str, Vector]:
        self._values = {**inputs, **state, **self._vectors}
        for equation in self._cell.step.equations:
            try:
                value = self._value(equation.expression)
            except (ValueError, OverflowError, ZeroDivisionError) as error:
                raise CheckError(
                    f"cell {self._cell.name!r}: equation {equation.label} ({equation.target} = …) cannot be evaluated "
                    f"at the random point ({error}); keep the arguments of log, sqrt, / and ** in range"
                ) from error
            size = self._sizes[self._cell.by_name[equation.target].shape[0]]
            self._values[equation.target] = value * size if len(value) == 1 else value
        return self._values

    def _value(self, node: Expression) -> Vector:
        """The value of ``node``: one number per unit, or a single one that broadcasts."""
        match node:
            case Number(value, _) | Constant(_, value, _):
                return [float(value)]
            case Name(name):
                return self._values[name]
            case Negate(operand):
                return [-a for a in self._value(operand)]
            case Binary(op, left, right):
                return self._each(OPERATORS[op], self._value(left), self._value(right))
            case Power(base, exponent):
                return self._each(lambda a: math.pow(a, float(exponent)), self._value(base))
            case Call("where", (condition, first, second)):
                return self._chosen(condition, first, second)
            case Call(_, (value, *_), written) if written:
                return self._value(value)
            case Call(function, arguments):
                return self._each(FUNCTIONS[function], *(self._value(argument) for argument in arguments))
            case MatVec(_, _, operand, _, shape) if shape:
                return self._acted(node, self._value(operand))
            case MatVec(matrix, transposed, operand):
                rows, vector = self._rows[matrix, transposed], self._value(operand)
                return [_inner_product(row, vector) for row in rows]
            case Reduce(kind, operand, axis, of) if of:
                vector = self._value(operand)
                return [REDUCTIONS[kind]([vector[at] for at in group]) for group in self._groups(axis, of)]
            case Broadcast(operand, of, size):
                vector = self._value(operand)
                return vector if len(vector) == 1 else [vector[at] for at in self._sources(of, size)]
            case Reduce(kind, operand):
                vector = self._value(operand)
                return [REDUCTIONS[kind](vector)]
            case VectorCall(kind, operand, axis, of) if of:
                vector = self._value(operand)
                found = [*vector]
                for group in self._groups(axis, of):
                    for at, unit in zip(group, VECTORS[kind]([vector[at] for at in group]), strict=True):
                        found[at] = unit
                return found
            case VectorCall(kind, operand):
                return VECTORS[kind](self._value(operand))
            case _:
                raise CheckError(
                    f"the interpreter has no case for {type(node).__name__}, which no cell file can contain"
                )

    def _acted(self, form: MatVec, given: Vector) -> Vector:
        """A matrix times the last axis of ``given``, which has several."""
        of, shape, transposed = form.of, form.shape, form.transposed
        numbers, wide = self._vectors[form.matrix], self._sizes[shape[1]]
        table = [numbers[start : start + wide] for start in range(0, len(numbers), wide)]
        rows = [list(column) for column in zip(*table, strict=True)] if transposed else table
        inner = len(rows[0])
        apart = [given[start : start + inner] for start in range(0, len(given), inner)]
        kept = axes_of(of)[: -len(axes_of(shape[0 if transposed else 1]))]
        met = self._met(shape[1 if transposed else 0], size_of(kept))
        return [_inner_product(rows[row], part) for mine, part in zip(met, apart, strict=True) for row in mine]

    def _find_places(self, size: str) -> list[dict[str, int]]:
        """The index along each axis of every number of a value of ``size``, in order."""
        names = axes_of(size)
        every = product(*(range(self._sizes[name]) for name in names))
        return [dict(zip(names, indices, strict=True)) for indices in every]

    def _find_groups(self, axis: str, of: str) -> list[list[int]]:
        """Where the numbers of a value of size ``of`` stand that differ in their place along ``axis`` alone."""
        groups: dict[tuple[int, ...], list[int]] = {}
        for at, place in enumerate(self._places(of)):
            key = tuple(index for name, index in place.items() if name != axis)
            groups.setdefault(key, []).append(at)
        return list(groups.values())

    def _find_sources(self, of: str, size: str) -> list[int]:
        """Where each number of a value of ``size`` stands in one of size ``of``, which lacks some of its axes."""
        own = axes_of(of)
        known = {tuple(place.values()): at for at, place in enumerate(self._places(of))}
        return [known[tuple(place[name] for name in own)] for place in self._places(size)]

    def _find_met(self, rows: str, kept: str) -> list[list[int]]:
        """The rows of a matrix that each unit of the axes ``kept`` meets: where rows are for one unit each, its own."""
        return [
            [
                row
                for row, mine in enumerate(self._places(rows))
                if all(at.get(axis, n) == n for axis, n in mine.items())
            ]
            for at in self._places(kept)
        ]

    def _chosen(self, condition: Expression, *sides: Expression) -> Vector:
        """Unit by unit the value of one side; the other may have none there."""
        holds = self._value(condition)
        self._choices += 1
        try:
            first, second = (self._value(side) for side in sides)
        finally:
            self._choices -= 1
        found = _each(FUNCTIONS["where"], holds, first, second)
        if not self._choices and any(math.isnan(unit) for unit in found):
            raise ValueError("the side of `where` that is taken has no value")
        return found

    def _each(self, function: Callable[..., float], *operands: Vector) -> Vector:
        """`function` unit by unit; within a choice, what has no value is NaN until a side is taken."""
        return _each(_or_nan(function) if self._choices else function, *operands)


def _inner_product(row: Vector, vector: Vector) -> float:
    """Their inner product, rounded once beside its factors: in what takes most time, two thirds of a generator's or less."""
    if len(row) != len(vector):
        raise ValueError(f"a row of {len(row)} numbers meets {len(vector)}")
    return math.fsum(map(mul, row, vector))


def _each(function: Callable[..., float], *operands: Vector) -> Vector:
    """``function`` unit by unit, single numbers repeated."""
    units = max(len(operand) for operand in operands)
    whole = [operand * units if len(operand) == 1 else operand for operand in operands]
    return [function(*scalars) for scalars in zip(*whole, strict=True)]


def _or_nan(function: Callable[..., float]) -> Callable[..., float]:
    """``function`` with NaN in place of an error, and of whatever else NaN would give."""

    def guarded(*scalars: float) -> float:
        if any(math.isnan(scalar) for scalar in scalars):
            return math.nan
        try:
            return function(*scalars)
        except (ValueError, OverflowError, ZeroDivisionError):
            return math.nan

    return guarded


def _numbers(array: Array) -> Vector:
    return [float(value) for value in array.ravel()]


def _shaped(array: Array, size: str, sizes: Mapping[str, int]) -> Array:
    """Numbers of a value over steps and rows, with an array axis for each of its axes."""
    return array.reshape(*array.shape[:2], *(sizes[axis] for axis in axes_of(size) or (ONE,)))
