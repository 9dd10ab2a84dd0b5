"""A run: the arguments of a call, read and turned so that steps come in the order in which they run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor

from templates.python.cell import _STATE_SIZES
from templates.python.sizes import _level, _level_params, _shaped, _units
from templates.torch.arguments import _read_lengths, _read_params, _read_state, _read_x
from templates.torch.given import _beside

Given: TypeAlias = Any
"""A tensor, or what `torch.as_tensor` makes one of."""


class _Run:
    """The arguments of a run, read and turned so that steps come in the order in which they run."""

    def __init__(
        self,
        params: Mapping[str, Given],
        x: Given,
        state: Mapping[str, Given | None] | None,
        lengths: Any,
        reverse: bool,
        inputs: Mapping[str, Given] | None = None,
    ) -> None:
        self.given, self.reverse = params, bool(reverse)
        self.params, sizes = _read_params(params)
        x, sizes = _read_x(x, self.params, sizes)
        x, sizes = _beside(x, inputs, sizes)
        steps, batch = x.shape[:2]
        states, self.sizes = _read_state("state", state, x, sizes)
        lengths = _read_lengths(lengths, steps, batch, x.device)
        self.idle: Tensor | None = None
        if lengths is not None:
            self.idle = self.turned(torch.arange(steps, device=x.device)[:, None] >= lengths)[..., None]
        self.level = _level_params(self.params, self.sizes)
        self.x = self.steps(x)
        self.state = self.states(states)

    def turned(self, sequence: Tensor) -> Tensor:
        """A sequence in the other order of time, if the run is reversed."""
        return sequence.flip(0) if self.reverse else sequence

    def steps(self, sequence: Tensor) -> Tensor:
        """A sequence as it runs; values beyond a row's length, NaN included, are not used."""
        turned = self.turned(sequence)
        return turned if self.idle is None else torch.where(self.idle, 0, turned)

    def states(self, given: Mapping[str, Tensor | None]) -> dict[str, Tensor]:
        """States, or gradients of them: zeros where none is given."""
        batch, sizes = self.x.shape[1], self.sizes
        return {
            name: self.x.new_zeros(batch, _units(_STATE_SIZES[name], sizes))
            if each is None
            else _level(each, _STATE_SIZES[name], sizes)
            for name, each in given.items()
        }

    def named(self, rows: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """States, or gradients of them, as callers read them."""
        return {name: _shaped(each, _STATE_SIZES[name], self.sizes) for name, each in rows.items()}


class Tape:
    """What a forward pass keeps for the backward pass; ``states["name"]`` is ``(T + 1, B, size)``.

    It refers to ``x`` and to the parameters and holds no copies: do not change them before `backward`.
    """

    __slots__ = ("data", "run", "states")

    def __init__(
        self, states: Mapping[str, Tensor], run: _Run, over_time: Mapping[str, Tensor], kept: Mapping[str, Tensor]
    ) -> None:
        self.states, self.run, self.data = states, run, (over_time, kept)


def _stacked(steps: Sequence[Tensor], x: Tensor, width: int) -> Tensor:
    """Steps as one sequence, (T, B, width); of no steps too."""
    return torch.stack(list(steps)) if steps else x.new_zeros(0, x.shape[1], width)
