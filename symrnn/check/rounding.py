"""What rounding alone does to a case: every number given is changed in its last place, and errors are measured again.

Some cells amplify: a chaotic recurrence over many steps, a division by a small spread in one. There the order of a sum makes
as much difference as such a change, and no kernel can meet the bound. Reads a problem and the result of NumPy's kernels;
returns errors by oracle and array. They explain an error that misses its bound. They do not excuse it: bounds stay as
they are. Leaves out: which errors those are (`symrnn.check.suite`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from symrnn.check import measure, oracles
from symrnn.check.cases import Problem
from symrnn.check.kernels import Arrays, Result, TangentKernels, run_kernels
from symrnn.check.measure import Array
from symrnn.check.oracles import DirectionalDerivatives, Finding, Reference

Rounding: TypeAlias = Mapping[tuple[str, str], float]
"""Errors that rounding makes, by oracle and array."""

DRAWS = 3
"""How often the point is changed; the largest error counts."""

_WHOLE = (measure.INTERPRETER, measure.BACKENDS, measure.PRECISIONS)
_ALONG = (measure.COMPLEX_STEP, measure.CENTRAL, measure.ADJOINT)
_WIDE = "float64"


def rounding(kernels: TangentKernels, problem: Problem, exact: Result, scale: float, dtype: str) -> Rounding:
    """How far a change in the last place of every parameter, input and state moves every array, by each oracle's measure.

    Central differences also have the error of their step, the fourth power of the relative change of the gradient over
    it. That is measured with a step in every array, and their entry is the larger of the two.

    Args:
        kernels: of NumPy, which run in float64.
        problem: the point.
        exact: their result in float64.
        scale: of the loss, the floor for gradients.
        dtype: whose last place it is.

    Returns:
        Errors; infinite if as large as the array itself, so that two runs have nothing in common.
    """
    rng = np.random.default_rng(len(problem.params))
    directions = oracles.draw_directions(problem)
    here = (oracles.by_result("", exact), Reference("", {}, {}, _derivatives(exact, directions)))
    tangents = _tangents(kernels, problem, directions)
    found: dict[tuple[str, str], float] = {}
    for _ in range(DRAWS):
        moved = _moved(problem, lambda array: _in_the_last_place(rng, array, dtype))
        stepped = _moved(
            problem, lambda array: array + rng.choice((-oracles.CENTRAL_SIZE, oracles.CENTRAL_SIZE), array.shape)
        )
        result, after_step = (run_kernels(kernels, point, _WIDE) for point in (moved, stepped))
        errors = [
            *((oracle, 1, each) for oracle in _WHOLE for each in oracles.findings(result, here[0], scale, _WIDE)),
            *((oracle, 1, each) for oracle in _ALONG for each in oracles.findings(result, here[1], scale, _WIDE)),
            *((measure.ADJOINT, 1, each) for each in _apart(_tangents(kernels, moved, directions), tangents)),
            *((measure.CENTRAL, 4, each) for each in oracles.findings(after_step, here[1], scale, _WIDE)),
        ]
        for oracle, power, each in errors:
            key = (oracle, each.array)
            found[key] = max(found.get(key, 0.0), _reach(each.error**power))
    return found


def _reach(error: float) -> float:
    """Infinite if the change is as large as the array; 0 if a number is not finite, since that proves nothing."""
    if not math.isfinite(error):
        return 0.0
    return error if error < 1 else math.inf


def _derivatives(exact: Result, directions: Arrays) -> dict[str, DirectionalDerivatives]:
    """Derivatives along the directions, from the gradients."""
    return {
        label: DirectionalDerivatives(along, DirectionalDerivatives(along, along).of(exact.gradients[label]))
        for label, along in directions.items()
        if label in exact.gradients
    }


def _tangents(kernels: TangentKernels, problem: Problem, directions: Arrays) -> dict[str, Array]:
    """The result of the tangent kernel, where it applies."""
    return oracles.tangent_along(kernels, problem, directions) if oracles.has_tangent(problem) else {}


def _apart(actual: Arrays, expected: Arrays) -> Iterator[Finding]:
    for label, tangent in expected.items():
        yield Finding(f"tangent {label}", "jvp", measure.error(actual[label], tangent, oracles.OUTPUT_FLOOR))


def _moved(problem: Problem, change: Callable[[Array], Array]) -> Problem:
    """The problem at another point; the loss stays."""
    params = {name: change(array) for name, array in problem.params.items()}
    state = None if problem.state is None else {name: change(array) for name, array in problem.state.items()}
    x, inputs = change(problem.x), {name: change(array) for name, array in problem.inputs.items()}
    return replace(problem, params=params, x=x, inputs=inputs, state=state)


def _in_the_last_place(rng: np.random.Generator, array: Array, dtype: str) -> Array:
    """Every number one step of ``dtype`` up or down; zeros stay, for they are exact, and often where a kink is."""
    step: Array = np.where(array == 0, 0.0, np.spacing(np.abs(array).astype(dtype)).astype(_WIDE))
    moved: Array = array + step * rng.choice((-1.0, 1.0), array.shape)
    return moved
