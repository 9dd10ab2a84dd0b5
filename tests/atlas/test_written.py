"""Every bundled cell does what its publication says: kernels in NumPy beside steps that are written by hand."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

import symrnn
from symrnn.language.axes import shape_axes
from tests.atlas import gated, given, heads, minimal, simple, timed
from tests.atlas.written import Array, Step
from tests.families import FIRST_CELLS

MODULES = (gated, given, heads, minimal, simple, timed)
WRITTEN: Mapping[str, ModuleType] = {name: module for module in MODULES for name in vars(module)}
NAMES = [name for name in symrnn.cells() if name not in FIRST_CELLS or name == "lstm"]
"""The other first cells are compared with PyTorch's layers, in `tests/test_any_cell.py`, and with each other."""
STEPS, ROWS, INPUT, HIDDEN, OTHER = 4, 7, 5, 8, 6
WITHIN = {"positive": (0.2, 2), "unit": (0.1, 0.9), "nonzero": (0.2, 2)}
"""From where to where parameters of a domain are drawn; others from -1 to 1."""


def written(name: str) -> Step:
    """The step that is written by hand."""
    variants = {**gated.VARIANTS, **minimal.VARIANTS}
    step: Step = variants[name] if name in variants else getattr(WRITTEN[name], name)
    return step


@pytest.mark.parametrize("name", NAMES)
def test_a_cell_does_what_its_publication_says(name: str) -> None:
    cell = symrnn.load(name)
    kernels = symrnn.build(cell, backend="numpy", dtype="float64")
    hidden = INPUT if cell.input_is_hidden else HIDDEN
    others = {size: OTHER + place for place, size in enumerate(s for s in cell.sizes if s not in ("input", "hidden"))}
    rng = np.random.default_rng(list(name.encode()))
    shapes = kernels.param_shapes(INPUT, hidden, **others)
    limits = {key: WITHIN.get(cell.domain.get(key, ""), (-1, 1)) for key in shapes}
    params: dict[str, Array] = {key: rng.uniform(*limits[key], shape) for key, shape in shapes.items()}
    sizes = {"input": INPUT, "hidden": hidden, "1": 1, **others}
    axes = {state: [sizes[axis] for axis in shape_axes(cell.by_name[state].shape)] for state in cell.states}
    before = {state: rng.uniform(0.1, 1, (ROWS, *axes[state])) for state in cell.states}
    x = rng.standard_normal((STEPS, ROWS, INPUT))
    inputs = {name: rng.uniform(0.1, 1, (STEPS, ROWS, sizes[cell.by_name[name].shape[0]])) for name in cell.given[1:]}
    beside = [
        {"inputs": {key: value[:steps] for key, value in inputs.items()}} if inputs else {} for steps in (1, STEPS)
    ]
    _, once = kernels.infer(params, x[:1], before, **beside[0])
    y, after = kernels.infer(params, x, before, **beside[1])
    reached = {0: once, STEPS - 1: after}
    for row in range(ROWS):
        state = {key: value[row] for key, value in before.items()}
        for step in range(STEPS):
            given = SimpleNamespace(**params, **{key: value[step, row] for key, value in inputs.items()})
            found = written(name)(given, x[step, row], SimpleNamespace(**state))
            for key, value in (y if isinstance(y, Mapping) else {cell.output: y}).items():
                np.testing.assert_allclose(value[step, row], found[key], rtol=1e-10, atol=1e-12, err_msg=key)
            state = {key: value for key, value in found.items() if key in cell.states}
            assert set(state) == set(cell.states)
            for key, value in state.items() if step in reached else ():
                np.testing.assert_allclose(reached[step][key][row], value, rtol=1e-10, atol=1e-12, err_msg=key)
