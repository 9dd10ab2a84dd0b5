"""The proof that a derivation is right: explicit scalars at small sizes, differentiated by SymPy's own rules.

Reads a `Cell`; returns a `Proof`. The author's equations are written out for every unit, each function in SymPy's own
terms; `Matrix.jacobian` differentiates each equation by the scalars that it reads, and the chain rule, from the inputs
on, multiplies these out. The derived adjoint, run once for each unit of each next state, must give the same: as
polynomials, where these decide (`symrnn.derive.polynomial`), else in 50 digits at random points, where the author's
equations run on numbers that carry their derivatives (`symrnn.derive.dual`). The two sides share the parsed equations, but
no part of the derivation.

The derivative of a product of many factors is long. So the cost of differentiating is counted from the tree first.
Beyond `MOST_EXPANSION` no algebra is tried: every entry is compared as a number, and the proof says at which sizes. The
count is the same on every machine. Leaves out: kernels.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, partial
from typing import Any

import mpmath
import numpy as np
import sympy

from symrnn.derive.adjoint import adjoint
from symrnn.derive.compared import DIGITS, GUARD, POINTS, Compared, over
from symrnn.derive.draws import STATE, Draw, entry, near_start, positive, signed
from symrnn.derive.dual import jacobian_at, many_digits
from symrnn.derive.evaluate import Arithmetic, Array, evaluate, run
from symrnn.derive.polynomial import Ring
from symrnn.derive.preparation import preparation_of
from symrnn.derive.prepared_proof import compare_prepared
from symrnn.errors import DerivationError
from symrnn.language.axes import Numbers
from symrnn.language.cell import Cell
from symrnn.language.functions import FUNCTIONS, Algebra
from symrnn.language.normalise import expression_size
from symrnn.language.reductions import REDUCTIONS
from symrnn.language.system import ONE, Equation, Role, System
from symrnn.language.tree import (
    Binary,
    Broadcast,
    Call,
    Constant,
    Expression,
    MatVec,
    Name,
    Negate,
    Number,
    Reduce,
    VectorCall,
    children,
    names,
)
from symrnn.language.vectors import VECTORS
from symrnn.saying import Progress, silent

MOST_EXPANSION = 50_000
"""The most terms that differentiation may write at one size: a term for each leaf of each derivative of each unit."""


Jacobian = Mapping[str, Array]
"""For each input of a step, the derivatives of all units of the next states by all its entries: a matrix of scalars."""


@dataclass(frozen=True)
class Proof:
    """What was compared; ``ok`` where every entry is equal, or agrees to `DIGITS` digits.

    Attributes:
        cell: its name.
        compared: gradients, size by size.
        unexpanded: the numbers of units at which the scalar expansion was beyond its budget, so that no entry was tried
            by algebra.
        exhausted: the numbers of units at which algebra came to the end of its budget and left entries undecided.
    """

    cell: str
    compared: tuple[Compared, ...]
    unexpanded: tuple[int, ...] = ()
    exhausted: tuple[int, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether everything agrees."""
        return bool(self.compared) and all(item.difference <= 10.0**-DIGITS for item in self.compared)

    @property
    def symbolic(self) -> int:
        """Entries that are equal as expressions."""
        return sum(item.symbolic for item in self.compared)

    @property
    def numeric(self) -> int:
        """Entries that were compared as numbers."""
        return sum(item.entries for item in self.compared) - self.symbolic


def prove(
    cell: Cell,
    sizes: tuple[int, ...] = (1, 2, 3),
    seed: int = 0,
    progress: Progress = silent,
) -> Proof:
    """Compare the derived gradients of one step with those of its scalar expansion.

    Args:
        cell: any cell.
        sizes: numbers of units; every size name takes each of them in turn.
        seed: of the random points.
        progress: called with a line of text before each piece of work.

    Raises:
        DerivationError: a gradient is not finite at a random point, so that nothing can be compared.
    """
    backward, prepared = adjoint(cell.normal), preparation_of(cell.preparation)
    comparisons = [_Comparison(cell.step, backward, units, seed, progress) for units in sizes]
    compared = tuple(item for each in comparisons for item in each.run())
    if prepared:
        progress("what is prepared from parameters")
        compared += tuple(item for units in sizes for item in compare_prepared(cell, prepared, units, seed))
    return Proof(
        cell.name,
        compared,
        unexpanded=tuple(each.units for each in comparisons if not each.expands),
        exhausted=tuple(each.units for each in comparisons if each.ring.exhausted),
    )


