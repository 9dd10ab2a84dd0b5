"""Sizes, shapes, and the initial values of parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from templates.python.cell import _DOMAINS, _INIT, _INITIALISERS, _INPUT_IS_HIDDEN, _SHAPES, FIXED


def _shapes_of(sizes: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    """The parameters' shapes."""
    return {name: tuple(sizes[size] for size in shape) for name, shape in _SHAPES.items()}


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
            fan_in = shape[1] if len(shape) == 2 else hidden_size
            try:  # what is given is drawn too: the others do not depend on it
                params[name] = _INITIALISERS[word](random, shape, fan_in, *map(float, options))
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
