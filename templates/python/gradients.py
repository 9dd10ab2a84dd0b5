"""Gradients: the result of the backward pass, and the checks of its arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from templates.python.parameters import Packed
from templates.python.tape import Tape


class Grads:
    """Gradients: ``params``, ``state`` and the other ``inputs`` by name, ``x`` as an array."""

    __slots__ = ("block", "inputs", "params", "state", "x")

    block: Any
    """What a target keeps of the parameters' memory, in a result that it adds to."""

    def __init__(
        self,
        params: dict[str, np.ndarray],
        x: np.ndarray,
        state: dict[str, np.ndarray],
        inputs: dict[str, np.ndarray],
    ) -> None:
        self.params, self.x, self.state, self.inputs = params, x, state, inputs


def _are_of(params: Any, tape: Tape) -> bool:
    """Whether these are the very arrays of the forward pass, which were read there."""
    before = tape.params
    if params is before or not isinstance(params, dict) or len(params) != len(before):
        return params is before
    return all(params.get(name) is array for name, array in before.items())


def _fit(packed: Packed, sizes: Mapping[str, int]) -> None:
    """Refuse parameters of other sizes than those of the forward pass that made the tape."""
    for size, found in packed.sizes.items():
        if found != sizes[size]:
            raise ValueError(f"params: {size} is {found}, but it was {sizes[size]} in the forward pass of the tape")


def _hold_params(params: Mapping[str, ArrayLike], tape: Tape) -> None:
    """Refuse parameters that differ from those of the forward pass; a change in place is not noticed."""
    if params is tape.params:
        return
    for name, before in tape.params.items():
        if params[name] is not before and not np.array_equal(params[name], before, equal_nan=True):
            raise ValueError(
                f"params[{name!r}]: differs from the forward pass, so the tape does not fit; call backward before "
                "the parameters change, or call forward again"
            )


def _into(out: Grads, grads: Grads, accumulate: bool) -> Grads:
    """Write or add gradients to those of ``out``."""
    if not isinstance(out, Grads):
        raise TypeError(f"out: expected Grads, found {type(out).__name__}")
    pairs = [(out.x, grads.x)]
    missing = [name for name in grads.params if name not in out.params]
    missing += [name for name in grads.state if name not in out.state]
    missing += [name for name in grads.inputs if name not in out.inputs]
    if missing:
        raise ValueError(
            f"out: the gradient of {missing[0]!r} is missing; give Grads that backward of this module returned"
        )
    pairs += [(out.params[name], grads.params[name]) for name in grads.params]
    pairs += [(out.state[name], grads.state[name]) for name in grads.state]
    pairs += [(out.inputs[name], grads.inputs[name]) for name in grads.inputs]
    for target, value in pairs:
        if target.shape != value.shape:
            raise ValueError(f"out: expected an array of shape {value.shape}, found {target.shape}")
    for target, value in pairs:
        if accumulate:
            target += value
        else:
            target[...] = value
    return out
