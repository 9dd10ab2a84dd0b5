"""The matrix products of a cell: their FLOPs and bytes, and which of them do not depend on a state.

Reads a `Cell` and sizes; returns numbers. Leaves out: elementwise work, which is measured (`benchmarks.participants.limits`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from benchmarks.grid import Mode
from symrnn.language.cell import Cell
from symrnn.language.system import HIDDEN, INPUT, ONE, Role
from symrnn.language.tree import Expression, MatVec, names, walk

BYTES = 4
"""Bytes of a number in float32."""
PASSES = {Mode.INFERENCE: 1, Mode.TRAINING: 3}
"""Matrix products for each one of the forward pass: training adds one for the operand's gradient and one for the matrix's."""
READS = {Mode.INFERENCE: 1, Mode.TRAINING: 2}
"""How often each step reads the weights: the backward pass reads them once more."""


class Depends(IntEnum):
    """The most that a value depends on."""

    PARAMETERS = 0
    INPUT = 1
    STATE = 2


@dataclass(frozen=True)
class MatrixProduct:
    """A linear form of the normalised step, each once.

    Attributes:
        matrix: the parameter.
        transposed: whether it is transposed.
        operand: the vector.
        rows: length of the result.
        columns: length of the operand.
        recurrent: whether the operand depends on a state.
    """

    matrix: str
    transposed: bool
    operand: str
    rows: int
    columns: int
    recurrent: bool


def sizes_of(cell: Cell, input_size: int, hidden_size: int) -> dict[str, int]:
    """A number for every size name; sizes of the cell's own are the hidden size."""
    return {ONE: 1, **dict.fromkeys(cell.sizes, hidden_size), INPUT: input_size, HIDDEN: hidden_size}


def dependences(cell: Cell) -> dict[str, Depends]:
    """What every variable of the normalised step depends on."""
    given = {Role.PARAMETER: Depends.PARAMETERS, Role.INPUT: Depends.INPUT, Role.STATE: Depends.STATE}
    found = {v.name: given[v.role] for v in cell.normal.variables if v.role in given}
    for equation in cell.normal.equations:
        found[equation.target] = depends(equation.expression, found)
    return found


def depends(node: Expression, known: Mapping[str, Depends]) -> Depends:
    """What ``node`` depends on, by what its names depend on."""
    return max((known[name] for name in names(node)), default=Depends.PARAMETERS)


def forms(cell: Cell, sizes: Mapping[str, int]) -> tuple[MatrixProduct, ...]:
    """The linear forms of the normalised step, each once, in order."""
    known = dependences(cell)
    found: dict[MatrixProduct, None] = {}
    for equation in cell.normal.equations:
        for node in walk(equation.expression):
            if isinstance(node, MatVec):
                rows, columns = (sizes[size] for size in cell.normal.by_name[node.matrix].shape)
                if node.transposed:
                    rows, columns = columns, rows
                (operand,) = names(node.operand)
                recurrent = known[operand] is Depends.STATE
                found[MatrixProduct(node.matrix, node.transposed, operand, rows, columns, recurrent)] = None
    return tuple(found)


def flops(cell: Cell, sizes: Mapping[str, int], steps: int, batch: int, mode: Mode) -> int:
    """FLOPs of the matrix products alone: ``2 T B`` for each number of each form's matrix, three times that for training."""
    numbers = sum(form.rows * form.columns for form in forms(cell, sizes))
    return 2 * steps * batch * numbers * PASSES[mode]


def weight_traffic(cell: Cell, sizes: Mapping[str, int], steps: int, mode: Mode) -> int:
    """Bytes of weights that must be read: recurrent ones once per step, input weights once; each pass anew."""
    numbers = sum(form.rows * form.columns * (steps if form.recurrent else 1) for form in forms(cell, sizes))
    return BYTES * numbers * READS[mode]


def recurrent_bytes(cell: Cell, sizes: Mapping[str, int]) -> int:
    """Bytes of the weights that every step reads; all weights where none is recurrent."""
    found = forms(cell, sizes)
    numbers = sum(f.rows * f.columns for f in found if f.recurrent) or sum(f.rows * f.columns for f in found)
    return BYTES * numbers
