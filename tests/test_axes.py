"""Cells with named axes: values and gradients of every kernel against NumPy by hand, at dense points and odd sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import symrnn
from symrnn.check.cases import CASES, Case
from symrnn.check.cases import EVERY as EVERY_ORACLE
from symrnn.check.check import check
from symrnn.derive.proof import prove
from symrnn.flow.sweep import Setup, sweep
from symrnn.language.system import HIDDEN, INPUT, Role
from symrnn.plan.vocabulary import Extent
from tests.axes import Along, Array
from tests.axes_cells import EVERY, OWN, PUBLISHED
from tests.processors import require_backend

pytestmark = pytest.mark.usefixtures("quick_compiler")

STEPS, BATCH, TINY = 4, 3, 1e-30
LENGTHS = np.array([4, 1, 3])
IN_C = (
    *PUBLISHED,
    *(a for a in EVERY if a.name in ("reductions", "form_and_bias", "states_that_are_reductions", "x_with_axes")),
)
"""What every run compiles; the others are compiled with ``-m long``."""


@cache
def built(along: Along, backend: str) -> ModuleType:
    require_backend(backend)
    return symrnn.build(along.cell, backend, dtype="float64")


@dataclass(frozen=True, eq=False)
class Problem:
    """A cell's kernels at a dense point."""

    along: Along
    backend: str

    @property
    def kernels(self) -> ModuleType:
        return built(self.along, self.backend)

    @cached_property
    def rng(self) -> np.random.Generator:
        return np.random.default_rng(11)

    @cached_property
    def params(self) -> dict[str, Array]:
        shapes = {each.name: self.along.shapes[each.name] for each in self.along.cell.parameters}
        return {name: np.asarray(0.6 * self.rng.normal(size=shape)) for name, shape in shapes.items()}

    @cached_property
    def state(self) -> dict[str, Array]:
        return {name: self.rng.normal(size=(BATCH, *self.along.shapes[f"{name}'"])) for name in self.along.cell.states}

    @cached_property
    def x(self) -> Array:
        return self.rng.normal(size=(STEPS, BATCH, *self.along.shapes["x"]))

    @cached_property
    def inputs(self) -> dict[str, Array]:
        names = self.along.cell.given[1:]
        return {name: self.rng.normal(size=(STEPS, BATCH, *self.along.shapes[name])) for name in names}

    @property
    def given(self) -> dict[str, Any]:
        """The inputs beside ``x`` as keywords of kernels."""
        return {"inputs": self.inputs} if self.inputs else {}

    @property
    def moved(self) -> dict[str, Array]:
        """The inputs that have a gradient, ``x`` among them."""
        every = {"x": self.x, **self.inputs}
        return {name: array for name, array in every.items() if name not in self.along.cell.held_inputs}

    @cached_property
    def dstate(self) -> dict[str, Array]:
        return {name: np.asarray(self.rng.normal(size=array.shape)) for name, array in self.state.items()}

    @cached_property
    def dy(self) -> dict[str, Array]:
        after = zip(self.along.cell.returned, self.along.cell.output_values, strict=True)
        return {name: self.rng.normal(size=(STEPS, BATCH, *self.along.shapes[value])) for name, value in after}

    def loss(
        self, params: Mapping[str, Array], given: Mapping[str, Array], state: Mapping[str, Array], **how: Any
    ) -> Any:
        others = {**self.inputs, **given}
        y, final = self.along.run(params, others.pop("x", self.x), state, inputs=others, **how)
        return sum((y[name] * dy).sum() for name, dy in self.dy.items()) + sum(
            (final[name] * dstate).sum() for name, dstate in self.dstate.items()
        )

    def many(self, y: Any) -> dict[str, Array]:
        """Outputs by name."""
        return y if isinstance(y, dict) else {self.along.cell.output: y}

    def one(self, y: Mapping[str, Array]) -> Any:
        """Outputs as kernels take them."""
        return y if len(self.along.cell.returned) > 1 else y[self.along.cell.output]


NUMPY = [pytest.param((along, "numpy"), id=f"{along.name}-numpy") for along in EVERY]
COMPILED = [
    pytest.param((along, "c"), id=f"{along.name}-c", marks=() if along in IN_C else pytest.mark.long) for along in EVERY
]


@pytest.fixture(params=[*NUMPY, *COMPILED])
def problem(request: pytest.FixtureRequest) -> Problem:
    return Problem(*request.param)


@pytest.fixture(params=EVERY, ids=lambda along: along.name)
def along(request: pytest.FixtureRequest) -> Along:
    found: Along = request.param
    return found


