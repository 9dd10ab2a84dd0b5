"""Residual connection: the layer returns its input and what the cell returns, added.

Reads a cell with one output; returns it with ``y = x + h'`` as its output, or with ``y = P @ x + h'``. The state that
the cell hands on is what it was.
"""

from __future__ import annotations

from dataclasses import replace

from symrnn.language.axes import has_axes, has_text
from symrnn.language.cell import Cell
from symrnn.language.system import HIDDEN, INPUT
from symrnn.language.transform.draft import Transformation, draft, entry, finished, free_names, refused
from symrnn.language.transform.numbers import read_choice
from symrnn.language.transform.recipe import written
from symrnn.language.tree import Binary, Expression, MatVec, Name

NAME = "residual"
REFERENCE = "residual connections: He et al. 2016, arXiv:1512.03385"


def with_residual(cell: Cell, /, *, projection: bool | str = False) -> Cell:
    """See `symrnn.language.transform.public.residual`."""
    projected = read_choice(NAME, cell, "projection", projection)
    if len(cell.returned) > 1:
        message = f"it returns {', '.join(cell.returned)}, and the input is added to one output"
        raise refused(NAME, cell, f"{message}; give the cell one `output`")
    (value,) = cell.output_values
    size = cell.size(value)
    of_x = cell.size("x")
    fits = size == of_x if has_axes(of_x) else projected or size in (INPUT, HIDDEN)
    if not fits:
        message = f"its output `{cell.output}` {has_text(size)}, and `x` {has_text(of_x if has_axes(of_x) else INPUT)}"
        remedy = "leave it out" if has_axes(of_x) else "with projection=true a matrix stands between them"
        raise refused(NAME, cell, f"{message}; {remedy}")
    if projected and has_axes(of_x):
        raise refused(NAME, cell, f"`x` {has_text(of_x)}, and a matrix takes a vector; leave projection out")
    free = free_names(cell)
    output = free.fresh("y")
    made = draft(cell)
    sizes = dict(made.sizes)
    added: Expression = Name("x")
    if projected:
        matrix = free.fresh("P")
        added = MatVec(matrix, False, added)
        sizes[matrix] = entry((size, HIDDEN if cell.input_is_hidden else INPUT))
    made = replace(
        made,
        equations=(*made.equations, (output, Binary("+", added, Name(value)))),
        sizes=sizes,
        returned=(output,),
        same_parameters=not projected,
    )
    title = "residual connection" + (" through a matrix" if projected else "")
    return finished(
        made,
        cell,
        Transformation(NAME, title, REFERENCE, written(NAME, named={"projection": "true"} if projected else {})),
    )
