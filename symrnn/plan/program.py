"""The kernel vocabulary: what a planned step is made of, and the text in which a person follows it.

A `Program` holds up to three functions (forward, backward, tangent). A `Function` runs in phases over time-major rows:

    once      what depends on parameters alone: one row, computed when parameters are packed
    before    hoisted: what depends on ``x`` and parameters, for all T·B rows at a time
    loop      the stages of one step, in order; forward runs them from the first step to the last, backward in reverse
    fused     before and loop once more, with the linear forms of ``x`` left in the sums of the loop: where a step has rows
              enough to use weights several times, this saves the way of hoisted values through memory
    last      after the loop, B rows: what the loop's rotation left over (gradients of initial states)
    after     for all T·B rows at a time, of values that the loop stored
    products  deferred matrix gradients: one matrix product over T·B rows for each stacked group
    sums      deferred vector gradients: sums of stored values over T·B rows

A `Stage` is the one kind of work: for a tile of rows and units, accumulate linear forms, run elementwise statements on
them, write what others read. Holds no pass (`symrnn.plan.planner`) and nothing of any target language.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from symrnn.language.cell import Cell
from symrnn.language.system import ONE, System
from symrnn.language.text import to_text
from symrnn.language.tree import Expression, Name, Reduce, names, walk


class Extent(StrEnum):
    """How many rows a buffer has."""

    ONCE = "1"
    STEP = "B"
    SEQUENCE = "T*B"


class Kind(StrEnum):
    """Where a value lives while a phase runs."""

    INPUT = "input"  # (T, B, size), the caller's: the layer's input
    SEED = "seed"  # (T, B, size), the caller's: gradient of the output
    OUTPUT = "output"  # (T, B, size), the caller's: what the function returns for each step
    GRADIENT = "gradient"  # the caller's: gradient of the input (T, B, size), or of an initial state (B, size)
    STATE = "state"  # (T + 1, B, size): a state when the step starts
    NEXT = "next"  # the same array, a state when the step ends
    PARAMETER = "parameter"  # the caller's; a vector is one row that every row reads
    CARRY = "carry"  # (B, size): handed from one iteration of the loop to the next
    BUFFER = "buffer"  # a column range of a `Buffer`


@dataclass(frozen=True)
class Place:
    """Where a value is read or written.

    Attributes:
        kind: which array.
        array: the buffer's name, or the name of the caller's array: ``x``, a parameter, a state without prime.
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
        name: unique in its function.
        extent: its rows.
        columns: in order.
        taped: whether the backward function reads it; it then belongs to the tape. A taped buffer of a step's values
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
    """A sum of linear forms that a stage keeps in registers; ``name`` is read by its statements."""

    name: str
    forms: tuple[Form, ...]


@dataclass(frozen=True)
class Statement:
    """``target = expression`` for each unit, over names of values and accumulators; a `Reduce` may be the whole of it.

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
        accumulators: their sums of forms, in the order of their panels.
        statements: in order.
        writes: in order.
    """

    name: str
    size: str
    accumulators: tuple[Accumulator, ...]
    statements: tuple[Statement, ...]
    writes: tuple[Write, ...]

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


@dataclass(frozen=True)
class Fused:
    """A function's ``before`` and ``loop`` with nothing taken out of the sums of the loop; the results are the same."""

    before: tuple[Stage, ...]
    loop: tuple[Stage, ...]


@dataclass(frozen=True)
class Function:
    """One kernel: its phases, its storage, and where each value that crosses stages lives.

    Attributes:
        name: ``forward``, ``backward`` or ``tangent``.
        system: the equations it runs, whose variables give every size.
        states: (state without prime, value) pairs: forward, the value is the state's next one (``c'``); backward, it
            is the carry, which starts as the gradient of the final state.
        places: where each value that is not local to a stage is read.
        sizes: the size name of every value, parameters' shapes left out.
        fused: what may run in place of ``before`` and ``loop``; None where nothing of a sum is hoisted.
    """

    name: str
    system: System
    states: tuple[tuple[str, str], ...]
    places: Mapping[str, Place]
    sizes: Mapping[str, str]
    buffers: tuple[Buffer, ...] = ()
    once: tuple[Stage, ...] = ()
    before: tuple[Stage, ...] = ()
    loop: tuple[Stage, ...] = ()
    last: tuple[Stage, ...] = ()
    after: tuple[Stage, ...] = ()
    products: tuple[Product, ...] = ()
    sums: tuple[Sum, ...] = ()
    fused: Fused | None = None

    @property
    def phases(self) -> tuple[tuple[str, tuple[Stage, ...]], ...]:
        """The phases that are made of stages, in the order in which they run."""
        return (
            ("once", self.once),
            ("before", self.before),
            ("loop", self.loop),
            ("last", self.last),
            ("after", self.after),
        )

    @property
    def stages(self) -> Iterator[Stage]:
        """Every stage, in the order in which they run; those of the fused loop last."""
        for _, stages in self.phases:
            yield from stages
        if self.fused is not None:
            yield from (*self.fused.before, *self.fused.loop)

    def buffer(self, name: str) -> Buffer:
        """The buffer called ``name``."""
        return next(buffer for buffer in self.buffers if buffer.name == name)