def hold(found: Mapping[str, Array], expected: Mapping[str, Array], tolerance: float = 1e-12) -> None:
    assert list(found) == list(expected)
    for name, array in expected.items():
        assert found[name].shape == array.shape, name
        np.testing.assert_allclose(found[name], array, rtol=tolerance, atol=tolerance, err_msg=name)


HOW = [{}, {"lengths": LENGTHS}, {"reverse": True}, {"lengths": LENGTHS, "reverse": True}]


@pytest.mark.parametrize("how", HOW, ids=lambda how: "-".join(how) or "plain")
def test_outputs_and_states_are_those_of_the_loop(problem: Problem, how: Mapping[str, Any]) -> None:
    y, state, tape = problem.kernels.forward(problem.params, problem.x, problem.state, **how, **problem.given)
    outputs, final = problem.along.run(problem.params, problem.x, problem.state, **how, inputs=problem.inputs)
    hold(problem.many(y), outputs)
    hold(state, final)
    assert {name: array.shape for name, array in tape.states.items()} == {
        name: (STEPS + 1, *array.shape) for name, array in final.items()
    }
    inferred, last = problem.kernels.infer(problem.params, problem.x, problem.state, **how, **problem.given)
    hold(problem.many(inferred), outputs)
    hold(last, final)


@pytest.mark.parametrize("how", [HOW[0], HOW[3]], ids=["plain", "lengths-reverse"])
def test_every_gradient_is_that_of_the_complex_step(problem: Problem, how: Mapping[str, Any]) -> None:
    _, _, tape = problem.kernels.forward(problem.params, problem.x, problem.state, **how, **problem.given)
    grads = problem.kernels.backward(problem.params, tape, problem.one(problem.dy), problem.dstate)
    hold(grads.params, stepped(lambda params: problem.loss(params, {}, problem.state, **how), problem.params))
    hold(grads.state, stepped(lambda state: problem.loss(problem.params, {}, state, **how), problem.state))
    inputs = stepped(lambda given: problem.loss(problem.params, given, problem.state, **how), problem.moved)
    hold({"x": grads.x, **grads.inputs}, inputs)


def stepped(function: Callable[[dict[str, Array]], Any], given: Mapping[str, Array]) -> dict[str, Array]:
    """The derivatives of a number by every entry of every array."""
    found = {name: np.empty(array.shape) for name, array in given.items()}
    for name, array in given.items():
        for index in np.ndindex(array.shape):
            moved = array.astype(complex)
            moved[index] += 1j * TINY
            found[name][index] = function({**given, name: moved}).imag / TINY
    return found


def test_the_derivative_in_a_direction_is_that_of_the_complex_step(along: Along) -> None:
    problem = Problem(along, "numpy")
    rng = np.random.default_rng(3)

    def directions(arrays: Mapping[str, Array]) -> dict[str, Array]:
        return {name: np.asarray(rng.normal(size=array.shape)) for name, array in arrays.items()}

    dparams, dstate, along_inputs = directions(problem.params), directions(problem.state), directions(problem.moved)
    others = {name: array for name, array in along_inputs.items() if name != "x"}
    given: dict[str, Any] = {**problem.given, **({"dinputs": others} if others else {})}
    point = (problem.params, problem.x, problem.state, dparams, along_inputs["x"], dstate)
    dy, dfinal = problem.kernels.jvp(*point, LENGTHS, True, **given)

    def moved(arrays: Mapping[str, Array], along: Mapping[str, Array]) -> dict[str, Array]:
        return {name: array + 1j * TINY * along[name] for name, array in arrays.items()}

    inputs = {**problem.inputs, **moved(problem.moved, along_inputs)}
    x = inputs.pop("x")
    y, final = along.run(moved(problem.params, dparams), x, moved(problem.state, dstate), LENGTHS, True, inputs)
    hold(problem.many(dy), {name: array.imag / TINY for name, array in y.items()})
    hold(dfinal, {name: array.imag / TINY for name, array in final.items()})


def test_steps_and_streams_do_what_the_whole_does(problem: Problem) -> None:
    k = problem.kernels
    y, final = k.infer(problem.params, problem.x, **problem.given)
    stream, state = k.stream(k.pack(problem.params), batch=BATCH), None

    def at(t: int) -> dict[str, Any]:
        return {key: {name: array[t] for name, array in each.items()} for key, each in problem.given.items()}

    for t in range(STEPS):
        streamed = problem.many(stream(problem.x[t], **at(t)))
        y_t, state = k.step(problem.params, problem.x[t], state, **at(t))
        expected = {name: array[t] for name, array in problem.many(y).items()}
        hold(streamed, expected)
        hold(problem.many(y_t), expected)
    hold(state or {}, final)
    hold(stream.state, final)
    stream.reset()
    hold(problem.many(stream(problem.x[0], **at(0))), {name: array[0] for name, array in problem.many(y).items()})


