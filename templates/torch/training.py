"""The backward pass."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from templates.python.sizes import _level_params
from templates.torch.arguments import _read_params, _read_state
from templates.torch.cell import _backward
from templates.torch.given import _input_gradients, _read_dy
from templates.torch.run import Given, Tape


class Grads:
    """Gradients: ``params``, ``state`` and the other ``inputs`` by name, ``x`` as a tensor."""

    __slots__ = ("inputs", "params", "state", "x")

    def __init__(
        self, params: dict[str, Tensor], x: Tensor, state: dict[str, Tensor], inputs: dict[str, Tensor]
    ) -> None:
        self.params, self.x, self.state, self.inputs = params, x, state, inputs


def _of_later(values: Tensor | None, weight: Tensor, x: Tensor) -> Tensor:
    """The product of values of the step after with a matrix; zero if there is no such step."""
    return x.new_zeros(x.shape[1], weight.shape[1]) if values is None else values @ weight


def _equal(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors hold the same numbers; NaN is equal to itself here."""
    return a.shape == b.shape and bool(((a == b) | (a.isnan() & b.isnan())).all())


def backward(
    params: Mapping[str, Given], tape: Tape, dy: Given, dstate: Mapping[str, Given | None] | None = None
) -> Grads:
    """Gradients of ``sum(y * dy) + sum(state * dstate)``: returns `Grads`.

    This is the derived backward routine. PyTorch differentiates it too, where an argument of `forward` requires that.

    Args:
        params: those of `forward`, unchanged.
        tape: from `forward`.
        dy: (T, B, size of the output); of several outputs by name, where None or a missing one means zeros.
        dstate: gradients of the final states by name; None or a missing one means zeros.
    """
    if not isinstance(tape, Tape):
        raise TypeError(f"tape: expected the tape that forward returned, found {type(tape).__name__}")
    run, (states, kept) = tape.run, tape.data
    p, _ = _read_params(params)
    for name, tensor in p.items():
        before = run.params[name]
        if tensor is not before and not _equal(tensor, before):
            raise ValueError(
                f"params[{name!r}]: differs from the forward pass, so the tape does not fit; call backward before "
                "the parameters change, or call forward again"
            )
    gradient = _read_dy(dy, run.x, run.sizes)
    last = run.states(_read_state("dstate", dstate, run.x, run.sizes)[0])
    level = _level_params(p, run.sizes)
    grads, dx, dfirst = _backward(level, run.sizes, run.x, states, kept, run.idle, run.steps(gradient), last)
    of_x, of_inputs = _input_gradients(run.turned(dx), run.sizes)
    found = {name: each.reshape(p[name].shape) for name, each in grads.items()}
    return Grads(found, of_x, run.named(dfirst), of_inputs)
