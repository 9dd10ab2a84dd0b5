"""The kernel vocabulary: what the stages of a plan are made of, and where their values live.

A `Stage` is the one kind of work: for every row and unit, accumulate linear forms, run elementwise statements on them,
write what others read. `symrnn.plan.routine` arranges stages in phases. Holds no pass (`symrnn.plan.planner`), no
text (`symrnn.plan.describe`) and nothing of any target language.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from symrnn.errors import PlanError
from symrnn.language.axes import axes_of, without
from symrnn.language.tree import Broadcast, Expression, Name, Reduce, VectorCall, children, names, walk
from symrnn.plan.size import Count


class Extent(StrEnum):
    """How many rows a buffer has."""

    ONCE = "1"
    STEP = "B"
    SEQUENCE = "T*B"


class Kind(StrEnum):
    """Where a value lives while a phase runs."""

    INPUT = "input"  # (T, B, size), the caller's: an input of the layer
    SEED = "seed"  # (T, B, size), the caller's: gradient of an output
    OUTPUT = "output"  # (T, B, size), the caller's: what the routine returns for each step
    INPUT_GRADIENT = "input_gradient"  # (T, B, size), the caller's
    STATE_GRADIENT = "state_gradient"  # (B, size), the caller's: gradient of an initial state
    STATE = "state"  # (T + 1, B, size): a state when the step starts
    NEXT = "next"  # the same array, a state when the step ends
    PARAMETER = "parameter"  # the caller's; a vector is one row that every row reads
    CARRY = "carry"  # (B, size): handed from one iteration of the loop to the next
    BUFFER = "buffer"  # a column range of a `Buffer`

    @property
    def is_returned(self) -> bool:
        """Whether it is an array that a routine fills for the caller."""
        return self in (Kind.OUTPUT, Kind.INPUT_GRADIENT, Kind.STATE_GRADIENT)


@dataclass(frozen=True)
class Place:
    """Where a value is read or written.

    Attributes:
        kind: which array.
        array: the buffer's name, or the name of the caller's array: an input, a parameter, a state without prime, an
            output (``y`` where there is one alone).
    """

    kind: Kind
    array: str


@dataclass(frozen=True)
class Column:
    """A range of a buffer's columns: one value."""

    value: str
    size: str


@dataclass(frozen=True)
class Buffer:
    """Values side by side, row by row: ``rows × (sum of the columns' sizes)``.

    Attributes:
        name: unique in its routine.
        extent: its rows.
        columns: in order.
        taped: whether the backward routine reads it; it then belongs to the tape. A taped buffer of a step's values
            shrinks to B rows when nothing is taped.
        spans: whether all T·B rows are needed even when nothing is taped.
        note: what it is for, in a few words.
    """

    name: str
    extent: Extent
    columns: tuple[Column, ...]
    taped: bool = False
    spans: bool = False
    note: str = ""

    @property
    def is_left(self) -> bool:
        """Whether a backward routine may read it: it is on the tape, or holds values of parameters alone."""
        return self.taped or self.extent is Extent.ONCE

    @property
    def width(self) -> Count:
        """The width of a row, in numbers."""
        return Count.of(*((column.size,) for column in self.columns))

    def start(self, value: str) -> Count:
        """The numbers in a row before the column of ``value``.

        Raises:
            PlanError: it has no such column.
        """
        values = [column.value for column in self.columns]
        if value not in values:
            raise PlanError(f"buffer {self.name} has no column of {value}; it has {', '.join(values)}")
        return Count.of(*((column.size,) for column in self.columns[: values.index(value)]))


@dataclass(frozen=True)
class Form:
    """``matrix @ operand``, or with its transpose.

    Attributes:
        later: the operand's row is that of the loop's previous iteration (backward: step t + 1). In the first
            iteration there is none, and the form is zero.
    """

    matrix: str
    transposed: bool
    operand: str
    later: bool = False

    @property
    def text(self) -> str:
        """In the notation of cell files; a later operand carries ``[t+1]``."""
        return f"{self.matrix}{'.T' if self.transposed else ''} @ {self.operand}{'[t+1]' if self.later else ''}"


@dataclass(frozen=True)
class Accumulator:
    """A sum of linear forms; it never leaves its stage, whose statements read it by ``name``."""

    name: str
    forms: tuple[Form, ...]