@dataclass(frozen=True)
class _Slopes:
    """The derivatives of one unit of an equation's target by the scalars that it depends on directly."""

    target: Algebra
    by: Mapping[Algebra, Algebra]


class _Comparison:
    """The two sides at one size: every size name stands for ``units``."""

    def __init__(self, cell: Cell, backward: System, units: int, seed: int, progress: Progress = silent) -> None:
        self._cell = cell
        self._say = progress
        self._backward = backward
        self.units = units
        self.ring = Ring()
        self._seed = seed
        self._sizes = Numbers({**dict.fromkeys(cell.sizes, units), ONE: 1})
        self._symbols = {v.name: self._filled(v.name, sympy.Symbol) for v in cell.variables}
        self._given = tuple(name for name in cell.inputs if cell.by_name[name].gradient)

    def run(self) -> list[Compared]:
        """Every gradient: by algebra, and what that leaves open by numbers."""
        undecided = {name: ~equal for name, equal in (self._equal() if self.expands else self._unequal()).items()}
        apart = dict.fromkeys(undecided, 0.0)
        points = range(POINTS) if any(each.any() for each in undecided.values()) else ()
        for found in map(self._differences, points):
            for name, each in undecided.items():
                apart[name] = max([apart[name], *(float(value) for value in found[name][each])])
        return [
            Compared(name, self.units, each.size, each.size - int(each.sum()), apart[name])
            for name, each in undecided.items()
        ]

    def _filled(self, name: str, make: Callable[[str], Any]) -> Array:
        """An array of the shape of a variable, each entry made from its name and place."""
        variable = self._cell.by_name[name] if name in self._cell.by_name else self._backward.by_name[name]
        array = np.empty(tuple(self._sizes[size] for size in variable.shape), object)
        for index in np.ndindex(*array.shape):
            array[index] = make(f"{name}{list(index)}")
        return array

    @cached_property
    def expands(self) -> bool:
        """Whether the scalar expansion is within its budget."""
        work = 0
        for equation in self._cell.equations:
            read = sum(self._symbols[name].size for name in names(equation.expression))
            terms, slope = _growth(equation.expression, self._cell, self._sizes)
            work += len(self._symbols[equation.target]) * min(terms, read) * slope
        return work <= MOST_EXPANSION

    @cached_property
    def _slopes(self) -> tuple[_Slopes, ...]:
        """The author's equations, one after the other, by SymPy."""
        scalars = Arithmetic(
            {name: np.frompyfunc(row.meaning, row.arity, 1) for name, row in FUNCTIONS.items()},
            lambda value: sympy.Rational(value.numerator, value.denominator),
        )
        return tuple(slopes for equation in self._cell.equations for slopes in self._differentiated(equation, scalars))

    def _differentiated(self, equation: Equation, scalars: Arithmetic) -> list[_Slopes]:
        self._say(f"differentiating equation ({equation.label}) of {len(self._cell.equations)}")
        targets = self._symbols[equation.target]
        value = np.broadcast_to(evaluate(equation.expression, self._symbols, self._sizes, scalars), targets.shape)
        read = [symbol for name in names(equation.expression) for symbol in self._symbols[name].ravel()]
        return [_Slopes(target, _by_symbol(unit, read)) for target, unit in zip(targets, value, strict=True)]

    def _chained(self, read: Callable[[Algebra], Any], zero: Any) -> Jacobian:
        """The Jacobian by the chain rule from the inputs on; ``read`` gives a derivative as a scalar of any kind."""
        inputs = {symbol for name in self._given for symbol in self._symbols[name].ravel()}
        total: dict[Algebra, dict[Algebra, Any]] = {}
        for slopes in self._slopes:
            self._say(f"the chain rule up to {slopes.target}")
            row = total[slopes.target] = {}
            for symbol, slope in slopes.by.items():
                within = {symbol: None} if symbol in inputs else total.get(symbol, {})
                local = read(slope) if within else zero
                for given, inner in within.items():
                    part = local if inner is None else local * inner
                    row[given] = row[given] + part if given in row else part
        outputs = [symbol for name in self._cell.outputs for symbol in self._symbols[name]]
        return {
            name: np.array(
                [[total[output].get(symbol, zero) for symbol in self._symbols[name].ravel()] for output in outputs]
            )
            for name in self._given
        }

    def _derived(self, values: Mapping[str, Array], scalars: Arithmetic) -> Jacobian:
        """The Jacobian by the derived adjoint, a row for each unit of each next state; ``values`` are the step's."""
        backward, zero, one = self._backward, scalars.number(Fraction(0)), scalars.number(Fraction(1))
        seeds = {v.of: v.name for v in backward.of_role(Role.ADJOINT) if v.name in backward.inputs}
        returned = {backward.by_name[name].of: name for name in backward.outputs}
        rows: dict[str, list[Array]] = {name: [] for name in self._given}
        for output in self._cell.outputs:
            for unit in range(len(self._symbols[output])):
                self._say(f"the adjoint of {output}[{unit}]")
                given = {**values, **{seed: self._filled(seed, lambda _: zero) for seed in seeds.values()}}
                given[seeds[output]][unit] = one
                after = run(backward.equations, backward.by_name, given, self._sizes, scalars)
                for name, row in rows.items():
                    row.append(
                        after[returned[name]].ravel()
                        if name in returned
                        else self._filled(name, lambda _: zero).ravel()
                    )
        return {name: np.array(row) for name, row in rows.items()}

    def _unequal(self) -> dict[str, Array]:
        """For each gradient, that no entry was tried."""
        outputs = sum(len(self._symbols[name]) for name in self._cell.outputs)
        return {name: np.zeros((outputs, self._symbols[name].size), bool) for name in self._given}

    def _equal(self) -> dict[str, Array]:
        """For each gradient, which entries are equal as polynomials."""
        ring = self.ring
        scalars = Arithmetic({name: over(ring, name) for name in FUNCTIONS}, ring.number)
        point = {name: self._filled(name, ring.atom) for name in self._cell.inputs}
        self._say("the step in polynomials")
        author = self._values(self._cell, point, scalars, ring)
        known = {
            symbol: value
            for name in author
            for symbol, value in zip(self._symbols[name].ravel(), author[name].ravel(), strict=True)
        }
        expected = self._chained(lambda slope: ring.normal(ring.read(slope, known)), ring.number(Fraction(0)))
        found = self._derived(self._values(self._cell.normal, point, scalars, ring), scalars)
        self._say("comparing polynomials")
        same = np.vectorize(lambda a, b: ring.vanishes(a - b), otypes=[bool])
        return {name: same(found[name], expected[name]) for name in found}

    def _values(self, system: System, point: Mapping[str, Array], scalars: Arithmetic, ring: Ring) -> dict[str, Array]:
        """The values of a step, where a sum that the author named is an atom: what reads it stays short."""
        values = dict(point)
        for equation in system.equations:
            values = run([equation], system.by_name, values, self._sizes, scalars)
            if equation.target in self._cell.by_name:
                values[equation.target] = np.array([ring.named(value) for value in values[equation.target]])
        return values

    def _differences(self, number: int) -> Jacobian:
        """How far the two sides are apart at a random point, in many digits.

        Numbers of both signs come first; where something is not finite or not real, as the logarithm of a state that is
        positive by construction, states and inputs above zero with parameters near their start, then all above zero.
        """
        causes = []
        self._say(f"random point {number + 1} of {POINTS}, in {DIGITS} digits")
        with mpmath.workdps(DIGITS + GUARD):
            for draw in (signed, near_start, positive):
                try:
                    return self._apart(self._point(draw, number))
                except ArithmeticError as error:
                    causes.append(str(error))
        raise DerivationError(
            f"cell {self._cell.name!r}: {causes[0]} at a random point where each size is {self.units}, and at one of "
            "positive numbers; keep denominators and the arguments of log away from zero"
        )

    def _point(self, draw: Draw, number: int) -> dict[str, Array]:
        """All inputs of the step, drawn entry by entry."""
        rng = random.Random(f"{self._seed} {self._cell.name} {self.units} {number}")
        starts = dict.fromkeys(self._cell.inputs, "uniform") | dict.fromkeys(self._cell.states, STATE)
        starts |= self._cell.init
        domains = self._cell.domain
        return {
            name: self._filled(name, partial(entry, draw, rng, starts[name], domains.get(name, "")))
            for name in self._cell.inputs
        }

    def _apart(self, point: Mapping[str, Array]) -> Jacobian:
        """The differences at a point.

        Raises:
            ArithmeticError: something is not finite or not real there.
        """
        numbers, normal = many_digits(), self._cell.normal
        try:
            expected = jacobian_at(self._cell, point, self._sizes)
            found = self._derived(run(normal.equations, normal.by_name, point, self._sizes, numbers), numbers)
        except ZeroDivisionError as error:
            raise ArithmeticError("a quotient is not finite") from error
        apart = {name: abs(found[name] - expected[name]) / (1 + abs(expected[name])) for name in found}
        for name, differences in apart.items():
            if not all(mpmath.isfinite(value) for value in differences.ravel()):
                raise ArithmeticError(f"the gradient by {name!r} is not finite")
        return apart


