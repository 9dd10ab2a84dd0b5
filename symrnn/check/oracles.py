"""The oracles, each of which computes outputs or gradients in its own way, and the comparison of kernels with them.

Reads a `Problem`; returns `Reference` records. Derivatives are taken of NumPy's *forward* kernel in double precision, which
the interpreter checks against the author's equations. A reference serves every backend and precision, since the
problem's numbers are exact in float32. Leaves out: the scalar expansion (`symrnn.derive.proof`), which is symbolic.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from symrnn.check import measure
from symrnn.check.cases import Problem, beyond, uniform
from symrnn.check.interpreter import interpret_at
from symrnn.check.kernels import (
    Arrays,
    Forward,
    Result,
    Tangent,
    X,
    beside_x,
    labelled,
    of_input,
    of_state,
    of_tape,
)
from symrnn.check.measure import Array
from symrnn.language.cell import Cell
from symrnn.saying import Progress, silent

COMPLEX_SIZE = 2.0**-830
"""The complex step, 1.4e-250: its square is zero in float64 and not merely small, so the real part of a perturbed run is
that of the run itself, and branches at kinks are decided by exact zeros and ties. The product of two
perturbations with the slopes a and b underflows to 0 while |a b| < 1e176. A step of 1e-100, whose square is a number,
would make `u * h` negative or positive at h = 0. Nothing is subtracted, so the size costs no precision: slopes from
1e-58 have all their digits, smaller ones an error of 1e-74. A power of 2 rounds nothing."""

CENTRAL_SIZE = 1e-5
"""The step of central differences along directions of length one, and half of it."""

SMALL = 0.1
"""Arrays whose largest number is below it have shorter directions, so that a step is small beside the numbers."""

OUTPUT_FLOOR = 0.1
"""The floor of errors in outputs: initial states are drawn from ±1."""


@dataclass(frozen=True)
class DirectionalDerivatives:
    """Directional derivatives of the loss by one array.

    Attributes:
        directions: ``(n, *shape of the array)``.
        values: ``(n,)``.
    """

    directions: Array
    values: Array

    def of(self, gradient: Array) -> Array:
        """The same derivatives from a gradient: its inner product with every direction."""
        if gradient.shape != self.directions.shape[1:]:
            return gradient
        flat = self.directions.reshape(len(self.directions), -1)
        product: Array = flat @ gradient.astype(np.float64).ravel()
        return product.astype(np.float64)


@dataclass(frozen=True)
class Reference:
    """The result of one oracle for a problem.

    Attributes:
        oracle: its name.
        outputs: outputs by label.
        gradients: gradients by label, in full.
        derivatives: directional derivatives of the loss by label.
    """

    oracle: str
    outputs: Arrays
    gradients: Arrays
    derivatives: Mapping[str, DirectionalDerivatives]


@dataclass(frozen=True)
class Finding:
    """One comparison: the array, what it was taken from (``infer``, ``backward``) and the error."""

    array: str
    source: str
    error: float


def by_interpreter(cell: Cell, problem: Problem, progress: Progress = silent) -> Reference:
    """The forward oracle; ``progress`` is called before each step of each row."""
    reverse = problem.case.reverse
    forward = interpret_at(cell, problem, progress)
    outputs = labelled(forward.outputs, forward.state)
    if not reverse:
        outputs |= {of_tape(name): array for name, array in forward.states.items()}
    return Reference(measure.INTERPRETER, outputs, {}, {})


def by_complex_step(kernels: Forward, problem: Problem, directions: Arrays) -> Reference:
    """Derivatives of the loss as its imaginary part after a tiny imaginary step."""

    def derivative(label: str, direction: Array) -> float:
        return float(np.imag(_loss(kernels, problem, {label: 1j * COMPLEX_SIZE * direction}))) / COMPLEX_SIZE

    return Reference(measure.COMPLEX_STEP, {}, {}, _derivatives(derivative, directions))


def by_central_differences(kernels: Forward, problem: Problem, directions: Arrays) -> Reference:
    """Derivatives of the loss from its differences over two steps, extrapolated to a step of zero.

    The error goes with the fourth power of the step (Richardson), so a divisor of a thousandth gives no false alarm.
    """

    def over(label: str, change: Array) -> float:
        return (_loss(kernels, problem, {label: change}) - _loss(kernels, problem, {label: -change})).real

    def derivative(label: str, direction: Array) -> float:
        whole, half = (over(label, size * direction) / (2 * size) for size in (CENTRAL_SIZE, CENTRAL_SIZE / 2))
        return (4 * half - whole) / 3

    return Reference(measure.CENTRAL, {}, {}, _derivatives(derivative, directions))


def by_tangent(kernels: Tangent, problem: Problem, directions: Arrays) -> Reference:
    """Derivatives of the loss as ⟨J u, v⟩ with J u from the tangent kernel; backward claims ⟨u, Jᵀ v⟩.

    The tangent kernel takes neither lengths nor reverse: the problem must have none.
    """

    def derivative(label: str, direction: Array) -> float:
        tangent = _tangent(kernels, problem, {label: direction})
        return math.fsum(float(np.sum(weight * tangent[name])) for name, weight in weights(problem).items())

    return Reference(measure.ADJOINT, {}, {}, _derivatives(derivative, directions))


def tangent_findings(kernels: Tangent, problem: Problem, directions: Arrays) -> Iterator[Finding]:
    """The tangent kernel against the complex step, in full: J u along a direction in all arrays at once."""
    outputs = _outputs(kernels, problem, {label: 1j * COMPLEX_SIZE * along[0] for label, along in directions.items()})
    for label, tangent in tangent_along(kernels, problem, directions).items():
        expected = np.imag(outputs[label]) / COMPLEX_SIZE
        yield Finding(f"tangent {label}", "jvp", measure.error(tangent, expected, OUTPUT_FLOOR))


def tangent_along(kernels: Tangent, problem: Problem, directions: Arrays) -> dict[str, Array]:
    """J u by the tangent kernel, along the first direction of every array at once; by the label of the output."""
    return _tangent(kernels, problem, {label: along[0] for label, along in directions.items()})


def has_tangent(problem: Problem) -> bool:
    """Whether the case asks for the tangent kernel and has neither lengths nor reverse, which that kernel cannot take."""
    return measure.ADJOINT in problem.case.oracles and problem.lengths is None and not problem.case.reverse


def by_result(oracle: str, result: Result) -> Reference:
    """The outputs and gradients of other kernels, which must match in full."""
    return Reference(oracle, result.outputs["forward"], result.gradients, {})


def findings(result: Result, reference: Reference, scale: float, dtype: str) -> Iterator[Finding]:
    """Every array of ``reference`` compared with what the kernels returned.

    Args:
        result: of the kernels under test.
        reference: of one oracle.
        scale: of the loss, the floor for gradients.
        dtype: that the kernels' arrays must have; another counts as an infinite error, and so does a missing array.
    """
    for source, outputs in result.outputs.items():
        for label, expected in reference.outputs.items():
            if source == "forward" or label in outputs:
                yield Finding(label, source, _error(outputs.get(label), expected, OUTPUT_FLOOR, dtype))
    for label, expected in reference.gradients.items():
        yield Finding(f"grad {label}", "backward", _error(result.gradients.get(label), expected, scale, dtype))
    for label, along in reference.derivatives.items():
        gradient = result.gradients.get(label)
        if gradient is None or gradient.dtype != dtype:
            yield Finding(f"grad {label}", "backward", math.inf)
        else:
            yield Finding(f"grad {label}", "backward", measure.error(along.of(gradient), along.values, scale))


def draw_directions(problem: Problem) -> dict[str, Array]:
    """For every array that a gradient belongs to, directions of length one or less (see `SMALL`), ``(n, *shape)``.

    One random direction each, or with ``case.every_entry`` one per entry.
    """
    rng = np.random.default_rng(len(problem.params) + problem.x.size)
    directions = {}
    for label, array in _point(problem).items():
        if label in problem.held or label in map(of_input, problem.held):
            continue
        if problem.case.every_entry:
            directions[label] = np.eye(array.size).reshape(array.size, *array.shape)
        else:
            direction = uniform(rng, array.shape)
            directions[label] = direction[np.newaxis] / max(float(np.linalg.norm(direction.ravel())), 1e-3)
        largest = float(np.nanmax(np.abs(array), initial=0.0))  # idle rows hold NaN
        if 0 < largest < SMALL:
            directions[label] *= largest / SMALL
    return directions


def weights(problem: Problem) -> dict[str, Array]:
    """The incoming gradients, by the label of their output; zero beyond a row's length."""
    return labelled({n: beyond(dy, problem.lengths, 0) for n, dy in problem.dys.items()}, problem.dstate or {})


