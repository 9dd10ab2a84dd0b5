"""Gradient flow of several cells at several starting points: scales of recurrent matrices, and holding biases.

Reads cells and numbers; draws parameters and inputs, and returns a `Sweep` of `Flow` records. A *recurrent scale* ``g``
makes every recurrent matrix ``g`` times an orthogonal one, so all its singular values and the moduli of all its
eigenvalues are ``g``. A *holding bias* fills the biases that hold a state
(`symrnn.flow.structure`), with the sign that holds more. A cell without such matrices or biases has one point for all.
Leaves out: drawing (`symrnn.flow.figure`), and tables (`symrnn.flow.table`).
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from symrnn.derive.derivation import Derivation, derive
from symrnn.derive.evaluate import Array
from symrnn.errors import FlowError
from symrnn.flow.flow import Flow, flow
from symrnn.flow.structure import holding_biases, holding_signs, recurrent_matrices
from symrnn.flow.trajectory import run_steps
from symrnn.language.axes import plain_axes, shape_axes
from symrnn.language.cell import Cell
from symrnn.language.origin import nearest
from symrnn.language.system import HIDDEN, INPUT, ONE
from symrnn.language.transform.masks import masks
from symrnn.language.tree import names
from symrnn.pipeline import build
from symrnn.saying import Progress, silent


@dataclass(frozen=True)
class Setup:
    """What all runs of a sweep share.

    Attributes:
        steps: T.
        batch: B.
        input: units of ``x``; a cell that forces ``input = hidden`` takes ``hidden``.
        hidden: units of a state.
        sizes: numbers for the cells' own sizes. By default a size is ``hidden``; one that is an axis of values with several is
            the root of ``hidden`` that makes the product of so many axes no more than it (`own_sizes`).
        drive: standard deviation of the inputs, which are drawn from a normal distribution.
        seed: of parameters, inputs and the gradient at the end.
        spectra: as in `flow`.
    """

    steps: int = 100
    batch: int = 2
    input: int = 16
    hidden: int = 64
    sizes: Mapping[str, int] | None = None
    drive: float = 0.2
    seed: int = 0
    spectra: bool = False


@dataclass(frozen=True)
class SweepPoint:
    """One cell at one point.

    Attributes:
        cell: its name.
        scale: of the recurrent matrices; None for the cell's initial values.
        bias: the number in the holding biases; None for the cell's initial values.
        flow: the gradient flow.
    """

    cell: str
    scale: float | None
    bias: float | None
    flow: Flow


@dataclass(frozen=True)
class Sweep:
    """Gradient flow of several cells at several points.

    Attributes:
        setup: what all runs share.
        points: by cell, then by bias, then by scale, in the order requested.
        recurrent: the recurrent matrices of each cell that a scale applies to.
        unscaled: by cell, those that it does not apply to, and why: what is prepared follows its parameters, and numbers with
            a domain stay in it.
        holding: the biases that hold the states of each cell, state by state; empty where no bias does.
    """

    setup: Setup
    points: tuple[SweepPoint, ...]
    recurrent: Mapping[str, tuple[str, ...]]
    unscaled: Mapping[str, Mapping[str, str]]
    holding: Mapping[str, Mapping[str, tuple[str, ...]]]

    @property
    def cells(self) -> tuple[str, ...]:
        """The names of the cells, in order."""
        return tuple(self.recurrent)

    def of(self, cell: str) -> tuple[SweepPoint, ...]:
        """The points of one cell."""
        return tuple(point for point in self.points if point.cell == cell)


def sweep(
    cells: Sequence[Cell],
    *,
    scales: Sequence[float] = (),
    biases: Sequence[float] = (),
    setup: Setup = Setup(),
    progress: Progress = silent,
) -> Sweep:
    """Gradient flow of every cell at every combination of ``scales`` and ``biases``; None leaves the initial values.

    Raises:
        FlowError: a size was given that no cell has, or a run is not finite.
    """
    known = list(dict.fromkeys(size for cell in cells for size in _own(cell)))
    for name in setup.sizes or {}:
        if name not in known:
            raise FlowError(f"no cell has a size {name!r} of its own{nearest(name, known)}; leave it out")
    points: list[SweepPoint] = []
    recurrent, unscaled, holding = {}, {}, {}
    for cell in cells:
        derivation = derive(cell)
        recurrent[cell.name], unscaled[cell.name], holding[cell.name] = _scaled(cell), _unscaled(cell), _shifted(cell)
        params = _start(cell, setup)
        x, inputs = _driven(cell, setup)
        for bias in (tuple(biases) or (None,)) if holding[cell.name] else (None,):
            for scale in (tuple(scales) or (None,)) if recurrent[cell.name] else (None,):
                progress(f"{cell.name}: gradient flow{_words(scale, bias)}")
                point = _point(derivation, params, x, inputs, scale, bias, setup)
                found = flow(derivation, point, x, inputs=inputs, spectra=setup.spectra, seed=setup.seed)
                points.append(SweepPoint(cell.name, scale, bias, found))
    return Sweep(setup, tuple(points), recurrent, unscaled, holding)


def own_sizes(cell: Cell, setup: Setup) -> dict[str, int]:
    """Numbers for the sizes of the cell's own: those given, else as `Setup.sizes` says.

    >>> from symrnn.language.cellfile import load
    >>> own_sizes(load("mlstm"), Setup(hidden=64)), own_sizes(load("mlstm"), Setup(hidden=16, sizes={"head": 1}))
    ({'head': 4, 'value': 4, 'key': 4}, {'head': 1, 'value': 2, 'key': 2})
    """
    together = [set(plain_axes(size)) for variable in cell.normal.variables for size in variable.shape]
    found = {}
    for size in _own(cell):
        several = max((len(axes) for axes in together if size in axes), default=1)
        found[size] = (setup.sizes or {}).get(size, _root(setup.hidden, several))
    return found


def _root(number: int, several: int) -> int:
    """The largest whole number of which ``several`` have a product of at most ``number``."""
    found = 1
    while (found + 1) ** several <= number:
        found += 1
    return found


def _words(scale: float | None, bias: float | None) -> str:
    """A point of the sweep for people."""
    named = {"scale": scale, "bias": bias}
    return "".join(f", {name} {value:g}" for name, value in named.items() if value is not None)


def _input(cell: Cell, setup: Setup) -> int:
    return setup.hidden if cell.input_is_hidden else setup.input


def _driven(cell: Cell, setup: Setup) -> tuple[Array, dict[str, Array]]:
    """Random inputs: ``x``, and the others by name; masks as they are drawn in training."""
    numbers = {**own_sizes(cell, setup), HIDDEN: setup.hidden, INPUT: _input(cell, setup), ONE: 1}
    found = {
        name: setup.drive
        * _normal(setup, name, (setup.steps, setup.batch, *(numbers[axis] for axis in shape_axes((cell.size(name),)))))
        for name in cell.given
    }
    axes = [axis for name in cell.masks for axis in shape_axes(cell.by_name[name].shape)]
    sizes = {axis: numbers[axis] for axis in axes if axis != ONE}
    found |= masks(cell, setup.steps, setup.batch, training=True, seed=setup.seed, dtype="float64", **sizes)
    return found.pop("x"), found


def _scaled(cell: Cell) -> tuple[str, ...]:
    """The recurrent matrices that a scale applies to: parameters of any numbers."""
    unscaled = _unscaled(cell)
    return tuple(name for name in recurrent_matrices(cell) if name not in unscaled)


def _unscaled(cell: Cell) -> dict[str, str]:
    """The recurrent matrices that a scale does not apply to, and why."""
    given = [parameter.name for parameter in cell.parameters]
    found = {}
    for name in recurrent_matrices(cell):
        if name not in given:
            found[name] = f"prepared from {', '.join(_made_of(cell, name))}"
        elif name in cell.domain:
            found[name] = f"{cell.domain[name]} by its domain"
    return found


def _made_of(cell: Cell, prepared: str) -> tuple[str, ...]:
    """The parameters that something is prepared from, in their order."""
    wanted = {prepared}
    for equation in reversed(cell.preparation.equations):
        if equation.target in wanted:
            wanted.update(names(equation.expression))
    return tuple(parameter.name for parameter in cell.parameters if parameter.name in wanted)


def _shifted(cell: Cell) -> dict[str, tuple[str, ...]]:
    """The holding biases of any numbers, by state."""
    given = [parameter.name for parameter in cell.parameters if parameter.name not in cell.domain]
    found = {state: tuple(n for n in names if n in given) for state, names in holding_biases(cell).items()}
    return {state: names for state, names in found.items() if names}


def _own(cell: Cell) -> tuple[str, ...]:
    """The sizes of the cell's own."""
    return tuple(size for size in cell.sizes if size not in (INPUT, HIDDEN))


