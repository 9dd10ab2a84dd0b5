"""The gradient of a loss by every state, back through time: its length, its paths, and the gradients of parameters.

Reads the paths of a run and the loss's gradient by the outputs; returns `StateGradient`. Each row of a gradient is kept as a
unit vector and the logarithm of its length, so it neither vanishes nor overflows after any number of steps. Leaves out:
the loss.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from symrnn.derive.derivation import Derivation
from symrnn.derive.evaluate import Array, evaluate, floats, run
from symrnn.derive.preparation import pulled
from symrnn.flow.paths import StepPaths
from symrnn.language.axes import shape_axes
from symrnn.language.system import System
from symrnn.language.tree import Binary, Expression, Outer


@dataclass(frozen=True)
class StateGradient:
    """∂L/∂s_t, row by row, of all states together.

    Attributes:
        unit: its direction, ``(T + 1, B, n)``: entry t belongs to the states after step t; zero where it is zero.
        log: ln of its length, ``(T + 1, B)``; -inf where it is zero.
    """

    unit: Array
    log: Array


_SAFE = 1e-140
"""Lengths between this and its reciprocal can be squared without underflow or overflow."""


def normalised(vector: Array) -> tuple[Array, Array]:
    """Directions, and ln of lengths, along the last axis; a zero vector stays zero, with -inf."""
    length = np.sqrt(np.einsum("...i,...i->...", vector, vector))
    if length.size and length.min() > _SAFE and length.max() < 1 / _SAFE:
        return vector / length[..., np.newaxis], np.log(length)
    # Twice: the square of a tiny entry is already zero the first time.
    largest = np.abs(vector).max(axis=-1, keepdims=True, initial=0.0)
    scaled = np.divide(vector, largest, out=np.zeros_like(vector), where=largest > 0)
    length = np.sqrt(np.einsum("...i,...i->...", scaled, scaled))[..., np.newaxis]
    unit = np.divide(scaled, length, out=scaled, where=length > 0)
    return unit, (log(largest) + log(length))[..., 0]


def log(value: Array) -> Array:
    """The logarithm; -inf for zero, without a warning."""
    return np.log(value, out=np.full(np.shape(value), -np.inf), where=np.asarray(value) > 0)


def backward(paths: StepPaths, given: Array) -> StateGradient:
    """Backpropagation through time by the vector-Jacobian products of the steps.

    Args:
        paths: of the run.
        given: the loss's contribution to the gradient by the states before the first step and after each,
            ``(T + 1, B, n)``.
    """
    steps = paths.trajectory.steps
    unit = np.zeros(given.shape)
    length = np.full(given.shape[:2], -np.inf)
    directions, lengths = normalised(given)
    unit[steps], length[steps] = directions[steps], lengths[steps]
    for t in range(steps - 1, -1, -1):
        carried, change = normalised(paths.pull(unit[t + 1], t))
        arriving = length[t + 1] + change
        if not np.isfinite(lengths[t]).any():
            unit[t], length[t] = carried, arriving
            continue
        unit[t], length[t] = _sum(carried, arriving, directions[t], lengths[t])
    return StateGradient(unit, length)


def _sum(left: Array, log_left: Array, right: Array, log_right: Array) -> tuple[Array, Array]:
    """The sum of two gradients, each a direction and ln of a length."""
    shared = np.maximum(log_left, log_right)
    shared = np.where(np.isfinite(shared), shared, 0.0)
    total = left * np.exp(log_left - shared)[:, np.newaxis] + right * np.exp(log_right - shared)[:, np.newaxis]
    unit, length = normalised(total)
    return unit, length + shared


def by_path(paths: StepPaths, gradient: StateGradient) -> dict[tuple[str, str, int], Array]:
    """For every term of every block of the step Jacobian, ln of the length of the gradient that it alone carries.

    Returns:
        By next state, state and the term's place: ``(T, B)``, entry t for the step from t to t + 1.
    """
    found = {}
    for (state, given), jacobian in paths.jacobians.items():
        arriving = gradient.unit[1:, :, paths.blocks[state]]
        for place in range(len(jacobian.terms)):
            back = paths.pull_path(state, given, place, arriving)
            found[state, given, place] = gradient.log[1:] + normalised(back)[1]
    return found


def through_outputs(derivation: Derivation, paths: StepPaths, dys: Mapping[str, Array]) -> Array:
    """What the loss contributes, through outputs that are no states, to the gradient by the states before each step.

    Args:
        derivation: of the cell.
        paths: of the run.
        dys: the gradient of the loss by each such output, ``(T, B, size)``.

    Returns:
        ``(T, B, n)``: by the derived adjoint of the step, all steps at once.
    """
    system, trajectory = derivation.adjoint, paths.trajectory
    found = np.zeros((trajectory.steps, trajectory.batch, paths.size))
    if not dys:
        return found
    values = trajectory.known | {each.arrives: dys[each.output] for each in derivation.recurrences.read}
    for each in derivation.recurrences.carried:
        values[each.arrives] = np.zeros((trajectory.steps, trajectory.batch, trajectory.width(each.state)))
    parameters = {variable.name for variable in derivation.cell.step_parameters}
    inner = [equation for equation in system.equations if system.by_name[equation.target].of not in parameters]
    values = run(inner, system.by_name, values, trajectory.sizes, floats())
    for each in derivation.recurrences.carried:
        if each.returned:
            found[..., paths.blocks[each.state]] = values[each.returned]
    return found


def by_parameter(
    derivation: Derivation, paths: StepPaths, gradient: StateGradient, dys: Mapping[str, Array]
) -> dict[str, Array]:
    """The gradient of the loss by every parameter that has one, by the derived adjoint of the step, all steps at once.

    As in any backward pass in double precision, values beyond its range are zero or infinite.
    """
    system, there = derivation.adjoint, gradient.log[1:]
    finite = there[np.isfinite(there)]
    shared = float(finite.max()) if finite.size else 0.0
    weight = np.exp(there - shared)[..., np.newaxis]
    values = paths.trajectory.known
    for each in derivation.recurrences.carried:
        values[each.arrives] = gradient.unit[1:, :, paths.blocks[each.state]] * weight
    for read in derivation.recurrences.read:
        values[read.arrives] = dys[read.output] * np.exp(-shared)
    inner = [equation for equation in system.equations if equation.target not in system.outputs]
    values = run(inner, system.by_name, values, paths.trajectory.sizes, floats())
    with np.errstate(over="ignore"):
        scale = np.exp(shared)
    reached = {system.by_name[name].of: name for name in system.outputs}
    result = {}
    for parameter in derivation.cell.step_trainable:
        total = np.zeros(paths.trajectory.params[parameter.name].shape)
        if parameter.name in reached:
            node = system.definition[reached[parameter.name]].expression
            total = _summed(node, system, values, paths.trajectory.sizes, total)
        result[parameter.name] = np.multiply(total, scale, out=np.zeros_like(total), where=total != 0)
    sizes = paths.trajectory.sizes
    if derivation.preparation:
        names = [parameter.name for parameter in derivation.cell.trainable]
        result = pulled(derivation.preparation, paths.trajectory.params, result, sizes, names)
    shapes = {each.name: tuple(sizes[axis] for axis in shape_axes(each.shape)) for each in derivation.cell.trainable}
    return {name: array.reshape(shapes[name]) for name, array in result.items()}


def _summed(
    node: Expression, system: System, values: Mapping[str, Array], sizes: Mapping[str, int], like: Array
) -> Array:
    """A parameter's adjoint, summed over steps and rows; outer products are summed by one product of matrices."""
    if isinstance(node, Binary) and node.op == "+":
        return _summed(node.left, system, values, sizes, like) + _summed(node.right, system, values, sizes, like)
    if isinstance(node, Outer):
        left, right = values[node.left.name], values[node.right.name]
        result: Array = left.reshape(-1, left.shape[-1]).T @ right.reshape(-1, right.shape[-1])
        return result
    value = evaluate(node, values, sizes, floats())
    total: Array = value.reshape(-1, value.shape[-1]).sum(axis=0)
    return total
