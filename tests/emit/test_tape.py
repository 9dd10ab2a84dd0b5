"""The tape between `forward` and `backward`: what it does not fit, and what is read-only."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

import symrnn
from symrnn.targets import registry

pytestmark = pytest.mark.usefixtures("quick_compiler")

Array = np.ndarray[Any, np.dtype[Any]]
STEPS, BATCH, INPUTS, UNITS = 5, 2, 3, 4


@pytest.fixture(scope="module", params=registry.usual())
def kernels(request: pytest.FixtureRequest) -> ModuleType:
    return symrnn.build("lstm", request.param)


def input_of(kernels: ModuleType) -> tuple[dict[str, Array], Array]:
    x = np.random.default_rng(0).normal(size=(STEPS, BATCH, INPUTS)).astype(np.float32)
    return kernels.init_params(INPUTS, UNITS), x


@pytest.mark.parametrize("packed", [False, True])
def test_the_same_parameters_in_any_form_are_taken(kernels: ModuleType, packed: bool) -> None:
    params, x = input_of(kernels)
    params["b_i"][0] = np.nan  # which is no other number than itself
    given = kernels.pack(params) if packed else params
    y, _, tape = kernels.forward(given, x)
    forms = [given, params, dict(params), kernels.pack(params), {name: array.copy() for name, array in params.items()}]
    forms += [{name: array.tolist() for name, array in params.items()}]
    found = [kernels.backward(form, tape, np.ones_like(y)) for form in forms]
    for other in found[1:]:
        np.testing.assert_array_equal(found[0].x, other.x)


@pytest.mark.parametrize("before", ["dict", "packed"])
@pytest.mark.parametrize("after", ["dict", "packed"])
def test_other_parameters_are_refused(kernels: ModuleType, before: str, after: str) -> None:
    forms = {"dict": dict, "packed": kernels.pack}
    params, x = input_of(kernels)
    y, _, tape = kernels.forward(forms[before](params), x)
    changed = params | {"b_g": params["b_g"] - 0.1 * np.ones_like(params["b_g"])}
    with pytest.raises(ValueError, match=r"params\['b_g'\]: differs from the forward pass, so the tape"):
        kernels.backward(forms[after](changed), tape, np.ones_like(y))


def test_an_array_that_was_replaced_in_the_same_mapping_is_noticed(kernels: ModuleType) -> None:
    params, x = input_of(kernels)
    y, _, tape = kernels.forward(params, x)
    params["W_hi"] = params["W_hi"] * 0.5
    with pytest.raises(ValueError, match="differs from the forward pass"):
        kernels.backward(params, tape, np.ones_like(y))


def test_parameters_of_another_size_are_named_as_such(kernels: ModuleType) -> None:
    params, x = input_of(kernels)
    y, _, tape = kernels.forward(params, x)
    with pytest.raises(ValueError, match="hidden is 5, but it was 4 in the forward pass of the tape"):
        kernels.backward(kernels.init_params(INPUTS, UNITS + 1), tape, np.ones_like(y))


@pytest.mark.parametrize("reverse", [False, True])
def test_states_of_a_tape_are_read_only(kernels: ModuleType, reverse: bool) -> None:
    params, x = input_of(kernels)
    _, _, tape = kernels.forward(params, x, reverse=reverse)
    for array in tape.states.values():
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_shapes_that_change_afterwards_do_not_matter(kernels: ModuleType) -> None:
    params, x = input_of(kernels)
    y, _, tape = kernels.forward(params, x)
    expected = kernels.backward(params, tape, np.ones((STEPS, BATCH, UNITS), np.float32))
    x.shape, y.shape = (STEPS * BATCH, INPUTS), (STEPS * BATCH, UNITS)
    found = kernels.backward(params, tape, np.ones((STEPS, BATCH, UNITS), np.float32))
    np.testing.assert_array_equal(found.x, expected.x)


def test_what_cannot_be_told_is_said_where_forward_is(kernels: ModuleType) -> None:
    said = " ".join((kernels.forward.__doc__ or "").split())
    assert "`backward` reads ``x`` and the parameters again. Do not change them in place before it" in said