@dataclass(frozen=True)
class Program:
    """Everything that the emitters need to write a cell's kernels.

    Attributes:
        cell: metadata, parameters and initial values.
        forward: with its taped buffers; inference runs it without.
        backward: of one sequence, from the tape; None for kernels of inference alone.
        tangent: the forward mode, for NumPy; inputs, states and parameters come in pairs (value, tangent).
        saved: values of the forward step that the tape stores, with the reason for each.
        recomputed: values that the backward step computes again, with the reason for each.
    """

    cell: Cell
    forward: Function
    backward: Function | None
    tangent: Function
    saved: tuple[tuple[str, str], ...]
    recomputed: tuple[tuple[str, str], ...]

    @property
    def functions(self) -> tuple[Function, ...]:
        """The functions that exist."""
        return tuple(f for f in (self.forward, self.backward, self.tangent) if f is not None)

    def __str__(self) -> str:
        """The plan as `symrnn show --part plan` prints it."""
        lines = [f"{self.cell.name}: the plan", ""]
        shown = (self.forward,) if self.backward is None else (self.forward, self.backward)
        for function in shown:
            lines += _function_lines(function)
        if self.backward is not None:
            lines += ["tape: what the backward pass reads of the forward pass"]
            lines += _table([(name, "stored", why) for name, why in self.saved])
            lines += _table([(name, "recomputed", why) for name, why in self.recomputed])
        return "\n".join(lines) + "\n"


FUSED_ROWS = 16
"""Rows of a step from which on its weights are used often enough to leave the linear forms of ``x`` in the loop.

Fused, a step reads the panels of ``x`` once for every register tile of rows, and nothing is written; hoisted, a step writes
and reads one row of sums for each of its rows. Weights in the second-level cache pay for three tiles of rows.
"""

_PHASES = {
    "once": "once per parameter set",
    "before": "hoisted out of the loop, all T*B rows at a time",
    "loop": "for each step",
    "last": "after the last step",
    "after": "deferred, all T*B rows at a time",
}


def _function_lines(function: Function) -> list[str]:
    lines = [function.name]
    for phase, stages in function.phases:
        if not stages:
            continue
        order = " t = T-1 … 0" if function.name == "backward" else " t = 0 … T-1"
        lines += [f"  {_PHASES[phase]}{order if phase == 'loop' else ''}"]
        for stage in stages:
            lines += _stage_lines(stage)
    if function.fused is not None:
        lines += [f"  instead of hoisting and the loop, where a step has {FUSED_ROWS} rows or more (C kernels)"]
        for stage in (*function.fused.before, *function.fused.loop):
            lines += _stage_lines(stage)
    if function.products:
        lines += ["  deferred matrix gradients, one product over T*B rows each"]
        for product in function.products:
            left = ", ".join(value for _, value in product.entries)
            lines += [f"    [{left}] outer {product.right}  ->  " + ", ".join(f"d{p}" for p, _ in product.entries)]
    if function.sums:
        lines += ["  deferred vector gradients, sums over T*B rows"]
        lines += [f"    sum {item.value}  ->  d{item.parameter}" for item in function.sums]
    lines += ["  buffers"]
    rows = []
    for buffer in function.buffers:
        columns = " | ".join(f"{column.value}:{column.size}" for column in buffer.columns)
        rows.append((buffer.name, f"{buffer.extent} rows", columns + ("  (tape)" if buffer.taped else "")))
    return [*lines, *_table(rows), ""]


def _stage_lines(stage: Stage) -> list[str]:
    units = "one scalar per row" if stage.size == ONE else f"{stage.size} units"
    lines = [f"    stage {stage.name}: {units}"]
    for accumulator in stage.accumulators:
        lines.append(f"      accumulate {accumulator.name} = " + " + ".join(form.text for form in accumulator.forms))
    width = max((len(s.label) for s in stage.statements), default=0) + 2
    for statement in stage.statements:
        label = f"({statement.label})" if statement.label else ""
        lines.append(f"      {label:>{width}} {statement.target} = {to_text(statement.expression)}")
    for write in stage.writes:
        idle = f", a finished row keeps {write.idle}" if write.idle else ""
        lines.append(f"      store {write.value} -> {write.place.kind} {write.place.array}{idle}")
    return lines


def _table(rows: list[tuple[str, str, str]]) -> list[str]:
    widths = [max((len(row[i]) for row in rows), default=0) for i in range(2)]
    return [f"    {a:<{widths[0]}}  {b:<{widths[1]}}  {c}".rstrip() for a, b, c in rows]


def reduced(expression: Expression) -> str:
    """The vector that a statement reduces, empty where it reduces none."""
    return expression.operand.name if isinstance(expression, Reduce) and isinstance(expression.operand, Name) else ""


def reductions(stage: Stage) -> tuple[str, ...]:
    """The vectors that a stage of scalars reduces."""
    return tuple(name for s in stage.statements for node in walk(s.expression) if (name := reduced(node)))
