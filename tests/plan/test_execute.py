"""Running a plan: it computes what the equations say, and each fault of a record changes what comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from symrnn.check.cases import Case, Problem, beyond, draw, uniform
from symrnn.check.interpreter import interpret
from symrnn.errors import PlanError
from symrnn.plan import execute
from symrnn.plan.batch import Gradients, Ran
from symrnn.plan.program import Kind, Program, Routine, Stage, Write

Planned = Callable[[str], Program]
Written = Callable[..., Program]
Array = np.ndarray[Any, np.dtype[Any]]

CASES = (
    Case(5, 3, 4, 6),
    Case(5, 3, 4, 6, ragged=True),
    Case(5, 3, 4, 6, ragged=True, reverse=True),
    Case(5, 3, 4, 6, reverse=True),
    Case(1, 1, 1, 1),
    Case(0, 2, 3, 4),
    Case(2, 0, 3, 4),
)
STEP = 1e-250


def given(problem: Problem) -> dict[str, Array]:
    return {**problem.params, **(problem.state or {}), "x": problem.x}


def run(program: Program, problem: Problem, *, fused: bool = False, moved: Mapping[str, Array] | None = None) -> Ran:
    values = {**given(problem), **(moved or {})}
    reverse = problem.case.reverse
    return execute.forward(
        program.forward, problem.sizes, values, lengths=problem.lengths, reverse=reverse, fused=fused
    )


def gradients(program: Program, problem: Problem, *, fused: bool = False) -> Gradients:
    return execute.backward(
        program, problem.sizes, run(program, problem, fused=fused), problem.dys, problem.dstate or {}
    )


def loss(ran: Ran, problem: Problem) -> complex:
    return complex(np.sum(ran.y * active(problem.dy, problem))) + sum(
        complex(np.sum(ran.state[name] * array)) for name, array in (problem.dstate or {}).items()
    )


def close(a: Array, b: Array) -> bool:
    return a.shape == b.shape and bool(np.all(np.abs(a - b) <= 1e-12 * max(1.0, np.max(np.abs(b), initial=0))))


def all_close(found: Mapping[str, Array], expected: Mapping[str, Array]) -> bool:
    return found.keys() == expected.keys() and all(close(found[name], expected[name]) for name in expected)


def active(array: Array, problem: Problem) -> Array:
    """``array`` with zeros beyond each row's length."""
    return beyond(array, problem.lengths, 0)


def slopes(program: Program, problem: Problem) -> dict[str, tuple[Array, float]]:
    """For each array, a direction and the slope of the loss along it, by the complex step."""
    rng = np.random.default_rng(0)
    found = {}
    for name, array in given(problem).items():
        direction = uniform(rng, array.shape)
        moved: dict[str, Array] = {key: value.astype(complex) for key, value in given(problem).items()}
        moved[name] = moved[name] + 1j * STEP * direction
        found[name] = (direction, loss(run(program, problem, moved=moved), problem).imag / STEP)
    return found


