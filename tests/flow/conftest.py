"""What the tests of gradient flow share: cells with a point, a real run of their kernels, and the Jacobians as matrices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import symrnn
from symrnn.derive.derivation import Derivation
from symrnn.flow.flow import Flow, flow
from symrnn.flow.paths import StepPaths, step_paths
from symrnn.flow.singular import dense
from symrnn.flow.trajectory import run_steps
from symrnn.language.system import HIDDEN, INPUT
from tests.families import FIRST_CELLS

Array = np.ndarray[Any, np.dtype[Any]]
FILES = sorted((Path(__file__).parents[1] / "cells").glob("*.toml"))
CELLS = (*FIRST_CELLS, *map(str, FILES))
STEPS, BATCH, HIDDEN_UNITS, INPUTS = 9, 2, 5, 4


@dataclass(frozen=True)
class Problem:
    """A cell at a point, with its kernels.

    Attributes:
        derivation: of the cell.
        kernels: its NumPy module.
        params: parameters by name.
        x: inputs.
        state: initial states, none of them zero.
        dy: gradient of the loss by the outputs, at every step.
        dstate: gradient of the loss by the final states.
    """

    derivation: Derivation
    kernels: ModuleType
    params: Mapping[str, Array]
    x: Array
    state: Mapping[str, Array]
    dy: Array
    dstate: Mapping[str, Array]

    def flow(self, **options: Any) -> Flow:
        return flow(self.derivation, self.params, self.x, self.state, self.dy, dstate=self.dstate, **options)

    def paths(self) -> StepPaths:
        return step_paths(self.derivation, run_steps(self.derivation.cell, self.params, self.x, self.state))

    def matrices(self) -> Array:
        """The step Jacobians, (T, B, n, n)."""
        return dense(self.paths(), slice(0, len(self.x)))


@cache
def problem_of(name: str) -> Problem:
    derivation = symrnn.derive(name)
    cell = derivation.cell
    kernels = symrnn.build(cell, "numpy", "float64")
    own = {size: 3 for size in cell.sizes if size not in (INPUT, HIDDEN)}
    inputs = HIDDEN_UNITS if cell.input_is_hidden else INPUTS
    params = kernels.init_params(inputs, HIDDEN_UNITS, seed=3, **own)
    rng = np.random.default_rng(5)
    x = rng.normal(size=(STEPS, BATCH, inputs))
    y, last, _ = kernels.forward(params, x)
    state = {name: 0.3 * rng.normal(size=array.shape) for name, array in last.items()}
    dstate = {name: rng.normal(size=array.shape) for name, array in last.items()}
    return Problem(derivation, kernels, params, x, state, rng.normal(size=y.shape), dstate)


@pytest.fixture(params=CELLS, ids=lambda name: Path(name).stem)
def problem(request: pytest.FixtureRequest) -> Problem:
    return problem_of(request.param)
