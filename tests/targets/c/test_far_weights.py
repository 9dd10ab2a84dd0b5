"""Weights that no cache holds: their input products leave the loop unless rows are many; the results stay those of NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import symrnn
from tests.processors import compiler_or_skip

INPUT, HIDDEN = 64, 2112
"""The weights of ``rnn`` take 17.5 MiB, above the runtime's FAR_BYTES."""


@pytest.mark.parametrize("steps", [1, 11, 40])  # a step alone; less than one chunk (33 steps); more
@pytest.mark.parametrize("count", [30, 36])  # both fill register tiles; FAR_ROWS lies between
@pytest.mark.parametrize("reverse", [False, True])
def test_far_weights_give_the_results_of_numpy(steps: int, count: int, reverse: bool) -> None:
    compiler_or_skip()
    c, reference = symrnn.build("rnn", backend="c"), symrnn.build("rnn")
    inference = symrnn.build("rnn", backend="c", backward=False)
    params = c.init_params(INPUT, HIDDEN, seed=1)
    rng = np.random.default_rng(steps)
    x = rng.standard_normal((steps, count, INPUT)).astype(np.float32)
    h = rng.standard_normal((count, HIDDEN)).astype(np.float32)
    lengths = np.array([*range(count - 1), steps]).clip(0, steps)
    for rows in (None, lengths):
        y, state = c.infer(params, x, {"h": h}, lengths=rows, reverse=reverse)
        expected, last = reference.infer(params, x, {"h": h}, lengths=rows, reverse=reverse)
        np.testing.assert_allclose(y, expected, rtol=0, atol=3e-5)
        np.testing.assert_allclose(state["h"], last["h"], rtol=0, atol=3e-5)
        taped, _, _ = c.forward(params, x, {"h": h}, lengths=rows, reverse=reverse, threads=2)
        np.testing.assert_array_equal(taped, y)
        alone, _ = inference.infer(params, x, {"h": h}, lengths=rows, reverse=reverse)
        np.testing.assert_array_equal(alone, y)
