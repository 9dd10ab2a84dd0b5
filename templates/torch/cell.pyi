"""What the cell's own part of a PyTorch module defines besides; `symrnn/targets/torch/module.py` prints it."""

from collections.abc import Mapping

from torch import Tensor

_KEPT: tuple[str, ...]

def _forward(
    p: Mapping[str, Tensor],
    n: Mapping[str, int],
    x: Tensor,
    state: Mapping[str, Tensor],
    idle: Tensor | None,
    taped: bool,
) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor], dict[str, Tensor]]: ...
def _backward(
    p: Mapping[str, Tensor],
    n: Mapping[str, int],
    x: Tensor,
    states: Mapping[str, Tensor],
    tape: Mapping[str, Tensor],
    idle: Tensor | None,
    dy: Tensor,
    dstate: Mapping[str, Tensor],
) -> tuple[dict[str, Tensor], Tensor, dict[str, Tensor]]: ...
