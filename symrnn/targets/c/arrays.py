"""Where the values of a cell lie in C: which array of a routine, which column of its rows, how it moves with time.

Reads a program; returns the table of its arrays (`CArray`), and the `Address` of any value, from which C prints its own
text. Both routines share one table: the backward routine reads the tape of the forward routine in the same arrays. Leaves
out: sizes of whole blocks, which the runtime finds from the table (``templates/c/symrnn_real.h``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from symrnn.plan.program import Buffer, Extent, Kind, Place, Program
from symrnn.targets.c.names import CNames

FIXED = {Kind.INPUT: "AT_X", Kind.OUTPUT: "AT_Y", Kind.SEED: "AT_DY", Kind.INPUT_GRADIENT: "AT_DX"}
"""The arrays that every cell has, in the runtime's own names."""

PACKED = "AT_PACKED"
"""Packed weights, as an array of one row."""


def of_state(role: str, state: str) -> str:
    """The array of what a state is in a ``role``: now, next, carry, initial.

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
        width: sizes of the values side by side in a row.
    """

    name: str
    memory: str
    motion: str
    width: tuple[str, ...]


@dataclass(frozen=True)
class Address:
    """Where a value of a row begins.

    Attributes:
        array: of the C enumeration; `PACKED` for what lies with the weights.
        before: sizes of the values that stand before it in its row.
        block: of packed weights, which they are counted from; empty for other arrays.
    """

    array: str
    before: tuple[str, ...] = ()
    block: str = ""


class Arrays:
    """The arrays of ``program``.

    Args:
        program: the cell, its forward routine, and its backward routine if there is one.
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        self._forward = {buffer.name: buffer for buffer in program.forward.buffers}
        self._backward = {buffer.name: buffer for buffer in program.backward.buffers} if program.backward else {}

    def table(self) -> tuple[CArray, ...]:
        """Every array, in the order of the enumeration: the fixed ones, those of states, buffers."""
        cell, given = self._program.cell, "GIVEN"
        x, output = (cell.size("x"),), (cell.size(cell.output),)
        fixed = (
            CArray("AT_X", given, "EACH_STEP", x),
            CArray("AT_Y", given, "EACH_STEP", output),
            CArray("AT_DY", given, "EACH_STEP", output),
            CArray("AT_DX", given, "EACH_STEP", x),
            CArray(PACKED, given, "STAYS", ()),
        )
        states = [(state, (cell.size(state),)) for state in cell.states]
        moving = [
            CArray(of_state(role, state), "TAPE", motion, width)
            for state, width in states
            for role, motion in (("now", "BEFORE"), ("next", "AFTER"))
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
                found.append(CArray(of_buffer(buffer.name), "WORK", "STAYS", _width(buffer)))
            elif buffer.extent is Extent.SEQUENCE:
                motion = "EACH_HOISTED" if buffer.spans else "EACH_TAPED"
                memory = "TAPE" if buffer.taped else "WORK"
                found.append(CArray(of_buffer(buffer.name), memory, motion, _width(buffer)))
        for buffer in self._backward.values():
            motion = "EACH_STEP" if buffer.extent is Extent.SEQUENCE else "STAYS"
            found.append(CArray(of_buffer(buffer.name), "BACK", motion, _width(buffer)))
        return tuple(found)

    def address(self, value: str, place: Place) -> Address:
        """The address of ``value`` in a row of the current step."""
        match place.kind:
            case Kind.INPUT | Kind.OUTPUT | Kind.SEED | Kind.INPUT_GRADIENT:
                return Address(FIXED[place.kind])
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
                sizes = _width(buffer)
                before = sizes[: [column.value for column in buffer.columns].index(value)]
                if buffer.extent is Extent.ONCE:
                    return Address(PACKED, before, f"PACKED_{buffer.name}")
                return Address(of_buffer(buffer.name), before)


def _width(buffer: Buffer) -> tuple[str, ...]:
    return tuple(column.size for column in buffer.columns)


def total(sizes: Iterable[str], names: CNames) -> str:
    """The C expression of a sum of sizes, equal ones counted: ``3 * dims->hidden + dims->input``; ``0`` for none."""
    counts: dict[str, int] = {}
    for size in sizes:
        counts[size] = counts.get(size, 0) + 1
    terms = []
    for size, count in counts.items():
        text = names.sizes[size]
        terms.append(str(count) if size == "1" else text if count == 1 else f"{count} * {text}")
    return " + ".join(terms) or "0"
