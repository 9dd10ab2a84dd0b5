"""Arguments: reads them, or refuses those that do not fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from templates.python.cell import _INPUT_SIZE, _SHAPES, _STATE_SIZES, FIXED, STATES
from templates.python.sizes import _axes, _hold_sizes, _level


def _tensor(name: str, value: Any) -> Tensor:
    """A tensor of real numbers with a point."""
    tensor = torch.as_tensor(value)
    if not tensor.is_floating_point():
        raise TypeError(f"{name}: expected floating-point numbers, found a tensor of {tensor.dtype}")
    return tensor


def _names(name: str, given: Any, expected: Sequence[str]) -> None:
    """Refuse anything but a mapping, and unknown names."""
    if not isinstance(given, Mapping):
        raise TypeError(f"{name}: expected a mapping of {', '.join(expected)}, found {type(given).__name__}")
    unknown = [key for key in given if key not in expected]
    if unknown:
        raise ValueError(f"{name}: unknown name {unknown[0]!r}; expected {', '.join(expected)}")


def _fits(name: str, tensor: Tensor, shape: tuple[int, ...], like: Tensor) -> None:
    """Refuse another shape, and another dtype or device than ``like`` has."""
    if tuple(tensor.shape) != shape:
        raise ValueError(f"{name}: expected shape {shape}, found {tuple(tensor.shape)}")
    _matches(name, tensor, like)


def _matches(name: str, tensor: Tensor, like: Tensor) -> None:
    """Refuse another dtype or device than ``like`` has: nothing is converted silently."""
    if tensor.dtype != like.dtype or tensor.device != like.device:
        raise TypeError(
            f"{name}: expected {like.dtype} on {like.device}, as the others are; found {tensor.dtype} on "
            f"{tensor.device}; convert it with .to()"
        )


def _read_params(params: Mapping[str, Any]) -> tuple[dict[str, Tensor], dict[str, int]]:
    """The parameters as tensors of one dtype and device, and the sizes from their shapes."""
    _names("params", params, tuple(_SHAPES))
    tensors: dict[str, Tensor] = {}
    told = {"1": ("1", 1)}
    for name, shape in _SHAPES.items():
        if name not in params:
            raise ValueError(f"params: {name!r} is missing; expected {', '.join(_SHAPES)}")
        tensor = _tensor(f"params[{name!r}]", params[name])
        axes = [axis for size in shape for axis in size.split("*")]
        if tensor.ndim != len(axes):
            raise ValueError(f"params[{name!r}]: expected ({', '.join(axes)}), found shape {tuple(tensor.shape)}")
        for size, found in zip(axes, tensor.shape, strict=True):
            first, known = told.setdefault(size, (name, found))
            if known != found:
                by = "" if first == "1" else f" by params[{first!r}]"
                raise ValueError(
                    f"params[{name!r}]: {size} is {known}{by}, but {found} by its shape {tuple(tensor.shape)}"
                )
        for other in tensors.values():
            _matches(f"params[{name!r}]", tensor, other)
            break
        tensors[name] = tensor
    sizes = {size: number for size, (_, number) in told.items()}
    _hold_sizes(sizes)
    return tensors, sizes


def _read_x(x: Any, params: Mapping[str, Tensor], sizes: dict[str, int]) -> tuple[Tensor, dict[str, int]]:
    """The input in rows, and the sizes with those that it adds."""
    tensor = _tensor("x", x)
    if "*" in _INPUT_SIZE:
        return _read_axes(tensor, params, sizes)
    if tensor.ndim != 3:
        raise ValueError(f"x: expected (T, B, input), found shape {tuple(tensor.shape)}")
    width = sizes.get(_INPUT_SIZE, tensor.shape[-1])
    if tensor.shape[-1] != width:
        raise ValueError(
            f"x: expected {width} numbers in each row, as the parameters have; found shape {tuple(tensor.shape)}"
        )
    for other in params.values():
        _matches("x", tensor, other)
        break
    if FIXED:
        _hold_sizes({_INPUT_SIZE: width})
    return tensor, {**sizes, _INPUT_SIZE: width}


def _read_axes(x: Tensor, params: Mapping[str, Tensor], sizes: dict[str, int]) -> tuple[Tensor, dict[str, int]]:
    """An input with several axes, behind those of steps and rows, in rows; and the sizes with those that it adds."""
    axes, sizes = _INPUT_SIZE.split("*"), dict(sizes)
    if x.ndim != 2 + len(axes):
        raise ValueError(f"x: expected ({', '.join(['T', 'B', *axes])}), found shape {tuple(x.shape)}")
    for axis, found in zip(axes, x.shape[2:], strict=True):
        if sizes.setdefault(axis, found) != found:
            told = f"{axis} is {sizes[axis]}, as the parameters have it"
            raise ValueError(f"x: {told}, but {found} by its shape {tuple(x.shape)}")
    for other in params.values():
        _matches("x", x, other)
        break
    _hold_sizes(sizes)
    return _level(x, _INPUT_SIZE, sizes), sizes


def _read_state(
    name: str, state: Mapping[str, Any] | None, x: Tensor, sizes: dict[str, int]
) -> tuple[dict[str, Tensor | None], dict[str, int]]:
    """Every state as a tensor or None, and the sizes with those that they add."""
    tensors: dict[str, Tensor | None] = dict.fromkeys(STATES)
    if state is not None:
        _names(name, state, STATES)
        sizes = dict(sizes)
        for key in STATES:
            if state.get(key) is not None:
                tensors[key] = tensor = _tensor(f"{name}[{key!r}]", state[key])
                axes = _STATE_SIZES[key].split("*")
                for axis, found in zip(axes, (*tensor.shape[1:], *(0,) * len(axes)), strict=False):
                    sizes.setdefault(axis, found)
                _fits(f"{name}[{key!r}]", tensor, (x.shape[1], *_axes(_STATE_SIZES[key], sizes)), x)
    for key, of in _STATE_SIZES.items():
        for axis in of.split("*"):
            if axis not in sizes:
                raise ValueError(f"{name}: {key!r} must be given, since no parameter has its size, {axis}")
    return tensors, sizes


def _read_lengths(lengths: Any, steps: int, batch: int, device: torch.device) -> Tensor | None:
    """Lengths as whole numbers, or None where every row takes all steps."""
    if lengths is None:
        return None
    tensor = torch.as_tensor(lengths, device=device)
    if tensor.is_floating_point() or tensor.is_complex() or tensor.dtype == torch.bool:
        raise TypeError(f"lengths: expected whole numbers, found a tensor of {tensor.dtype}")
    if tuple(tensor.shape) != (batch,):
        raise ValueError(f"lengths: expected shape {(batch,)}, found {tuple(tensor.shape)}")
    if batch and (int(tensor.min()) < 0 or int(tensor.max()) > steps):
        raise ValueError(
            f"lengths: expected numbers from 0 to {steps}, found {int(tensor.min())} to {int(tensor.max())}"
        )
    return tensor
