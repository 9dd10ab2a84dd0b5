"""Library: its entry points with the types of their arguments, and the meaning of a status."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from templates.c.cell import _ENTRIES, _FIELDS, _PRECISIONS, _SIZES, _STATUS
from templates.c.loader import _load
from templates.python.cell import _INPUT_IS_HIDDEN, CELL, FIXED

_NUMBERS: dict[str, Any] = {
    "size": ctypes.c_size_t,
    "number": ctypes.c_size_t,
    "lengths": ctypes.c_void_p,
    "flag": ctypes.c_int,
}


class _Dims(ctypes.Structure):
    """Sizes, lengths and direction of a call, as C takes them."""

    _fields_ = tuple((name, _NUMBERS[kind]) for name, kind in _FIELDS)


_KINDS: dict[str, Any] = {
    "dims": ctypes.POINTER(_Dims),
    "params": ctypes.c_void_p,
    "grads": ctypes.c_void_p,
    "in": ctypes.c_void_p,
    "out": ctypes.c_void_p,
    "size": ctypes.POINTER(ctypes.c_size_t),
    "number": ctypes.c_size_t,
    "flag": ctypes.c_int,
    "barrier": ctypes.c_void_p,
    "pointers": ctypes.c_void_p,
    "workers": ctypes.c_void_p,
}

_C = _load()
LIBRARY = Path(_C._name).name
"""The file name of the loaded library: the best one that fits this processor."""


def _bind() -> dict[tuple[np.dtype, str], Any]:
    """The entry points by precision and name, with their argument types."""
    bound = {}
    for dtype, precision in _PRECISIONS.items():
        for name, kinds in _ENTRIES.items():
            function = _C[f"{CELL}_{precision}_{name}"]
            function.argtypes, function.restype = [_KINDS[kind] for kind in kinds], ctypes.c_int
            bound[np.dtype(dtype), name] = function
    return bound


_BOUND = _bind()
_SERVE = _C[f"{CELL}_serve"]
_SERVE.argtypes, _SERVE.restype = (ctypes.c_void_p,), ctypes.c_int


def _check(name: str, status: int) -> None:
    """Raise the error of a status."""
    if status:
        raise ValueError(f"{CELL} {name}: {_STATUS.get(status, f'status {status}')}")


def _query(dtype: np.dtype, name: str, dims: _Dims, *numbers: int) -> int:
    """The answer of the query ``name``."""
    size = ctypes.c_size_t()
    _check(name, _BOUND[dtype, name](ctypes.byref(dims), *numbers, ctypes.byref(size)))
    return size.value


def _dims(
    sizes: Mapping[str, int], steps: int, rows: int, lengths: np.ndarray | None = None, reverse: bool = False
) -> _Dims:
    """The structure of sizes; one that no array has is what it was fixed to, or 1."""
    dims = _Dims(steps, rows, lengths=None if lengths is None else lengths.ctypes.data, reverse=bool(reverse))
    for size in _SIZES:
        setattr(dims, f"size_{size}", sizes.get(size, FIXED.get(size, 1)))
    if _INPUT_IS_HIDDEN:
        dims.size_input = dims.size_hidden
    return dims
