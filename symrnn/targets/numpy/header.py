"""The docstring of a generated NumPy module: provenance, the cell as its paper prints it, the adjoint, a legend.

Reads a `Program`, its compiled routines and the names that they use; returns the lines between the quotation marks.
Holds no date and no path, so that every run writes the same.
"""

from __future__ import annotations

from collections.abc import Sequence

from symrnn.emit.provenance import provenance
from symrnn.emit.python_text import INDENT, WIDTH, listed, quoted, wrapped
from symrnn.emit.request import Request
from symrnn.language.axes import Spelt
from symrnn.language.cell import Cell
from symrnn.language.listing import labelled, own_lines, written_lines
from symrnn.language.system import HIDDEN, INPUT
from symrnn.plan.program import Program
from symrnn.targets.numpy.compile import Compiled
from symrnn.targets.numpy.ir import NEGATIVE, buffer
from symrnn.targets.numpy.names import shape, width
from symrnn.targets.numpy.printer import MINUS
from symrnn.targets.numpy.scope import Locals
from symrnn.targets.numpy.weights import Weights

SIZES = {INPUT: "inputs", HIDDEN: "units"}
NEGATION = "-a; not np.negative, which misreads some columns from NumPy 2.1 on"


def header(
    program: Program,
    request: Request,
    names: Sequence[Locals],
    weights: Weights,
    routines: Sequence[Compiled],
) -> tuple[str, ...]:
    """The docstring's lines after the first.

    Args:
        program: the cell's plan.
        request: the options.
        names: those of the forward function, and of the backward function where there is one.
        weights: of the same.
        routines: all that the module has.
    """
    cell = program.cell
    lines = ["", *wrapped(provenance(cell, request) + " Needs NumPy and nothing else.")]
    if cell.reference:
        lines += ["", *wrapped(cell.reference)]
    lines += ["", "The step:", ""]
    if cell.written:
        lines += [*written_lines(cell.written, INDENT, WIDTH), "", "It is, written out:", ""]
    lines += labelled(cell.equations, INDENT, WIDTH)
    if cell.functions:
        lines += ["", "Functions of its own:", "", *own_lines(cell.functions.values(), INDENT, WIDTH)]
    written = {equation.label for equation in cell.equations}
    once = (*cell.preparation.equations, *cell.normal.equations)
    parts = [equation for equation in once if equation.label not in written]
    if parts:
        lines += ["", "Parts of it that have names of their own:", "", *labelled(parts, INDENT, WIDTH)]
    if program.backward is not None:
        lines += ["", "Its adjoint, derived:", "", *labelled(program.backward.system.equations, INDENT, WIDTH)]
        if once := program.preparation.adjoint.equations:
            lines += ["", "The adjoint of what is prepared:", "", *labelled(once, INDENT, WIDTH)]
    rows = _legend(cell, names, weights)
    if any(routine.calls(NEGATIVE) for routine in routines):
        rows.append((f"{MINUS}a)", NEGATION))
    lines += ["", "Legend:", "", *listed(rows)]
    return tuple(quoted(line) for line in lines)


def _legend(cell: Cell, names: Sequence[Locals], weights: Weights) -> list[tuple[str, str]]:
    letters = Spelt(names[0].letters)
    rows = [("T, B", "steps, rows of the batch")]
    rows += [
        (letters[size], SIZES.get(size, f"numbers of the size {size}"))
        for size in cell.sizes
        if size != INPUT or not cell.input_is_hidden
    ]
    rows += [(name, f"inputs, {shape('T, B', width([cell.size(name)]), letters=letters)}") for name in cell.given]
    for state in cell.states:
        rows.append(
            (
                state,
                f"state, {shape('B', width([cell.size(state)]), letters=letters)}; {state}' is its value after the step",
            )
        )
    widths = " + ".join(letters[cell.size(value)] for value in cell.output_values)
    rows.append(("y", f"outputs, (T, B, {widths}): {', '.join(cell.output_values)} of every step"))
    rows += [(w.name, f"weights, {w.note}: {', '.join(w.holds)}") for w in weights.found if len(w.holds) > 1]
    for each in names:
        rows += _buffers(each)
    return rows


def _buffers(names: Locals) -> list[tuple[str, str]]:
    rows = []
    for each in names.compiled.own_buffers:
        values = names.compiled.columns[buffer(each.name)]
        size = shape("T, B", names.width(values), letters=names.letters)
        rows.append((names.buffers[each.name], f"{each.note}, {size}: {', '.join(names.hints(values))}"))
    return rows
