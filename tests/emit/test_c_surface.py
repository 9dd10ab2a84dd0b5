"""The C modules' Python side: what it does with the caller's memory, with complex numbers and with many shapes."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import symrnn
from symrnn.build.toolchain import find_compiler
from symrnn.errors import BuildError


@pytest.fixture(scope="module")
def kernels() -> Any:
    return build("c")


def build(backend: str) -> Any:
    try:
        find_compiler()
    except BuildError as error:
        pytest.skip(str(error))
    return symrnn.build(symrnn.load("gru"), backend=backend)


@pytest.mark.parametrize("columns", [slice(0, 4), slice(4, 8)], ids=str)
def test_the_tape_keeps_the_input_where_outputs_go_into_part_of_it(kernels: Any, columns: slice) -> None:
    params = kernels.init_params(8, 4)
    x = np.random.default_rng(0).standard_normal((5, 3, 8), np.float32)
    y, _, tape = kernels.forward(params, x.copy())
    expected = kernels.backward(params, tape, np.ones_like(y)).params
    written, _, tape = kernels.forward(params, x, out=x[..., columns])
    assert np.array_equal(written, y)
    found = kernels.backward(params, tape, np.ones_like(y)).params
    assert all(np.array_equal(found[name], expected[name]) for name in expected)


def test_complex_numbers_are_refused_everywhere(kernels: Any) -> None:
    params, x = kernels.init_params(2, 3), np.ones((1, 1, 2), np.float32)
    y, _, tape = kernels.forward(params, x)
    state: dict[str, Any] = {"h": np.full((1, 3), 1j)}
    calls: dict[str, Callable[[], Any]] = {
        r"params\['b_z'\]": lambda: kernels.infer(params | {"b_z": np.full(3, 1j)}, x),
        "x": lambda: kernels.infer(params, x + 1j),
        r"state\['h'\]": lambda: kernels.infer(params, x, state),
        "dy": lambda: kernels.backward(params, tape, y + 1j),
        r"dstate\['h'\]": lambda: kernels.backward(params, tape, y, state),
        "x_t": lambda: kernels.stream(params)(x[0] + 1j),
    }
    for name, call in calls.items():
        with pytest.raises(TypeError, match=f"^{name}: complex numbers run in the NumPy module alone"):
            call()


def test_a_few_runs_are_kept_with_the_weights_however_many_shapes_there_are(kernels: Any) -> None:
    packed = kernels.pack(kernels.init_params(2, 3))
    for steps in range(1, 50):
        kernels.infer(packed, np.zeros((steps, 1, 2), np.float32))
    runs = packed.panels["runs"]
    assert len(runs) == kernels._KEPT
    newest = list(runs.values())[-1]
    kernels.infer(packed, np.zeros((49, 1, 2), np.float32))
    assert list(runs.values())[-1] is newest


@pytest.mark.parametrize("backend", ["c", "numpy"])
@pytest.mark.parametrize("hidden", [2, 40])
def test_a_tape_is_refused_with_parameters_of_other_sizes(backend: str, hidden: int) -> None:
    k = build(backend)
    y, _, tape = k.forward(k.init_params(2, 20), np.ones((3, 2, 2), np.float32))
    message = f"params: hidden is {hidden}, but the tape is of a forward pass where it is 20"
    with pytest.raises(ValueError, match=message):
        k.backward(k.init_params(2, hidden), tape, np.ones_like(y))


def test_weights_depend_on_no_steps_rows_or_lengths(kernels: Any) -> None:
    """What the header says of the two entries: dims that no other entry would take are good enough for them."""
    lengths, size = np.array([5], np.uintp), ctypes.c_size_t()
    arrays = kernels.init_params(4, 8)
    params = np.array([array.ctypes.data for array in arrays.values()], np.uintp)
    found = []
    for steps, pointer in ((0, None), (0, lengths.ctypes.data), (2**60, None)):
        dims = kernels._Dims(steps, 1, 4, 8, pointer, 0)
        assert kernels._BOUND[np.dtype("f4"), "packed_size"](ctypes.byref(dims), ctypes.byref(size)) == 0
        packed = np.zeros(size.value, np.float32)
        call = kernels._BOUND[np.dtype("f4"), "pack"]
        assert call(ctypes.byref(dims), params.ctypes.data, packed.ctypes.data, 0, 1) == 0
        found.append(packed)
    assert found[0].any()
    assert all(np.array_equal(found[0], other) for other in found[1:])