def test_arrays_of_the_caller_are_written(problem: Problem) -> None:
    k = problem.kernels
    y, _, tape = k.forward(problem.params, problem.x, problem.state, **problem.given)
    out = {name: np.full_like(array, np.nan) for name, array in problem.many(y).items()}
    k.infer(problem.params, problem.x, problem.state, out=problem.one(out), **problem.given)
    hold(out, problem.many(y), 0)
    grads = k.backward(problem.params, tape, problem.one(problem.dy), problem.dstate)
    once = {name: array.copy() for name, array in grads.params.items()}
    k.backward(problem.params, tape, problem.one(problem.dy), problem.dstate, out=grads, accumulate=True)
    hold(grads.params, {name: 2 * array for name, array in once.items()})


def test_checkpoints_change_nothing(problem: Problem) -> None:
    k = problem.kernels
    y, final, tape = k.forward(problem.params, problem.x, problem.state, LENGTHS, **problem.given)
    pieced, last, pieces = k.forward(problem.params, problem.x, problem.state, LENGTHS, checkpoint=2, **problem.given)
    hold(problem.many(pieced), problem.many(y))
    hold(last, final)
    whole, found = (
        k.backward(problem.params, each, problem.one(problem.dy), problem.dstate) for each in (tape, pieces)
    )
    hold(found.params, whole.params)
    hold({"x": found.x, **found.inputs, **found.state}, {"x": whole.x, **whole.inputs, **whole.state})


@pytest.mark.parametrize(("steps", "batch"), [(0, 2), (3, 0), (0, 0)])
def test_no_steps_and_no_rows(problem: Problem, steps: int, batch: int) -> None:
    k, shapes = problem.kernels, problem.along.shapes
    x, state = problem.x[:steps, :batch], {name: array[:batch] for name, array in problem.state.items()}
    given = {key: {name: array[:steps, :batch] for name, array in each.items()} for key, each in problem.given.items()}
    y, final, tape = k.forward(problem.params, x, state, **given)
    after = zip(problem.along.cell.returned, problem.along.cell.output_values, strict=True)
    assert {name: array.shape for name, array in problem.many(y).items()} == {
        name: (steps, batch, *shapes[value]) for name, value in after
    }
    if not steps:
        hold(final, state)
    dy = {name: np.ones((steps, batch, *array.shape[2:])) for name, array in problem.dy.items()}
    dstate = {name: array[:batch] for name, array in problem.dstate.items()}
    grads = k.backward(problem.params, tape, problem.one(dy), dstate)
    hold(grads.params, {name: np.zeros_like(array) for name, array in problem.params.items()})
    if not steps:
        hold(grads.state, dstate)


WIDE = {INPUT: 17, HIDDEN: 17, "head": 3, "value": 19, "key": 37, "state": 21, "tap": 3, "rank": 2, "out": 9}
WIDE |= {"block": 3, "unit": 21}


@pytest.mark.parametrize(
    "along",
    [pytest.param(a, marks=() if a in IN_C else pytest.mark.long) for a in EVERY],
    ids=lambda along: along.name,
)
def test_many_units_in_c_are_those_of_numpy(along: Along) -> None:
    """More units along an axis than registers hold, and none of them a multiple."""
    numbers = {n: WIDE[n] for n in (INPUT, HIDDEN, *along.own)}
    wide = Along(along.name, along.text, along.sizes, numbers, along.output, inputs=along.inputs)
    numpy, c = Problem(wide, "numpy"), Problem(wide, "c")
    params, state = ({n: 0.2 * a for n, a in each.items()} for each in (numpy.params, numpy.state))
    found = []
    for problem, kernels in ((numpy, built(along, "numpy")), (c, built(along, "c"))):
        y, final, tape = kernels.forward(params, numpy.x, state, LENGTHS, **numpy.given)
        grads = kernels.backward(params, tape, problem.one(numpy.dy), numpy.dstate)
        found.append({**problem.many(y), **final, **grads.params, "x": grads.x, **grads.inputs})
    hold(found[1], found[0], 1e-10)


