"""Where the values of a cell lie in C: which array of a routine, which column of its rows, how it moves with time.

Reads a program; returns the table of its arrays (`CArray`), and the `Address` of any value, from which C prints its own
text. Both routines share one table: the backward routine reads the tape of the forward routine in the same arrays. Leaves
out: sizes of whole blocks, which the runtime finds from the table (``templates/c/symrnn_time.h``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from symrnn.emit.address import Address
from symrnn.language.cell import Cell
from symrnn.plan.backward import seed_arrays
from symrnn.plan.program import Column, Extent, Kind, Place, Program
from symrnn.plan.size import Count
from symrnn.plan.storage import output_places
from symrnn.targets.c.row import Overwrite, overwrite

PACKED = "AT_PACKED"
"""Packed weights, as an array of one row."""

FIXED = ("AT_X", "AT_Y", "AT_DY", "AT_DX", PACKED)
"""The arrays that every cell has, in the order of the runtime's enumeration."""


def of_state(role: str, state: str) -> str:
    """The array of a state in a ``role``: now, next, carry, initial.

    The role stands first: no two states and roles give one name, as the state ``carry`` with the role ``now`` would give that
    of the state ``now`` with the role ``carry``. A buffer's name has no underscore.
    """
    return f"AT_{role}_{state}"


def of_buffer(buffer: str) -> str:
    """The array of a buffer."""
    return f"AT_{buffer}"


@dataclass(frozen=True)
class CArray:
    """One array.

    Attributes:
        name: of the C enumeration.
        memory: of the runtime's enumeration: where it lies.
        motion: of the runtime's enumeration: how it moves from step to step.
        width: numbers in a row.
    """

    name: str
    memory: str
    motion: str
    width: Count


class Arrays:
    """The arrays of ``program``.

    Args:
        program: the cell, its forward routine, and its backward routine if there is one.

    Attributes:
        table: every array, in the order of the enumeration: the fixed ones, those of states, buffers.
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        self._forward = {buffer.name: buffer for buffer in program.forward.buffers}
        self._backward = {buffer.name: buffer for buffer in program.backward.buffers} if program.backward else {}
        self._given = dict(_given(program.cell))
        loop = program.forward.loop.stages
        self._over = {state for state in program.cell.states if overwrite(state, loop) is Overwrite.ALWAYS}
        self.table: tuple[CArray, ...] = self._table()

    def _table(self) -> tuple[CArray, ...]:
        cell, given = self._program.cell, "GIVEN"
        x = Count.of(*((cell.size(name),) for name in cell.given))
        output = Count.of(*((cell.size(value),) for value in cell.output_values))
        fixed = (
            CArray("AT_X", given, "EACH_STEP", x),
            CArray("AT_Y", given, "EACH_STEP", output),
            CArray("AT_DY", given, "EACH_STEP", output),
            CArray("AT_DX", given, "EACH_STEP", x),
            CArray(PACKED, given, "STAYS", Count()),
        )
        states = [(state, Count.size(cell.size(state))) for state in cell.states]
        moving = [
            CArray(of_state(role, state), "TAPE", motion, width)
            for state, width in states
            for role, motion in (("now", "OVER" if state in self._over else "BEFORE"), ("next", "AFTER"))
        ]
        backward = []
        if self._program.backward:
            backward += [CArray(of_state("carry", state), "BACK", "STAYS", width) for state, width in states]
            backward += [CArray(of_state("initial", state), given, "STAYS", width) for state, width in states]
        return (*fixed, *moving, *backward, *self._buffers())

    def _buffers(self) -> tuple[CArray, ...]:
        found = []
        for buffer in self._forward.values():
            if buffer.extent is Extent.STEP:
                found.append(CArray(of_buffer(buffer.name), "WORK", "STAYS", width_of(buffer.columns)))
            elif buffer.extent is Extent.SEQUENCE:
                motion = "EACH_HOISTED" if buffer.spans else "EACH_TAPED"
                memory = "TAPE" if buffer.taped else "WORK"
                found.append(CArray(of_buffer(buffer.name), memory, motion, width_of(buffer.columns)))
        for buffer in self._backward.values():
            motion = "EACH_STEP" if buffer.extent is Extent.SEQUENCE else "STAYS"
            found.append(CArray(of_buffer(buffer.name), "BACK", motion, width_of(buffer.columns)))
        return tuple(found)

    def address(self, value: str, place: Place) -> Address:
        """The address of ``value`` in a row of the current step."""
        match place.kind:
            case Kind.INPUT | Kind.OUTPUT | Kind.SEED | Kind.INPUT_GRADIENT:
                return self._given[place]
            case Kind.STATE:
                return Address(of_state("now", place.array))
            case Kind.NEXT:
                return Address(of_state("next", place.array))
            case Kind.CARRY:
                return Address(of_state("carry", place.array))
            case Kind.STATE_GRADIENT:
                return Address(of_state("initial", place.array))
            case Kind.PARAMETER:
                return Address(PACKED, block=f"PARAM_{place.array}")
            case Kind.BUFFER:
                buffer = self._backward.get(place.array) or self._forward[place.array]
                before = width_of(buffer.columns[: [column.value for column in buffer.columns].index(value)])
                if buffer.extent is Extent.ONCE:
                    return Address(PACKED, before, f"PACKED_{buffer.name}")
                return Address(of_buffer(buffer.name), before)


def _given(cell: Cell) -> Iterator[tuple[Place, Address]]:
    """Where inputs, outputs and their gradients lie: side by side in the rows of arrays that every cell has."""
    before = Count()
    for name in cell.given:
        yield Place(Kind.INPUT, name), Address("AT_X", before)
        yield Place(Kind.INPUT_GRADIENT, name), Address("AT_DX", before)
        before += Count.size(cell.size(name))
    before, places, seeds = Count(), output_places(cell.output_values), seed_arrays(cell.returned)
    for name, value in zip(cell.returned, cell.output_values, strict=True):
        yield places[value], Address("AT_Y", before)
        yield Place(Kind.SEED, seeds[name]), Address("AT_DY", before)
        before += Count.size(cell.size(value))


def width_of(columns: Iterable[Column]) -> Count:
    """The numbers in ``columns`` side by side."""
    return Count.of(*((column.size,) for column in columns))
