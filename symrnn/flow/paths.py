"""The paths of every step of a run, as maps that vectors are sent along, forwards and backwards.

Reads a `Derivation` and a `Trajectory`; returns `StepPaths`. Every map is a derived Jacobian, a sum of products of diagonals,
matrices and reductions, evaluated for all steps and rows at once: no Jacobian is ever written out as a matrix. A vector
is every state's units one after the other, ``(…, B, n)`` at one step or ``(…, T, B, n)`` at all of them; axes before
these are further vectors that travel together. Leaves out: what the paths are derived from (`symrnn.derive.jacobian`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from symrnn.derive.derivation import Derivation
from symrnn.derive.evaluate import Array, evaluate, floats, over_axes, repeated
from symrnn.derive.factors import Diag, Factor, Identity, Kron, Linear, Matrix, Ones, OnesRow, Ref, Repeat, Term
from symrnn.derive.jacobian import Jacobian
from symrnn.flow.trajectory import Trajectory
from symrnn.language.vectors import VECTORS, VectorFunction

Steps = int | slice | Array
"""The steps that a vector passes through: one, or several side by side."""


@dataclass(frozen=True)
class Scale:
    """A diagonal: ``values`` is ``(T, B, size)``."""

    values: Array

    def push(self, vector: Array, at: Steps) -> Array:
        """The diagonal times ``vector``."""
        return vector * self.values[at]

    pull = push


@dataclass(frozen=True)
class Times:
    """A parameter matrix, with its transpose laid out for products."""

    matrix: Array
    transpose: Array

    def push(self, vector: Array, at: Steps) -> Array:
        """The matrix times ``vector``."""
        return _product(vector, self.transpose)

    def pull(self, vector: Array, at: Steps) -> Array:
        """The transposed matrix times ``vector``."""
        return _product(vector, self.matrix)


@dataclass(frozen=True)
class Total:
    """The sum over ``count`` units times ``scale``, or the broadcast to them, its transpose."""

    count: int
    scale: float
    spreads: bool

    def push(self, vector: Array, at: Steps) -> Array:
        """A sum, or a broadcast."""
        return self._spread(vector) if self.spreads else self._sum(vector)

    def pull(self, vector: Array, at: Steps) -> Array:
        """The other of the two."""
        return self._sum(vector) if self.spreads else self._spread(vector)

    def _sum(self, vector: Array) -> Array:
        total: Array = vector.sum(axis=-1, keepdims=True)
        return total * self.scale

    def _spread(self, vector: Array) -> Array:
        return np.broadcast_to(vector * self.scale, (*vector.shape[:-1], self.count))


@dataclass(frozen=True)
class Across:
    """A linear vector function, a row of the table, and the one that is its transpose."""

    function: VectorFunction
    transpose: VectorFunction

    def push(self, vector: Array, at: Steps) -> Array:
        """The function of ``vector``."""
        value: Array = self.function.meaning(vector, floats())
        return value

    def pull(self, vector: Array, at: Steps) -> Array:
        """The transposed function of ``vector``."""
        value: Array = self.transpose.meaning(vector, floats())
        return value


@dataclass(frozen=True)
class Along:
    """A broadcast along axes, or the sum over them."""

    factor: Repeat
    sizes: Mapping[str, int]

    def push(self, vector: Array, at: Steps) -> Array:
        """A sum, or a broadcast."""
        return self._sum(vector) if self.factor.transposed else self._repeat(vector)

    def pull(self, vector: Array, at: Steps) -> Array:
        """The other of the two."""
        return self._repeat(vector) if self.factor.transposed else self._sum(vector)

    def _scaled(self, vector: Array) -> Array:
        return vector / self.sizes[self.factor.along] if self.factor.averages else vector

    def _sum(self, vector: Array) -> Array:
        of, along = self.factor.size, self.factor.along
        return self._scaled(over_axes(vector, of, along, self.sizes, lambda rows: rows.sum(axis=-1, keepdims=True)))

    def _repeat(self, vector: Array) -> Array:
        return self._scaled(repeated(vector, self.factor.of, self.factor.size, self.sizes))


Map = Scale | Times | Total | Along | Across


@dataclass(frozen=True)
class Path:
    """One term of a Jacobian: maps from the output's side on, and the shared value that it starts from, if any."""

    maps: tuple[Map, ...]
    start: str = ""

    def push(self, vector: Array, known: Mapping[str, Array], at: Steps) -> Array:
        """The path's tangent; ``known`` holds those of shared values."""
        vector = known[self.start] if self.start else vector
        for each in reversed(self.maps):
            vector = each.push(vector, at)
        return vector

    def pull(self, vector: Array, at: Steps) -> Array:
        """``vector`` passed back along the path to its start."""
        for each in self.maps:
            vector = each.pull(vector, at)
        return vector


