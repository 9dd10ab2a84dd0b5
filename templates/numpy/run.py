"""A run: the arguments of a call, read and turned so that steps come in the order in which they run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from templates.numpy.arrays import _turned
from templates.numpy.cell import _forward, _Weights
from templates.python.arguments import _read_lengths, _read_out, _read_state, _read_x
from templates.python.cell import _OUTPUTS, _STATE_SIZES
from templates.python.given import _PLAIN, _beside, _handed, _hold_out, _width
from templates.python.parameters import Packed, _packed
from templates.python.sizes import _level_params, _units


def _weights(packed: Packed, sizes: Mapping[str, int], dtype: np.dtype) -> _Weights:
    """The weights of ``packed`` in one dtype, stacked at first use."""
    if dtype not in packed.panels:
        p = {name: np.ascontiguousarray(array, dtype) for name, array in packed.items()}
        packed.panels[dtype] = _Weights(_level_params(p, sizes), sizes)
    weights: _Weights = packed.panels[dtype]
    return weights


class _Run:
    """The arguments of a run, read and turned so that steps come in the order in which they run."""

    def __init__(
        self,
        params: Mapping[str, ArrayLike],
        x: ArrayLike,
        state: Mapping[str, ArrayLike | None] | None,
        lengths: ArrayLike | None,
        reverse: bool,
        out: Any,
        inputs: Mapping[str, ArrayLike] | None,
        others: Iterable[np.ndarray] = (),
    ) -> None:
        packed = _packed(params)
        x, self.sizes = _read_x(x, packed.sizes)
        x, self.sizes = _beside(x, inputs, self.sizes)
        steps, batch = x.shape[:2]
        given, self.sizes = _read_state("state", state, batch, self.sizes)
        lengths = _read_lengths(lengths, steps, batch)
        self.dtype = x.dtype
        for array in (*packed.values(), *given.values(), *others):
            if array is not None and array.dtype.kind == "c" and self.dtype.kind != "c":
                self.dtype = np.result_type(self.dtype, np.complex64)
        self.reverse, self.idle = bool(reverse), None
        if lengths is not None:
            self.idle = _turned(np.arange(steps)[:, np.newaxis] >= lengths, reverse)
        self.weights = _weights(packed, self.sizes, self.dtype)
        _hold_out(out, (steps, batch), self.sizes, self.dtype)
        self.out, one = out, out if _PLAIN else None
        self.y = _read_out("out", one, (steps, batch, _width(self.sizes)), self.dtype)
        outs = [] if out is None else [out] if len(_OUTPUTS) == 1 else list(out.values())
        if any(each is not None and np.may_share_memory(each, x) for each in outs):
            x = x.copy()
        self.x = self.steps(x).view()  # nobody else can change its shape
        self.state = self.states(given, batch)

    def steps(self, array: np.ndarray) -> np.ndarray:
        """A sequence as the kernels take it; values beyond a row's length, NaN included, are not used."""
        array = _turned(np.ascontiguousarray(array, self.dtype), self.reverse)
        return array if self.idle is None else np.where(self.idle[:, :, np.newaxis], self.dtype.type(0), array)

    def states(self, given: Mapping[str, np.ndarray | None], batch: int) -> dict[str, np.ndarray]:
        """States, or gradients of them, that the kernels may overwrite."""
        shapes = {name: (batch, _units(size, self.sizes)) for name, size in _STATE_SIZES.items()}
        states = {name: np.zeros(shape, self.dtype) for name, shape in shapes.items() if given[name] is None}
        return {
            name: states[name] if array is None else array.astype(self.dtype).reshape(shapes[name])
            for name, array in given.items()
        }

    def outputs(self) -> Any:
        """What the layer returns at every step, after a run."""
        return _handed(self.y, self.out, self.sizes)

    def forward(self, taped: bool) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Run all steps, into ``y``: returns final states, states over time and the rest of the tape."""
        y = self.y[::-1] if self.reverse else self.y
        return _forward(self.weights, self.sizes, self.x, self.state, self.idle, taped, y)
