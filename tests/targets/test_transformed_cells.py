"""Transformed cells through every oracle in NumPy and C, and their masks through the surface of both."""

from __future__ import annotations

import numpy as np
import pytest

import symrnn
from symrnn.check.cases import CASES, draw
from symrnn.check.check import check
from symrnn.flow.sweep import Setup, sweep
from symrnn.targets import registry
from tests.processors import require_backend

pytestmark = pytest.mark.usefixtures("quick_compiler")

RECIPES = (
    "lstm+zoneout",
    "gru+recurrent_dropout",
    "rnn+layer_norm",
    "gru+residual:projection=true",
    "rnn+residual+zoneout+stack:2",
    *(
        pytest.param(recipe, marks=pytest.mark.long)
        for recipe in ("lstm+layer_norm:c", "gru+layer_norm:epsilon=0.1+recurrent_dropout+zoneout+residual+stack:2")
    ),
)
FEW = [case for case in CASES if not case.others and case.steps in (2, 3, 20) and case.batch in (1, 2, 3)]


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_oracle_agrees(recipe: str) -> None:
    assert len({case.reverse for case in FEW}) == len({case.ragged for case in FEW}) == 2
    cell = symrnn.load(recipe)
    report = check(cell, cases=FEW, backends=[name for name in ("numpy", "c") if name in registry.working()])
    assert report.passed, report.table()
    arrays = {each.array for each in report.deviations}
    assert {f"grad {parameter.name}" for parameter in cell.parameters} <= arrays
    assert not any(mask in array for array in arrays for mask in cell.masks)  # no gradient by a mask


@pytest.mark.parametrize("backend", ["numpy", "c"])
def test_masks_go_where_inputs_go(backend: str) -> None:
    """A unit that is kept is kept to the bit, and the gradient of its state goes through it."""
    require_backend(backend)
    recipe = "rnn+zoneout:0.5"
    kernels = symrnn.build(recipe, backend, dtype="float64")
    params, x = kernels.init_params(3, 8), np.random.default_rng(0).normal(size=(5, 2, 3))
    masks = symrnn.masks(recipe, 5, 2, hidden=8, dtype="float64")
    y, _, tape = kernels.forward(params, x, inputs=masks)
    before = np.concatenate([np.zeros((1, 2, 8)), y[:-1]])
    kept = masks["zoneout_h"] == 1
    assert 0 < kept.sum() < kept.size
    assert np.array_equal(y[kept], before[kept])
    assert not (y == before)[~kept].any()
    assert not kernels.backward(params, tape, np.ones_like(y)).inputs
    everything = {"zoneout_h": np.ones((5, 2, 8), bool)}
    _, _, tape = kernels.forward(params, x, inputs=everything)
    grads = kernels.backward(params, tape, np.zeros_like(y), {"h": np.ones((2, 8))})
    assert np.array_equal(grads.state["h"], np.ones((2, 8)))
    assert not grads.params["W_xh"].any()
    stream = kernels.stream(kernels.pack(params), batch=2)
    for t in range(5):
        np.testing.assert_allclose(stream(x[t], {"zoneout_h": masks["zoneout_h"][t]}), y[t], rtol=1e-12, atol=1e-14)


def test_masks_are_drawn_as_masks() -> None:
    """Between 0 and 1 for the oracles, so that states stay in range; where gradients are followed, as in training."""
    problem = draw(symrnn.load("rnn+zoneout+stack:2"), FEW[-1])
    assert {name for name, array in problem.inputs.items() if np.nanmin(array) >= 0} == {"zoneout_h", "l2_zoneout_h"}
    kept = sweep([symrnn.load("rnn+zoneout:1")], setup=Setup(steps=6, hidden=5, input=3)).points[0].flow
    np.testing.assert_allclose(
        kept.log_gradients["h"], 0, atol=1e-12
    )  # every unit keeps its value, and a gradient its length
