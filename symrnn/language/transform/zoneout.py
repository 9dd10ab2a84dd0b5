"""Zoneout: in each step, units of a state keep their value with a given probability.

Reads a cell and rates; returns the cell with ``s' = zoneout_s * s + (1 - zoneout_s) * s_new``. What leads to other
states reads ``s_new``, the value before zoneout, as Krueger et al. have it for the memory of a cell with two states.
Outputs that lead to no state read ``s'``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from symrnn.language.axes import has_axes
from symrnn.language.cell import Cell
from symrnn.language.decimals import Number
from symrnn.language.mask import Mask
from symrnn.language.origin import nearest, shown
from symrnn.language.system import HIDDEN
from symrnn.language.transform.draft import (
    Assigned,
    Transformation,
    draft,
    entry,
    finished,
    free_names,
    mask_entry,
    refused,
    renamed,
)
from symrnn.language.transform.numbers import number_text, read_rate
from symrnn.language.transform.recipe import written
from symrnn.language.tree import PRIME, Binary, Expression, Name, integer, is_next, names

NAME = "zoneout"
REFERENCE = "zoneout: Krueger et al. 2016, arXiv:1606.01305"
DEFAULT = 0.1


def with_zoneout(cell: Cell, rate: Number | None = None, /, **rates: Number) -> Cell:
    """See `symrnn.language.transform.public.zoneout`."""
    chosen = _rates(cell, rate, rates)
    free = free_names(cell)
    values = {state: free.fresh(f"{state}_new") for state in chosen}
    masks = {state: free.fresh(f"{NAME}_{state}") for state in chosen}
    before = {state + PRIME: Name(value) for state, value in values.items()}
    leading = _leading(cell)
    equations: list[Assigned] = []
    for target, right in ((each.target, each.expression) for each in cell.equations):
        found = renamed(right, before) if target in leading else right
        if target not in before:
            equations.append((target, found))
            continue
        state = target.removesuffix(PRIME)
        equations += [(values[state], found), (target, _mixed(masks[state], state, values[state]))]
    made = draft(cell)
    sizes = {state: entry(cell.by_name[state].shape) for state in chosen}
    # A right side may have fewer axes than its state, or meet in it alone.
    sizes |= {values[state]: sizes[state] for state in chosen if has_axes(cell.size(state))}
    texts = {state: number_text(value) for state, value in rates.items()}
    all_texts = (number_text(rate),) if rate is not None else ()
    told = ", ".join([*all_texts, *(f"{state} {text}" for state, text in texts.items())]) or str(DEFAULT)
    made = replace(
        made,
        equations=tuple(equations),
        sizes={**made.sizes, **{name: shape for name, shape in sizes.items() if shape != HIDDEN}},
        inputs={**made.inputs, **{mask: mask_entry(cell.size(state)) for state, mask in masks.items()}},
        masks={**made.masks, **{masks[state]: Mask(number) for state, number in chosen.items()}},
    )
    return finished(made, cell, Transformation(NAME, f"zoneout ({told})", REFERENCE, written(NAME, all_texts, texts)))


def _rates(cell: Cell, rate: Number | None, rates: Mapping[str, Number]) -> dict[str, float]:
    """The rate of each state that is zoned out, in the order of the cell.

    Raises:
        CellError: a name is no state, or a rate is none.
    """
    for state in rates:
        if state not in cell.states:
            hint = nearest(state, cell.states) or f"; its states are {', '.join(cell.states)}"
            raise refused(NAME, cell, f"`{shown(state, 30)}` is not a state{hint}")
    everywhere = DEFAULT if rate is None and not rates else rate
    given = {state: rates.get(state, everywhere) for state in cell.states}
    return {
        state: read_rate(NAME, cell, state if state in rates else "rate", value)
        for state, value in given.items()
        if value is not None
    }


def _leading(cell: Cell) -> set[str]:
    """The targets of the equations that states of the next step depend on."""
    found: set[str] = set()
    for equation in reversed(cell.equations):  # a name is read below its assignment alone
        if is_next(equation.target) or equation.target in found:
            found |= {equation.target, *names(equation.expression)}
    return found


def _mixed(mask: str, state: str, value: str) -> Expression:
    kept = Binary("*", Name(mask), Name(state))
    return Binary("+", kept, Binary("*", Binary("-", integer(1), Name(mask)), Name(value)))
