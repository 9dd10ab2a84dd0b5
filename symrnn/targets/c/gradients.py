"""Deferred gradients as C tables: the products and sums that run over the rows of all steps.

Reads a `CCell` with a backward routine; returns a `CGradients` for the templates. Leaves out: how a product runs, which the
runtime knows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from symrnn.emit.address import Address
from symrnn.emit.source import Mark, Marked, block
from symrnn.plan.program import Kind, Routine
from symrnn.targets.c.arrays import PACKED
from symrnn.targets.c.c_cell import CCell
from symrnn.targets.c.context import CGradients, CTable
from symrnn.targets.c.names import CNames, table_pointer


def c_gradients(cell: CCell, routine: Routine) -> CGradients:
    """The deferred products and sums of ``routine``, the backward routine of ``cell``."""
    rights, outers = _products(cell, routine)
    sums = [_row(cell, routine, item.parameter, _columns(cell, routine, item.value), 0) for item in routine.sums]
    return CGradients(rights, _table("outers", outers), _table("sums", sums), tuple(_zeroed(cell, routine)))


def gives_input_gradient(routine: Routine) -> bool:
    """Whether a stage of ``routine`` computes the gradient of the input; it is zero if no parameter meets the input."""
    return any(write.place.kind is Kind.INPUT_GRADIENT for stage in routine.stages for write in stage.writes)


def _table(name: str, rows: Sequence[str]) -> CTable:
    """The table of the gradients whose rows are given."""
    lines = block([f"const S(gradient) {name}[] = {{", *rows, "};"]) if rows else []
    return CTable(name if rows else "NULL", tuple(lines), len(rows))


def _products(cell: CCell, routine: Routine) -> tuple[tuple[str, ...], list[str]]:
    """The right sides of the deferred products, and the rows of the gradients, those of one left side together."""
    rights: dict[str, int] = {}
    lefts: dict[str, list[str]] = {}
    for product in routine.products:
        right = rights.setdefault(_columns(cell, routine, product.right), len(rights))
        for parameter, value in product.entries:
            left = _columns(cell, routine, value)
            lefts.setdefault(left, []).append(_row(cell, routine, parameter, left, right))
    return tuple(rights), [row for rows in lefts.values() for row in rows]


def _row(cell: CCell, routine: Routine, parameter: str, left: str, right: int) -> Marked:
    """A deferred gradient: of ``left`` and the right side of that number; of a vector, of ``left`` alone.

    Its last field says whether it is the only contribution.
    """
    alone, label = int(_additions(routine)[parameter] == 1), _label(routine, parameter)
    seed = cell.program.preparation.seeds.get(parameter) if cell.program.preparation else None
    to = f"grads->{cell.names.parameters[parameter]}" if seed is None else table_pointer(seed)
    text = f"    {{{left}, {right}, {to}, {alone}}}, /* ({label}) */"
    return Marked(text, Mark((label,), "gradients"))


def _zeroed(cell: CCell, routine: Routine) -> Iterator[tuple[str, str]]:
    """The gradients that no single product or sum can write: several add to them, or none does."""
    adds = _additions(routine)
    preparation, step = cell.program.preparation, {v.name for v in cell.program.cell.step_trainable}
    for v in cell.program.cell.trainable:
        if v.name not in step and preparation and v.name in preparation.gradients:
            continue  # written at the end, from those of what is prepared
        if adds[v.name] != 1:
            yield cell.names.parameters[v.name], " * ".join(cell.names.sizes[size] for size in v.shape)


def _additions(routine: Routine) -> Counter[str]:
    """The number of products and sums that add to the gradient of each parameter."""
    products = [parameter for product in routine.products for parameter, _ in product.entries]
    return Counter([*products, *(item.parameter for item in routine.sums)])


def _columns(cell: CCell, routine: Routine, value: str) -> str:
    """The columns of ``value``, all rows of them: one side of a deferred product, or what is summed."""
    address = cell.arrays.address(value, routine.places[value])
    return f"{{{address.array}, {_column(address, cell.names)}, {cell.names.sizes[routine.sizes[value]]}}}"


def _column(address: Address, names: CNames) -> str:
    """C expression of the numbers before a value in its array's rows."""
    before = names.count(address.before)
    if address.array != PACKED:
        return before
    base = f"r->pieces[{address.block}].at"
    return f"{base} + {before}" if address.before else base


def _label(routine: Routine, parameter: str) -> str:
    """The number of the equation that gives the gradient of ``parameter``."""
    system = routine.system
    return next(system.definition[name].label for name in system.outputs if system.by_name[name].of == parameter)