@dataclass(frozen=True)
class JacobianColumn:
    """The paths from one state to each value of a step, in the order of the step."""

    state: str
    values: Mapping[str, tuple[Path, ...]]

    def push(self, vector: Array, at: Steps) -> dict[str, Array]:
        """The tangents of the values, for the state's tangent ``vector``."""
        known: dict[str, Array] = {}
        for name, paths in self.values.items():
            known[name] = _total([path.push(vector, known, at) for path in paths])
        return known

    def pull(self, received: Mapping[str, Array], at: Steps) -> Array | None:
        """The state's adjoint, for adjoints of values; None where none of them depends on the state."""
        waiting = dict(received)
        arrived: list[Array] = []
        for name, paths in reversed(tuple(self.values.items())):
            if name not in waiting:
                continue
            for path in paths:
                back = path.pull(waiting[name], at)
                if path.start:
                    waiting[path.start] = waiting[path.start] + back if path.start in waiting else back
                else:
                    arrived.append(back)
        return _total(arrived) if arrived else None


@dataclass(frozen=True)
class StepPaths:
    """The Jacobians of the steps of a trajectory.

    Attributes:
        trajectory: where they are evaluated.
        blocks: the position of each state in a vector.
        columns: for each state, its paths to other values.
        jacobians: the blocks that they come from, by next state and state, those that are zero left out.
    """

    trajectory: Trajectory
    blocks: Mapping[str, slice]
    columns: tuple[JacobianColumn, ...]
    jacobians: Mapping[tuple[str, str], Jacobian]

    @property
    def size(self) -> int:
        """The units of all states."""
        return sum(block.stop - block.start for block in self.blocks.values())

    def push(self, vector: Array, at: Steps = slice(None)) -> Array:
        """The Jacobian-vector product of the steps ``at``."""
        result = np.zeros(vector.shape)
        for column in self.columns:
            known = column.push(vector[..., self.blocks[column.state]], at)
            for state, block in self.blocks.items():
                if (state, column.state) in self.jacobians:
                    result[..., block] += known[self.jacobians[state, column.state].output]
        return result

    def pull(self, vector: Array, at: Steps = slice(None)) -> Array:
        """The vector-Jacobian product of the steps ``at``."""
        result = np.zeros(vector.shape)
        for column in self.columns:
            received = {
                jacobian.output: vector[..., self.blocks[state]]
                for (state, given), jacobian in self.jacobians.items()
                if given == column.state
            }
            back = column.pull(received, at)
            if back is not None:
                result[..., self.blocks[column.state]] = back
        return result

    def pull_path(self, state: str, given: str, place: int, vector: Array) -> Array:
        """The adjoint of ``given`` that one path alone, at all steps, makes from the adjoint ``vector`` of ``state``.

        Args:
            state: whose next value the path ends in.
            given: the state that it starts from.
            place: the number of the Jacobian's term.
            vector: ``(T, B, size of state)``.
        """
        (column,) = (column for column in self.columns if column.state == given)
        path = column.values[self.jacobians[state, given].output][place]
        back = path.pull(vector, slice(None))
        if path.start:
            shared = column.pull({path.start: back}, slice(None))
            assert shared is not None
            return shared
        return back


