"""Where the arrays of a routine lie in C: which structure field points at them, how long a row is, how a step moves.

Reads a routine of a program; returns `Array` records, and the address of any value's row. A field of a routine's
``at`` structure points at the rows of the current step; stages add a row and a column to it. Leaves out: sizes of whole
blocks (`symrnn.targets.c.files`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from symrnn.plan.program import Buffer, Direction, Extent, Kind, Place, Program, Routine
from symrnn.targets.c.names import CNames


@dataclass(frozen=True)
class Array:
    """One array.

    Attributes:
        field: of the ``at`` structure; empty for parameters, which lie in ``packed``.
        width: C expression of the numbers in a row.
        written: whether the routine writes it.
        advance: C expression of the row at which step ``t`` begins, times ``dims->rows``; empty where it stays.
        one_row: whether every row of a step reads the same row.
    """

    field: str
    width: str
    written: bool
    advance: str
    one_row: bool = False


class Arrays:
    """The arrays of ``routine``.

    Args:
        program: the cell and its forward routine, whose buffers a backward routine reads.
        routine: the routine that runs.
        names: C identifiers.
    """

    def __init__(self, program: Program, routine: Routine, names: CNames) -> None:
        self._program, self._routine, self._names = program, routine, names
        self._buffers: dict[str, Buffer] = {buffer.name: buffer for buffer in program.forward.buffers}
        self._buffers |= {buffer.name: buffer for buffer in routine.buffers}

    def all(self) -> Iterator[Array]:
        """Every array that a stage of the routine reads or writes, each once; parameters left out."""
        found: dict[str, Array] = {}
        for place in self._places():
            array = self.array(place)
            if array.field:
                found.setdefault(array.field, array)
        yield from found.values()

    def _places(self) -> Iterator[Place]:
        routine = self._routine
        for stage in routine.stages:
            for name in (*stage.reads, *stage.operands):
                yield routine.places[name]
            for write in stage.writes:
                yield write.place
        for product in routine.products:
            yield routine.places[product.right]
            for _, left in product.entries:
                yield routine.places[left]
        for item in routine.sums:
            yield routine.places[item.value]

    def array(self, place: Place) -> Array:
        """The array of ``place``."""
        width = self._width(place)
        backward = self._routine.direction is Direction.BACKWARD
        match place.kind:
            case Kind.INPUT:
                return Array(place.array, width, False, "t")
            case Kind.SEED:
                return Array("seed", width, False, "t")
            case Kind.OUTPUT:
                return Array("output", width, True, "t")
            case Kind.STATE:
                return Array(f"{place.array}_now", width, False, "slot_now(dims, at->taped, t)")
            case Kind.NEXT:
                return Array(f"{place.array}_next", width, not backward, "slot_next(dims, at->taped, t)")
            case Kind.CARRY:
                return Array(f"carry_{place.array}", width, True, "")
            case Kind.INPUT_GRADIENT:
                return Array(f"gradient_{place.array}", width, True, "t")
            case Kind.STATE_GRADIENT:
                return Array(f"gradient_{place.array}", width, True, "")
            case Kind.PARAMETER:
                return Array("", width, False, "", one_row=True)
            case Kind.BUFFER:
                return self._buffer_array(self._buffers[place.array], width)

    def _buffer_array(self, buffer: Buffer, width: str) -> Array:
        own = buffer in self._routine.buffers
        if buffer.extent is Extent.ONCE:
            return Array(buffer.name, width, own, "", one_row=True)
        if buffer.extent is Extent.STEP:
            return Array(buffer.name, width, own, "")
        if not own or self._routine.direction is Direction.BACKWARD:
            return Array(buffer.name, width, own, "t")
        # Without a tape, what is hoisted lives for a chunk of steps, what a step computes for that step.
        now = "(t - at->origin)" if buffer.spans else "0"
        return Array(buffer.name, width, own, f"(at->taped ? t : {now})" if buffer.taped else now)

    def address(self, value: str, place: Place, row: str, *, later: bool = False) -> str:
        """The C expression of the address of ``value`` in ``row`` of the current step."""
        array = self.array(place)
        if not array.field:
            return f"at->packed + at->layout.{self._names.values[value]}"
        parts = [f"at->{array.field}{'_later' if later else ''}"]
        if not array.one_row:
            parts.append(f"{row} * {_factor(array.width)}")
        column = self._column(value, place)
        if column:
            parts.append(column)
        return " + ".join(parts)

    def _column(self, value: str, place: Place) -> str:
        if place.kind is not Kind.BUFFER:
            return ""
        before = []
        for column in self._buffers[place.array].columns:
            if column.value == value:
                break
            before.append(column.size)
        return total(before, self._names)

    def _width(self, place: Place) -> str:
        if place.kind is Kind.BUFFER:
            return total([column.size for column in self._buffers[place.array].columns], self._names)
        if place.kind in (Kind.OUTPUT, Kind.SEED):
            return self._names.sizes[self._program.cell.size(self._program.cell.output)]
        return self._names.sizes[self._program.cell.size(place.array)]


def total(sizes: list[str], names: CNames) -> str:
    """The C expression of a sum of sizes, equal ones counted: ``3 * dims->hidden + dims->input``; empty for none."""
    counts: dict[str, int] = {}
    for size in sizes:
        counts[size] = counts.get(size, 0) + 1
    terms = []
    for size, count in counts.items():
        text = names.sizes[size]
        terms.append(str(count) if text == "1" else text if count == 1 else f"{count} * {text}")
    return " + ".join(terms)


def _factor(text: str) -> str:
    """``text`` as a factor of a product."""
    return f"({text})" if " " in text else text
