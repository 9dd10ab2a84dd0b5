"""The text of a plan, for people who want to follow what the kernels do.

Reads the routines of a program and what the tape holds; returns lines. Leaves out: the derivation behind the equations,
whose numbers the statements carry (`symrnn.derive.sections`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from symrnn.language.axes import twins_of
from symrnn.language.cell import Cell
from symrnn.language.system import ONE
from symrnn.language.text import to_text
from symrnn.plan.cost import product_cost, routine_cost, stage_cost, state_cost, tape_cost
from symrnn.plan.routine import Direction, FusedStage, Routine
from symrnn.plan.size import Count
from symrnn.plan.vocabulary import Accumulator, Buffer, Extent, Form, Kind, Place, Stage, Statement

_LEGEND = (
    ("hoisted", "taken out of the loop, because it depends on no state; computed for all steps at once"),
    ("stage", "one pass over rows and units: accumulate, compute, store; nothing else leaves it"),
    ("accumulate", "a sum of linear forms; those of one operand in one stage are one stacked matrix product"),
    ("tape", "what the forward routine stores for the backward routine, besides x and the states"),
    ("[t+1]", "stored by the previous iteration of the backward loop, which is step t+1; zero in the first iteration"),
    ("carry", "a value that one iteration of the backward loop passes to the next"),
    ("deferred", "computed from what the loop stored, for all steps at once"),
    ("finished row", "a row whose sequence has ended; it stores zero, or the named value"),
    ("cost", "multiply-adds of matrix products, for one row"),
)

_ROWS = {Extent.ONCE: "one row", Extent.STEP: "B rows at a time", Extent.SEQUENCE: "T*B rows at a time"}

_ORDER = {Direction.FORWARD: ", t = 0 … T-1", Direction.BACKWARD: ", t = T-1 … 0", None: ""}

_PLACES = {
    Kind.NEXT: "next {}",
    Kind.OUTPUT: "{}",
    Kind.CARRY: "carry of {}",
    Kind.BUFFER: "{}",
    Kind.INPUT_GRADIENT: "gradient of {}",
    Kind.STATE_GRADIENT: "gradient of the initial {}",
}


def plan_text(
    cell: Cell,
    forward: Routine,
    backward: Routine | None,
    saved: Sequence[tuple[str, str]],
    recomputed: Sequence[tuple[str, str]],
    notes: Sequence[tuple[str, str]],
) -> str:
    """The plan of a cell.

    Args:
        cell: for its name and sizes.
        forward: its forward routine.
        backward: its backward routine, where there is one.
        saved: values that the tape stores, with the reason for each.
        recomputed: values that the backward routine computes again, with the reason for each.
        notes: (term, meaning) pairs that close the legend.
    """
    lines = [f"{cell.name}: the plan", ""]
    sizes = f"{', '.join(cell.sizes)} or 1"
    lines.append(f"T steps of B rows, one row for each sequence; a value is a vector over units, of size {sizes}.")
    if twins := twins_of(variable.shape[0] for variable in cell.normal.variables):
        lines.append(
            f"{', '.join(twins)}: as many units, in the columns of a matrix that has the axis in its rows too."
        )
    lines += [*_table((*_LEGEND, *notes)), ""]
    lines += [*_routine_lines(forward), ""]
    if backward is not None:
        lines += [*_routine_lines(backward), ""]
        lines += _tape_lines(forward, saved, recomputed)
    return "\n".join(lines).rstrip() + "\n"


def _routine_lines(routine: Routine) -> Iterator[str]:
    yield routine.name
    yield f"  cost: T*B*({routine_cost(routine)})"
    for phase in routine.phases:
        if phase.stages:
            yield f"  {phase.title}: {_ROWS[phase.rows]}{_ORDER[phase.direction]}"
            yield from (line for stage in phase.stages for line in _stage_lines(stage, routine))
    if routine.fused is not None:
        yield "  fused: in place of hoisting and the loop"
        yield from (line for stage in routine.fused.before for line in _stage_lines(stage, routine))
        yield from (line for stage in routine.fused.loop for line in _fused_lines(stage, routine))
    yield from _gradient_lines(routine)
    yield "  buffers"
    yield from _table([_buffer_row(buffer) for buffer in routine.buffers], indent=4)


def _stage_lines(stage: Stage, routine: Routine) -> Iterator[str]:
    units = "one scalar per row" if stage.size == ONE else f"{stage.size} units"
    yield f"    stage {stage.name}: {units}{_cost(stage_cost(stage, routine))}"
    yield from _sums_and_statements(stage.accumulators, stage.statements)
    stores: dict[str, list[str]] = {}
    for write in stage.writes:
        idle = f"; a finished row keeps {write.idle}" if write.idle else ""
        stores.setdefault(_place(write.place, routine) + idle, []).append(write.value)
    yield from (f"      store {', '.join(values)} -> {to}" for to, values in stores.items())


def _sums_and_statements(accumulators: Iterable[Accumulator], statements: Sequence[Statement]) -> Iterator[str]:
    for accumulator in accumulators:
        yield f"      accumulate {accumulator.name} = {_sum(accumulator.forms)}"
    width = max((len(s.label) for s in statements), default=0) + 2
    for statement in statements:
        label = f"({statement.label})" if statement.label else ""
        yield f"      {label:>{width}} {statement.target} = {to_text(statement.expression)}"


def _fused_lines(fused: FusedStage, routine: Routine) -> Iterator[str]:
    """Where a fused stage differs from the loop's."""
    if not fused.absorbed:
        yield f"    stage {fused.loop.name} as it is"
        return
    stage = fused.whole
    cost = _cost(stage_cost(stage, routine))
    yield f"    stage {stage.name}: {fused.loop.name}, but computes the hoisted values itself{cost}"
    for name, forms in (pair for each in fused.absorbed for pair in each.joined):
        yield f"      accumulate {name} = {_sum(forms)} + …"
    own = [accumulator for each in fused.absorbed for accumulator in each.accumulators]
    yield from _sums_and_statements(own, [each.statement for each in fused.absorbed])


