"""The linear forms of a stage as few matrix products: stacked by outputs and by operands.

Reads accumulators and where their operands lie; returns `Products`. Operands that are neighbours in one array and feed
the same accumulators are multiplied at once, and so are all accumulators that an operand feeds. Leaves out: the panels
of weights (`symrnn.targets.numpy.weights`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from symrnn.plan.program import Accumulator, Form
from symrnn.targets.numpy.ir import Panel, Position, Products, buffer

Feed = tuple[str, bool]
"""An operand, and whether it is from the previous iteration."""
Locate = Callable[[str], Position | None]


def products(accumulators: Sequence[Accumulator], size: str, labels: Sequence[str], position: Locate) -> Products:
    """The matrix products of a stage.

    Args:
        accumulators: side by side, in the order of their columns.
        size: units of each.
        labels: of their equations.
        position: array and column of a value that is stored; neighbours have neighbouring columns.
    """
    feeds: dict[Feed, dict[int, list[Form]]] = {}
    for column, accumulator in enumerate(accumulators):
        for form in accumulator.forms:
            feeds.setdefault((form.operand, form.later), {}).setdefault(column, []).append(form)
    runs = sorted(_operand_runs(feeds, position), key=lambda run: -len(feeds[run[0]]))
    panels: list[Panel] = []
    written: set[int] = set()
    for run in runs:
        for columns in _column_runs(sorted(feeds[run[0]]), written):
            blocks = tuple(
                tuple(tuple((form.matrix, form.transposed) for form in feeds[feed][column]) for feed in run)
                for column in columns
            )
            targets = tuple(accumulators[column].name for column in columns)
            operands = tuple(operand for operand, _ in run)
            panels.append(Panel(operands, run[0][1], blocks, targets, columns[0] in written))
            written.update(columns)
    names = tuple(accumulator.name for accumulator in accumulators)
    return Products(tuple(panels), names, size, tuple(dict.fromkeys(label for label in labels if label)))


def _operand_runs(feeds: dict[Feed, dict[int, list[Form]]], position: Locate) -> list[list[Feed]]:
    """Operands that are neighbours in one array, of the same iteration, and feed the same accumulators."""
    order = {feed: index for index, feed in enumerate(feeds)}
    placed = sorted(feeds, key=lambda feed: (position(feed[0]) or (buffer(""), order[feed]), feed[1]))
    runs: list[list[Feed]] = []
    for feed in placed:
        before = runs[-1][-1] if runs else None
        here, there = position(feed[0]), position(before[0]) if before else None
        follows = here is not None and there is not None and here == (there[0], there[1] + 1)
        if before and follows and before[1] == feed[1] and set(feeds[before]) == set(feeds[feed]):
            runs[-1].append(feed)
        else:
            runs.append([feed])
    return sorted(runs, key=lambda run: min(order[feed] for feed in run))


def _column_runs(columns: list[int], written: set[int]) -> list[list[int]]:
    """Runs of neighbouring accumulators: in each, all were written before, or none was."""
    runs: list[list[int]] = []
    for column in columns:
        if runs and runs[-1][-1] == column - 1 and (column in written) == (column - 1 in written):
            runs[-1].append(column)
        else:
            runs.append([column])
    return runs
