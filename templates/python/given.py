"""Given: inputs stand side by side in the rows that kernels read, and outputs in those that they write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from templates.python.arguments import _array, _expect, _names, _read_out
from templates.python.cell import _INPUT_SIZE, _INPUTS, _NO_GRADIENT, _OUTPUTS, FIXED
from templates.python.sizes import _hold_sizes


def _beside(
    x: np.ndarray, inputs: Mapping[str, ArrayLike] | None, sizes: dict[str, int], name: str = "inputs"
) -> tuple[np.ndarray, dict[str, int]]:
    """``x`` with the other inputs beside it in each row, and the sizes with those that they add."""
    if not _INPUTS and not inputs:
        return x, sizes
    if not _INPUTS:
        raise ValueError(f"{name}: this cell has no input beside x; leave them out")
    given: Mapping[str, Any] = {} if inputs is None else inputs
    _names(name, given, tuple(_INPUTS))
    arrays, sizes = [x], dict(sizes)
    for key, size in _INPUTS.items():
        if given.get(key) is None:
            raise ValueError(f"{name}: {key!r} is missing; expected {', '.join(_INPUTS)}")
        array = _array(f"{name}[{key!r}]", given[key])
        shape = (*x.shape[:-1], sizes.setdefault(size, array.shape[-1] if array.ndim else 0))
        arrays.append(_expect(f"{name}[{key!r}]", array, shape))
    if FIXED:
        _hold_sizes(sizes)
    kinds = [np.dtype(np.complex64) for array in arrays if array.dtype.kind == "c"]
    return np.concatenate(arrays, axis=-1).astype(np.result_type(x.dtype, *kinds), copy=False), sizes


def _side_by_side(array: np.ndarray, names: Sequence[str], widths: Sequence[int]) -> dict[str, np.ndarray]:
    """The columns of an array by name, as views."""
    parts = np.split(array, np.cumsum(widths)[:-1], axis=-1)
    return dict(zip(names, parts, strict=True))


def _inputs_of(rows: np.ndarray, sizes: Mapping[str, int]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """``x``, or its gradient, and those of the other inputs by name."""
    if not _INPUTS:
        return rows, {}
    parts = _columns(rows, sizes)
    return parts.pop("x"), parts


def _columns(rows: np.ndarray, sizes: Mapping[str, int]) -> dict[str, np.ndarray]:
    """The columns of every input by name, ``x`` among them, as views."""
    return _side_by_side(rows, ("x", *_INPUTS), [sizes[size] for size in (_INPUT_SIZE, *_INPUTS.values())])


def _input_gradients(rows: np.ndarray, sizes: Mapping[str, int]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The gradients of ``x`` and of the other inputs by name; those that have none are left out."""
    x, others = _inputs_of(rows, sizes)
    return x, {name: array for name, array in others.items() if name not in _NO_GRADIENT}


def _width(sizes: Mapping[str, int]) -> int:
    """The numbers in a row of outputs."""
    return sum([sizes[size] for size in _OUTPUTS.values()])


def _outputs_of(rows: np.ndarray, sizes: Mapping[str, int]) -> Any:
    """The output, or each of several by name."""
    if len(_OUTPUTS) == 1:
        return rows
    return _side_by_side(rows, tuple(_OUTPUTS), [sizes[size] for size in _OUTPUTS.values()])


def _read_dy(dy: Any, rows: tuple[int, ...], sizes: Mapping[str, int], dtype: np.dtype) -> np.ndarray:
    """The gradient of the outputs, side by side in each row."""
    if len(_OUTPUTS) == 1:
        return _expect("dy", dy, (*rows, _width(sizes)))
    _names("dy", dy, tuple(_OUTPUTS))
    shapes = {name: (*rows, sizes[size]) for name, size in _OUTPUTS.items()}
    parts = [
        np.zeros(shape, dtype) if dy.get(name) is None else _expect(f"dy[{name!r}]", dy[name], shape)
        for name, shape in shapes.items()
    ]
    return np.concatenate(parts, axis=-1)


def _hold_out(out: Any, rows: tuple[int, ...], sizes: Mapping[str, int], dtype: np.dtype) -> None:
    """Refuse anything but an array for each of several outputs; one alone is checked where it is written."""
    if out is None or len(_OUTPUTS) == 1:
        return
    _names("out", out, tuple(_OUTPUTS))
    for name, size in _OUTPUTS.items():
        _read_out(f"out[{name!r}]", out.get(name), (*rows, sizes[size]), dtype)


def _handed(y: np.ndarray, out: Any, sizes: Mapping[str, int]) -> Any:
    """The outputs as a function returns them; several are copied to the arrays of ``out`` that are given."""
    found = _outputs_of(y, sizes)
    if out is None or len(_OUTPUTS) == 1:
        return found
    for name, array in found.items():
        if out.get(name) is not None:
            out[name][...] = array
            found[name] = out[name]
    return found
