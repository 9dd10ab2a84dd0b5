"""A module that does not run is not reported as done."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import symrnn
from symrnn.build.trial import try_out
from symrnn.errors import BuildError


def kernels_in(dtype: str, calls: list[str]) -> ModuleType:
    """Kernels whose output has ``dtype`` whatever the input."""
    module = ModuleType("kernels")

    def param_shapes(input_size: int, hidden_size: int, *, projection: int) -> dict[str, tuple[int, ...]]:
        return {"W": (projection, hidden_size)}

    def infer(params: object, x: np.ndarray) -> tuple[np.ndarray, None]:
        calls.append("infer")
        return x.astype(dtype), None

    def forward(params: object, x: np.ndarray) -> tuple[np.ndarray, None, np.ndarray]:
        return x, None, x

    def backward(params: object, tape: np.ndarray, dy: np.ndarray) -> None:
        assert dy.shape == tape.shape
        calls.append("backward")

    for function in (param_shapes, infer, forward, backward):
        setattr(module, function.__name__, function)
    return module


SIZES = {"input": 2, "hidden": 3, "projection": 4}


def test_kernels_are_tried_with_every_size_in_the_precision_asked_for() -> None:
    calls: list[str] = []
    try_out(kernels_in("float64", calls), SIZES, {"x": "input"}, "float64")
    try_out(kernels_in("float64", calls), SIZES, {"x": "input"}, "float64", backward=False)
    assert calls == ["infer", "backward", "infer"]
    with pytest.raises(BuildError, match="float32 input gives float64 output"):
        try_out(kernels_in("float64", calls), SIZES, {"x": "input"}, "float32")


@pytest.mark.parametrize("name", ["decay", "memory"])
def test_kernels_are_tried_with_what_they_take_and_return_by_name(name: str) -> None:
    cell = symrnn.load(str(Path(__file__).parents[1] / "cells/given" / f"{name}.toml"))
    inputs = {given: cell.size(given) for given in cell.given}
    kernels = symrnn.build(cell, backend="numpy")
    try_out(kernels, dict.fromkeys(cell.sizes, 2), inputs, "float32")
    with pytest.raises(ValueError, match="is missing"):
        try_out(kernels, dict.fromkeys(cell.sizes, 2), {"x": "input"}, "float32")


def test_inputs_with_several_axes_are_tried() -> None:
    cell = symrnn.Cell.from_equations(
        "S' = a * S + sum(x, tap) * sum(k, tap)",
        sizes={"x": ["tap", "value"], "S": ["value", "key"]},
        inputs={"k": ["tap", "key"]},
    )
    inputs = {given: cell.size(given) for given in cell.given}
    try_out(
        symrnn.build(cell, backend="numpy"), {name: 2 + at for at, name in enumerate(cell.sizes)}, inputs, "float32"
    )
