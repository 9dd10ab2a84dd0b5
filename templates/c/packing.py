"""Packing: parameters laid out for the kernels, and copies of them by the same pass."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from templates.c.cell import _MOST_PARTS
from templates.c.choice import _Choice
from templates.c.library import _BOUND, _check, _dims, _query
from templates.c.memory import _address, _empty, _Place, _places, _views
from templates.c.team import _TEAM, _cores
from templates.python.cell import _INPUT_SIZE, _INPUTS, _NO_GRADIENT, _STATE_SIZES, DTYPES
from templates.python.parameters import Packed
from templates.python.sizes import _shapes_of

_PACKED_EACH, _PACKED_ASLEEP = 1 << 18, 1 << 22
"""The fewest bytes of weights that are worth a thread that waits for a call, and the most that one packs where others sleep."""
_COPIED_ALONE = 1 << 17
"""The most bytes of parameters that are copied first and packed later: for fewer, to ask for addresses takes longer."""
_KEPT_PACKINGS = 16
"""The number of packings kept: the newest."""
_RUNS_IN = tuple(np.dtype(name) for name in DTYPES)
_NEEDED = frozenset(
    axis for size in (_INPUT_SIZE, *_INPUTS.values(), *_STATE_SIZES.values()) for axis in size.split("*")
)
"""The sizes of a call that do not follow from others: where no parameter has one, packing waits for the first call."""


class _Weights:
    """Packed weights and their address, which is looked up once."""

    def __init__(self, numbers: int, dtype: np.dtype) -> None:
        self.array = _empty(numbers, dtype)
        self.address = _address(self.array)


class _Packing:
    """How parameters of these sizes are packed in one precision; how they, and their gradients, lie side by side in a block."""

    def __init__(self, sizes: Mapping[str, int], dtype: np.dtype) -> None:
        self.dtype, self.dims = dtype, _dims(sizes, 1, 1)
        self.key = (dtype, *sizes.values())
        shapes = _shapes_of(sizes)
        self.starts = _starts(_places(shapes), dtype)
        self.grads = _places({name: shape for name, shape in shapes.items() if name not in _NO_GRADIENT})
        self.grad_numbers = max((end for _, _, end, _ in self.grads), default=0)
        self.grad_starts = _starts(self.grads, dtype)
        self.size = _query(dtype, "packed_size", self.dims)
        self.entry, self.byref = _BOUND[dtype, "pack"], ctypes.byref(self.dims)
        self.choices: dict[int, _Choice] = {}

    def pack(self, pointers: np.ndarray, copy: np.ndarray | None, most: int | None) -> _Weights:
        """The parameters at these addresses, packed; the arguments are those of `pack_at`."""
        weights = _Weights(self.size, self.dtype)
        self.pack_at(_address(pointers), weights.address, None if copy is None else _address(copy), most)
        return weights

    def pack_at(self, pointers: int, packed: int, copy: int | None, most: int | None) -> None:
        """Pack the parameters whose addresses stand in a row; ``copy`` takes them side by side.

        ``most`` bounds the parts; None is for as many as pay, SYMRNN_NUM_THREADS at most.
        """
        parts, woken, choice = 1, 1, None
        size = self.size * self.dtype.itemsize
        if size >= 2 * _PACKED_EACH:
            bound = min(_cores(), _MOST_PARTS) if most is None else most
            parts, woken = (min(bound, count) for count in (size // _PACKED_EACH, -(-size // _PACKED_ASLEEP)))
            if most is None and parts > 1:
                if parts not in self.choices:
                    self.choices[parts] = _Choice(parts)
                choice = self.choices[parts]
        if parts == 1:
            status = self.entry(self.byref, pointers, packed, copy, 0, 1)
        else:
            arguments = (ctypes.addressof(self.dims), pointers, packed, copy)
            status = _TEAM.run(self.dtype, "pack", arguments, parts, woken, choice)
        _check("pack", status)

    def pack_again(self, packed: Packed, most: int | None) -> _Weights:
        """Pack what ``packed`` holds."""
        block = packed.snapshot.block
        if block is not None and block.dtype == self.dtype:
            return self.pack(self.starts + _address(block), None, most)
        arrays = [self._dense(name, array) for name, array in packed.snapshot.given.items()]
        return self.pack(_pointers(arrays), None, most)

    def _dense(self, name: str, array: np.ndarray) -> np.ndarray:
        """The array itself if C can read it, else a copy."""
        if array.dtype == self.dtype and _is_dense(array):
            return array
        return np.require(_real(f"params[{name!r}]", array), self.dtype, ("C", "A"))


def _real(name: str, array: np.ndarray) -> np.ndarray:
    """Refuse complex numbers: a cast would drop their imaginary parts."""
    if array.dtype.kind == "c":
        raise TypeError(f"{name}: expected real numbers; complex numbers run only in the NumPy module")
    return array


def _is_dense(array: np.ndarray) -> bool:
    flags = array.flags
    return flags.c_contiguous and flags.aligned


def _starts(places: Sequence[_Place], dtype: np.dtype) -> np.ndarray:
    """Where arrays begin in their block, in bytes."""
    return np.array([start for _, start, _, _ in places], np.uintp) * dtype.itemsize


def _pointers(arrays: Sequence[np.ndarray]) -> np.ndarray:
    return np.array([_address(array) for array in arrays], np.uintp)


_PACKINGS: dict[tuple[Any, ...], _Packing] = {}


def _packing(sizes: Mapping[str, int], dtype: np.dtype) -> _Packing:
    """The packing for these sizes, kept while it is among the newest."""
    key = (dtype, *sizes.values())
    packing = _PACKINGS.get(key)
    if packing is None:
        packing = _Packing(sizes, dtype)
        for oldest in list(_PACKINGS)[: 1 - _KEPT_PACKINGS]:
            _PACKINGS.pop(oldest, None)
        _PACKINGS[key] = packing
    return packing


class _Snapshot:
    """Read-only copies: side by side in ``block`` if their dtypes agree; else separate, and ``block`` is None.

    Large ones that can run in their own precision are packed by the pass that copies them.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray], sizes: Mapping[str, int], panels: dict[Any, Any]) -> None:
        self._sizes, values = sizes, list(arrays.values())
        dtypes = [array.dtype for array in values]
        self.block: np.ndarray | None = None
        if not values or dtypes != dtypes[:1] * len(dtypes):
            self._copies = {name: array.copy() for name, array in arrays.items()}
            return
        dtype = dtypes[0]
        self.block = _empty(sum([array.size for array in values]), dtype)
        if (
            self.block.nbytes > _COPIED_ALONE
            and dtype in _RUNS_IN
            and sizes.keys() >= _NEEDED
            and all(map(_is_dense, values))
        ):
            packing = _packing(sizes, dtype)
            panels[packing.key] = packing.pack(_pointers(values), self.block, None)
        else:
            np.concatenate(values, axis=None, out=self.block)

    @functools.cached_property
    def arrays(self) -> dict[str, np.ndarray]:
        """By name; made at first use, since kernels read the block."""
        copies = self._copies if self.block is None else _views(self.block, _places(_shapes_of(self._sizes)))
        for copy in copies.values():
            copy.flags.writeable = False
        return copies

    @property
    def given(self) -> Mapping[str, np.ndarray]:
        """What kernels in another precision are packed from."""
        return self.arrays
