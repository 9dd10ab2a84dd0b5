"""The cases that kernels are checked on: shapes, lengths, direction, and the random numbers for each.

Reads a cell; returns `Case` and `Problem` records. Numbers are drawn at the precision of float32 and held in float64,
so that every precision sees the same point. Weights are dense and uniform in ±1/√fan_in and gradients arrive at every
step: with larger weights a recurrence is chaotic, and the order of a sum alone would change everything after 200
steps. Leaves out: what is computed from them (`symrnn.check.oracles`).
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from symrnn.check.measure import ADJOINT, CENTRAL, COMPLEX_STEP, INTERPRETER, Array
from symrnn.language.axes import shape_axes
from symrnn.language.cell import Cell
from symrnn.language.system import HIDDEN, INPUT, ONE, Role
from symrnn.language.tree import PRIME

EVERY = (INTERPRETER, COMPLEX_STEP, CENTRAL, ADJOINT)
DENSE, START = "dense draws", "from its start"
"""Where a problem's point comes from: a dense draw of both signs, or `symrnn.check.points`."""
FEW_UNITS = 4
SINGLE_STEPS = 50
"""The longest sequence that float32 is checked on."""

WIDTHS = (*range(1, 10), 16, 17)
"""Numbers of units that every cell runs with: all below ten, and those near the widest vectors of float32."""

ROWS, POINTS = 29, 4
"""Rows of the batch in cases of every width, 16 + 8 + 4 + 1, and how many of them differ."""


