"""The gradient by every state, from derived Jacobians, against real runs: kernels, central differences, JAX."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symrnn
from benchmarks.scan import array_program
from symrnn.build.loading import import_text
from symrnn.derive.evaluate import floats, run
from symrnn.flow.flow import _given, flow
from symrnn.flow.gradient import backward
from tests.flow.conftest import CELLS, STEPS, Array, Problem, problem_of

STEP = 1e-5


def loss(problem: Problem, begin: int, state: dict[str, Array]) -> float:
    """The loss of the steps from ``begin`` on."""
    y, last, _ = problem.kernels.forward(problem.params, problem.x[begin:], state)
    total = float((y * problem.dy[begin:]).sum())
    return total + sum(float((last[name] * problem.dstate[name]).sum()) for name in last)


@pytest.mark.parametrize("t", [0, 4, STEPS - 1])
def test_gradients_are_central_differences_of_a_real_run(problem: Problem, t: int) -> None:
    _, _, tape = problem.kernels.forward(problem.params, problem.x, problem.state)
    state = {name: states[t].copy() for name, states in tape.states.items()}
    paths = problem.paths()
    gradient = backward(paths, _given(problem.derivation, paths, problem.dy, problem.dstate, 0)[0])
    for name, array in state.items():
        difference = np.zeros(array.shape)
        for place in np.ndindex(*array.shape):
            moved = []
            for sign in (1, -1):
                there = {key: value.copy() for key, value in state.items()}
                there[name][place] += sign * STEP
                moved.append(loss(problem, t, there))
            difference[place] = (moved[0] - moved[1]) / (2 * STEP)
        if t:  # the state after step t is the output of step t as well
            difference += problem.dy[t - 1] if name == problem.derivation.cell.output else 0.0
        ours = gradient.unit[t] * np.exp(gradient.log[t])[:, np.newaxis]
        np.testing.assert_allclose(ours[:, paths.blocks[name]], difference, rtol=1e-6, atol=1e-7, err_msg=name)


def test_gradients_are_those_of_the_kernels(problem: Problem) -> None:
    found = problem.flow()
    _, _, tape = problem.kernels.forward(problem.params, problem.x, problem.state)
    grads = problem.kernels.backward(problem.params, tape, problem.dy, problem.dstate)
    for name, expected in grads.params.items():
        np.testing.assert_allclose(found.gradients[name], expected, rtol=1e-10, atol=1e-13, err_msg=name)
    for name, expected in grads.state.items():
        lengths = np.exp(found.log_gradients[name][0])
        np.testing.assert_allclose(lengths, np.linalg.norm(expected, axis=1), rtol=1e-10, atol=1e-13, err_msg=name)
    whole = np.concatenate(list(grads.state.values()), axis=1)
    np.testing.assert_allclose(np.exp(found.log_gradient[0]), np.linalg.norm(whole, axis=1), rtol=1e-10)


def test_paths_push_as_the_tangent_and_pull_as_the_adjoint_of_a_step(problem: Problem) -> None:
    paths, derivation = problem.paths(), problem.derivation
    rng = np.random.default_rng(0)
    shape = (STEPS, paths.trajectory.batch, paths.size)
    vector, covector = rng.normal(size=shape), rng.normal(size=shape)
    values: dict[str, Any] = paths.trajectory.known
    tangent = derivation.tangent
    names = {variable.of: variable.name for variable in tangent.variables if variable.of}
    for name in tangent.inputs:
        if name in names:
            like = values.get(name, np.zeros(paths.trajectory.sizes[tangent.by_name[name].shape[0]]))
            values[names[name]] = np.zeros_like(like)
    for state, block in paths.blocks.items():
        if state in names:
            values[names[state]] = vector[..., block]
    pushed = run(tangent.equations, tangent.by_name, values, paths.trajectory.sizes, floats())
    expected = np.concatenate(
        [np.broadcast_to(pushed[names[f"{s}'"]], (*shape[:2], paths.trajectory.width(s))) for s in paths.blocks], -1
    )
    np.testing.assert_allclose(paths.push(vector), expected, rtol=1e-12, atol=1e-14)
    both = (paths.push(vector) * covector).sum(), (vector * paths.pull(covector)).sum()
    assert both[0] == pytest.approx(both[1], rel=1e-12)


def test_one_step_is_one_of_all(problem: Problem) -> None:
    paths = problem.paths()
    vector = np.random.default_rng(1).normal(size=(STEPS, paths.trajectory.batch, paths.size))
    for whole, product in ((paths.push(vector), paths.push), (paths.pull(vector), paths.pull)):
        for t in range(STEPS):
            np.testing.assert_allclose(product(vector[t], t), whole[t], rtol=1e-13, atol=1e-15)


def test_matrices_are_the_step_jacobians_at_each_row(problem: Problem) -> None:
    matrices, known = problem.matrices(), problem.paths().trajectory.known
    for t, row in ((0, 0), (STEPS - 1, 1)):
        inputs = problem.derivation.cell.normal.inputs
        point = {
            name: known[name] if known[name].ndim < 3 and name in problem.params else known[name][t, row]
            for name in inputs
        }
        cell = problem.derivation.cell
        if all(state in cell.normal.by_name for state in cell.states):
            expected = problem.derivation.step_jacobian().evaluate(point)
            np.testing.assert_allclose(matrices[t, row], expected, rtol=1e-12, atol=1e-14)


def test_paths_add_up_to_the_gradient_and_shares_to_one(problem: Problem) -> None:
    found = problem.flow()
    total = np.sum([path.share for path in found.paths], axis=0)
    np.testing.assert_allclose(total, np.ones((STEPS, found.batch)), rtol=1e-12)
    paths = problem.paths()
    gradient = backward(paths, _given(problem.derivation, paths, problem.dy, problem.dstate, 0)[0])
    together = np.zeros((STEPS, found.batch, paths.size))
    for (after, before), jacobian in paths.jacobians.items():
        for place in range(len(jacobian.terms)):
            arriving = gradient.unit[1:, :, paths.blocks[after]]
            together[..., paths.blocks[before]] += paths.pull_path(after, before, place, arriving)
    np.testing.assert_allclose(together, paths.pull(gradient.unit[1:]), rtol=1e-12, atol=1e-14)


def test_nothing_underflows_and_nothing_overflows() -> None:
    cell = symrnn.Cell.from_equations("h' = U @ h + W @ x")
    x = np.zeros((2000, 1, 1))
    for scale in (0.25, 4.0):
        params = {"U": scale * np.eye(3), "W": np.ones((3, 1))}
        found = flow(cell, params, x)
        np.testing.assert_allclose(
            found.log_gradient[:, 0], np.arange(2000, -1, -1) * np.log(scale), rtol=1e-12, atol=1e-12
        )
        np.testing.assert_allclose(found.log_sigma_product[:, 0], found.distances * np.log(scale), rtol=1e-9)
        np.testing.assert_allclose(found.lyapunov, np.log(scale), rtol=1e-9)


@pytest.mark.parametrize("name", CELLS, ids=lambda name: Path(name).stem)
def test_gradients_are_those_of_jax(name: str) -> None:
    jax = pytest.importorskip("jax", reason="JAX is not installed: nothing to compare with")
    problem = problem_of(name)
    jax.config.update("jax_enable_x64", True)
    cell = problem.derivation.cell
    found = problem.flow()
    program = array_program(cell, dict(found.sizes), shared_sums=True)
    layer = import_text(program.text, f"{cell.name}_flow_scan").layer
    packed = {key: jax.numpy.asarray(array) for key, array in program.pack(problem.params).items()}
    _, pull = jax.vjp(lambda state: layer(packed, jax.numpy.asarray(problem.x), state), dict(problem.state))
    (theirs,) = pull((jax.numpy.asarray(problem.dy), dict(problem.dstate)))
    for state, expected in theirs.items():
        lengths = np.linalg.norm(np.asarray(expected), axis=1)
        np.testing.assert_allclose(np.exp(found.log_gradients[state][0]), lengths, rtol=1e-9, atol=1e-12, err_msg=state)
