"""Random samples: parameters, the values of a forward run, and the incoming gradients.

Reads a cell and a seed; returns `Sample` records in float64. Sizes are odd and differ, so that a transpose that is
missing shows in a shape; a square sample, which hides it, is for code that cannot run otherwise. Leaves out: what
is computed backwards (`symrnn.diagnose.model`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from symrnn.check.cases import drawn_in, uniform
from symrnn.check.measure import Array
from symrnn.diagnose.rows import Rows
from symrnn.errors import DiagnoseError
from symrnn.language.axes import Numbers
from symrnn.language.cell import Cell
from symrnn.language.system import HIDDEN, INPUT, ONE, Role
from symrnn.language.tree import PRIME


@dataclass(frozen=True)
class Shape:
    """T, B, units of the input and units of a state; ``square`` makes every size that of the state."""

    steps: int
    batch: int
    input: int
    hidden: int
    square: bool = False

    def sizes(self, cell: Cell) -> dict[str, int]:
        """A number for each of ``cell.sizes`` and for the size 1."""
        given = {INPUT: self.hidden if cell.input_is_hidden or self.square else self.input, HIDDEN: self.hidden}
        extra = [name for name in cell.sizes if name not in given]
        numbers = {name: self.hidden if self.square else self.hidden + 2 + at for at, name in enumerate(extra)}
        return Numbers({name: (given | numbers)[name] for name in cell.sizes} | {ONE: 1})


EARLIER, WRAPPED, LATER = "[t-1, 0 at t = 0]", "[t-1]", "[t+1]"
FIRST, LAST, MIRRORED = "[0]", "[T-1]", "[T-1-t]"
"""Suffixes of names for values of another step; no name of a cell has brackets.

Python's index -1 is the last: `WRAPPED` is what ``caches[t - 1]`` gives; `EARLIER` and `LATER` are zero beyond the ends.
"""

SHAPES = (Shape(4, 3, 5, 7), Shape(3, 2, 9, 5), Shape(5, 4, 3, 6))
"""The first is searched; an explanation must hold on all."""

LOUD, SOFT = 2.0**12, 2.0**-20
"""Factors of the incoming gradients: large ones show what is not linear in them, small ones hide clipping."""

SQUARE = (Shape(4, 3, 5, 5, square=True), Shape(3, 2, 7, 7, square=True))
ONE_ROW = (Shape(4, 1, 5, 7), Shape(3, 1, 9, 5))
ONE_SIZE = (Shape(4, 5, 5, 5, square=True), Shape(3, 3, 3, 3, square=True))
"""For code that stops with an error: sizes that hide a missing transpose, a sum over rows, or both."""


@dataclass(frozen=True)
class Sample:
    """One batch of random numbers, run forward.

    Attributes:
        rows: B, and the number behind each size name.
        params: parameters by name.
        steps: for each step, every value of it by name: ``x``, ``h``, ``h'``, intermediates and named parts.
        dys: gradient of the loss by each output at each step by name, ``(T, B, size)``; None for a single step.
        dstate: gradient of the loss by the last states, by state; of a single step also by outputs that are no states.
    """

    rows: Rows
    params: Mapping[str, Array]
    steps: tuple[Mapping[str, Array], ...]
    dys: Mapping[str, Array] | None
    dstate: Mapping[str, Array]

    @cached_property
    def frames(self) -> tuple[Mapping[str, Array], ...]:
        """For each step, all that its adjoint can read, rightly or not: parameters, values of this and of other steps."""
        if self.dys is None:
            return ({**self.params, **self.steps[0]},)
        steps, last = self.steps, len(self.steps) - 1
        frames = []
        for t, values in enumerate(steps):
            frame = {**self.params, **values}
            for name, value in values.items():
                zero = np.zeros_like(value)
                frame[name + WRAPPED] = steps[t - 1][name]  # Python's index -1: before the first comes the last
                frame[name + EARLIER] = steps[t - 1][name] if t else zero
                frame[name + LATER] = steps[t + 1][name] if t < last else zero
                frame[name + FIRST], frame[name + LAST] = steps[0][name], steps[last][name]
                frame[name + MIRRORED] = steps[last - t][name]
            frames.append(frame)
        return tuple(frames)

    @property
    def whole(self) -> bool:
        """Whether it is a whole sequence."""
        return self.dys is not None

    def louder(self, factor: float) -> Sample:
        """The same with all incoming gradients multiplied by ``factor``."""
        dstate = {name: value * factor for name, value in self.dstate.items()}
        dys = None if self.dys is None else {name: value * factor for name, value in self.dys.items()}
        return replace(self, dys=dys, dstate=dstate)


def draw(cell: Cell, shape: Shape, seed: int, whole: bool) -> Sample:
    """The sample of ``shape``: a whole sequence, or one step of it.

    Raises:
        DiagnoseError: the cell leaves the domain of one of its functions at this random point.
    """
    rng = np.random.default_rng([seed, shape.steps, shape.batch, shape.input, shape.hidden, shape.square])
    sizes = shape.sizes(cell)
    rows = Rows(shape.batch, sizes)
    params = {}
    for parameter in cell.parameters:
        numbers = tuple(sizes[size] for size in parameter.shape)
        fan_in = numbers[1] if len(numbers) == 2 else shape.hidden
        params[parameter.name] = drawn_in(cell.domain.get(parameter.name, ""), rng, numbers, fan_in)
    width = {state: sizes[cell.by_name[state + PRIME].shape[0]] for state in cell.states}
    count = shape.steps if whole else 1
    state = {name: uniform(rng, (shape.batch, units)) for name, units in width.items()}
    steps: list[dict[str, Array]] = []
    for _ in range(count):
        values = {v.name: uniform(rng, (shape.batch, sizes[v.shape[0]])) for v in cell.of_role(Role.INPUT)} | state
        steps.append(_forward(cell, rows, params, values))
        state = {name: steps[-1][name + PRIME] for name in cell.states}
    wide = {name: sizes[cell.size(value)] for name, value in zip(cell.returned, cell.output_values, strict=True)}
    dys = {name: uniform(rng, (count, shape.batch, units)) for name, units in wide.items()} if whole else None
    arriving = width if whole else width | {name: units for name, units in wide.items() if name not in width}
    dstate = {name: uniform(rng, (shape.batch, units)) for name, units in arriving.items()}
    return Sample(rows, params, tuple(steps), dys, dstate)


def _forward(cell: Cell, rows: Rows, params: Mapping[str, Array], given: Mapping[str, Array]) -> dict[str, Array]:
    """Every value of one step."""
    values = {**params, **given}
    with np.errstate(all="ignore"):
        for equation in cell.normal.equations:
            size = cell.normal.size(equation.target)
            values[equation.target] = rows.assign(equation.expression, size, values)
            if not np.isfinite(values[equation.target]).all():
                raise DiagnoseError(
                    f"cell {cell.name!r}: equation {equation.label} ({equation.target} = …) has no finite value at the "
                    "random point; keep the arguments of log, sqrt, / and ** in range, or try --seed"
                )
    return {name: value for name, value in values.items() if name not in params}
