"""The parts of a point's limit: the peak of multiply-adds, the bandwidth at the weights' size, elementwise work alone.

Elementwise work is measured on the cell with the identity in place of every matrix, through the same generator: ``W @ h``
becomes ``h``, so products and weights go, and everything else stays. The same call with no steps measures the time of
Python, which is subtracted.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from types import ModuleType

import symrnn
from benchmarks import roofline
from benchmarks.matrix_products import recurrent_bytes, sizes_of
from benchmarks.participants import Prepared, Unsupported
from benchmarks.participants.ours import with_kernels
from benchmarks.workload import Task, cell_of, draw_for
from symrnn.errors import CellError
from symrnn.language.cell import Cell
from symrnn.language.text import to_text
from symrnn.language.tree import Expression, MatVec, transform


def versions() -> dict[str, str]:
    """Nothing: limits use our own code alone."""
    return {}


def peak(task: Task) -> Prepared:
    """Multiply-adds in registers, on every thread; ``work`` is in FLOPs."""
    return roofline.peak(task.threads)


def bandwidth(task: Task) -> Prepared:
    """Reading a block of the size of the weights that every step reads; ``work`` is in bytes."""
    cell = cell_of(task.cell)
    return roofline.reading(
        task.threads, recurrent_bytes(cell, sizes_of(cell, task.point.input_size, task.point.hidden))
    )


def elementwise(task: Task) -> Prepared:
    """The calls of ``task`` on the cell without matrices; all its sizes are the hidden size."""
    cell, kernels = _without(task.cell)
    square = replace(task, point=replace(task.point, input=0))
    # Nothing else computes it, so there is no result to compare.
    return replace(with_kernels(kernels, square, draw_for(cell, square.point)), labelled=None)


def idle(task: Task) -> Prepared:
    """As `elementwise`, at T = 0."""
    return elementwise(replace(task, point=replace(task.point, steps=0, ragged=False)))


@cache
def _without(name: str) -> tuple[Cell, ModuleType]:
    cell = without_matrices(cell_of(name))
    return cell, symrnn.build(cell, backend="c")


def without_matrices(cell: Cell) -> Cell:
    """``cell`` with every linear form replaced by its operand.

    Raises:
        Unsupported: the rest is not a cell.
    """
    lines = [f"{e.target} = {to_text(transform(e.expression, _bare))}" for e in cell.equations]
    name = f"{cell.name}_elementwise"
    try:
        return Cell.from_equations("\n".join(lines), name=name, constants=cell.constants, output=cell.output)
    except CellError as error:
        raise Unsupported(f"{cell.name} without its matrices is not a cell: {error}") from error


def _bare(node: Expression) -> Expression:
    return node.operand if isinstance(node, MatVec) else node
