"""Passes that are right, and the model that they are compared with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

import symrnn
from symrnn.check.measure import Array
from symrnn.diagnose.model import Model
from symrnn.diagnose.passes import gradients
from symrnn.diagnose.sample import SHAPES, draw
from tests.families import FIRST_CELLS

from .conftest import PASSES, ROOT, Person, cell_of, layout_of

Given = Mapping[str, Array]

CELLS = (*FIRST_CELLS, *map(str, sorted((ROOT / "tests" / "cells").glob("*.toml"))))
FUNCTIONS = [
    (path.stem, function)
    for path in sorted(PASSES.glob("*.py"))
    for function in ("backward_step", "backward")
    if f"def {function}(" in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize(("name", "function"), FUNCTIONS)
@pytest.mark.parametrize("seed", [0, 7])
def test_a_right_pass_is_found_right(person: Person, name: str, function: str, seed: int) -> None:
    found = symrnn.diagnose(person(name, function), cell_of(name), layout=layout_of(name), seed=seed)
    assert found.right, str(found)
    assert max(verdict.error for verdict in found.verdicts) < 1e-13
    assert "Why" not in str(found)


def test_single_precision_is_right_too(person: Person) -> None:
    function = person("rnn", "backward_step", ("da.T @ x", "np.float32(da.T) @ np.float32(x)"))
    assert symrnn.diagnose(function, "rnn").right


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: Path(cell).stem)
def test_the_model_without_a_mistake_computes_what_the_kernels_do(cell: str) -> None:
    derivation = symrnn.derive(cell)
    kernels = symrnn.build(derivation.cell, backend="numpy", dtype="float64")
    sample = draw(derivation.cell, SHAPES[0], 3, whole=True)
    x = np.stack([values["x"] for values in sample.steps])
    state = {name: sample.steps[0][name] for name in derivation.cell.states}
    _, _, tape = kernels.forward(sample.params, x, state)
    expected = kernels.backward(sample.params, tape, next(iter((sample.dys or {}).values())), sample.dstate)
    found = gradients(Model(derivation.cell, derivation.adjoint), sample)
    for name, value in {**expected.params, **expected.state, "x": expected.x}.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-11, atol=1e-12)


def _of_memory(
    params: Given, cache: Given, dstate: Given
) -> tuple[dict[str, Array], dict[str, Array], dict[str, Array]]:
    """One step back by hand of `S' = a * S + x * k + W.T @ q`, `y = sum(S' * q2, key)`, whose inputs have axes."""
    dy, q2 = dstate["y"][:, :, None], cache["q2"]
    delta = dstate["S"] + dy * q2
    dparams = {"a": (delta * cache["S"]).sum((0, 1)), "W": np.einsum("bhk,bhv->vk", delta, cache["q"])}
    inputs = {
        "x": delta * cache["k"][:, None],
        "k": (delta * cache["x"]).sum(1),
        "q": delta @ params["W"].T,
        "q2": dy * cache["S'"],
    }
    return dparams, {"S": delta * params["a"]}, inputs


def _of_heads(params: Given, cache: Given, dstate: Given) -> tuple[dict[str, Array], dict[str, Array], Array]:
    """One step back by hand of `h' = tanh(R @ h + A @ x)`, with a matrix `R` for each head."""
    delta = dstate["h"] * (1 - cache["h'"] ** 2)
    dparams = {
        "R": np.einsum("bhu,bhv->huv", delta, cache["h"]),
        "A": np.einsum("bhu,bhv->uv", delta, cache["x"]),
    }
    return dparams, {"h": np.einsum("bhu,huv->bhv", delta, params["R"])}, delta @ params["A"]


def test_gradients_of_matrices_for_each_head_are_read() -> None:
    cell = symrnn.Cell.from_equations(
        "h' = tanh(R @ h + A @ x)",
        sizes={"h": ["head", "unit"], "x": ["head", "unit"], "R": ["head", "unit", "unit"], "A": ["unit", "unit"]},
    )
    assert symrnn.diagnose(_of_heads, cell).right

    def turned(params: Given, cache: Given, dstate: Given) -> object:
        dparams, before, inputs = _of_heads(params, cache, dstate)
        return {**dparams, "R": dparams["R"].transpose(0, 2, 1)}, before, inputs

    found = symrnn.diagnose(turned, cell)
    assert [verdict.name for verdict in found.verdicts if verdict.wrong] == ["R"]


def test_gradients_of_inputs_with_axes_are_read() -> None:
    cell = symrnn.Cell.from_equations(
        "S' = a * S + x * k + W.T @ q\ny = sum(S' * q2, key)",
        output="y",
        sizes={"S": ["head", "key"], "W": ["value", "key"], "x": ["head", "key"], "a": "key"},
        inputs={"k": "key", "q": ["head", "value"], "q2": ["head", "key"]},
    )
    assert symrnn.diagnose(_of_memory, cell).right

    def turned(params: Given, cache: Given, dstate: Given) -> object:
        dparams, before, inputs = _of_memory(params, cache, dstate)
        return dparams, before, {**inputs, "k": -inputs["k"]}

    found = symrnn.diagnose(turned, cell)
    assert [verdict.name for verdict in found.verdicts if verdict.wrong] == ["k"]
