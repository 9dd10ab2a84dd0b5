"""What the cell's own part of a NumPy module defines besides; `symrnn/targets/numpy/module.py` prints it."""

from collections.abc import Iterator, Mapping

import numpy as np

_TANGENTS: dict[str, str]

class _Weights:
    def __init__(self, p: Mapping[str, np.ndarray], sizes: Mapping[str, int]) -> None: ...

class _Directions:
    def __init__(self, p: Mapping[str, np.ndarray], sizes: Mapping[str, int]) -> None: ...

def _forward(
    weights: _Weights,
    sizes: Mapping[str, int],
    x: np.ndarray,
    state: Mapping[str, np.ndarray],
    idle: np.ndarray | None,
    taped: bool,
    y: np.ndarray,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], dict[str, np.ndarray]]: ...
def _steps_of_stream(
    weights: _Weights, sizes: Mapping[str, int], x: np.ndarray, state: Mapping[str, np.ndarray], y: np.ndarray
) -> Iterator[None]: ...
def _backward(
    weights: _Weights,
    sizes: Mapping[str, int],
    x: np.ndarray,
    tape: Mapping[str, np.ndarray],
    idle: np.ndarray | None,
    dy: np.ndarray,
    dstate: Mapping[str, np.ndarray],
) -> tuple[dict[str, np.ndarray], np.ndarray, dict[str, np.ndarray]]: ...
def _tangent(
    weights: _Directions,
    sizes: Mapping[str, int],
    x: np.ndarray,
    dx: np.ndarray,
    state: Mapping[str, np.ndarray],
    idle: np.ndarray | None,
    taped: bool,
    y: np.ndarray,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], dict[str, np.ndarray]]: ...
