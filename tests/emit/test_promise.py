"""``pack(params, snapshot=False)``: nothing is copied, and the caller promises not to change the parameters."""

from __future__ import annotations

import copy
import inspect
import pickle
import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import symrnn
from symrnn.targets import registry

pytestmark = pytest.mark.usefixtures("quick_compiler")

Array = np.ndarray[Any, np.dtype[Any]]
STEPS, BATCH, INPUTS, UNITS = 5, 2, 3, 130


@pytest.fixture(scope="module", params=registry.usual())
def kernels(request: pytest.FixtureRequest) -> ModuleType:
    return symrnn.build("gru", request.param)


def input_of(kernels: ModuleType) -> tuple[dict[str, Array], Array, Array]:
    random = np.random.default_rng(0)
    x, dy = (random.normal(size=(STEPS, BATCH, size)).astype(np.float32) for size in (INPUTS, UNITS))
    return kernels.init_params(INPUTS, UNITS), x, dy


def everything(kernels: ModuleType, params: Any, x: Array, dy: Array) -> list[Array]:
    y, state, tape = kernels.forward(params, x)
    grads = kernels.backward(params, tape, dy)
    stepped = kernels.step(params, x[0])[0]
    streamed = kernels.stream(params, batch=BATCH)(x[0])
    inferred = kernels.infer(params, x)[0]
    return [y, *state.values(), grads.x, *grads.params.values(), *grads.state.values(), stepped, streamed, inferred]


def test_every_call_gives_the_same_bits(kernels: ModuleType) -> None:
    params, x, dy = input_of(kernels)
    expected = everything(kernels, params, x, dy)
    for snapshot in (True, False, np.bool_(False)):
        found = everything(kernels, kernels.pack(params, snapshot=snapshot), x, dy)
        for one, other in zip(expected, found, strict=True):
            np.testing.assert_array_equal(one, other)


def test_nothing_is_copied_and_nothing_can_be_written_through_it(kernels: ModuleType) -> None:
    params, _, _ = input_of(kernels)
    packed = kernels.pack(params, snapshot=False)
    for name, array in params.items():
        assert np.shares_memory(packed[name], array)
        assert not np.shares_memory(kernels.pack(params)[name], array)
        with pytest.raises(ValueError, match="read-only"):
            packed[name][...] = 0
        array[...] += 0  # the caller's own array stays writable
    assert kernels.pack(packed) is kernels.pack(packed, snapshot=False) is packed


def test_copies_and_pickles_are_snapshots(kernels: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    params, x, _ = input_of(kernels)
    packed = kernels.pack(params, snapshot=False)
    expected = kernels.infer(packed, x)[0]
    monkeypatch.setitem(sys.modules, kernels.Packed.__module__, kernels)
    copies = [copy.copy(packed), copy.deepcopy(packed), pickle.loads(pickle.dumps(packed))]
    for array in params.values():
        array[...] = 0
    for copied in copies:
        np.testing.assert_array_equal(kernels.infer(copied, x)[0], expected)
        assert not copied["W_hz"].flags.writeable


def test_a_broken_promise_is_not_noticed_and_without_one_it_is(kernels: ModuleType) -> None:
    """As `pack` says: a copy lets `backward` tell what changed; without it the numbers are compared with themselves."""
    params, x, dy = input_of(kernels)
    for snapshot in (True, False):
        given = {name: array.copy() for name, array in params.items()}
        packed = kernels.pack(given, snapshot=snapshot)
        _, _, tape = kernels.forward(packed, x)
        expected = kernels.backward(packed, tape, dy)
        given["W_hz"] *= 2
        # What was packed already does not see the change, and nor does what is read of a snapshot.
        np.testing.assert_array_equal(kernels.backward(packed, tape, dy).x, expected.x)
        assert np.array_equal(packed["W_hz"], params["W_hz"]) == snapshot
        if snapshot:
            with pytest.raises(ValueError, match=r"params\['W_hz'\]: differs from the forward pass"):
                kernels.backward(given, tape, dy)
        else:  # C still has what `forward` packed, NumPy reads the arrays again
            same = np.array_equal(kernels.backward(given, tape, dy).x, expected.x)
            assert same == hasattr(kernels, "LIBRARY")
        # Another precision is packed when it is first needed.
        found = kernels.infer(packed, x.astype(np.float64))[0]
        then = params if snapshot else given
        np.testing.assert_array_equal(found, kernels.infer(then, x.astype(np.float64))[0])


@pytest.mark.parametrize("wrong", [0, 1, None, "no", 1.0])
def test_a_snapshot_is_wanted_or_not(kernels: ModuleType, wrong: Any) -> None:
    params, _, _ = input_of(kernels)
    with pytest.raises(TypeError, match=f"snapshot: expected True or False, found {wrong!r}"):
        kernels.pack(params, snapshot=wrong)
    with pytest.raises(TypeError, match="snapshot: expected True or False"):
        kernels.pack(kernels.pack(params), snapshot=wrong)


def test_all_backends_have_one_signature() -> None:
    signatures = {str(inspect.signature(symrnn.build("gru", name).pack)) for name in registry.usual()}
    assert len(signatures) == 1
    assert "snapshot: bool = True" in signatures.pop().replace("'", "")
