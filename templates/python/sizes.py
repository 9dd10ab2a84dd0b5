"""Sizes, shapes, and the initial values of parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from templates.python.cell import _DOMAINS, _INIT, _INITIALISERS, _INPUT_IS_HIDDEN, _MATRICES, _SHAPES, FIXED


def _axes(size: str, sizes: Mapping[str, int]) -> tuple[int, ...]:
    """How many units each axis of a size has: of ``value*key``, two."""
    return tuple([sizes[axis] for axis in size.split("*")])


def _units(size: str, sizes: Mapping[str, int]) -> int:
    """How many numbers a value of a size has; they stand one after the other in the rows that kernels read."""
    return math.prod(_axes(size, sizes))


def _names_of(*sizes: str) -> list[str]:
    """The axes of several sizes, each once, in order."""
    return list(dict.fromkeys([axis for size in sizes for axis in size.split("*")]))


def _shaped(array: Any, size: str, sizes: Mapping[str, int]) -> Any:
    """Rows ``(..., units)`` of values with several axes as ``(..., *axes)``, a view; of other values as they are."""
    return array.reshape(*array.shape[:-1], *_axes(size, sizes)) if "*" in size else array


def _level(array: Any, size: str, sizes: Mapping[str, int]) -> Any:
    """Values ``(..., *axes)`` as rows ``(..., units)``."""
    lead = array.ndim - size.count("*") - 1
    return array.reshape(*array.shape[:lead], _units(size, sizes)) if "*" in size else array


def _level_params(params: Mapping[str, Any], sizes: Mapping[str, int]) -> dict[str, Any]:
    """Parameters as vectors and matrices, which kernels read: several axes become one."""
    level = dict(params)
    for name, array in params.items():
        if "*" in "".join(_SHAPES[name]):
            level[name] = array.reshape([_units(size, sizes) for size in _SHAPES[name]])
    return level


def _shapes_of(sizes: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    """The parameters' shapes."""
    return {name: _shape(shape, sizes) for name, shape in _SHAPES.items()}


def _shape(of: Sequence[str], sizes: Mapping[str, int]) -> tuple[int, ...]:
    return tuple([units for size in of for units in _axes(size, sizes)])


def _check_sizes(**sizes: int) -> dict[str, int]:
    """Sizes that parameters may have, and that of a scalar."""
    sizes = {"1": 1, **sizes}
    for name, value in sizes.items():
        if isinstance(value, bool) or not hasattr(value, "__index__") or value < 1:
            raise ValueError(f"{name}: expected a whole number of at least 1, found {value!r}")
    if _INPUT_IS_HIDDEN and sizes["input"] != sizes["hidden"]:
        told = f"input_size: {sizes['input']}; the equations force it to equal hidden_size, {sizes['hidden']}"
        raise ValueError(told)
    _hold_sizes(sizes)
    return {name: int(size) for name, size in sizes.items()}


def _hold_sizes(sizes: Mapping[str, int]) -> None:
    """Refuse sizes other than the fixed ones."""
    for size, number in FIXED.items():
        if sizes.get(size, number) != number:
            raise ValueError(
                f"{size}: {sizes[size]}; the kernels of this module are for {number} alone; generate or "
                "build them without fixed sizes, or for this size"
            )


def _initial_values(
    shapes: Mapping[str, tuple[int, ...]], hidden_size: int, seed: int, given: Mapping[str, Any] | None
) -> dict[str, np.ndarray]:
    """Initial values of parameters of these shapes, in double precision; copies of those that are given."""
    random = np.random.default_rng(seed)
    known = {} if given is None else given
    if not isinstance(known, Mapping):
        raise TypeError(f"given: expected a mapping of names to numbers, found {type(given).__name__}")
    for name in known:
        if name not in shapes:
            raise ValueError(f"given: unknown name {name!r}; expected {', '.join(shapes)}")
    params: dict[str, np.ndarray] = {}
    for name, shape in shapes.items():
        word, *options = _INIT[name].split()
        if word in _INITIALISERS:
            # Of some matrices there is one for each unit of their first axes: each of these is drawn by itself.
            matrix, apart = len(_SHAPES[name]) == 2 or name in _MATRICES, _MATRICES.get(name, 0)
            drawn = (math.prod(shape[apart:-1]), shape[-1]) if matrix else (math.prod(shape),)
            wanted = (random, drawn, shape[-1] if matrix else hidden_size, *map(float, options))
            try:  # what is given is drawn too: the others do not depend on it
                each = [_INITIALISERS[word](*wanted) for _ in range(math.prod(shape[:apart]))]
                params[name] = np.stack(each).reshape(shape)
            except ValueError as error:
                raise ValueError(f"{name}: {word}: {error}") from error
        else:
            params[name] = np.full(shape, float(word))
        if name in known:
            params[name] = _given(name, known[name], shape)
    return params


def _given(name: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers of the caller, copied to an array of this shape."""
    array = np.array(value)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"given[{name!r}]: expected real numbers, found an array of {array.dtype}")
    if array.shape != shape:
        raise ValueError(f"given[{name!r}]: expected shape {shape}, found {array.shape}")
    return array


def _hold_domains(params: Mapping[str, Any]) -> None:
    """Refuse a parameter with a number outside its domain."""
    for name, (domain, above, below) in _DOMAINS.items():
        numbers = params[name].real
        inside = (numbers < 0) | (numbers > 0)
        inside = inside if above is None else inside & (numbers > above)
        inside = inside if below is None else inside & (numbers < below)
        if not bool(inside.all()):
            raise ValueError(f"{name}: a number is outside the domain of this parameter, {domain}")
