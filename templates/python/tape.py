"""The tape: what a forward pass keeps for the backward pass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from templates.python.parameters import Packed


class Tape:
    """What a forward pass keeps for the backward pass; ``states["name"]`` is ``(T + 1, B, size)`` and read-only.

    It refers to ``x`` and to the parameters and holds no copies of them: do not change them before `backward`. Where
    kernels read parameters in an order of their own, it keeps them so too.
    """

    __slots__ = ("data", "dims", "params", "states")

    def __init__(self, states: Mapping[str, np.ndarray], data: Any, dims: Any, params: Mapping[str, ArrayLike]) -> None:
        for array in states.values():
            array.flags.writeable = False  # the backward pass reads them
        self.states, self.data, self.dims = states, data, dims
        self.params = params if isinstance(params, Packed) else dict(params)