def step_paths(derivation: Derivation, trajectory: Trajectory) -> StepPaths:
    """The Jacobians of every step of ``trajectory``, of all next states by all states."""
    states = derivation.cell.states
    read = [state for state in states if state in derivation.cell.normal.by_name]
    jacobians = {(after, before): derivation.jacobian(after, before) for after in states for before in read}
    jacobians = {pair: each for pair, each in jacobians.items() if each.terms}
    maps = _Maps(trajectory)
    order = {equation.target: place for place, equation in enumerate(derivation.cell.normal.equations)}
    columns = []
    for state in states:
        found: dict[str, tuple[Term, ...]] = {}
        for (_, given), each in jacobians.items():
            if given == state:
                found |= {part.output: part.terms for part in (*each.parts, each)}
        values = {name: tuple(maps.path(term) for term in found[name]) for name in sorted(found, key=order.__getitem__)}
        columns.append(JacobianColumn(state, values))
    return StepPaths(trajectory, _blocks(trajectory), tuple(columns), jacobians)


def _blocks(trajectory: Trajectory) -> dict[str, slice]:
    blocks: dict[str, slice] = {}
    begin = 0
    for state in trajectory.cell.states:
        blocks[state] = slice(begin, begin := begin + trajectory.width(state))
    return blocks


class _Maps:
    """Factors as maps; equal factors share their arrays."""

    def __init__(self, trajectory: Trajectory) -> None:
        self._trajectory = trajectory
        self._values = trajectory.known
        self._made: dict[Factor, Map] = {}

    def path(self, term: Term) -> Path:
        last = term[-1]
        start = last.output if isinstance(last, Ref) else ""
        factors = [factor for factor in term if not isinstance(factor, Identity | Ref)]
        return Path(tuple(self._map(factor) for factor in factors), start)

    def _map(self, factor: Factor) -> Map:
        if factor not in self._made:
            self._made[factor] = self._make(factor)
        return self._made[factor]

    def _make(self, factor: Factor) -> Map:
        trajectory = self._trajectory
        match factor:
            case Diag(expression):
                value = evaluate(expression, self._values, trajectory.sizes, floats())
                return Scale(np.broadcast_to(value, (trajectory.steps, trajectory.batch, value.shape[-1])))
            case Matrix(name, transposed):
                matrix = trajectory.params[name].T if transposed else trajectory.params[name]
                return Times(np.ascontiguousarray(matrix), np.ascontiguousarray(matrix.T))
            case OnesRow(size, averages):
                return Total(trajectory.sizes[size], 1 / trajectory.sizes[size] if averages else 1.0, spreads=False)
            case Ones(size):
                return Total(trajectory.sizes[size], 1.0, spreads=True)
            case Repeat():
                return Along(factor, trajectory.sizes)
            case Linear(kind, _):
                return Across(VECTORS[kind], VECTORS[VECTORS[kind].transposed])
            case Kron() | Identity() | Ref():
                raise AssertionError(f"{factor} is not a map between states")


_SMALL, _FEW = 1 << 18, 16
"""The size of a product that OpenBLAS gives to one thread: in larger ones the other threads wait longer than they work.
With fewer rows at a time it is no longer a product of matrices."""


def _product(vector: Array, matrix: Array) -> Array:
    """``vector @ matrix`` as one product of matrices, for any number of axes before the units."""
    flat = vector.reshape(-1, vector.shape[-1])
    rows = _SMALL // matrix.size
    if rows < _FEW or len(flat) <= rows:
        return (flat @ matrix).reshape(*vector.shape[:-1], matrix.shape[1])
    product = np.empty((len(flat), matrix.shape[1]))
    whole = len(flat) // rows * rows
    blocks = (-1, rows, matrix.shape[0]), (-1, rows, matrix.shape[1])
    np.matmul(flat[:whole].reshape(blocks[0]), matrix, out=product[:whole].reshape(blocks[1]))
    np.matmul(flat[whole:], matrix, out=product[whole:])
    return product.reshape(*vector.shape[:-1], matrix.shape[1])


def _total(terms: list[Array]) -> Array:
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total
