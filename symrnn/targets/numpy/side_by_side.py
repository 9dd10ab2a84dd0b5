"""Inputs, outputs and their gradients in a generated function: the local of each, and the lines that part them.

A function takes all inputs as one array, side by side in each row, and likewise outputs and gradients. Reads a routine;
returns `Given`. Leaves out: how the caller joins them (``templates/python/given.py``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from symrnn.language.identifiers import Allocator
from symrnn.language.system import Role
from symrnn.plan.backward import SEED, seed_arrays
from symrnn.plan.program import Direction, Kind, Routine
from symrnn.plan.size import Count
from symrnn.plan.storage import OUTPUT, output_places
from symrnn.targets.numpy.ir import Array


@dataclass(frozen=True)
class Given:
    """What a function is given.

    Attributes:
        arguments: the names of its inputs; that of a tangent has two.
        names: the local of each array of the caller.
        lines: code that parts arguments of several values.
    """

    arguments: tuple[str, ...]
    names: Mapping[Array, str]
    lines: tuple[str, ...]


@dataclass(frozen=True)
class _Parted:
    """An argument, and the arrays that stand side by side in its rows, with their sizes."""

    argument: str
    arrays: tuple[Array, ...]
    sizes: tuple[str, ...]


def input_arguments(routine: Routine) -> tuple[str, ...]:
    """The names of the inputs of the function that runs a forward ``routine``."""
    return tuple(rows.argument for rows in _inputs(routine))


def given_of(routine: Routine, values: Mapping[str, str], allocator: Allocator) -> Given:
    """The inputs and outputs of the function that runs ``routine``.

    Args:
        routine: forward, backward or tangent.
        values: for each output of the layer, the variable whose value the routine returns, or whose gradient it is given.
        allocator: of locals.
    """
    found = [*_inputs(routine), _returned(routine, values)]
    names: dict[Array, str] = {}
    lines = []
    for rows in found:
        if len(rows.arrays) == 1:
            names[rows.arrays[0]] = rows.argument
            continue
        # The whole array of outputs keeps its name; of the others, the parts alone are read.
        hint = "{}_out" if rows.argument == OUTPUT else "{}"
        parts = [
            rows.argument if array.name == rows.argument != OUTPUT else allocator.fresh(hint.format(array.name))
            for array in rows.arrays
        ]
        names |= dict(zip(rows.arrays, parts, strict=True))
        ends = ", ".join(_number(rows.sizes[: end + 1]) for end in range(len(parts) - 1))
        lines.append(f"{', '.join(parts)} = np.split({rows.argument}, [{ends}], axis=2)")
    return Given(input_arguments(routine), names, tuple(lines))


def _number(sizes: Sequence[str]) -> str:
    return Count.of(*((size,) for size in sizes)).spelt('sizes["{}"]'.format)


def _inputs(routine: Routine) -> Iterator[_Parted]:
    """The inputs of a forward routine, which a backward routine reads too; those of a tangent, then their tangents."""
    if routine.direction is Direction.BACKWARD:
        names = [place.array for place in routine.places.values() if place.kind is Kind.INPUT]
        yield _Parted("x", tuple(Array(Kind.INPUT, name) for name in names), tuple(routine.sizes[n] for n in names))
        return
    variables = [v for v in routine.system.variables if v.role is Role.INPUT]
    for group in ([v for v in variables if not v.of], [v for v in variables if v.of]):
        if group:
            arrays = tuple(Array(Kind.INPUT, v.name) for v in group)
            yield _Parted(group[0].name, arrays, tuple(v.shape[0] for v in group))


def _returned(routine: Routine, values: Mapping[str, str]) -> _Parted:
    sizes = tuple(routine.sizes[value] for value in values.values())
    if routine.direction is Direction.BACKWARD:
        return _Parted(SEED, tuple(Array(Kind.SEED, name) for name in seed_arrays(tuple(values)).values()), sizes)
    places = output_places(tuple(values.values()))
    return _Parted(OUTPUT, tuple(Array(Kind.OUTPUT, place.array) for place in places.values()), sizes)
