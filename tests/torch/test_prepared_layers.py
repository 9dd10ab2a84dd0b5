"""Layers of PyTorch whose cells prepare parameters: gradients of both orders, and training that reaches the parameters."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from symrnn.torch import Layer
from tests.prepared import PREPARED, Prepares


def layer(one: Prepares) -> tuple[Layer, int]:
    cell = one.cell
    width = 4 if cell.input_is_hidden else 3
    sizes: dict[str, Any] = {size: 2 for size in cell.sizes if size not in ("input", "hidden")}
    torch.manual_seed(0)
    return Layer(cell, width, 4, dtype=torch.float64, **sizes), width


@pytest.mark.parametrize("one", PREPARED, ids=lambda one: one.name)
def test_derivatives_of_both_orders(one: Prepares) -> None:
    made, width = layer(one)
    names, values = zip(*made.named_parameters(), strict=True)
    x = torch.randn(3, 2, width, dtype=torch.float64, requires_grad=True)

    def outputs(x: torch.Tensor, *values: torch.Tensor) -> Any:
        return torch.func.functional_call(made, dict(zip(names, values, strict=True)), (x,))[0]

    assert torch.autograd.gradcheck(outputs, (x, *values))
    assert torch.autograd.gradgradcheck(outputs, (x, *values))


def test_the_derived_pass_is_that_of_autograd() -> None:
    one = PREPARED[0]
    made, width = layer(one)
    module = made._function.kernels.operations
    params = {name.removesuffix("_l0"): value for name, value in made.named_parameters()}
    x = torch.randn(5, 2, width, dtype=torch.float64)
    y, _, tape = module.forward(params, x)
    dy = torch.randn_like(y)
    derived = module.backward(params, tape, dy).params
    expected = torch.autograd.grad((y * dy).sum(), list(params.values()))
    for (name, array), other in zip(derived.items(), expected, strict=True):
        torch.testing.assert_close(array, other, msg=name)


def test_training_changes_what_is_prepared() -> None:
    made, width = layer(PREPARED[0])
    x = torch.randn(5, 2, width, dtype=torch.float64)
    optimiser = torch.optim.SGD(made.parameters(), 0.1)
    losses = []
    for _ in range(5):
        optimiser.zero_grad()
        loss = made(x)[0].square().sum()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    assert all(value.grad is not None and value.grad.abs().sum() > 0 for value in made.parameters())
