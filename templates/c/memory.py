"""Memory: aligned, and reused when no array refers to it; and several arrays by name in one block."""

from __future__ import annotations

import collections
import ctypes
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

_addressof: Callable[[Any], int] = ctypes.addressof
_from_buffer: Callable[[Any], Any] = ctypes.c_char.from_buffer


def _address(array: np.ndarray) -> int:
    """The address of a dense array's numbers."""
    try:
        return _addressof(_from_buffer(array))  # a third of the time of the other way
    except (TypeError, ValueError):  # a read-only one, or one without numbers
        return array.ctypes.data


_PAGE, _SMALL, _KEPT_BYTES = 1 << 12, 1 << 14, 1 << 28

_FREE: dict[int, collections.deque[tuple[np.ndarray, int]]] = {}
"""Memory without references, by size, with the address of its first multiple of 64 bytes: a fresh page costs
more than filling one."""


class _Lease:
    """The memory of an array: the base of it and of every view. When the last of them goes, the memory is free."""

    __slots__ = ("__array_interface__", "block", "free")

    __array_interface__: dict[str, Any]
    block: tuple[np.ndarray, int]
    free: collections.deque[tuple[np.ndarray, int]]

    def __del__(self) -> None:
        self.free.append(self.block)


def _block(size: int) -> tuple[collections.deque[tuple[np.ndarray, int]], tuple[np.ndarray, int]]:
    """New memory; if too much is free, the sizes unused for the longest time go."""
    free = _FREE[size] = _FREE.pop(size, collections.deque(maxlen=max(1, _KEPT_BYTES // 4 // size)))
    held = sum(other * len(blocks) for other, blocks in list(_FREE.items()))
    for other, blocks in list(_FREE.items()):
        if held <= _KEPT_BYTES or other == size:
            break
        held -= other * len(blocks)
        _FREE.pop(other, None)
    array = np.empty(size, np.uint8)
    start = -_address(array) % 64
    return free, (array, _address(array) + start)


def _empty(count: int, dtype: np.dtype) -> np.ndarray:
    """Uninitialised numbers at a multiple of 64 bytes, the width of a register and of a cache line."""
    used = count * dtype.itemsize
    size = -(-(used + 64) // _PAGE) * _PAGE
    if not _SMALL <= size <= _KEPT_BYTES // 2:
        array = np.empty(used + 64, np.uint8)
        start = -_address(array) % 64
        return array[start : start + used].view(dtype)
    free = _FREE.get(size)
    try:
        block = free.pop() if free else None
    except IndexError:  # another thread took it
        block = None
    if free is None or block is None:
        free, block = _block(size)
    lease = _Lease()
    lease.free, lease.block = free, block
    lease.__array_interface__ = {"version": 3, "data": (block[1], False), "shape": (count,), "typestr": dtype.str}
    return np.asarray(lease)


_Place = tuple[str, int, int, tuple[int, ...]]
"""Name, start, end and shape of an array in a block."""


def _places(shapes: Mapping[str, tuple[int, ...]]) -> list[_Place]:
    """Arrays side by side in one block."""
    ends = list(itertools.accumulate(math.prod(shape) for shape in shapes.values()))
    return [*zip(shapes, [0, *ends], ends, shapes.values(), strict=False)]


def _views(block: np.ndarray, places: Sequence[_Place]) -> dict[str, np.ndarray]:
    """The arrays at these places of a block, by name."""
    return {name: block[start:end].reshape(shape) for name, start, end, shape in places}


def _new(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An uninitialised array."""
    count = math.prod(shape)
    return np.empty(shape, dtype) if count * dtype.itemsize < _SMALL else _empty(count, dtype).reshape(shape)