@dataclass(frozen=True)
class Statement:
    """``target = expression`` for each unit, over names of values and accumulators.

    A `Reduce` or a `VectorCall` may be the whole of it. What a `Broadcast` repeats along axes is a name.

    Attributes:
        label: of the equation it comes from; empty for bookkeeping of the plan.
    """

    target: str
    expression: Expression
    label: str = ""


@dataclass(frozen=True)
class Write:
    """A value that leaves the stage.

    Attributes:
        place: where it goes.
        idle: the value that a row beyond its length writes instead; empty for zero.
    """

    value: str
    place: Place
    idle: str = ""


@dataclass(frozen=True)
class Stage:
    """Work on every row and unit at once: ``writes ← statements ← accumulators``.

    Attributes:
        name: an identifier, unique in the program.
        size: units; ``1`` for a stage of scalars (reductions and what is computed from them).
        accumulators: its sums of forms, in order.
        statements: in order.
        writes: in order.
        along: whether it runs along the axes of its size: it has no accumulators, may repeat values along axes, and may have
            statements of another size, which reduce over axes what another statement computes.
    """

    name: str
    size: str
    accumulators: tuple[Accumulator, ...]
    statements: tuple[Statement, ...]
    writes: tuple[Write, ...]
    along: bool = False

    @cached_property
    def local(self) -> tuple[str, ...]:
        """Names that exist inside the stage alone: accumulators and targets."""
        return (*(a.name for a in self.accumulators), *(s.target for s in self.statements))

    @cached_property
    def reads(self) -> tuple[str, ...]:
        """Values loaded unit by unit (or broadcast), each once, in order; reduced vectors and idle values included."""
        found: dict[str, None] = {}
        for statement in self.statements:
            found.update(dict.fromkeys(names(statement.expression)))
        found.update((write.idle, None) for write in self.writes if write.idle)
        found.update((write.value, None) for write in self.writes)
        return tuple(name for name in found if name not in self.local)

    @cached_property
    def operands(self) -> tuple[str, ...]:
        """Vectors that linear forms read, each once, in order."""
        return tuple(dict.fromkeys(form.operand for a in self.accumulators for form in a.forms))


@dataclass(frozen=True)
class Product:
    """A deferred product ``Σ over rows: left ⊗ right``, stacked: all entries share ``right``.

    Attributes:
        right: the value that gives the columns.
        entries: (parameter, left value) pairs; the product of an entry is added to the parameter's gradient.
        labels: of the equations they come from.
    """

    right: str
    entries: tuple[tuple[str, str], ...]
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Sum:
    """A deferred sum over rows: a parameter vector's gradient is the column sum of a stored value."""

    parameter: str
    value: str
    label: str


def reduced(expression: Expression) -> str:
    """The vector that a statement reads as a whole, in a reduction or a vector function; empty where there is none."""
    match expression:
        case Reduce(operand=Name(name)) | VectorCall(operand=Name(name)):
            return name
        case _:
            return ""


def reductions(stage: Stage) -> tuple[str, ...]:
    """The vectors that the statements of a stage read as a whole: memory holds all their units before it runs."""
    return tuple(name for s in stage.statements for name in wholes(s.expression) if name not in stage.local)


def over_axes(expression: Expression) -> str:
    """The size of what a statement reduces over some of its axes; empty where it does not."""
    return expression.of if isinstance(expression, Reduce) else ""


def reduced_to(expression: Expression) -> str:
    """The axes that a statement over some of its axes leaves, as its operand has them; empty where it does not."""
    return without(expression.of, axes_of(expression.axis)) if isinstance(expression, Reduce) and expression.of else ""


def wholes(expression: Expression) -> tuple[str, ...]:
    """The values that ``expression`` reads as a whole, or repeats: not unit by unit."""
    return tuple(name for node in walk(expression) if (name := reduced(node) or _repeated(node)))


def read_by_units(expression: Expression) -> Iterator[str]:
    """The names that ``expression`` reads unit by unit."""
    match expression:
        case Name(name):
            yield name
        case Broadcast() | Reduce() | VectorCall():
            return
        case _:
            for part in children(expression):
                yield from read_by_units(part)


def _repeated(node: Expression) -> str:
    return node.operand.name if isinstance(node, Broadcast) and isinstance(node.operand, Name) else ""