def _sum(forms: Iterable[Form]) -> str:
    return " + ".join(form.text for form in forms)


def _place(place: Place, routine: Routine) -> str:
    taped = place.kind is Kind.BUFFER and routine.buffer(place.array).taped
    return _PLACES[place.kind].format(place.array) + (" (tape)" if taped else "")


def _gradient_lines(routine: Routine) -> Iterator[str]:
    if routine.products:
        yield "  deferred matrix gradients: each one stacked product, a sum over T*B rows"
    for product in routine.products:
        left = ", ".join(value for _, value in product.entries)
        parameters = ", ".join(f"d{parameter}" for parameter, _ in product.entries)
        labels = " ".join(f"({label})" for label in product.labels)
        yield f"    [{left}] outer {product.right} -> {parameters}{_cost(product_cost(product, routine))}  {labels}"
    if routine.sums:
        yield "  deferred vector gradients: sums over T*B rows"
    yield from _table([(f"sum {i.value}", f"-> d{i.parameter}", f"({i.label})") for i in routine.sums], indent=4)


def _tape_lines(
    forward: Routine, saved: Sequence[tuple[str, str]], recomputed: Sequence[tuple[str, str]]
) -> Iterator[str]:
    yield "tape"
    yield f"  numbers: T*B*({tape_cost(forward)}) stored, and the states, (T + 1)*B*({state_cost(forward)})"
    rows = [(name, "stored", why) for name, why in saved]
    rows += [(name, "computed again", why) for name, why in recomputed]
    yield from _table(rows)


def _buffer_row(buffer: Buffer) -> tuple[str, str, str]:
    rows = "1 row" if buffer.extent is Extent.ONCE else f"{buffer.extent} rows"
    groups = groupby(buffer.columns, key=lambda column: column.size)
    columns = " | ".join(f"{', '.join(c.value for c in group)}: {size}" for size, group in groups)
    return buffer.name, rows + (" (tape)" if buffer.taped else ""), columns


def _cost(count: Count) -> str:
    return f", cost {count}" if count else ""


def _table(rows: Iterable[tuple[str, ...]], indent: int = 2) -> Iterator[str]:
    """Rows in aligned columns; the last column is ragged."""
    rows = tuple(rows)
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)] if rows else []
    for row in rows:
        cells = [f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)]
        yield " " * indent + "  ".join([*cells, row[-1]]).rstrip()
