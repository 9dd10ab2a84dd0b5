"""Given: inputs stand side by side in the rows that kernels read, and outputs in those that they return."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from templates.python.cell import _INPUT_SIZE, _INPUTS, _NO_GRADIENT, _OUTPUTS, FIXED
from templates.python.sizes import _axes, _hold_sizes, _level, _shaped, _units
from templates.torch.arguments import _fits, _names, _tensor


def _beside(
    x: Tensor, inputs: Mapping[str, Any] | None, sizes: dict[str, int], name: str = "inputs"
) -> tuple[Tensor, dict[str, int]]:
    """``x`` with the other inputs beside it in each row, and the sizes with those that they add."""
    if not _INPUTS and not inputs:
        return x, sizes
    if not _INPUTS:
        raise ValueError(f"{name}: this cell has no input beside x; leave them out")
    given: Mapping[str, Any] = {} if inputs is None else inputs
    _names(name, given, tuple(_INPUTS))
    tensors, sizes = [x], dict(sizes)
    for key, size in _INPUTS.items():
        if given.get(key) is None:
            raise ValueError(f"{name}: {key!r} is missing; expected {', '.join(_INPUTS)}")
        tensor = torch.as_tensor(given[key])
        if not tensor.is_floating_point():  # masks and whole numbers
            tensor = tensor.to(x.dtype)
        axes = size.split("*")
        for axis, found in zip(axes, (*tensor.shape[x.ndim - 1 :], *(0,) * len(axes)), strict=False):
            sizes.setdefault(axis, found)
        _fits(f"{name}[{key!r}]", tensor, (*x.shape[:-1], *_axes(size, sizes)), x)
        tensors.append(_level(tensor, size, sizes))
    if FIXED:
        _hold_sizes(sizes)
    return torch.cat(tensors, -1), sizes


def _inputs_of(rows: Tensor, sizes: Mapping[str, int]) -> tuple[Tensor, dict[str, Tensor]]:
    """``x``, or its gradient, and those of the other inputs by name."""
    if not _INPUTS:
        return _shaped(rows, _INPUT_SIZE, sizes), {}
    parts = _side_by_side(rows, {"x": _INPUT_SIZE, **_INPUTS}, sizes)
    return parts.pop("x"), parts


def _side_by_side(rows: Tensor, of: Mapping[str, str], sizes: Mapping[str, int]) -> dict[str, Tensor]:
    """The columns of a tensor by name; ``of`` says the size of each."""
    parts = rows.split([_units(size, sizes) for size in of.values()], -1)
    return {name: _shaped(part, size, sizes) for (name, size), part in zip(of.items(), parts, strict=True)}


def _input_gradients(rows: Tensor, sizes: Mapping[str, int]) -> tuple[Tensor, dict[str, Tensor]]:
    """The gradients of ``x`` and of the other inputs by name; those that have none are left out."""
    x, others = _inputs_of(rows, sizes)
    return x, {name: each for name, each in others.items() if name not in _NO_GRADIENT}


def _outputs_of(rows: Tensor, sizes: Mapping[str, int]) -> Any:
    """The output, or each of several by name."""
    found = _side_by_side(rows, _OUTPUTS, sizes)
    return found if len(found) > 1 else next(iter(found.values()))


def _read_dy(dy: Any, x: Tensor, sizes: Mapping[str, int]) -> Tensor:
    """The gradient of the outputs, side by side in each row."""
    shapes = {name: (*x.shape[:2], *_axes(size, sizes)) for name, size in _OUTPUTS.items()}
    if len(_OUTPUTS) == 1:
        ((name, shape),) = shapes.items()
        return _level(_like("dy", dy, shape, x), _OUTPUTS[name], sizes)
    _names("dy", dy, tuple(_OUTPUTS))
    parts = [
        x.new_zeros(shape) if dy.get(name) is None else _like(f"dy[{name!r}]", dy[name], shape, x)
        for name, shape in shapes.items()
    ]
    return torch.cat([_level(each, _OUTPUTS[name], sizes) for name, each in zip(shapes, parts, strict=True)], -1)


def _like(name: str, value: Any, shape: tuple[int, ...], x: Tensor) -> Tensor:
    tensor = _tensor(name, value)
    _fits(name, tensor, shape, x)
    return tensor
