"""Arguments: reads them, or refuses those that do not fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from templates.python.cell import _INPUT_SIZE, _SHAPES, _STATE_SIZES, DTYPES, FIXED, STATES
from templates.python.sizes import _axes, _hold_sizes, _level


def _read_dtype(dtype: DTypeLike) -> np.dtype:
    """A dtype that the kernels run in."""
    try:
        found = np.dtype(dtype)
    except TypeError:
        found = None
    if found not in [np.dtype(name) for name in DTYPES]:
        raise ValueError(f"dtype: expected one of {', '.join(DTYPES)}, found {dtype!r}")
    return found


def _array(name: str, value: ArrayLike) -> np.ndarray:
    """Numbers as an array of a float or complex dtype."""
    if _is_ordinary(value):
        return value
    array = np.asarray(value)
    if array.dtype.kind not in "biufc":
        raise TypeError(f"{name}: expected numbers, found an array of {array.dtype}")
    return array.astype(array.dtype.newbyteorder("=") if array.dtype.kind in "fc" else np.float64, copy=False)


def _names(name: str, given: Any, expected: Sequence[str]) -> None:
    """Refuse anything but a mapping, and unknown names."""
    if not isinstance(given, (dict, Mapping)):  # a test for a dict takes a tenth of the time
        raise TypeError(f"{name}: expected a mapping of {', '.join(expected)}, found {type(given).__name__}")
    unknown = [key for key in given if key not in expected]
    if unknown:
        raise ValueError(f"{name}: unknown name {unknown[0]!r}; expected {', '.join(expected)}")


def _is_ordinary(value: Any) -> TypeGuard[np.ndarray]:
    """Whether this is an array that the kernels can read."""
    return type(value) is np.ndarray and value.dtype.kind in "fc" and value.dtype.isnative


_KNOWN_MOST = 64
_KNOWN: dict[tuple[tuple[int, ...], ...], dict[str, int]] = {}
"""Sizes by the shapes of all parameters read before: a training step has the same shapes each time."""


def _read_params(params: Mapping[str, ArrayLike]) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """The parameters as arrays, and the sizes from their shapes."""
    if type(params) is dict and params.keys() == _SHAPES.keys():
        values: list[Any] = [params[name] for name in _SHAPES]
        if values and [*map(type, values)] == [np.ndarray] * len(values):
            dtypes = [array.dtype for array in values]
            sizes = _KNOWN.get(tuple([array.shape for array in values]))
            if sizes is not None and dtypes == dtypes[:1] * len(dtypes) and _is_ordinary(values[0]):
                return dict(zip(_SHAPES, values, strict=True)), sizes
    arrays, sizes = _check_params(params)
    if len(_KNOWN) >= _KNOWN_MOST:
        _KNOWN.clear()
    _KNOWN[tuple(array.shape for array in arrays.values())] = sizes
    return arrays, sizes


def _check_params(params: Mapping[str, ArrayLike]) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """The same for arrays that are not read yet."""
    _names("params", params, tuple(_SHAPES))
    arrays: dict[str, np.ndarray] = {}
    told = {"1": ("1", 1)}
    for name, shape in _SHAPES.items():
        if name not in params:
            raise ValueError(f"params: {name!r} is missing; expected {', '.join(_SHAPES)}")
        array = _array(f"params[{name!r}]", params[name])
        axes = [axis for size in shape for axis in size.split("*")]
        if array.ndim != len(axes):
            raise ValueError(f"params[{name!r}]: expected ({', '.join(axes)}), found shape {array.shape}")
        for size, found in zip(axes, array.shape, strict=True):
            first, known = told.setdefault(size, (name, found))
            if known != found:
                by = "" if first == "1" else f" by params[{first!r}]"
                raise ValueError(f"params[{name!r}]: {size} is {known}{by}, but {found} by its shape {array.shape}")
        arrays[name] = array
    sizes = {size: number for size, (_, number) in told.items()}
    _hold_sizes(sizes)
    return arrays, sizes


def _read_x(x: ArrayLike, sizes: dict[str, int], name: str = "x", ndim: int = 3) -> tuple[np.ndarray, dict[str, int]]:
    """The input in rows, and the sizes with those that it adds."""
    array = _array(name, x)
    if "*" in _INPUT_SIZE:
        return _read_axes(name, array, sizes, ndim - 1)
    if array.ndim != ndim:
        expected = "(T, B, input)" if ndim == 3 else "(B, input)"
        raise ValueError(f"{name}: expected {expected}, found shape {array.shape}")
    last: int = array.shape[-1]
    width = sizes.get(_INPUT_SIZE, last)
    if last != width:
        raise ValueError(
            f"{name}: expected {width} numbers in each row, as the parameters have; found shape {array.shape}"
        )
    if FIXED:
        _hold_sizes({_INPUT_SIZE: width})
    return array, sizes if _INPUT_SIZE in sizes else {**sizes, _INPUT_SIZE: width}


def _read_axes(name: str, array: np.ndarray, sizes: dict[str, int], lead: int) -> tuple[np.ndarray, dict[str, int]]:
    """An input with several axes, behind those of steps and rows, in rows; and the sizes with those that it adds."""
    axes, sizes = _INPUT_SIZE.split("*"), dict(sizes)
    if array.ndim != lead + len(axes):
        raise ValueError(f"{name}: expected ({', '.join([*'TB'[2 - lead :], *axes])}), found shape {array.shape}")
    for axis, found in zip(axes, array.shape[lead:], strict=True):
        if sizes.setdefault(axis, found) != found:
            told = f"{axis} is {sizes[axis]}, as the parameters have it"
            raise ValueError(f"{name}: {told}, but {found} by its shape {array.shape}")
    _hold_sizes(sizes)
    return _level(array, _INPUT_SIZE, sizes), sizes


def _read_state(
    name: str, state: Mapping[str, ArrayLike | None] | None, batch: int, sizes: dict[str, int]
) -> tuple[dict[str, np.ndarray | None], dict[str, int]]:
    """Every state as an array or None, and the sizes with those that they add."""
    arrays: dict[str, np.ndarray | None] = dict.fromkeys(STATES)
    if state is not None:
        _names(name, state, STATES)
        sizes = dict(sizes)
        for key in STATES:
            value = state.get(key)
            if value is not None:
                arrays[key] = array = _array(f"{name}[{key!r}]", value)
                axes = _STATE_SIZES[key].split("*")
                for axis, found in zip(axes, (*array.shape[1:], *(0,) * len(axes)), strict=False):
                    sizes.setdefault(axis, found)
                shape = (batch, *_axes(_STATE_SIZES[key], sizes))
                if array.shape != shape:
                    raise ValueError(f"{name}[{key!r}]: expected shape {shape}, found {array.shape}")
    for key, of in _STATE_SIZES.items():
        for axis in of.split("*"):
            if axis not in sizes:
                raise ValueError(f"{name}: {key!r} must be given, since no parameter has its size, {axis}")
    return arrays, sizes


def _read_lengths(lengths: ArrayLike | None, steps: int, batch: int) -> np.ndarray | None:
    """Lengths as whole numbers, or None where every row takes all steps."""
    if lengths is None:
        return None
    array = np.asarray(lengths)
    if array.dtype.kind not in "iu":
        raise TypeError(f"lengths: expected whole numbers, found an array of {array.dtype}")
    if array.shape != (batch,):
        raise ValueError(f"lengths: expected shape {(batch,)}, found {array.shape}")
    if batch and (array.min() < 0 or array.max() > steps):
        raise ValueError(f"lengths: expected numbers from 0 to {steps}, found {array.min()} to {array.max()}")
    return array.astype(np.int64)


def _read_threads(threads: int | None) -> int | None:
    """The number of threads, or None."""
    if threads is None:
        return None
    if isinstance(threads, bool) or not hasattr(threads, "__index__") or threads < 1:
        raise ValueError(f"threads: expected None or a whole number of at least 1, found {threads!r}")
    return int(threads)


def _expect(name: str, value: ArrayLike, shape: tuple[int, ...]) -> np.ndarray:
    """An array of one shape."""
    array = _array(name, value)
    if array.shape != shape:
        raise ValueError(f"{name}: expected shape {shape}, found {array.shape}")
    return array


def _read_out(name: str, out: np.ndarray | None, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """The caller's array for an output, or a fresh one."""
    if out is None:
        return np.empty(shape, dtype)
    if not isinstance(out, np.ndarray) or out.shape != shape or out.dtype != dtype or not out.flags.writeable:
        found = f"{out.dtype} {out.shape}" if isinstance(out, np.ndarray) else type(out).__name__
        raise ValueError(f"{name}: expected a writable array {dtype} {shape}, found {found}")
    return out
