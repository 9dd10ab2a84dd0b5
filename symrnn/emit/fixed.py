"""Sizes that are fixed when a file is generated: the compiler then knows them, and kernels have one shape.

Reads a cell and the sizes that a user gave; returns them checked, in the order of the cell's sizes. Leaves out:
what the emitted C does with them (`symrnn.targets.c.files`).
"""

from __future__ import annotations

from collections.abc import Mapping

from symrnn.errors import GenerateError
from symrnn.language.cell import Cell
from symrnn.language.system import HIDDEN, INPUT

MOST = 65536
"""The largest size that can be fixed; fixing a larger one would not make kernels faster."""


def fixed_sizes(cell: Cell, given: Mapping[str, int]) -> dict[str, int]:
    """``given`` as a number for each size name of ``cell`` that is fixed.

    Where the equations force ``input`` and ``hidden`` to be one number, one of them is enough.

    Raises:
        GenerateError: the cell has no such size, or a number is not a whole number from 1.
    """
    for name, number in given.items():
        if name not in cell.sizes:
            raise GenerateError(f"the cell {cell.name} has no size {name!r}; its sizes are {', '.join(cell.sizes)}")
        if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= MOST:
            raise GenerateError(f"{name}: {number!r} is not a size; expected a whole number from 1 to {MOST}")
    found = dict(given)
    if cell.input_is_hidden and found:
        for name, other in ((INPUT, HIDDEN), (HIDDEN, INPUT)):
            if other in found and found.setdefault(name, found[other]) != found[other]:
                raise GenerateError(
                    f"{INPUT}: {found[INPUT]}; the equations of {cell.name} force it to equal {HIDDEN}, {found[HIDDEN]}"
                )
    return {name: found[name] for name in cell.sizes if name in found}
