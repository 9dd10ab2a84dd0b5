"""Inputs beside ``x`` and outputs that are no states, through the surface of every target, and what is refused."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import symrnn
from symrnn.check.cases import CASES, Case, draw
from symrnn.check.check import check
from tests.processors import require_backend

pytestmark = pytest.mark.usefixtures("quick_compiler")

GIVEN = Path(__file__).parents[1] / "cells" / "given"
FILES = sorted(GIVEN.glob("*.toml"))
SIZES = {"keys": 3, "classes": 4}
STEPS, ROWS = 6, 3

Arrays = dict[str, np.ndarray[Any, np.dtype[Any]]]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_oracle_agrees(file: Path) -> None:
    """Ragged, reversed and of one unit; the widths of cells at large are checked elsewhere."""
    assert FILES
    cases = [*(case for case in CASES if not case.others and case.steps <= 20 and case.batch < 70)]
    report = check(symrnn.load(file), cases=cases)
    assert report.passed, report.table()
    arrays, cell = {each.array for each in report.deviations}, symrnn.load(file)
    moving = [name for name in cell.given[1:] if name not in cell.held_inputs]
    assert {array for array in arrays if "input" in array} == {f"grad input {name}" for name in moving}


@pytest.fixture(scope="module", params=["numpy", "c"])
def kernels(request: pytest.FixtureRequest) -> ModuleType:
    require_backend(request.param)
    return symrnn.build(GIVEN / "memory.toml", request.param, dtype="float64")


@pytest.fixture
def drawn(kernels: ModuleType) -> tuple[Arrays, Any, Arrays]:
    """Parameters, ``x`` and the other inputs."""
    rng = np.random.default_rng(0)
    inputs: Arrays = {"k": rng.normal(size=(STEPS, ROWS, 3)), "decay": rng.uniform(size=(STEPS, ROWS, 1))}
    inputs["gate"] = rng.uniform(size=(STEPS, ROWS, 7)) < 0.8
    return kernels.init_params(5, 7, **SIZES), rng.normal(size=(STEPS, ROWS, 5)), inputs


def test_outputs_and_gradients_are_by_name(kernels: ModuleType, drawn: tuple[Arrays, Any, Arrays]) -> None:
    params, x, inputs = drawn
    assert kernels.INPUTS == ("k", "decay", "gate")
    assert kernels.OUTPUTS == ("y", "c")
    y, state, tape = kernels.forward(params, x, inputs=inputs)
    assert {name: array.shape for name, array in y.items()} == {"y": (STEPS, ROWS, 4), "c": (STEPS, ROWS, 7)}
    assert np.array_equal(y["c"], tape.states["c"][1:])
    assert np.array_equal(state["c"], y["c"][-1])
    grads = kernels.backward(params, tape, {"y": np.ones_like(y["y"])})
    assert {name: array.shape for name, array in grads.inputs.items()} == {
        "k": (STEPS, ROWS, 3),
        "decay": (STEPS, ROWS, 1),
    }
    both = kernels.backward(params, tape, {"y": np.ones_like(y["y"]), "c": np.ones_like(y["c"])})
    alone = kernels.backward(params, tape, {"c": np.ones_like(y["c"])})
    for name, array in grads.params.items():
        np.testing.assert_allclose(array + alone.params[name], both.params[name], rtol=1e-10, atol=1e-12)
    twice = kernels.backward(params, tape, {"y": np.ones_like(y["y"])}, out=grads, accumulate=True)
    assert twice is grads
    np.testing.assert_allclose(
        twice.inputs["k"], 2 * kernels.backward(params, tape, {"y": np.ones_like(y["y"])}).inputs["k"]
    )


def test_steps_and_a_stream_do_what_a_sequence_does(kernels: ModuleType, drawn: tuple[Arrays, Any, Arrays]) -> None:
    params, x, inputs = drawn
    y, state = kernels.infer(params, x, inputs=inputs)
    stream, now = kernels.stream(kernels.pack(params), batch=ROWS), None
    for t in range(STEPS):
        here = {name: array[t] for name, array in inputs.items()}
        step, now = kernels.step(params, x[t], now, inputs=here)
        flowing = stream(x[t], here)
        for name, array in y.items():
            np.testing.assert_allclose(step[name], array[t], rtol=1e-12, atol=1e-14)
            np.testing.assert_allclose(flowing[name], array[t], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(stream.state["h"], state["h"], rtol=1e-12, atol=1e-14)


def test_outputs_go_where_the_caller_says(kernels: ModuleType, drawn: tuple[Arrays, Any, Arrays]) -> None:
    params, x, inputs = drawn
    expected, _ = kernels.infer(params, x, inputs=inputs)
    out = {"y": np.empty((STEPS, ROWS, 4)), "c": np.empty((STEPS, ROWS, 7))}
    found, _ = kernels.infer(params, x, inputs=inputs, out=out)
    for name, array in out.items():
        assert found[name] is array
        assert np.array_equal(array, expected[name])
    out = {"y": np.empty((ROWS, 4)), "c": np.empty((ROWS, 7))}
    found, _ = kernels.step(params, x[0], inputs={name: array[0] for name, array in inputs.items()}, out=out)
    assert found["c"] is out["c"]
    np.testing.assert_allclose(found["y"], expected["y"][0], rtol=1e-12, atol=1e-14)


def test_pieces_give_the_same_gradients(kernels: ModuleType, drawn: tuple[Arrays, Any, Arrays]) -> None:
    params, x, inputs = drawn
    x, inputs = np.tile(x, (100, 1, 1)), {name: np.tile(array, (100, 1, 1)) for name, array in inputs.items()}
    dy = {"y": np.random.default_rng(1).normal(size=(len(x), ROWS, 4))}
    found = []
    for checkpoint in (None, 256):
        _, _, tape = kernels.forward(params, x, inputs=inputs, lengths=[600, 0, 290], checkpoint=checkpoint)
        found.append(kernels.backward(params, tape, dy))
    whole, pieces = found
    for name, array in whole.params.items():
        np.testing.assert_allclose(pieces.params[name], array, rtol=1e-9, atol=1e-12)
    for name, array in whole.inputs.items():
        np.testing.assert_allclose(pieces.inputs[name], array, rtol=1e-12, atol=1e-14)


def test_whole_numbers_and_masks_are_inputs_too(kernels: ModuleType, drawn: tuple[Arrays, Any, Arrays]) -> None:
    params, x, inputs = drawn
    gate = np.arange(STEPS * ROWS).reshape(STEPS, ROWS, 1) % 2
    expected, _ = kernels.infer(params, x, inputs={**inputs, "decay": gate.astype(float)})
    for kind in (int, bool):
        found, _ = kernels.infer(params, x, inputs={**inputs, "decay": gate.astype(kind)})
        assert np.array_equal(found["y"], expected["y"])


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda given: None, ValueError, "inputs: 'k' is missing; expected k, decay, gate"),
        (lambda given: {"k": given["k"]}, ValueError, "inputs: 'decay' is missing"),
        (lambda given: {**given, "gate": None}, ValueError, "inputs: 'gate' is missing"),
        (lambda given: {**given, "z": 1}, ValueError, "inputs: unknown name 'z'; expected k, decay, gate"),
        (lambda given: given["k"], TypeError, "inputs: expected a mapping of k, decay, gate, found ndarray"),
        (lambda given: {**given, "decay": given["k"]}, ValueError, r"inputs\['decay'\]: expected shape \(6, 3, 1\)"),
        (lambda given: {**given, "k": given["k"][1:]}, ValueError, r"inputs\['k'\]: expected shape \(6, 3, 3\)"),
        (lambda given: {**given, "k": "no"}, TypeError, r"inputs\['k'\]: expected numbers"),
    ],
)
def test_wrong_inputs(
    kernels: ModuleType, drawn: tuple[Arrays, Any, Arrays], change: Any, error: type[Exception], message: str
) -> None:
    params, x, inputs = drawn
    with pytest.raises(error, match=message):
        kernels.infer(params, x, inputs=change(inputs))


def test_wrong_gradients(kernels: ModuleType, drawn: tuple[Arrays, Any, Arrays]) -> None:
    params, x, inputs = drawn
    y, _, tape = kernels.forward(params, x, inputs=inputs)
    with pytest.raises(ValueError, match="dy: unknown name 'z'; expected y, c"):
        kernels.backward(params, tape, {"z": y["y"]})
    with pytest.raises(TypeError, match="dy: expected a mapping of y, c, found ndarray"):
        kernels.backward(params, tape, y["y"])
    with pytest.raises(ValueError, match=r"dy\['c'\]: expected shape \(6, 3, 7\), found \(6, 3, 4\)"):
        kernels.backward(params, tape, {"c": y["y"]})


@pytest.mark.parametrize("backend", ["numpy", "c"])
def test_a_cell_without_further_inputs_says_so(backend: str) -> None:
    require_backend(backend)
    kernels = symrnn.build("rnn", backend)
    params, x = kernels.init_params(2, 3), np.zeros((1, 1, 2), np.float32)
    with pytest.raises(ValueError, match="inputs: this cell has no input beside x; leave them out"):
        kernels.infer(params, x, inputs={"m": x})
    assert kernels.infer(params, x, inputs={})[0].shape == (1, 1, 3)


def test_an_input_that_reaches_nothing_has_a_gradient_of_zeros() -> None:
    cell = symrnn.Cell.from_equations("h' = tanh(U @ h + m)", inputs={"m": "hidden"})
    for backend in ("numpy", "c"):
        require_backend(backend)
        kernels = symrnn.build(cell, backend, dtype="float64")
        params = kernels.init_params(2, 3)
        x, m = np.ones((2, 1, 2)), np.ones((2, 1, 3))
        _, _, tape = kernels.forward(params, x, inputs={"m": m})
        grads = kernels.backward(params, tape, np.ones((2, 1, 3)))
        assert not grads.x.any()
        assert grads.inputs["m"].all()


def test_problems_have_further_inputs_only_where_the_cell_has() -> None:
    problem = draw(symrnn.load(GIVEN / "decay.toml"), Case(3, 2, 4, 5))
    assert {name: array.shape for name, array in problem.inputs.items()} == {"m": (3, 2, 4), "delta": (3, 2, 1)}
    assert not draw(symrnn.load("gru"), Case(3, 2, 4, 5)).inputs


def test_an_input_without_gradient_has_no_tangent() -> None:
    kernels = symrnn.build(GIVEN / "memory.toml", "numpy", dtype="float64")
    params, x = kernels.init_params(5, 7, **SIZES), np.ones((2, 1, 5))
    inputs = {"k": np.ones((2, 1, 3)), "decay": np.ones((2, 1, 1)), "gate": np.ones((2, 1, 7))}
    with pytest.raises(ValueError, match="dinputs: 'gate' has no gradient, so it has no tangent; leave it out"):
        kernels.jvp(params, x, None, None, None, None, inputs=inputs, dinputs={"gate": inputs["gate"]})
    dy, _ = kernels.jvp(params, x, None, None, None, None, inputs=inputs, dinputs={"k": inputs["k"]})
    assert dy["y"].any()
