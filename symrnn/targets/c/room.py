"""The memory of a stream with fixed sizes, enough for any processor, so that it can be an array.

Reads a `CCell`; returns the macros of its header. Leaves out: the queries, which answer for the processor at hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from symrnn.targets.c.c_cell import CCell
from symrnn.targets.c.context import CRoom
from symrnn.targets.c.interface import BLOCK_NUMBERS, TAG_WORDS
from symrnn.targets.c.packed import numbers, parts_of
from symrnn.targets.c.precision import Precision


def c_room(cell: CCell) -> tuple[CRoom, ...]:
    """Numbers for packed weights and for the workspace of a step of one row; nothing if a size is open."""
    if set(cell.fixed) != set(cell.program.cell.sizes):
        return ()
    return tuple(room for precision in cell.precisions for room in _rooms(cell, precision))


def packed_numbers(cell: CCell, precision: Precision, lanes: int) -> int:
    """Numbers in the packed weights of ``cell``, whose sizes are fixed, with vectors of ``lanes`` numbers."""
    tag = (TAG_WORDS + len(cell.names.open)) * 64 // precision.bits
    return _whole([tag, *(numbers(part, cell.fixed, lanes) for part in parts_of(cell))])


def _rooms(cell: CCell, precision: Precision) -> Iterator[CRoom]:
    """Those of one precision, with vectors as wide as any."""
    work = [
        (2 if array.motion == "BEFORE" else 1) * array.width.value(cell.fixed)
        for array in cell.arrays.table
        if array.memory in ("TAPE", "WORK") and array.motion != "AFTER"
    ]
    packed = packed_numbers(cell, precision, precision.most_lanes)
    stem = f"{cell.name.upper()}_{precision.name.upper()}"
    yield CRoom(f"{stem}_PACKED", "packed weights", packed)
    yield CRoom(f"{stem}_WORKSPACE", "the workspace of step with one row", _whole(work))


def _whole(blocks: Iterable[int]) -> int:
    """The numbers of ``blocks``, each rounded up to where the next may begin."""
    return sum((block + BLOCK_NUMBERS - 1) // BLOCK_NUMBERS * BLOCK_NUMBERS for block in blocks)
