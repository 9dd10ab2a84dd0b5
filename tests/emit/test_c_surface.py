"""The C modules' Python side: what it does with the caller's memory, with complex numbers and with many shapes."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

import symrnn
from symrnn.build.toolchain import find_compiler
from symrnn.errors import BuildError


@pytest.fixture(scope="module")
def kernels() -> ModuleType:
    try:
        find_compiler()
    except BuildError as error:
        pytest.skip(str(error))
    return symrnn.build(symrnn.load("gru"), backend="c")


@pytest.mark.parametrize("columns", [slice(0, 4), slice(4, 8)], ids=str)
def test_the_tape_keeps_the_input_where_outputs_go_into_part_of_it(kernels: ModuleType, columns: slice) -> None:
    params = kernels.init_params(8, 4)
    x = np.random.default_rng(0).standard_normal((5, 3, 8), np.float32)
    y, _, tape = kernels.forward(params, x.copy())
    expected = kernels.backward(params, tape, np.ones_like(y)).params
    written, _, tape = kernels.forward(params, x, out=x[..., columns])
    assert np.array_equal(written, y)
    found = kernels.backward(params, tape, np.ones_like(y)).params
    assert all(np.array_equal(found[name], expected[name]) for name in expected)


def test_complex_numbers_are_refused_everywhere(kernels: ModuleType) -> None:
    params, x = kernels.init_params(2, 3), np.ones((1, 1, 2), np.float32)
    y, _, tape = kernels.forward(params, x)
    state: dict[str, Any] = {"h": np.full((1, 3), 1j)}
    stream: Any = kernels.stream(params)
    calls = {
        r"params\['b_z'\]": lambda: kernels.infer(params | {"b_z": np.full(3, 1j)}, x),
        "x": lambda: kernels.infer(params, x + 1j),
        r"state\['h'\]": lambda: kernels.infer(params, x, state),
        "dy": lambda: kernels.backward(params, tape, y + 1j),
        r"dstate\['h'\]": lambda: kernels.backward(params, tape, y, state),
        "x_t": lambda: stream(x[0] + 1j),
    }
    for name, call in calls.items():
        with pytest.raises(TypeError, match=f"^{name}: complex numbers run in the NumPy module alone"):
            call()


def test_a_few_runs_are_kept_with_the_weights_however_many_shapes_there_are(kernels: ModuleType) -> None:
    packed = kernels.pack(kernels.init_params(2, 3))
    for steps in range(1, 50):
        kernels.infer(packed, np.zeros((steps, 1, 2), np.float32))
    runs = packed.panels["runs"]
    assert len(runs) == kernels._KEPT
    newest = list(runs.values())[-1]
    kernels.infer(packed, np.zeros((49, 1, 2), np.float32))
    assert list(runs.values())[-1] is newest