def _by_symbol(unit: Algebra, read: list[Algebra]) -> dict[Algebra, Algebra]:
    """The derivatives of one scalar by those that it reads, by SymPy; zeros left out."""
    free = unit.free_symbols
    there = [symbol for symbol in read if symbol in free]
    row = list(sympy.Matrix([unit]).jacobian(there)) if there else []
    return {symbol: slope for symbol, slope in zip(there, row, strict=True) if slope != 0}


def _growth(node: Expression, cell: Cell, sizes: Mapping[str, int]) -> tuple[int, int]:
    """The leaves of ``node`` written out for one unit, and those of its derivative by everything that it reads."""
    match node:
        case Number() | Constant():
            return 1, 0
        case Name():
            return 1, 1
        case MatVec(matrix, transposed, operand):
            shape = node.shape or cell.by_name[matrix].shape
            columns = sizes[shape[0 if transposed else 1]]
            terms, slope = _growth(operand, cell, sizes)
            return columns * (1 + terms), columns * (2 + terms + slope)
        case Broadcast(operand):
            return _growth(operand, cell, sizes)
        case Reduce(kind, operand, axis):
            units = sizes[axis or expression_size(operand, {v.name: v.shape for v in cell.variables})]
            terms, slope = _growth(operand, cell, sizes)
            pieces = 1 if REDUCTIONS[kind].smooth else 2 * units
            return pieces * units * terms, pieces * units * (slope + terms * (pieces - 1))
        case VectorCall(kind, operand, axis):
            units = sizes[axis or expression_size(operand, {v.name: v.shape for v in cell.variables})]
            terms, slope = _growth(operand, cell, sizes)
            if VECTORS[kind].weights is None:  # a sum of some units, half of them on average
                return (1 + units) * terms // 2, (1 + units) * slope // 2
            return (1 + units) * terms, (1 + units) * (slope + terms)
    grown = [_growth(part, cell, sizes) for part in children(node)]
    terms, slope = (sum(column) for column in zip(*grown, strict=True))
    if isinstance(node, Negate) or (isinstance(node, Binary) and node.op in "+-"):
        return terms, slope
    if isinstance(node, Call) and not FUNCTIONS[node.function].smooth:
        # SymPy turns nested pieces into one list of pieces.
        return 2 * terms, 2 * (slope + terms)
    return terms, slope + terms