@pytest.mark.parametrize("backend", ["numpy", "c"])
def test_masks_have_the_axes_of_their_states(backend: str) -> None:
    """The delta rule, where rows and columns of a memory are kept one by one."""
    (along,) = (each for each in PUBLISHED if each.name == "gated_deltanet")
    problem = Problem(along, "numpy")
    cell = symrnn.zoneout(along.cell, S=0.4)
    sizes: dict[str, Any] = dict(along.own)
    masks = symrnn.masks(cell, STEPS, BATCH, dtype="float64", **sizes)
    kept = masks["zoneout_S"]
    assert kept.shape == (STEPS, BATCH, *along.shapes["S'"])
    assert 0 < kept.mean() < 1
    y, state = symrnn.build(cell, backend, dtype="float64").infer(
        problem.params, problem.x, problem.state, inputs=masks
    )
    before = problem.state["S"]
    for t in range(STEPS):
        found = [along.step(problem.params, problem.x[t, row], {"S": before[row]}) for row in range(BATCH)]
        before = kept[t] * before + (1 - kept[t]) * np.stack([each["S'"] for each in found])
        for row in range(BATCH):
            q = problem.params["W_q"] @ problem.x[t, row]
            np.testing.assert_allclose(y[t, row], before[row] @ q, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(state["S"], before, rtol=1e-12, atol=1e-12)


@pytest.mark.long
@pytest.mark.parametrize("along", PUBLISHED, ids=lambda along: along.name)
def test_every_oracle_holds(along: Along) -> None:
    report = check([along.cell], backends=["numpy", "c"])
    assert report.passed, report.table()


FEW = (
    *CASES[:4],
    Case(9, 2, 5, 7, EVERY_ORACLE, at_rest=True),
    Case(12, 3, 5, 7, EVERY_ORACLE, ragged=True, reverse=True),
)


@pytest.mark.parametrize(
    "along",
    [each for each in OWN if each.inputs or each.name.startswith(("matrices", "softmax"))],
    ids=lambda a: a.name,
)
def test_oracles_hold_in_every_target_and_precision(along: Along) -> None:
    report = check([along.cell], cases=FEW)
    assert report.passed, report.table()
    assert {each.dtype for each in report.deviations} >= {"float32", "float64"}


@pytest.mark.parametrize("units", [(1, 2), pytest.param((3,), marks=pytest.mark.long)], ids=str)
def test_the_adjoint_is_proven(along: Along, units: tuple[int, ...]) -> None:
    proof = prove(along.cell, units)
    assert proof.ok, proof
    assert {each.array for each in proof.compared} == set(along.cell.inputs) - set(along.cell.held_inputs)


def test_jacobians_are_those_of_the_complex_step(along: Along) -> None:
    problem, derivation = Problem(along, "numpy"), symrnn.derive(along.cell)
    given = {**problem.params, "x": problem.x[0, 0], **{name: array[0] for name, array in problem.state.items()}}
    given |= {name: array[0, 0] for name, array in problem.inputs.items()}
    for name in (name for name in given if name not in along.cell.held_inputs):
        columns: dict[str, list[Array]] = {}
        for index in np.ndindex(given[name].shape):
            moved = {each: array.astype(complex) for each, array in given.items()}
            moved[name][index] += 1j * TINY
            params = {each: moved[each] for each in (*problem.params, *problem.inputs)}
            found = along.step(params, moved["x"], {each: moved[each] for each in problem.state})
            for target, array in found.items():
                columns.setdefault(target, []).append(np.asarray(array).ravel().imag / TINY)
        for target in (*(f"{state}'" for state in along.cell.states), *along.cell.output_values):
            jacobian = derivation.jacobian(target.removesuffix("'"), name)
            np.testing.assert_allclose(
                jacobian.evaluate(given), np.stack(columns[target], axis=1), rtol=1e-11, atol=1e-12, err_msg=name
            )
            assert "*" not in jacobian.left()
            assert jacobian.latex()
            assert jacobian.text()


def test_flow_has_the_gradients_of_the_kernels(along: Along) -> None:
    problem = Problem(along, "numpy")
    dy = problem.one(problem.dy)
    _, _, tape = problem.kernels.forward(problem.params, problem.x, problem.state, **problem.given)
    grads = problem.kernels.backward(problem.params, tape, dy, problem.dstate)
    flow = symrnn.flow(along.cell, problem.params, problem.x, problem.state, dy, dstate=problem.dstate, **problem.given)
    hold(flow.gradients, grads.params, 1e-9)
    assert flow.text()


def test_a_sweep_scales_matrices_with_several_axes() -> None:
    cell = symrnn.Cell.from_equations(
        "q = Q @ h + W @ S\nS' = tanh(a * S + W.T @ q + R @ S + x * k)\nh' = tanh(U @ sum(S', head))",
        sizes={
            "S": ["head", "key"],
            "x": ["head", "key"],
            "W": ["rank", "value", "key"],
            "R": ["head", "key", "key"],
            "Q": ["head", "rank", "value", "hidden"],
            "q": ["head", "rank", "value"],
            "U": ["hidden", "key"],
            "a": "key",
        },
        inputs={"k": ["head", "key"]},
    )
    setup = Setup(steps=3, hidden=4, sizes={"head": 2, "rank": 2, "value": 3, "key": 5})
    swept = sweep([cell], scales=[0.5, 1.0], setup=setup)
    assert swept.recurrent == {"cell": ("W", "Q", "R", "U")}
    assert [point.scale for point in swept.points] == [0.5, 1.0]


@pytest.mark.parametrize("backend", ["numpy", "c"])
def test_what_parameters_alone_give_is_computed_once(backend: str) -> None:
    (along,) = (each for each in EVERY if each.name == "parameters_alone")
    routine = symrnn.program(along.cell, backend=backend).forward
    rows = {
        statement.label: phase.rows
        for phase in routine.phases
        for stage in phase.stages
        for statement in stage.statements
    }
    alone = [equation.label for equation in along.cell.equations if equation.target in ("A", "t")]
    assert [rows[label] for label in alone] == [Extent.ONCE, Extent.ONCE]


@pytest.mark.parametrize(
    ("backend", "fixed"),
    [("numpy", {}), ("c", {}), ("c", {"head": 3, "key": 5}), ("torch", {})],
    ids=["numpy", "c", "c-fixed", "torch"],
)
def test_an_input_whose_axes_do_not_fit_is_refused(backend: str, fixed: dict[str, Any]) -> None:
    (along,) = (each for each in EVERY if each.name == "x_with_axes")
    require_backend(backend)
    k = symrnn.build(along.cell, backend, dtype="float64", **fixed)
    params = k.init_params(along.input, along.hidden, **along.own)

    def ones(*shape: int) -> Any:
        return np.ones(shape) if backend != "torch" else next(iter(params.values())).new_ones(shape)

    given: dict[str, Any] = {"inputs": {"u": ones(4, 2, 3)}}
    assert k.infer(params, ones(4, 2, 3, 2), **given)[0]["S"].shape == (4, 2, 3, 2, 5)
    for shape, message in (
        ((4, 2, 6), r"x: expected \(T, B, head, value\), found shape \(4, 2, 6\)"),
        ((4, 2, 3, 3), r"x: value is 2, as the parameters have it, but 3 by its shape \(4, 2, 3, 3\)"),
        ((4, 2, 2, 2), r"x: head is 3, as the parameters have it, but 2 by its shape \(4, 2, 2, 2\)"),
    ):
        with pytest.raises(ValueError, match=message):
            k.infer(params, ones(*shape), **given)
    with pytest.raises(ValueError, match=r"inputs\['u'\]: expected shape \(4, 2, 3\), found \(4, 2, 3, 1\)"):
        k.infer(params, ones(4, 2, 3, 2), inputs={"u": ones(4, 2, 3, 1)})
    with pytest.raises(ValueError, match=r"x_t: expected \(B, head, value\), found shape \(2, 6\)"):
        k.step(params, ones(2, 6), inputs={"u": ones(2, 3)})
    if backend != "torch":
        stream = k.stream(k.pack(params), batch=2)
        with pytest.raises(ValueError, match=r"x_t: expected \(B, head, value\), found shape \(2, 6\)"):
            stream(ones(2, 6), inputs={"u": ones(2, 3)})
        with pytest.raises(ValueError, match="x_t: expected 2 rows, found 3"):
            stream(ones(3, 3, 2), inputs={"u": ones(3, 3)})


def test_a_program_lists_parameters_with_an_axis_for_each_of_theirs(along: Along) -> None:
    k = built(along, "numpy")
    shapes = k.param_shapes(along.input, along.hidden, **along.own)
    assert shapes == {each.name: along.shapes[each.name] for each in along.cell.parameters}
    drawn = k.init_params(along.input, along.hidden, seed=2, **along.own)
    assert {name: array.shape for name, array in drawn.items()} == shapes
    assert all(each.role is Role.PARAMETER for each in along.cell.parameters)
