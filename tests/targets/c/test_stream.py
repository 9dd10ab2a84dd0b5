"""Streams of the C modules, where no parameter has the number of inputs."""

from __future__ import annotations

import numpy as np
import pytest

import symrnn
from tests.processors import compiler_or_skip

pytestmark = pytest.mark.usefixtures("quick_compiler")


def test_the_first_call_tells_the_number_of_inputs() -> None:
    compiler_or_skip()
    cell = symrnn.Cell.from_equations("h' = tanh(U @ h + b)", name="autonomous")
    outputs = []
    for backend in ("numpy", "c"):
        k = symrnn.build(cell, backend)
        stream = k.stream(k.pack(k.init_params(3, 4)), batch=2)
        outputs.append([stream(np.ones((2, 3), np.float32)) for _ in range(3)][-1])
    np.testing.assert_allclose(outputs[0], outputs[1], atol=1e-6)
    with pytest.raises(ValueError, match=r"x_t: expected shape \(2, 3\), found \(2, 5\)"):
        stream(np.ones((2, 5), np.float32))
    with pytest.raises(ValueError, match=r"x_t: expected shape \(1, 'input'\), found \(3,\)"):
        k.stream(k.init_params(3, 4))(np.ones(3, np.float32))
