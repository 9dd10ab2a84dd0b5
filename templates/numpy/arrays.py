"""Arrays: their layout for the kernels, and read-only copies."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


def _aligned(array: np.ndarray) -> np.ndarray:
    """A copy, row by row, that begins at a multiple of 64 bytes: steps multiply by it, and BLAS is then faster."""
    block = np.empty(array.nbytes + 64, np.uint8)
    start = -block.ctypes.data % 64
    copy = block[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def _steps(array: np.ndarray, steps: int) -> list[np.ndarray]:
    """The rows of each step; an array with the rows of one step serves every step."""
    return list(array) if len(array) == steps else [array[0]] * steps


def _states(initial: np.ndarray, steps: int, taped: bool) -> tuple[np.ndarray, list[np.ndarray]]:
    """A state over time: all steps, or the rows of two steps; and its rows before each step and after the last."""
    states = np.empty((steps + 1 if taped else 2, *initial.shape), initial.dtype)
    states[0] = initial
    return states, list(states) if taped else [states[0], states[1]] * (steps // 2 + 1)


def _turned(array: np.ndarray, reverse: bool) -> np.ndarray:
    """Steps in the order in which they run."""
    return np.ascontiguousarray(array[::-1]) if reverse else array


class _Snapshot:
    """Read-only copies."""

    def __init__(self, arrays: Mapping[str, np.ndarray], *_: object) -> None:
        self.arrays = {name: array.copy() for name, array in arrays.items()}
        for copy in self.arrays.values():
            copy.flags.writeable = False
