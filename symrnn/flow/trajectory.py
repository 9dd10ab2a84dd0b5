"""A trajectory: every value of every step, in double precision, for the Jacobians.

Reads a cell, parameters, inputs and initial states; returns a `Trajectory`. Leaves out: lengths (every row takes all steps),
and speed beyond whole batches: `symrnn.build` makes the kernels that run fast.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from symrnn.derive.evaluate import Array, Values, flat, floats, run
from symrnn.derive.preparation import prepare
from symrnn.errors import FlowError
from symrnn.language.axes import Numbers, has_axes, shape_axes
from symrnn.language.cell import Cell
from symrnn.language.origin import nearest
from symrnn.language.system import INPUT, ONE
from symrnn.language.tree import PRIME

Given = Mapping[str, ArrayLike]
"""Arrays by name, as a caller gives them."""


@dataclass(frozen=True)
class Trajectory:
    """The values of T steps of B rows.

    Attributes:
        cell: whose step it is.
        sizes: the number behind each size name.
        steps: T.
        batch: B.
        params: parameters by name.
        values: all others by name, ``(T, B, size)``: a state at the start of each step, its next value at the end.
    """

    cell: Cell
    sizes: Mapping[str, int]
    steps: int
    batch: int
    params: Values
    values: Values

    @property
    def known(self) -> dict[str, Array]:
        """Every value by name, parameters too."""
        return {**self.params, **self.values}

    def axes(self, name: str) -> tuple[int, ...]:
        """How many units each axis of a value has."""
        return tuple(self.sizes[axis] for axis in shape_axes((self.cell.normal.size(name),)))

    def width(self, state: str) -> int:
        """The units of a state."""
        return self.sizes[size_of(self.cell, state)]


def size_of(cell: Cell, state: str) -> str:
    """The size name of a state, whether or not the step reads its old value."""
    return cell.by_name[state + PRIME].shape[0]


def run_steps(
    cell: Cell, params: Given, x: ArrayLike, state: Given | None = None, inputs: Given | None = None
) -> Trajectory:
    """Run every step of ``cell``.

    Args:
        cell: any.
        params: every parameter by name.
        x: inputs, ``(T, B, input)``, or with an array axis for each of its own.
        state: initial states by name, ``(B, size)``; a missing one is zero.
        inputs: the inputs beside ``x`` by name, ``(T, B, size)``.

    Raises:
        FlowError: an array is missing or misshapen, or a value is not finite.
    """
    first = _numbers("x", x)
    given = {"x": first, **_named("inputs", inputs or {}, cell.given[1:], complete=True)}
    for name, array in given.items():
        lead, axes = array.shape[:2], _axes(cell, name)
        if array.ndim == 2 + len(axes) and lead == first.shape[:2] and 0 not in lead:
            continue
        if name == "x":
            wanted = ", ".join(("T", "B", *axes))
            raise FlowError(f"x: expected ({wanted}) with at least one step and one row, found shape {array.shape}")
        wanted = ", ".join(map(str, (*first.shape[:2], *axes)))
        raise FlowError(f"inputs[{name!r}]: expected shape ({wanted}), found {array.shape}")
    weights = _named("params", params, [variable.name for variable in cell.parameters], complete=True)
    begin = _named("state", state or {}, cell.states, complete=False)
    sizes = _sizes(cell, weights, given, begin)
    steps, batch = first.shape[:2]
    for name in cell.states:
        shape = (batch, *(sizes[axis] for axis in shape_axes((size_of(cell, name),))))
        begin.setdefault(name, np.zeros(shape))
        if begin[name].shape != shape:
            raise FlowError(f"state[{name!r}]: expected shape {shape}, found {begin[name].shape}")
    weights, begin = flat(cell.variables, weights), flat(cell.variables, begin, 1)
    given = flat(cell.variables, given, 2)
    if cell.preparation.equations:
        weights = prepare(cell.preparation, weights, sizes)
    values = _over_time(cell, sizes, weights, given, begin)
    return Trajectory(cell, sizes, steps, batch, weights, values)


def _axes(cell: Cell, name: str) -> tuple[str, ...]:
    """The axes of an input; ``x`` has the size ``input`` even where that is ``hidden``."""
    size = cell.size(name)
    return shape_axes((size,)) if name != "x" or has_axes(size) else (INPUT,)


def _over_time(
    cell: Cell, sizes: Mapping[str, int], params: Values, inputs: Values, begin: dict[str, Array]
) -> dict[str, Array]:
    """Every value except parameters, over all steps."""
    system, states = cell.normal, dict(begin)
    steps, batch = inputs["x"].shape[:2]
    names = [variable.name for variable in system.variables if variable.name not in params]
    values = {name: np.empty((steps, batch, sizes[system.by_name[name].shape[0]])) for name in names}
    for t in range(steps):
        with np.errstate(all="ignore"):  # values that are not finite are found and named below
            here = {name: array[t] for name, array in inputs.items()}
            now = run(system.equations, system.by_name, {**params, **states, **here}, sizes, floats())
        for name in names:
            values[name][t] = now[name]
        states = {name: values[name + PRIME][t] for name in states}
        broken = [name for name, value in states.items() if not np.isfinite(value).all()]
        if broken:
            raise FlowError(
                f"cell {cell.name!r}: {broken[0]} is not finite after {t + 1} steps: the run itself explodes; "
                "take fewer steps, or smaller parameters, inputs or initial states"
            )
    return values


def _numbers(name: str, value: ArrayLike) -> Array:
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise FlowError(f"{name}: expected real numbers, found an array of {array.dtype}")
    return array.astype(np.float64)


def _named(what: str, given: Given, expected: list[str] | tuple[str, ...], *, complete: bool) -> dict[str, Array]:
    """The arrays of a mapping, in the order of ``expected``; unknown names, and missing ones if ``complete``, are errors."""
    for name in given:
        if name not in expected:
            close = nearest(name, list(expected))
            raise FlowError(f"{what}: unknown name {name!r}{close}; choose {', '.join(expected)}")
    missing = [name for name in expected if name not in given]
    if complete and missing:
        raise FlowError(f"{what}: {missing[0]!r} is missing; expected {', '.join(expected)}")
    return {name: _numbers(f"{what}[{name!r}]", given[name]) for name in expected if name in given}


def _sizes(cell: Cell, params: Values, inputs: Values, state: Values) -> dict[str, int]:
    """The number behind each size name, from the shapes of all given arrays.

    Raises:
        FlowError: two arrays disagree, or no array has a size.
    """
    told: dict[str, tuple[str, int]] = {ONE: ("1", 1)}
    arrays = [(f"params[{name!r}]", cell.by_name[name].shape, array, 0) for name, array in params.items()]
    arrays.append(("x", (cell.size("x"),), inputs["x"], 2))
    arrays += [(f"inputs[{name!r}]", (cell.size(name),), inputs[name], 2) for name in cell.given[1:]]
    arrays += [(f"state[{name!r}]", (size_of(cell, name),), array, 1) for name, array in state.items()]
    for name, shape, array, outer in arrays:  # the first axes are steps and rows
        found, axes = array.shape[outer:], shape_axes(shape)
        if len(axes) != len(found):
            raise FlowError(f"{name}: expected ({', '.join(axes)}), found shape {array.shape}")
        for size, number in zip(axes, found, strict=True):
            first, known = told.setdefault(size, (name, number))
            if known != number:
                raise FlowError(f"{name}: {size} is {known} by {first}, but {number} by shape {array.shape}")
    used = {axis for variable in cell.normal.variables for axis in shape_axes(variable.shape)}
    unknown = [size for size in cell.sizes if size in used and size not in told]
    if unknown:
        raise FlowError(f"the size {unknown[0]!r} is unknown; give an initial state of that size")
    return Numbers({size: number for size, (_, number) in told.items()})
