"""Prepared parameters in kernels of every target: against the oracles, in threads, in pieces, added up, for inference alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symrnn
from symrnn.check.cases import CASES
from symrnn.check.check import check
from symrnn.language.cell import Cell
from tests.prepared import PREPARED, Prepares
from tests.processors import require_backend

pytestmark = pytest.mark.usefixtures("quick_compiler")


def kernels(cell: Cell, backend: str, **options: Any) -> Any:
    require_backend(backend)
    return symrnn.build(cell, backend, **options)


def others(cell: Cell) -> dict[str, int]:
    return {size: 2 for size in cell.sizes if size not in ("input", "hidden")}


def run(k: Any, cell: Cell, steps: int = 6, rows: int = 3, seed: int = 0, **options: Any) -> tuple[Any, Any]:
    """Parameters, a forward pass and its gradients, in double precision."""
    width = 7 if cell.input_is_hidden else 5
    params = k.init_params(width, 7, **others(cell), seed=seed, dtype="float64")
    random = np.random.default_rng(seed)
    x = random.normal(size=(steps, rows, width))
    y, state, tape = k.forward(params, x, **options)
    return params, (x, y, state, tape, k.backward(params, tape, random.normal(size=y.shape)))


@pytest.mark.parametrize("backend", ["numpy", "c", "torch"])
@pytest.mark.parametrize("one", PREPARED[::3], ids=lambda one: one.name)
def test_oracles(one: Prepares, backend: str) -> None:
    kernels(one.cell, backend)  # skips where it cannot run
    report = check(one.cell, backends=[backend], cases=CASES[:4])
    assert report.passed, report.table
    assert {deviation.backend for deviation in report.deviations} >= {backend, "plan"}


@pytest.mark.parametrize("one", PREPARED, ids=lambda one: one.name)
def test_c_agrees_with_numpy_in_both_precisions_and_any_number_of_threads(one: Prepares) -> None:
    cell = one.cell
    n, c = kernels(cell, "numpy"), kernels(cell, "c")
    params, (x, y, _, _, grads) = run(n, cell)
    for threads in (1, 3):
        mine, _, tape = c.forward(params, x, threads=threads)
        np.testing.assert_allclose(mine, y, rtol=1e-12, atol=1e-12)
        random = np.random.default_rng(0)
        random.normal(size=x.shape)
        back = c.backward(params, tape, random.normal(size=y.shape), threads=threads)
        assert list(back.params) == list(grads.params) == [v.name for v in cell.trainable]
        for name, array in grads.params.items():
            np.testing.assert_allclose(back.params[name], array, rtol=1e-9, atol=1e-10, err_msg=name)
    single = {name: array.astype(np.float32) for name, array in params.items()}
    np.testing.assert_allclose(c.infer(single, x.astype(np.float32))[0], y, rtol=2e-4, atol=2e-4)
    stream = c.stream(c.pack(params), batch=x.shape[1])
    for t, row in enumerate(y):
        np.testing.assert_allclose(stream(x[t]), row, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("backend", ["numpy", "c"])
@pytest.mark.parametrize("one", PREPARED, ids=lambda one: one.name)
def test_gradients_are_added_and_each_is_an_array_of_its_own(one: Prepares, backend: str) -> None:
    cell = one.cell
    k = kernels(cell, backend)
    params, (_, y, _, tape, grads) = run(k, cell)
    before = {name: array.copy() for name, array in grads.params.items()}
    dy = np.random.default_rng(5).normal(size=y.shape)
    again = k.backward(params, tape, dy)
    k.backward(params, tape, dy, out=grads, accumulate=True)
    for name, array in grads.params.items():
        np.testing.assert_allclose(array, before[name] + again.params[name], rtol=1e-9, atol=1e-10)
    arrays = list(again.params.values())
    for place, array in enumerate(arrays):
        assert array.flags.writeable
        assert not any(np.shares_memory(array, other) for other in arrays[:place])


@pytest.mark.parametrize("backend", ["numpy", "c"])
def test_sequences_in_pieces_have_the_same_gradients(backend: str) -> None:
    for one in PREPARED[:7:3]:
        k = kernels(one.cell, backend)
        params, (x, y, _, _, _) = run(k, one.cell, steps=9)
        dy = np.random.default_rng(5).normal(size=y.shape)
        whole = k.backward(params, k.forward(params, x)[2], dy)
        pieces = k.backward(params, k.forward(params, x, checkpoint=3)[2], dy)
        for name, array in whole.params.items():
            np.testing.assert_allclose(pieces.params[name], array, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("backend", ["numpy", "c", "torch"])
def test_kernels_of_inference_alone(backend: str) -> None:
    one = PREPARED[0]
    k, reference = kernels(one.cell, backend, backward=False), kernels(one.cell, "numpy")
    params, (x, y, *_) = run(reference, one.cell)
    if backend == "torch":
        torch = pytest.importorskip("torch", reason="PyTorch is not installed")
        params, x = {name: torch.from_numpy(array) for name, array in params.items()}, torch.from_numpy(x)
    np.testing.assert_allclose(np.asarray(k.infer(params, x)[0]), y, rtol=1e-12, atol=1e-12)


def test_packed_weights_are_a_snapshot_computed_once() -> None:
    one = PREPARED[0]
    for backend in ("numpy", "c"):
        k = kernels(one.cell, backend)
        params, (x, y, *_) = run(k, one.cell)
        packed = k.pack(params)
        for array in params.values():
            array[...] = np.nan
        np.testing.assert_array_equal(k.infer(packed, x)[0], y)
        assert list(packed) == [v.name for v in one.cell.parameters]


def test_c_with_fixed_sizes_in_a_single_file() -> None:
    one = PREPARED[4]
    k = kernels(one.cell, "c", input=5, hidden=7, single_file=True)
    _, (_, y, *_) = run(k, one.cell)
    _, (_, expected, *_) = run(kernels(one.cell, "numpy"), one.cell)
    np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-12)


def test_the_runtime_of_prepared_parameters_comes_only_with_cells_that_have_some() -> None:
    assert "symrnn_prepare.h" in symrnn.render(PREPARED[0].cell)
    assert "symrnn_prepare.h" not in symrnn.render("lstm")


@pytest.mark.parametrize("one", PREPARED, ids=lambda one: one.name)
def test_calls_on_addresses_add_the_gradients_of_each_call_once(one: Prepares) -> None:
    """The gradients of what is prepared belong to one call, whatever the workspace holds of the call before."""
    cell = one.cell
    k = kernels(cell, "c")
    params, (x, y, _, _, grads) = run(k, cell)
    sizes = {"1": 1, "input": x.shape[2], "hidden": 7, **others(cell)}
    call = k.raw(sizes, "float64", x.shape[0], x.shape[1])
    packed, tape = np.empty(call.packed_size), np.empty(k.tape_size(sizes, x.shape[0], x.shape[1]))
    call.pack([params[v.name].ctypes.data for v in cell.parameters], packed.ctypes.data)
    final = np.empty((len(cell.states), x.shape[1], 7))
    made = np.empty_like(y)
    call.forward(packed.ctypes.data, x.ctypes.data, None, made.ctypes.data, final.ctypes.data, tape.ctypes.data)
    np.testing.assert_array_equal(made, y)
    dy = np.random.default_rng(0)
    dy.normal(size=x.shape)
    seed = dy.normal(size=y.shape)
    total = {v.name: np.zeros_like(params[v.name]) for v in cell.trainable}
    dx, first = np.empty_like(x), np.empty_like(final)
    given = (packed.ctypes.data, x.ctypes.data, tape.ctypes.data, seed.ctypes.data, None)
    for _ in range(3):
        call.backward(*given, [a.ctypes.data for a in total.values()], dx.ctypes.data, first.ctypes.data, adds=True)
    for name, array in total.items():
        np.testing.assert_allclose(array, 3 * grads.params[name], rtol=1e-9, atol=1e-10, err_msg=name)
