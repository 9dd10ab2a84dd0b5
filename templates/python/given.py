"""Given: inputs stand side by side in the rows that kernels read, and outputs in those that they write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from templates.python.arguments import _array, _expect, _names, _read_out
from templates.python.cell import _INPUT_SIZE, _INPUTS, _NO_GRADIENT, _OUTPUTS, _STATE_SIZES, FIXED
from templates.python.sizes import _axes, _hold_sizes, _level, _shaped, _units

_PLAIN = len(_OUTPUTS) == 1 and "*" not in "".join(_OUTPUTS.values())
"""Whether the output is one array of the rows that kernels write."""


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
        axes = size.split("*")
        for axis, found in zip(axes, (*array.shape[x.ndim - 1 :], *(0,) * len(axes)), strict=False):
            sizes.setdefault(axis, found)
        array = _expect(f"{name}[{key!r}]", array, (*x.shape[:-1], *_axes(size, sizes)))
        arrays.append(_level(array, size, sizes))
    if FIXED:
        _hold_sizes(sizes)
    kinds = [np.dtype(np.complex64) for array in arrays if array.dtype.kind == "c"]
    return np.concatenate(arrays, axis=-1).astype(np.result_type(x.dtype, *kinds), copy=False), sizes


def _side_by_side(array: np.ndarray, of: Mapping[str, str], sizes: Mapping[str, int]) -> dict[str, np.ndarray]:
    """The columns of an array by name, as views; ``of`` says the size of each."""
    parts = np.split(array, np.cumsum([_units(size, sizes) for size in of.values()])[:-1], axis=-1)
    return {name: _shaped(part, size, sizes) for (name, size), part in zip(of.items(), parts, strict=True)}


def _inputs_of(rows: np.ndarray, sizes: Mapping[str, int]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """``x``, or its gradient, and those of the other inputs by name."""
    if not _INPUTS:
        return _shaped(rows, _INPUT_SIZE, sizes), {}
    parts = _columns(rows, sizes)
    return parts.pop("x"), parts


def _columns(rows: np.ndarray, sizes: Mapping[str, int]) -> dict[str, np.ndarray]:
    """The columns of every input by name, ``x`` among them, as views."""
    return _side_by_side(rows, {"x": _INPUT_SIZE, **_INPUTS}, sizes)


def _input_gradients(rows: np.ndarray, sizes: Mapping[str, int]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The gradients of ``x`` and of the other inputs by name; those that have none are left out."""
    x, others = _inputs_of(rows, sizes)
    return x, {name: array for name, array in others.items() if name not in _NO_GRADIENT}


def _width(sizes: Mapping[str, int]) -> int:
    """The numbers in a row of outputs."""
    return sum([_units(size, sizes) for size in _OUTPUTS.values()])


def _outputs_of(rows: np.ndarray, sizes: Mapping[str, int]) -> Any:
    """The output, or each of several by name."""
    if _PLAIN:
        return rows
    found = _side_by_side(rows, _OUTPUTS, sizes)
    return found if len(found) > 1 else next(iter(found.values()))


def _output_rows(y: Any, sizes: Mapping[str, int]) -> np.ndarray:
    """The rows that kernels write, from what `_outputs_of` made of them."""
    if _PLAIN:
        rows: np.ndarray = y
        return rows
    each = y if isinstance(y, dict) else dict.fromkeys(_OUTPUTS, y)
    return np.concatenate([_level(each[name], size, sizes) for name, size in _OUTPUTS.items()], axis=-1)


def _states_of(rows: Mapping[str, np.ndarray], sizes: Mapping[str, int]) -> dict[str, np.ndarray]:
    """States, or their gradients, by name as callers read them."""
    return {name: _shaped(array, _STATE_SIZES[name], sizes) for name, array in rows.items()}


def _and_of_states(sizes: Mapping[str, int], states: Mapping[str, np.ndarray]) -> dict[str, int]:
    """The sizes with those that states ``(B, *axes)`` add."""
    found = dict(sizes)
    for name, size in _STATE_SIZES.items():
        found.update(zip(size.split("*"), states[name].shape[1:], strict=True))
    return found


def _read_dy(dy: Any, rows: tuple[int, ...], sizes: Mapping[str, int], dtype: np.dtype) -> np.ndarray:
    """The gradient of the outputs, side by side in each row."""
    shapes = {name: (*rows, *_axes(size, sizes)) for name, size in _OUTPUTS.items()}
    if len(_OUTPUTS) == 1:
        return _output_rows(_expect("dy", dy, *shapes.values()), sizes)
    _names("dy", dy, tuple(_OUTPUTS))
    parts = [
        np.zeros(shape, dtype) if dy.get(name) is None else _expect(f"dy[{name!r}]", dy[name], shape)
        for name, shape in shapes.items()
    ]
    return _output_rows(dict(zip(shapes, parts, strict=True)), sizes)


def _hold_out(out: Any, rows: tuple[int, ...], sizes: Mapping[str, int], dtype: np.dtype) -> None:
    """Refuse anything but an array for each of several outputs; one that kernels write is checked there."""
    if out is None or _PLAIN:
        return
    if len(_OUTPUTS) > 1:
        _names("out", out, tuple(_OUTPUTS))
    for name, size in _OUTPUTS.items():
        text, array = (f"out[{name!r}]", out.get(name)) if len(_OUTPUTS) > 1 else ("out", out)
        _read_out(text, array, (*rows, *_axes(size, sizes)), dtype)


def _handed(y: np.ndarray, out: Any, sizes: Mapping[str, int]) -> Any:
    """The outputs as a function returns them; those that kernels do not write are copied to the arrays of ``out``."""
    found = _outputs_of(y, sizes)
    if out is None or _PLAIN:
        return found
    if len(_OUTPUTS) == 1:
        out[...] = found
        return out
    for name, array in found.items():
        if out.get(name) is not None:
            out[name][...] = array
            found[name] = out[name]
    return found
