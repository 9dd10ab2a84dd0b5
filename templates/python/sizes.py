"""Sizes, shapes, and the initial values of parameters."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from templates.python.cell import _INIT, _INPUT_IS_HIDDEN, _SHAPES, FIXED


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


def _initial_values(shapes: Mapping[str, tuple[int, ...]], hidden_size: int, seed: int) -> dict[str, np.ndarray]:
    """Initial values of parameters of these shapes, in double precision."""
    random = np.random.default_rng(seed)
    params: dict[str, np.ndarray] = {}
    for name, shape in shapes.items():
        how = _INIT[name]
        if how == "uniform":
            bound = 1 / np.sqrt(shape[1] if len(shape) == 2 else hidden_size)
            params[name] = random.uniform(-bound, bound, shape)
        elif how == "identity":
            params[name] = np.eye(shape[0], shape[1])
        elif how == "orthogonal":
            q, r = np.linalg.qr(random.normal(size=(max(shape), min(shape))))
            q = q * np.where(np.diag(r) < 0, -1, 1)
            params[name] = q if shape[0] >= shape[1] else q.T
        else:
            number = {"zeros": 0.0, "ones": 1.0}[how] if how in ("zeros", "ones") else float(how)
            params[name] = np.full(shape, number)
    return params
