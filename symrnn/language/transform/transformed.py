"""The transformations by name, and the cell of a recipe.

Reads a cell and the steps of a recipe; returns the cell that they make. Leaves out: how a recipe is written
(`symrnn.language.transform.recipe`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping

from symrnn.errors import CellError
from symrnn.language.cell import Cell
from symrnn.language.origin import nearest, shown
from symrnn.language.transform.layer_norm import with_layer_norm
from symrnn.language.transform.recipe import EXAMPLES, RecipeStep
from symrnn.language.transform.recurrent_dropout import with_recurrent_dropout
from symrnn.language.transform.residual import with_residual
from symrnn.language.transform.stacked import repeated
from symrnn.language.transform.zoneout import with_zoneout

TRANSFORMATIONS: Mapping[str, Callable[..., Cell]] = {
    "zoneout": with_zoneout,
    "recurrent_dropout": with_recurrent_dropout,
    "layer_norm": with_layer_norm,
    "residual": with_residual,
    "stack": repeated,
}
"""What each makes of a cell and of arguments, which may be texts."""


def transformed(cell: Cell, steps: Iterable[RecipeStep], source: str) -> Cell:
    """``cell`` with the transformations of a recipe, one after the other.

    Args:
        cell: the cell that the recipe begins with.
        steps: of the recipe.
        source: the recipe, for errors.

    Raises:
        CellError: there is no such transformation, its arguments are wrong, or it does not fit the cell.
    """
    for step in steps:
        cell = _applied(cell, step, source)
    return cell


def _applied(cell: Cell, step: RecipeStep, source: str) -> Cell:
    if step.name not in TRANSFORMATIONS:
        hint = nearest(step.name, TRANSFORMATIONS.keys()) or f"; expected {', '.join(TRANSFORMATIONS)}"
        raise CellError(f"`{shown(step.name, 30)}` is not a transformation{hint}", source=source)
    if step.repeated:
        raise CellError(f"{step.name}: `{shown(step.repeated, 30)}` is given twice; leave one out", source=source)
    transformation = TRANSFORMATIONS[step.name]
    try:
        inspect.signature(transformation).bind(cell, *step.values, **step.named)
    except TypeError as error:
        usage = ", ".join(f"`{example}`" for example in EXAMPLES[step.name])
        raise CellError(f"{step.name}: {error}; write it as in {usage}", source=source) from error
    return transformation(cell, *step.values, **step.named)
