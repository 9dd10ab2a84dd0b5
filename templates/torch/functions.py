"""The functions of the language that PyTorch does not have; a module takes those that it calls, and those that these call.

They stand in the order of the language's table, and read PyTorch as ``torch`` and one another, nothing else. Derivatives at
kinks are those of the table where the backward routine computes them; here they count for derivatives of a higher order.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor


def _leaky_relu(a: Tensor) -> Tensor:
    """Return a where a > 0, else a / 100."""
    return torch.where(a > 0, a, 0.01 * a)


def _elu(a: Tensor) -> Tensor:
    """Return a where a > 0, else exp(a) - 1."""
    return torch.where(a > 0, a, torch.expm1(torch.where(a > 0, 0, a)))


def _softplus(a: Tensor) -> Tensor:
    """Return log(1 + exp(a)), taking exp only of numbers that are not positive."""
    positive = a > 0
    return torch.where(positive, a, 0) + torch.log1p(torch.exp(torch.where(positive, -a, a)))


def _softsign(a: Tensor) -> Tensor:
    """Return a / (1 + |a|)."""
    return a / (1 + torch.abs(a))


def _silu(a: Tensor) -> Tensor:
    """Return a sigmoid(a)."""
    return a * torch.sigmoid(a)


def _gelu(a: Tensor) -> Tensor:
    """Return the tanh form of gelu."""
    return 0.5 * a * (1 + torch.tanh(0.7978845608028654 * (a + 0.044715 * a * a * a)))


def _hard_sigmoid(a: Tensor) -> Tensor:
    """Return a / 6 + 1/2, clipped to [0, 1]."""
    y = (a + 3) / 6
    return torch.where(y <= 0, 0, torch.where(y >= 1, 1, y))


def _hard_tanh(a: Tensor) -> Tensor:
    """Return a, clipped to [-1, 1]."""
    return torch.where(a <= -1, -1, torch.where(a >= 1, 1, a))


def _minimum(a: Tensor | float, b: Tensor | float) -> Tensor:
    """Return the smaller of a and b."""
    return torch.minimum(*_tensors(a, b))


def _maximum(a: Tensor | float, b: Tensor | float) -> Tensor:
    """Return the larger of a and b."""
    return torch.maximum(*_tensors(a, b))


def _positive(a: Tensor) -> Tensor:
    """Return 1 where a > 0, else 0; NaN stays."""
    return torch.heaviside(a, torch.zeros_like(a))


def _prefer(a: Tensor | float, b: Tensor | float) -> Tensor:
    """Return 1 where a > b, 0 where a < b, a half on ties; NaN stays."""
    over = torch.sub(*_tensors(a, b))
    return torch.heaviside(over, torch.full_like(over, 0.5))


def _step(a: Tensor) -> Tensor:
    """Return 0 where a < 0, else 1; NaN stays."""
    return torch.heaviside(a, torch.ones_like(a))


def _where(c: Tensor, a: Tensor | float, b: Tensor | float) -> Tensor:
    """Return a where c is 1, and b where it is 0."""
    if not (isinstance(a, Tensor) or isinstance(b, Tensor)):
        a = torch.full_like(c, a)
    return torch.where(c > 0, a, b)


def _surrogate(v: Tensor, d: Tensor | float, a: Tensor | float) -> Tensor:
    """Return v; the backward routine has the derivative d by a."""
    return v


def _surrogate_of_two(v: Tensor, d: Tensor | float, e: Tensor | float, a: Tensor | float, b: Tensor | float) -> Tensor:
    """Return v; the backward routine has the derivatives d by a and e by b."""
    return v


def _less(a: Tensor | float, b: Tensor | float) -> Tensor:
    """Return 1 where a < b, else 0."""
    first, second = _tensors(a, b)
    return torch.lt(first, second).to(first.dtype)


def _less_equal(a: Tensor | float, b: Tensor | float) -> Tensor:
    """Return 1 where a <= b, else 0."""
    first, second = _tensors(a, b)
    return torch.le(first, second).to(first.dtype)


def _equal_to(a: Tensor | float, b: Tensor | float) -> Tensor:
    """Return 1 where a = b, else 0."""
    first, second = _tensors(a, b)
    return torch.eq(first, second).to(first.dtype)


def _revcumsum(a: Tensor, dim: int) -> Tensor:
    """Return the sum from each unit to the last."""
    return a.flip(dim).cumsum(dim).flip(dim)


def _tensors(a: Tensor | float, b: Tensor | float) -> tuple[Tensor, Tensor]:
    """Both as tensors: at most one of them is a number."""
    if not isinstance(a, Tensor):
        assert isinstance(b, Tensor)
        return torch.full_like(b, a), b
    return a, b if isinstance(b, Tensor) else torch.full_like(a, b)


def _repeat(a: Tensor, own: tuple[int, ...], whole: tuple[int, ...]) -> Tensor:
    """Return rows of a, whose axes are own, repeated along the axes of whole where own has 1."""
    return a.reshape(*a.shape[:-1], *own).expand(*a.shape[:-1], *whole).reshape(*a.shape[:-1], math.prod(whole))


def _over(fold: Callable[..., Tensor], a: Tensor, axes: tuple[int, ...], places: tuple[int, ...]) -> Tensor:
    """Return rows of a, whose axes are axes, reduced over those at places."""
    found = fold(a.reshape(*a.shape[:-1], *axes), places, True)
    return found.reshape(*a.shape[:-1], math.prod(found.shape[a.ndim - 1 :]))