@dataclass(frozen=True)
class Case:
    """One set of shapes.

    Attributes:
        steps: T, from 0.
        batch: B, from 0.
        input: units of ``x``; a cell that forces ``input = hidden`` takes ``hidden``.
        hidden: units of a state.
        oracles: the oracles that run besides backends against each other and float32 against float64.
        ragged: whether rows have lengths of their own, 0 and T among them. Beyond them, inputs and gradients are NaN: no
            kernel may read them.
        reverse: whether rows run backwards.
        at_rest: whether initial states and gradients into the final states are left out, which means zeros. They are
            given even so if no parameter determines their size.
        every_entry: whether derivatives are taken by every entry instead of along one random direction per array.
        fixed: sizes that kernels are generated for.
        others: the number of the first size beyond input and hidden; each further size has one more. 0 stands for
            hidden // 2 + 1.
    """

    steps: int
    batch: int
    input: int
    hidden: int
    oracles: tuple[str, ...] = ()
    ragged: bool = False
    reverse: bool = False
    at_rest: bool = False
    every_entry: bool = False
    fixed: tuple[tuple[str, int], ...] = ()
    others: int = 0

    def with_sizes(self, fixed: Mapping[str, int]) -> Case:
        """The same with these sizes in place of its own; derivatives by every entry only for few units."""
        if not fixed:
            return self
        input_size, hidden = fixed.get(INPUT, self.input), fixed.get(HIDDEN, self.hidden)
        every = self.every_entry and max(input_size, hidden) <= FEW_UNITS
        return replace(self, input=input_size, hidden=hidden, every_entry=every, fixed=tuple(fixed.items()), others=0)

    def tells(self, cell: Cell) -> bool:
        """Whether the case applies to ``cell``: where `others` is large, it needs values of another size than its states."""
        values = (v for v in cell.normal.variables if v.role not in (Role.INPUT, Role.PARAMETER))
        return self.others <= 1 or any(v.shape[0] not in (HIDDEN, ONE) for v in values)

    @property
    def single(self) -> bool:
        """Whether float32 is run too."""
        return self.steps <= SINGLE_STEPS

    @property
    def title(self) -> str:
        """The case in one line: ``T=20 B=3 I=5 H=7 ragged reverse``."""
        other = f"other sizes from {self.others}"
        words = (("ragged", self.ragged), ("reverse", self.reverse), ("at rest", self.at_rest), (other, self.others))
        shape = f"T={self.steps} B={self.batch} I={self.input} H={self.hidden}"
        return " ".join((shape, *(word for word, holds in words if holds)))

    def sizes(self, cell: Cell) -> dict[str, int]:
        """A number for each of ``cell.sizes``; new sizes differ from the others wherever they can."""
        numbers = {INPUT: self.hidden if cell.input_is_hidden else self.input, HIDDEN: self.hidden}
        extra = [name for name in cell.sizes if name not in numbers]
        for place, name in enumerate(extra):
            numbers[name] = (self.others or self.hidden // 2 + 1) + place
        numbers |= dict(self.fixed)
        return {name: numbers[name] for name in cell.sizes}


def _of_every_width() -> Iterator[Case]:
    """Cases with states of every width beside values of one unit, and states of one unit beside values of every width.

    An array library may be wrong for one width of columns in rows of one length. From NumPy 2.1 on, `np.negative` misreads a
    column of one unit in rows of 16 bytes in float32, and of 64 bytes in float64. There are enough rows for loops over
    vectors of 2 to 16 numbers, with their unrolled forms and their tails. Few of the rows differ: among many, a norm of one
    unit would be near 0 in some, and float32 is inaccurate there.
    """
    oracles = (INTERPRETER, COMPLEX_STEP, ADJOINT)
    for units in WIDTHS:
        yield Case(2, ROWS, 1, units, oracles, others=1)
    for units in WIDTHS[1:]:
        yield Case(2, ROWS, units, 1, oracles, others=units)


EVERY_WIDTH = tuple(_of_every_width())
"""The cases that look for array calls that are wrong for columns of one width."""

CASES = (
    Case(2, 1, 1, 1, EVERY, every_entry=True),
    Case(3, 2, 2, 3, EVERY, every_entry=True),
    Case(0, 3, 3, 5, (INTERPRETER, COMPLEX_STEP, ADJOINT)),
    Case(2, 0, 3, 5, (INTERPRETER, COMPLEX_STEP, ADJOINT)),
    Case(1, 1, 5, 7, EVERY),
    Case(9, 2, 5, 7, EVERY, at_rest=True),
    Case(20, 3, 5, 7, EVERY, ragged=True),
    Case(20, 3, 5, 7, EVERY, ragged=True, reverse=True),
    Case(20, 3, 9, 7, EVERY, reverse=True),
    Case(2, 3, 37, 67, (INTERPRETER, COMPLEX_STEP, ADJOINT), ragged=True, reverse=True),
    Case(20, 3, 37, 67, EVERY),
    Case(20, 3, 67, 37, (COMPLEX_STEP,), ragged=True, reverse=True),
    Case(50, 3, 17, 33),
    Case(3, 70, 5, 19, (COMPLEX_STEP,), ragged=True),
    Case(200, 1, 3, 5, EVERY),
    Case(200, 3, 37, 67, ragged=True),
    *EVERY_WIDTH,
)
"""Cases that cover T in 0, 1, 2, 20, 50, 200, B in 0, 1, 3, 70, sizes 1, odd and beyond a tile, lengths and reverse;
and every width."""


def distinct(cases: Iterable[Case]) -> tuple[Case, ...]:
    """Each case once; fixed sizes can make several equal."""
    return tuple(dict.fromkeys(cases))


@dataclass(frozen=True)
class Problem:
    """A case with numbers: a point, and the loss ``Σ dy · y + Σ dstate · state``.

    Attributes:
        case: where it comes from.
        sizes: a number for each size name.
        params: parameters by name.
        x: inputs, ``(T, B, input)``, or with an array axis for each of its own; NaN beyond a row's length.
        inputs: the other inputs by name, ``(T, B, size)``; likewise.
        state: initial states, or None.
        lengths: steps of each row, or None.
        dys: gradient of the loss by each output by name, ``(T, B, size)``; NaN beyond a row's length.
        dstate: gradient of the loss by the final states, or None.
        widths: units of each state, axis by axis.
        told: whether parameters determine these; else states must be given, and no stream can be made.
        drawn: `DENSE` or `START`.
        held: the parameters and inputs that have no gradient.
    """

    case: Case
    sizes: Mapping[str, int]
    params: Mapping[str, Array]
    x: Array
    state: Mapping[str, Array] | None
    lengths: Array | None
    dys: Mapping[str, Array]
    dstate: Mapping[str, Array] | None
    widths: Mapping[str, tuple[int, ...]]
    told: bool
    drawn: str = DENSE
    inputs: Mapping[str, Array] = field(default_factory=dict)
    held: tuple[str, ...] = ()

    @property
    def dy(self) -> Array:
        """The gradient by the output of a cell that has one."""
        (found,) = self.dys.values()
        return found

    @property
    def title(self) -> str:
        """The case in one line, and where the point comes from unless it is dense."""
        return self.case.title if self.drawn == DENSE else f"{self.case.title} {self.drawn}"


def draw(cell: Cell, case: Case) -> Problem:
    """The problem of ``case`` for ``cell``; the same on every machine and in every process."""
    rng = np.random.default_rng(zlib.crc32(case.title.encode()))
    sizes = case.sizes(cell)
    numbers = sizes | {ONE: 1}

    def axes(*shape: str) -> tuple[int, ...]:
        return tuple(numbers[axis] for axis in shape_axes(shape))

    shapes = {variable.name: axes(*variable.shape) for variable in cell.parameters}
    fan_in = {v.name: shapes[v.name][-1] if len(v.shape) == 2 or v.matrix else numbers[HIDDEN] for v in cell.parameters}
    params = {name: drawn_in(cell.domain.get(name, ""), rng, shape, fan_in[name]) for name, shape in shapes.items()}
    width = {name: axes(cell.by_name[name + PRIME].shape[0]) for name in cell.states}
    x, *others = (uniform(rng, (case.steps, case.batch, *axes(cell.size(name)))) for name in cell.given)
    inputs = dict(zip(cell.given[1:], others, strict=True))
    inputs |= {name: np.abs(inputs[name]) for name in cell.masks}  # between what is dropped and what is kept
    state = {name: uniform(rng, (case.batch, *width[name])) for name in cell.states}
    if case.others:
        points = rng.integers(0, POINTS, size=case.batch)
        x, state = x[:, points], {name: array[points] for name, array in state.items()}
        inputs = {name: array[:, points] for name, array in inputs.items()}
    wide = {name: axes(cell.size(value)) for name, value in zip(cell.returned, cell.output_values, strict=True)}
    dys = {name: uniform(rng, (case.steps, case.batch, *size)) for name, size in wide.items()}
    dstate = {name: uniform(rng, (case.batch, *width[name])) for name in cell.states}
    lengths = ragged(rng, case.steps, case.batch) if case.ragged else None
    x, dys = beyond(x, lengths, np.nan), {name: beyond(dy, lengths, np.nan) for name, dy in dys.items()}
    inputs = {name: beyond(array, lengths, np.nan) for name, array in inputs.items()}
    told = {ONE, *(axis for variable in cell.parameters for axis in shape_axes(variable.shape))}
    tells = all(told.issuperset(shape_axes((cell.size(name),))) for name in cell.states)
    held = (*cell.fixed, *cell.held_inputs)
    if case.at_rest and tells:
        return Problem(case, sizes, params, x, None, lengths, dys, None, width, tells, inputs=inputs, held=held)
    return Problem(case, sizes, params, x, state, lengths, dys, dstate, width, tells, inputs=inputs, held=held)


def drawn_in(domain: str, rng: np.random.Generator, shape: tuple[int, ...], fan_in: int) -> Array:
    """Numbers for a parameter with this domain: in the range of the initialiser of that name, else ±1/√fan_in.

    They are rounded to float32 and held in float64.
    """
    if not domain:
        return uniform(rng, shape, 1 / math.sqrt(fan_in))
    even = uniform(rng, shape)
    wide = math.sqrt(shape[1]) if len(shape) == 2 else 1.0
    moved = {
        "positive": (1 + even / 2) / wide,
        "unit": 0.5 + 0.4 * even,
        "nonzero": np.where(even < 0, even - 0.5, even + 0.5) / wide,
    }
    return moved[domain].astype(np.float32).astype(np.float64)


def uniform(rng: np.random.Generator, shape: tuple[int, ...], radius: float = 1.0) -> Array:
    """Numbers uniform in ±``radius``, rounded to float32 and held in float64."""
    return rng.uniform(-radius, radius, shape).astype(np.float32).astype(np.float64)


def ragged(rng: np.random.Generator, steps: int, batch: int) -> Array:
    """Lengths for ``batch`` rows, 0 to ``steps``: the first is full, the second empty, the others random."""
    lengths = rng.integers(0, steps, size=batch, endpoint=True)
    lengths[:2] = [steps, 0][:batch]
    return lengths


def beyond(array: Array, lengths: Array | None, number: float) -> Array:
    """``array``, ``(T, B, size)``, with ``number`` beyond the length of each row."""
    if lengths is None:
        return array
    idle = np.arange(len(array))[:, None] >= lengths
    return np.where(idle.reshape(*idle.shape, *(1,) * (array.ndim - 2)), number, array)
