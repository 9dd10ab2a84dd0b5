"""The C modules' Python side: what it does with the caller's memory, with complex numbers and with many shapes."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symrnn
from symrnn.build.loading import import_text
from symrnn.emit.request import Request
from symrnn.errors import GenerateError
from symrnn.targets.c.module import c_module
from tests.processors import compiler_or_skip


@pytest.fixture(scope="module")
def kernels() -> Any:
    return build("c")


def build(backend: str) -> Any:
    compiler_or_skip()
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


@pytest.mark.usefixtures("quick_compiler")
@pytest.mark.parametrize("text", ["h' = 0.5 * h + mean(b) * b", "h' = 0.5 * h + b"])
def test_the_gradient_of_an_input_that_no_equation_reads_is_zero(text: str) -> None:
    build("c")  # which skips where there is no compiler
    k = symrnn.build(symrnn.Cell.from_equations(text, name="deaf"), backend="c")
    params, x = k.init_params(2, 3), np.ones((4, 5, 2), np.float32)
    y, _, tape = k.forward(params, x)
    grads = k.backward(params, tape, np.ones_like(y))
    grads.x[...] = np.nan
    again = k.backward(params, tape, np.ones_like(y), out=grads)
    assert np.array_equal(again.x, np.zeros_like(x))


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
        with pytest.raises(
            TypeError, match=f"^{name}: expected real numbers; complex numbers run only in the NumPy module"
        ):
            call()


@pytest.mark.parametrize(
    "x", [np.ones((4, 2, 3), np.int64), [[[1, 0, 1]] * 2] * 4, np.ones((4, 2, 3), ">f8")], ids=repr
)
def test_whole_numbers_run_float_and_a_turned_byte_order_its_precision(kernels: Any, x: Any) -> None:
    y, _ = kernels.infer(kernels.init_params(3, 5), x)
    assert y.dtype == (np.float64 if getattr(x, "dtype", "") == ">f8" else np.float32)


def test_a_copy_of_packed_parameters_is_packed_by_itself(kernels: Any) -> None:
    packed = kernels.pack(kernels.init_params(3, 5))
    x = np.ones((4, 2, 3), np.float32)
    expected = kernels.infer(packed, x)[0]
    other = deepcopy(packed)
    assert packed.panels
    assert not other.panels
    assert not any(array.flags.writeable for array in other.values())
    np.testing.assert_array_equal(kernels.infer(other, x)[0], expected)


def test_a_number_of_threads_is_no_bound_of_the_choice(kernels: Any) -> None:
    params, x = kernels.pack(kernels.init_params(2, 3)), np.zeros((3, 2, 2), np.float32)
    kernels.infer(params, x, threads=kernels._cores())
    kernels.infer(params, x)
    assert [run.parts for run in list(kernels._RUNS.values())[-2:]] == [kernels._cores(), 1]


def test_a_few_runs_are_kept_however_many_shapes_there_are(kernels: Any) -> None:
    packed = kernels.pack(kernels.init_params(2, 3))
    for steps in range(1, 50):
        kernels.infer(packed, np.zeros((steps, 1, 2), np.float32))
    assert len(kernels._RUNS) == kernels._KEPT
    newest = list(kernels._RUNS.values())[-1]
    kernels.infer(kernels.pack(kernels.init_params(2, 3, seed=1)), np.zeros((49, 1, 2), np.float32))
    assert list(kernels._RUNS.values())[-1] is newest


def test_memory_is_used_again_only_where_no_array_refers_to_it(kernels: Any) -> None:
    count, dtype = 10_000, np.dtype(np.float32)
    first = kernels._empty(count, dtype)
    second = kernels._empty(count, dtype)
    assert not np.may_share_memory(first, second)
    first[...], second[...] = 1, 2
    part, address = first[17:19].reshape(2, 1), second.ctypes.data
    del first, second
    third = kernels._empty(count, dtype)
    assert third.ctypes.data == address
    third[...] = 3
    fourth = kernels._empty(count, dtype)
    fourth[...] = 4
    np.testing.assert_array_equal(part, np.ones((2, 1)))
    assert third.ctypes.data % 64 == fourth.ctypes.data % 64 == 0
    addresses = sorted([third.ctypes.data, fourth.ctypes.data])
    del third, fourth
    again = [kernels._empty(count, dtype) for _ in range(2)]
    assert sorted(array.ctypes.data for array in again) == addresses


def test_results_stand_while_later_calls_use_memory_again(kernels: Any) -> None:
    random = np.random.default_rng(0)
    params, x = kernels.init_params(40, 40), random.normal(size=(30, 20, 40)).astype(np.float32)
    dy = random.normal(size=(30, 20, 40)).astype(np.float32)
    kept, copies = [], []
    for factor in range(1, 6):
        packed = kernels.pack(params)
        y, state, tape = kernels.forward(packed, x * factor)
        grads = kernels.backward(packed, tape, dy)
        arrays = [y, *state.values(), *tape.states.values(), grads.x, *grads.params.values(), *packed.values()]
        kept.append(arrays)
        copies.append([array.copy() for array in arrays])
    for arrays, copied in zip(kept, copies, strict=True):
        for array, copy in zip(arrays, copied, strict=True):
            np.testing.assert_array_equal(array, copy)


def test_memory_that_is_kept_is_bounded(kernels: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "_KEPT_BYTES", 1 << 24)
    monkeypatch.setattr(kernels, "_FREE", {})
    single = np.dtype(np.float32)
    for number in range(1, 40):
        kernels._empty(1_000_000 + 5000 * number, single)
    assert held(kernels) <= kernels._KEPT_BYTES + 5_000_000
    kernels._empty(kernels._KEPT_BYTES, single)
    assert max(kernels._FREE) <= kernels._KEPT_BYTES // 2
    arrays = [kernels._empty(100_000, single) for _ in range(100)]
    before = held(kernels)
    del arrays
    assert before < held(kernels) <= before + kernels._KEPT_BYTES // 4


def held(kernels: Any) -> int:
    """Bytes of memory that no array refers to."""
    return sum(size * len(blocks) for size, blocks in kernels._FREE.items())


@pytest.mark.parametrize("backend", ["c", "numpy"])
@pytest.mark.parametrize("hidden", [2, 40])
def test_a_tape_is_refused_with_parameters_of_other_sizes(backend: str, hidden: int) -> None:
    k = build(backend)
    y, _, tape = k.forward(k.init_params(2, 20), np.ones((3, 2, 2), np.float32))
    message = f"params: hidden is {hidden}, but it was 20 in the forward pass of the tape"
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
        assert call(ctypes.byref(dims), params.ctypes.data, packed.ctypes.data, None, 0, 1) == 0
        found.append(packed)
    assert found[0].any()
    assert all(np.array_equal(found[0], other) for other in found[1:])


@pytest.fixture(scope="module", params=["float32", "float64"])
def single(request: pytest.FixtureRequest, kernels: Any) -> Any:
    """The kernels in one precision alone: the module over a library that may have both."""
    text = c_module(symrnn.program("gru"), kernels._ABI.decode(), Request(request.param, (request.param,)))
    return import_text(text, "gru_c", Path(kernels._LIBRARY).parent)


def test_a_library_of_one_precision_says_which(single: Any, kernels: Any) -> None:
    (dtype,) = single.DTYPES
    params = single.init_params(2, 3)
    assert {array.dtype for array in params.values()} == {np.dtype(dtype)}
    assert {found for found, _ in single._BOUND} == {np.dtype(dtype)}
    x = np.ones((4, 1, 2), dtype)
    np.testing.assert_array_equal(single.infer(params, x)[0], kernels.infer(params, x)[0])
    assert single.infer(params, x.astype(np.int64))[0].dtype == dtype, "whole numbers ask for no precision"
    other = "float64" if dtype == "float32" else "float32"
    with pytest.raises(ValueError, match=f"dtype: expected one of {dtype}, found '{other}'"):
        single.init_params(2, 3, dtype=other)


def test_a_library_of_one_precision_refuses_the_other_and_says_what_to_do(single: Any) -> None:
    (dtype,) = single.DTYPES
    other = "float64" if dtype == "float32" else "float32"
    params, x = single.init_params(2, 3), np.ones((4, 1, 2), other)
    wide = {name: array.astype(other) for name, array in params.items()}
    calls: dict[str, Callable[[], Any]] = {
        "x": lambda: single.infer(params, x),
        "x_t": lambda: single.step(params, x[0]),
        "packed": lambda: single.stream(wide),
    }
    for name, call in calls.items():
        told = f"^{name}: {other} runs in {other}, which this module does not have: give it {dtype}, or generate"
        with pytest.raises(TypeError, match=told):
            call()
    single.infer(wide, x.astype(dtype))


def test_what_init_params_makes_is_a_precision_of_the_library() -> None:
    with pytest.raises(GenerateError, match="dtype 'float64': the kernels are generated for float32; name one of them"):
        c_module(symrnn.program("gru"), "00", Request("float64", ("float32",)))
