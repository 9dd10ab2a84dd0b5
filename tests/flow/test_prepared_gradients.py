"""What becomes of gradients through time where parameters are prepared: those of the parameters are those of the kernels."""

from __future__ import annotations

import numpy as np
import pytest

import symrnn
from symrnn.flow.flow import flow
from tests.prepared import PREPARED, Prepares


@pytest.mark.parametrize("one", PREPARED[::2], ids=lambda one: one.name)
def test_gradients_of_parameters_are_those_of_the_kernels(one: Prepares) -> None:
    cell = one.cell
    kernels = symrnn.build(cell, "numpy")
    width = 5 if cell.input_is_hidden else 3
    params = kernels.init_params(width, 5, **dict.fromkeys(cell.sizes[2:], 2), dtype="float64")
    x = np.random.default_rng(0).normal(size=(6, 2, width))
    y, _, tape = kernels.forward(params, x)
    dy = np.random.default_rng(1).normal(size=y.shape)
    expected = kernels.backward(params, tape, dy).params
    found = flow(cell, params, x, dy=dy).gradients
    assert list(found) == list(expected)
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-9, atol=1e-10, err_msg=name)
