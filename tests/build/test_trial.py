"""A module that does not run is not reported as done."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from symrnn.build.trial import try_out
from symrnn.errors import BuildError


def kernels_in(dtype: str, calls: list[str]) -> ModuleType:
    """Kernels whose output has ``dtype`` whatever the input."""
    module = ModuleType("kernels")

    def init_params(rows: int, columns: int, *, dtype: str, projection: int) -> dict[str, np.ndarray]:
        return {"W": np.ones((rows, columns, projection), dtype)}

    def infer(params: object, x: np.ndarray) -> tuple[np.ndarray, None]:
        calls.append("infer")
        return x.astype(dtype), None

    def forward(params: object, x: np.ndarray) -> tuple[np.ndarray, None, np.ndarray]:
        return x, None, x

    def backward(params: object, tape: np.ndarray, dy: np.ndarray) -> None:
        assert dy.shape == tape.shape
        calls.append("backward")

    for function in (init_params, infer, forward, backward):
        setattr(module, function.__name__, function)
    return module


SIZES = {"input": 2, "hidden": 3, "projection": 4}


def test_kernels_are_tried_with_every_size_in_the_precision_asked_for() -> None:
    calls: list[str] = []
    try_out(kernels_in("float64", calls), SIZES, "float64")
    try_out(kernels_in("float64", calls), SIZES, "float64", backward=False)
    assert calls == ["infer", "backward", "infer"]
    with pytest.raises(BuildError, match="float32 input gives float64 output"):
        try_out(kernels_in("float64", calls), SIZES, "float32")
