"""The IR of the NumPy kernels: one array call per operation, each with a target that exists beforehand.

    Operation   target = function(arguments), unit by unit, for one value
    Stacked     the same for several values that lie side by side: one call
    Products    the linear forms of a stage: one matrix product per `Panel`
    Node = Stacked | Products

Names are those of the plan; where a value lies is a `Spot`. Holds no algorithm beyond look-up. Leaves out: Python text
(`symrnn.targets.numpy.printer`).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from symrnn.plan.program import Kind


@dataclass(frozen=True)
class Literal:
    """A number, or the number of units of ``size`` where that is not empty."""

    value: Fraction = Fraction(0)
    size: str = ""


Operand = str | Literal
"""The name of a value, or a number."""

FILL, COPY, PRODUCT = "fill", "copy", "product"
"""Operations other than functions: set all units to a number, copy a value, sum linear forms."""

NEGATIVE = "negative"
"""A function whose ufunc is not called: see `symrnn.targets.numpy.printer`."""

ARITHMETIC = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide"}
"""Operators of the language and the ufuncs of their names."""

UFUNCS = (*ARITHMETIC.values(), "square", "reciprocal", "power")
"""Operations that are ufuncs; others are `FILL`, `COPY`, `NEGATIVE`, callees of reductions and vector functions, and rows
of the function table."""


@dataclass(frozen=True)
class Operation:
    """``target = function(*arguments)`` for each unit.

    Attributes:
        function: of `UFUNCS`, a row of the function table, `FILL`, `COPY`, `NEGATIVE`, the fold of a reduction
            or the callee of a vector function.
        arguments: values and numbers.
        target: the value that it computes.
        size: units of the target.
        label: of the equation that it comes from.
    """

    function: str
    arguments: tuple[Operand, ...]
    target: str
    size: str
    label: str


@dataclass(frozen=True)
class Stacked:
    """One call for the operations of several values.

    Attributes:
        function: as in `Operation`.
        arguments: for each argument the values side by side, or one value or number that all share.
        targets: side by side.
        sizes: of the targets.
        labels: of the equations, each once.
    """

    function: str
    arguments: tuple[tuple[str, ...] | Literal, ...]
    targets: tuple[str, ...]
    sizes: tuple[str, ...]
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Panel:
    """One matrix product ``operands @ matrix``.

    Attributes:
        operands: values side by side.
        later: whether they are those of the loop's previous iteration.
        blocks: for each target, for each operand, the matrices that are added: (name, whether it is transposed).
        targets: the accumulators it feeds, side by side.
        adds: whether another panel has written them before.
    """

    operands: tuple[str, ...]
    later: bool
    blocks: tuple[tuple[tuple[tuple[str, bool], ...], ...], ...]
    targets: tuple[str, ...]
    adds: bool


@dataclass(frozen=True)
class Products:
    """The linear forms of a stage.

    Attributes:
        panels: in order.
        targets: every accumulator, side by side.
        size: units of each.
        labels: of the equations, each once.
    """

    panels: tuple[Panel, ...]
    targets: tuple[str, ...]
    size: str
    labels: tuple[str, ...]


Node = Stacked | Products


@dataclass(frozen=True)
class Array:
    """An array, identified by kind and name.

    Arrays have an order, that of their labels, so that every run lays out columns alike.

    Attributes:
        kind: a `symrnn.plan.vocabulary.Kind`, or one of `NEW_CARRY`, `SCRATCH`, `SUMS`, `CALL` and `VECTORS`.
        name: unique among arrays of its kind.
    """

    kind: str
    name: str

    @property
    def label(self) -> str:
        """Its name in messages and its sort key."""
        return self.name if self.kind == Kind.BUFFER else f"{self.kind} {self.name}"

    def __lt__(self, other: Array) -> bool:
        return self.label < other.label


NEW_CARRY, SCRATCH, SUMS, CALL, VECTORS = "new carry", "scratch", "sums", "call", "vectors"
"""Arrays beyond those of the plan: a carry that is written, temporaries, what the products of a stage fill, what one call
fills, parameters."""

Position = tuple[Array, int]
"""Where a value lies: an array, and its column counted in values."""


def buffer(name: str) -> Array:
    """The array of the buffer called ``name``."""
    return Array(Kind.BUFFER, name)


@dataclass(frozen=True)
class Spot:
    """Columns ``first`` to ``last`` (counted in values) of an array."""

    array: Array
    first: int
    last: int


@dataclass(frozen=True)
class StageNodes:
    """The nodes of a stage, and the values that it reads and gives."""

    name: str
    nodes: tuple[Node, ...]
    reads: tuple[str, ...]
    writes: tuple[str, ...]


def targets_of(node: Node) -> tuple[str, ...]:
    """The values that ``node`` computes."""
    return node.targets


def reads_of(node: Node) -> tuple[tuple[str, ...], ...]:
    """The values that ``node`` reads, argument by argument."""
    if isinstance(node, Products):
        return tuple(panel.operands for panel in node.panels if not panel.later)
    return tuple(argument for argument in node.arguments if not isinstance(argument, Literal))
