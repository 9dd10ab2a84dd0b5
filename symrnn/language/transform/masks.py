"""Arrays for the inputs of a cell that are masks: drawn for training, their expectation for inference.

Reads a cell and sizes; returns arrays by name, as ``inputs=`` of kernels takes them. Leaves out: other inputs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from symrnn.errors import CellError
from symrnn.language.axes import shape_axes
from symrnn.language.cell import Cell
from symrnn.language.cellfile import CellLike, load
from symrnn.language.given import described
from symrnn.language.mask import Mask
from symrnn.language.origin import nearest
from symrnn.language.system import HIDDEN, INPUT, ONE

Arrays = dict[str, np.ndarray[Any, np.dtype[Any]]]


def masks(
    cell: CellLike,
    steps: int,
    batch: int,
    *,
    training: bool = True,
    seed: int | np.random.Generator = 0,
    dtype: str = "float32",
    **sizes: int,
) -> Arrays:
    """Arrays for the inputs of ``cell`` that are masks, each ``(steps, batch, *axes)``; none for a cell without masks.

    >>> from symrnn.language.cellfile import load
    >>> drawn = masks(load("rnn+zoneout:0.5+recurrent_dropout"), 20, 3, hidden=8)
    >>> {name: array.shape for name, array in drawn.items()}
    {'zoneout_h': (20, 3, 8), 'dropout_h': (20, 3, 8)}
    >>> bool((drawn["dropout_h"] == drawn["dropout_h"][0]).all())
    True

    Args:
        cell: a transformed cell, or its recipe.
        steps: T.
        batch: B.
        training: whether masks are drawn; else they are their expectation, as inference needs them.
        seed: of the random numbers, or a generator.
        dtype: of the arrays.
        sizes: the number of each size that a mask has: ``hidden=8``.

    Raises:
        CellError: a size is missing, unknown, or no whole number from 0.
    """
    cell = load(cell)
    wanted = dict.fromkeys(axis for name in cell.masks for axis in shape_axes(cell.by_name[name].shape))
    _hold(cell, sizes, wanted)
    rng = np.random.default_rng(seed)
    numbers = {**sizes, ONE: 1}
    found: Arrays = {}
    for name, mask in cell.masks.items():
        shape = (steps, batch, *(numbers[axis] for axis in shape_axes(cell.by_name[name].shape)))
        found[name] = _drawn(mask, shape, rng, dtype) if training else np.full(shape, mask.mean, dtype)
    return found


def _drawn(mask: Mask, shape: tuple[int, ...], rng: np.random.Generator, dtype: str) -> np.ndarray[Any, np.dtype[Any]]:
    drawn = rng.random(shape if mask.every_step else shape[1:]) < mask.probability
    values = np.where(drawn, mask.value, 0.0).astype(dtype)
    return values if mask.every_step else np.broadcast_to(values, shape).copy()


def _hold(cell: Cell, sizes: dict[str, int], wanted: dict[str, None]) -> None:
    """Refuse sizes that are missing or unknown."""
    for name, number in sizes.items():
        if name not in (*cell.sizes, INPUT, HIDDEN):
            hint = nearest(name, cell.sizes) or f"; its sizes are {', '.join(cell.sizes)}"
            raise CellError(f"masks of `{cell.name}`: it has no size `{name}`{hint}", source=cell.source)
        if isinstance(number, bool) or not isinstance(number, int | np.integer) or number < 0:
            message = f"{name}: expected a whole number from 0, found {described(number)}"
            raise CellError(f"masks of `{cell.name}`: {message}", source=cell.source)
    for size in wanted:
        if size not in (*sizes, ONE):
            raise CellError(f"masks of `{cell.name}`: the size `{size}` is missing; write {size}=8", source=cell.source)
