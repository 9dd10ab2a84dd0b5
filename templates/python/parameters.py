"""Parameters: initial values, and how they are laid out for the kernels."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from templates.python.arguments import _read_dtype, _read_params
from templates.python.cell import _SHAPES, DTYPE
from templates.python.sizes import _hold_domains, _initial_values
from templates.python.target import _Snapshot


def _initial(
    shapes: Mapping[str, tuple[int, ...]],
    hidden_size: int,
    seed: int,
    dtype: DTypeLike,
    given: Mapping[str, ArrayLike] | None,
) -> dict[str, np.ndarray]:
    """Initial values of parameters of these shapes."""
    dtype = _read_dtype(DTYPE if dtype is None else dtype)
    values = _initial_values(shapes, hidden_size, seed, given)
    params = {name: np.ascontiguousarray(value, dtype=dtype) for name, value in values.items()}
    _hold_domains(params)
    return params


class _Promised:
    """The caller's own arrays, who promised not to change them."""

    block: np.ndarray | None = None

    def __init__(self, given: Mapping[str, np.ndarray]) -> None:
        self.given = given

    @functools.cached_property
    def arrays(self) -> dict[str, np.ndarray]:
        """Read-only views, made at first use."""
        views = {name: array.view() for name, array in self.given.items()}
        for view in views.values():
            view.flags.writeable = False
        return views


class Packed(Mapping[str, np.ndarray]):
    """The parameters, laid out for the kernels; every call takes it in their place. See `pack`."""

    def __init__(self, params: Mapping[str, ArrayLike], snapshot: bool = True) -> None:
        arrays, self.sizes = _read_params(params)
        self.panels: dict[Any, Any] = {}
        self.snapshot = _Snapshot(arrays, self.sizes, self.panels) if snapshot else _Promised(arrays)

    def __getitem__(self, name: str) -> np.ndarray:
        return self.snapshot.arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_SHAPES)

    def __len__(self) -> int:
        return len(_SHAPES)

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy is a snapshot and packs its own weights: their layout depends on the library that is loaded there."""
        return type(self), (dict(self),)


def pack(params: Mapping[str, ArrayLike], snapshot: bool = True) -> Packed:
    """The parameters with everything that depends on them alone, computed once. What is packed already stays as it is.

    Args:
        params: parameters by name.
        snapshot: copy them, so that later changes have no effect. With False nothing is copied, and you promise not
            to change the arrays in place while the result, or a tape from it, is in use. No error tells you of a
            broken promise. A call takes the numbers that the first call in its precision found, and later ones do not
            see the change. The arrays, copies and pickles of the result have the numbers of the moment when you ask
            for them. With other parameters, `backward` compares these: it misses what you changed since `forward`.
    """
    if not isinstance(snapshot, (bool, np.bool_)):
        raise TypeError(f"snapshot: expected True or False, found {snapshot!r}")
    return params if isinstance(params, Packed) else Packed(params, bool(snapshot))


def _packed(params: Mapping[str, ArrayLike]) -> Packed:
    """The parameters for one call, during which nobody changes them."""
    return params if isinstance(params, Packed) else Packed(params, snapshot=False)