def scale_of_loss(result: Result, problem: Problem) -> float:
    """The floor for gradients."""
    return measure.loss_scale(result.outputs["forward"], weights(problem))


def _error(actual: Array | None, expected: Array, floor: float, dtype: str) -> float:
    if actual is None or actual.dtype != dtype:
        return math.inf
    return measure.error(actual, expected, floor)


def _derivatives(derivative: Callable[[str, Array], float], directions: Arrays) -> dict[str, DirectionalDerivatives]:
    return {
        label: DirectionalDerivatives(along, np.array([derivative(label, direction) for direction in along]))
        for label, along in directions.items()
    }


def _point(problem: Problem) -> dict[str, Array]:
    """Everything that a step reads, by label; states that were not given are zeros."""
    batch = problem.x.shape[1]
    states = problem.state or {name: np.zeros((batch, *width)) for name, width in problem.widths.items()}
    inputs = {of_input(name): array for name, array in problem.inputs.items()}
    return {**problem.params, X: problem.x, **inputs} | {of_state(name): array for name, array in states.items()}


def _outputs(kernels: Forward, problem: Problem, shift: Arrays) -> dict[str, Array]:
    """Outputs by label at the problem's point plus ``shift``."""
    point = _point(problem)
    for label, change in shift.items():
        point[label] = point[label] + change
    kind = np.result_type(*point.values())
    point = {label: array.astype(kind) for label, array in point.items()}
    params = {name: point[name] for name in problem.params}
    state = {name: point[of_state(name)] for name in problem.widths}
    inputs = beside_x({name: point[of_input(name)] for name in problem.inputs})
    how: dict[str, Any] = {"lengths": problem.lengths, "reverse": problem.case.reverse, **inputs}
    y, final, _ = kernels.forward(params, point[X], state, **how)
    return labelled(y, final)


def _loss(kernels: Forward, problem: Problem, shift: Arrays) -> complex:
    outputs = _outputs(kernels, problem, shift)
    return complex(sum(np.sum(outputs[name] * weight) for name, weight in weights(problem).items()))


def _tangent(kernels: Tangent, problem: Problem, along: Arrays) -> dict[str, Array]:
    """J u for the direction u that is ``along`` and zero elsewhere."""
    zero = {label: np.zeros_like(array) for label, array in _point(problem).items()}
    u = {**zero, **along}
    dparams = {name: u[name] for name in problem.params if name not in problem.held}
    dstate = {name: u[of_state(name)] for name in problem.widths}
    inputs: dict[str, Any] = beside_x(problem.inputs)
    if inputs:
        inputs["dinputs"] = {name: u[of_input(name)] for name in problem.inputs if name not in problem.held}
    dy, dfinal = kernels.jvp(problem.params, problem.x, problem.state, dparams, u[X], dstate, **inputs)
    return labelled(dy, dfinal)