@pytest.mark.parametrize("fused", [False, True], ids=["hoisted", "fused"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_the_forward_routine_runs_the_equations(program: Program, case: Case, fused: bool) -> None:
    problem = draw(program.cell, case)
    expected = interpret(
        program.cell, problem.sizes, problem.params, problem.x, problem.state, problem.lengths, case.reverse
    )
    ran = run(program, problem, fused=fused)
    assert close(ran.y, expected.y)
    assert all_close(ran.state, expected.state)
    if not case.reverse:
        assert all_close(ran.states, expected.states)


@pytest.mark.parametrize("fused", [False, True], ids=["hoisted", "fused"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_the_backward_routine_gives_the_slopes_of_the_loss(program: Program, case: Case, fused: bool) -> None:
    problem = draw(program.cell, case)
    grads = gradients(program, problem, fused=fused)
    by_name = {**grads.params, **grads.state, "x": grads.inputs.get("x", np.zeros_like(problem.x))}
    for name, (direction, slope) in slopes(program, problem).items():
        assert abs(np.sum(by_name[name] * direction) - slope) <= 1e-11 * max(1.0, abs(slope)), name


def test_the_tangent_is_the_slope_of_the_outputs(program: Program) -> None:
    tangent = program.tangent
    assert tangent is not None
    problem = draw(program.cell, CASES[0])
    rng = np.random.default_rng(1)
    along: dict[str, Array] = {name: uniform(rng, array.shape) for name, array in given(problem).items()}
    moved: dict[str, Array] = {name: array + 1j * STEP * along[name] for name, array in given(problem).items()}
    of = {v.name: v.of for v in tangent.system.variables if v.of}
    both: dict[str, Array] = given(problem) | {name: along[of[name]] for name in tangent.system.inputs if name in of}
    ran, expected = execute.forward(tangent, problem.sizes, both), run(program, problem, moved=moved)
    assert close(ran.y, expected.y.imag / STEP)
    assert all_close(
        {of[name]: array for name, array in ran.state.items() if name in of},
        {name: array.imag / STEP for name, array in expected.state.items()},
    )


def test_a_row_beyond_its_length_stands_still(planned: Planned) -> None:
    program = planned("lstm")
    problem = replace(draw(program.cell, Case(4, 2, 3, 5)), lengths=np.array([4, 2]))
    ran = run(program, problem)
    assert np.all(ran.y[2:, 1] == 0)
    assert np.array_equal(ran.states["c"][2, 1], ran.states["c"][4, 1])
    assert not np.array_equal(ran.states["c"][2, 0], ran.states["c"][4, 0])


@pytest.mark.parametrize("reverse", [False, True])
def test_what_the_caller_has_beyond_a_length_is_not_read(program: Program, reverse: bool) -> None:
    problem = draw(program.cell, Case(5, 3, 4, 6, ragged=True, reverse=reverse))
    clean = replace(
        problem, x=active(problem.x, problem), dys={n: active(dy, problem) for n, dy in problem.dys.items()}
    )
    assert np.isnan(problem.x).any()
    assert np.isnan(problem.dy).any()
    assert np.array_equal(run(program, problem).y, run(program, clean).y)
    found, expected = gradients(program, problem), gradients(program, clean)
    for one, other in zip(vars(found).values(), vars(expected).values(), strict=True):
        assert all(np.array_equal(one[name], other[name]) for name in other)


def test_a_value_for_idle_rows_that_is_not_there_is_named(planned: Planned) -> None:
    program = planned("lstm")
    problem = draw(program.cell, Case(3, 2, 3, 4, ragged=True))
    broken = changed(program.forward, lambda w: replace(w, idle="cc") if w.idle == "c" else w)
    with pytest.raises(PlanError, match="forward: cc is read and never stored"):
        execute.forward(broken, problem.sizes, given(problem), lengths=problem.lengths)


def test_reversed_rows_are_those_of_the_sequence_turned_round(planned: Planned) -> None:
    program = planned("gru")
    problem = draw(program.cell, Case(4, 2, 3, 5))
    turned = replace(problem, case=replace(problem.case, reverse=True), lengths=np.array([4, 2]))
    ran = run(program, turned)
    for row, steps in ((0, 4), (1, 2)):
        x = problem.x[:steps, row : row + 1][::-1]
        state = {name: array[row : row + 1] for name, array in (problem.state or {}).items()}
        alone = execute.forward(program.forward, problem.sizes, {**problem.params, **state, "x": x})
        assert close(ran.y[:steps, row], alone.y[::-1, 0])
        assert close(ran.state["h"][row], alone.state["h"][0])


def test_what_was_not_taped_is_not_there(planned: Planned) -> None:
    program = planned("lstm")
    problem = draw(program.cell, Case(2, 1, 3, 4))
    bare = replace(program.forward, buffers=tuple(replace(buffer, taped=False) for buffer in program.forward.buffers))
    broken = replace(program, forward=bare)
    with pytest.raises(PlanError, match=r"backward: saved \w+ is read before a stage has written it"):
        gradients(broken, problem)


def test_there_is_no_gradient_without_a_backward_routine(written: Written) -> None:
    program = written("h' = tanh(W @ x + U @ h)", with_backward=False)
    problem = draw(program.cell, Case(2, 1, 3, 4))
    with pytest.raises(PlanError, match="written: the plan has no backward routine; ask for one in its policy"):
        gradients(program, problem)


def test_a_buffer_may_have_the_name_of_a_state(written: Written) -> None:
    program = written("delta' = tanh(W @ x + U @ delta)\nsaved' = tanh(V @ delta' + R @ saved)")
    problem = draw(program.cell, Case(3, 2, 3, 4))
    expected = interpret(program.cell, problem.sizes, problem.params, problem.x, problem.state, None, False)
    assert all_close(run(program, problem).state, expected.state)


def test_what_is_not_written_is_not_a_number(planned: Planned) -> None:
    program = planned("rnn")
    problem = draw(program.cell, Case(3, 2, 3, 4))
    ran = execute.forward(dropped(program.forward, Kind.NEXT), problem.sizes, given(problem))
    assert np.all(np.isnan(ran.state["h"]))
    with pytest.raises(PlanError, match="forward: output y is read before a stage has written it"):
        execute.forward(dropped(program.forward, Kind.OUTPUT), problem.sizes, given(problem))


def dropped(routine: Routine, kind: Kind) -> Routine:
    """``routine`` without its writes to places of a kind."""
    return changed(routine, lambda write: None if write.place.kind is kind else write)


def changed(routine: Routine, change: Callable[[Write], Write | None]) -> Routine:
    """``routine`` with a change to every write, which goes where there is none."""

    def writes(stage: Stage) -> tuple[Write, ...]:
        return tuple(each for each in map(change, stage.writes) if each)

    phases = tuple(
        replace(phase, stages=tuple(replace(stage, writes=writes(stage)) for stage in phase.stages))
        for phase in routine.phases
    )
    return replace(routine, phases=phases)
