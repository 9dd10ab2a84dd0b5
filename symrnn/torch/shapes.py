"""Axes: a value with several axes as one row of numbers, which kernels read, and back.

Reads size names, numbers behind them and tensors; returns tensors of other shapes, views where PyTorch can. A person gives and
gets an axis of a tensor for each axis of a value; from `symrnn.torch.functional.run` on, a value is one axis, the last of its
axes running fastest. Leaves out: which numbers stand behind sizes (`symrnn.torch.cell_kernels`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from torch import Tensor

from symrnn.language.axes import has_axes, shape_axes

Sizes: TypeAlias = Mapping[str, int]
"""The number behind each size of one axis, 1 too."""


def axes_in(size: str, sizes: Sizes) -> tuple[int, ...]:
    """The numbers of the axes of a size; (1,) for one number."""
    return tuple([sizes[axis] for axis in shape_axes((size,))])


def units_in(size: str, sizes: Sizes) -> int:
    """How many numbers a value of a size has."""
    return math.prod(axes_in(size, sizes))


def shape_in(shape: Sequence[str], sizes: Sizes) -> tuple[int, ...]:
    """The shape of a tensor as a person gives it: ``("head*key", "input")`` has three axes."""
    return tuple([number for size in shape for number in axes_in(size, sizes)])


def flat_shape(shape: Sequence[str], sizes: Sizes) -> tuple[int, ...]:
    """The shape of the same tensor as kernels read it."""
    return tuple([units_in(size, sizes) for size in shape])


def level(tensors: Sequence[Tensor], of: Sequence[str], sizes: Sizes) -> list[Tensor]:
    """Values ``(…, *axes)`` of these sizes as rows ``(…, units)``."""
    return [
        each.reshape(*each.shape[: each.ndim - len(shape_axes((size,)))], units_in(size, sizes))
        if has_axes(size)
        else each
        for each, size in zip(tensors, of, strict=True)
    ]


def shaped(rows: Sequence[Tensor], of: Sequence[str], sizes: Sizes) -> list[Tensor]:
    """Rows ``(…, units)`` as values ``(…, *axes)`` of these sizes."""
    return [
        each.reshape(*each.shape[:-1], *axes_in(size, sizes)) if has_axes(size) else each
        for each, size in zip(rows, of, strict=True)
    ]


def level_parameters(tensors: Sequence[Tensor], of: Iterable[Sequence[str]], sizes: Sizes) -> list[Tensor]:
    """Parameters as vectors and matrices; ``of`` has the shape of each in size names, and they have these shapes."""
    return [
        each.reshape(flat_shape(shape, sizes)) if has_axes("".join(shape)) else each
        for each, shape in zip(tensors, of, strict=True)
    ]


Runs: TypeAlias = tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]
"""The functions ``forward_flat``, ``infer_flat`` and ``backward_flat`` of a module in operations of PyTorch."""


def on_rows(
    runs: Runs, parameters: Sequence[Sequence[str]], states: Sequence[str], sizes: Sizes, fixed: Sequence[int]
) -> Runs:
    """The functions of a module for tensors without named axes: those of the module take and return these.

    Args:
        runs: of the module.
        parameters: the shape of each in size names.
        states: the size of each.
        sizes: the number behind each size.
        fixed: the places of parameters without gradient.
    """
    run_forward, run_infer, run_backward = runs
    shapes = [shape_in(shape, sizes) for shape in parameters]
    trained = [flat_shape(shape, sizes) for place, shape in enumerate(parameters) if place not in fixed]

    def params_of(rows: Sequence[Tensor]) -> list[Tensor]:
        return [each.reshape(shape) for each, shape in zip(rows, shapes, strict=True)]

    def states_of(rows: Sequence[Tensor]) -> list[Tensor]:
        return shaped(rows, states, sizes) if rows else []

    def forward(params: Sequence[Tensor], x: Tensor, state: Sequence[Tensor], *how: Any) -> Any:
        y, final, kept = run_forward(params_of(params), x, states_of(state), *how)
        return y, tuple(level(final, states, sizes)), kept

    def infer(params: Sequence[Tensor], x: Tensor, state: Sequence[Tensor], *how: Any) -> Any:
        y, final = run_infer(params_of(params), x, states_of(state), *how)
        return y, tuple(level(final, states, sizes))

    def backward(
        params: Sequence[Tensor],
        x: Tensor,
        state: Sequence[Tensor],
        lengths: Tensor | None,
        reverse: bool,
        kept: Sequence[Tensor],
        dy: Tensor,
        dfinal: Sequence[Tensor],
    ) -> Any:
        given = params_of(params), x, states_of(state), lengths, reverse, kept, dy, states_of(dfinal)
        dx, dparams, dfirst = run_backward(*given)
        found = tuple([each.reshape(shape) for each, shape in zip(dparams, trained, strict=True)])
        return dx, found, tuple(level(dfirst, states, sizes))

    return forward, infer, backward
