"""`generate` runs each module for two steps of a few units before it reports success.

Reads a module with the public surface; returns nothing, or raises. Leaves out: whether its numbers are right
(`symrnn.check`).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

import numpy as np

from symrnn.errors import BuildError
from symrnn.language.axes import shape_axes
from symrnn.language.system import HIDDEN, INPUT, ONE

FEW_UNITS = 2
"""The number for every size that is not fixed, to run a module once."""


def try_out(
    kernels: ModuleType, sizes: Mapping[str, int], inputs: Mapping[str, str], dtype: str, *, backward: bool = True
) -> None:
    """Run a module once.

    Args:
        kernels: a generated module.
        sizes: a number for each of `Cell.sizes`.
        inputs: what comes in each step, ``x`` too: the size of each by name.
        dtype: of parameters and input.
        backward: whether the module has a backward pass.

    Raises:
        BuildError: the output has another type.
    """
    given = dict(sizes)
    width = given.pop(INPUT)
    # Not those that the cell starts with: blocks of rows, for instance, do not fit every number of units.
    shapes = kernels.param_shapes(width, given.pop(HIDDEN), **given)
    params = {name: np.full(shape, 0.5, dtype) for name, shape in shapes.items()}
    rows = (FEW_UNITS, FEW_UNITS)
    numbers = {ONE: 1, **sizes}
    arrays = {n: np.full((*rows, *(numbers[a] for a in shape_axes((s,)))), 0.5, dtype) for n, s in inputs.items()}
    x = arrays.pop("x")
    keywords = {"inputs": arrays} if arrays else {}
    y, _ = kernels.infer(params, x, **keywords)
    for output in y.values() if isinstance(y, Mapping) else [y]:
        if output.dtype != x.dtype:
            raise BuildError(f"{kernels.__name__}: {dtype} input gives {output.dtype} output (a fault of symrnn)")
    if backward:
        y, _, tape = kernels.forward(params, x, **keywords)
        kernels.backward(params, tape, y)
