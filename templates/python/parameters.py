"""Parameters: initial values, and a snapshot that is laid out for the kernels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from templates.python.arguments import _read_dtype, _read_params
from templates.python.cell import _SHAPES, DTYPE
from templates.python.sizes import _initial_values
from templates.python.target import _Snapshot


def _initial(
    shapes: Mapping[str, tuple[int, ...]], hidden_size: int, seed: int, dtype: DTypeLike
) -> dict[str, np.ndarray]:
    """Initial values of parameters of these shapes."""
    dtype = _read_dtype(DTYPE if dtype is None else dtype)
    values = _initial_values(shapes, hidden_size, seed)
    return {name: np.ascontiguousarray(value, dtype=dtype) for name, value in values.items()}


class Packed(Mapping[str, np.ndarray]):
    """A snapshot of the parameters, laid out for the kernels; every call takes it in their place."""

    def __init__(self, params: Mapping[str, ArrayLike]) -> None:
        arrays, self.sizes = _read_params(params)
        self.snapshot = _Snapshot(arrays, self.sizes)
        self.panels: dict[Any, Any] = {}

    def __getitem__(self, name: str) -> np.ndarray:
        return self.snapshot.arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_SHAPES)

    def __len__(self) -> int:
        return len(_SHAPES)

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy packs its own weights: how they are laid out depends on the library that is loaded there."""
        return type(self), (dict(self),)


def pack(params: Mapping[str, ArrayLike]) -> Packed:
    """The parameters with everything that depends on them alone, computed once."""
    return params if isinstance(params, Packed) else Packed(params)