def _start(cell: Cell, setup: Setup) -> dict[str, Array]:
    """The cell's initial parameters."""
    kernels = build(cell, dtype="float64", backward=False)
    started: dict[str, Array] = kernels.init_params(
        _input(cell, setup), setup.hidden, seed=setup.seed, **own_sizes(cell, setup)
    )
    return started


def _point(
    derivation: Derivation,
    params: Mapping[str, Array],
    x: Array,
    inputs: Mapping[str, Array],
    scale: float | None,
    bias: float | None,
    setup: Setup,
) -> dict[str, Array]:
    """The parameters with recurrent matrices of one scale, and holding biases of one number."""
    cell, point = derivation.cell, dict(params)
    if scale is not None:
        for name in _scaled(cell):
            shape, apart = point[name].shape, cell.by_name[name].apart  # rows may have several axes
            size = math.prod(shape[apart:-1]), shape[-1]
            numbered = [f"{name} {place}" for place in range(math.prod(shape[:apart]))] if apart else [name]
            point[name] = scale * np.stack([_orthogonal(setup, each, size) for each in numbered]).reshape(shape)
    if bias is not None:
        trajectory = run_steps(cell, point, x[:1], inputs={name: array[:1] for name, array in inputs.items()})
        for state, names in _shifted(cell).items():
            signs = holding_signs(trajectory, state)
            for name in names:
                point[name] = np.full(point[name].shape, signs[name] * bias)
    return point


def _orthogonal(setup: Setup, name: str, size: tuple[int, ...]) -> Array:
    """A matrix whose singular values are all 1: orthogonal columns, or orthogonal rows if it has more columns."""
    tall = _normal(setup, name, (max(size), min(size)))
    q, r = np.linalg.qr(tall)
    q = q * np.where(np.diag(r) < 0, -1.0, 1.0)  # unique, and uniform over all orthogonal matrices
    return q if size[0] >= size[1] else q.T


def _normal(setup: Setup, name: str, size: tuple[int, ...]) -> Array:
    """Normal random numbers: the same for a name and a seed, whatever else is drawn."""
    return np.random.default_rng([setup.seed, zlib.crc32(name.encode())]).standard_normal(size)
