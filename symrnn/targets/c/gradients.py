"""Deferred gradients as C tables: the products and sums that run over the rows of all steps.

Reads a `CCell` with a backward routine; returns a `CGradients` for the templates. Leaves out: how a product runs, which the
runtime knows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from symrnn.emit.address import Address
from symrnn.emit.source import Mark, Marked
from symrnn.plan.program import Kind, Routine
from symrnn.targets.c.arrays import PACKED
from symrnn.targets.c.c_cell import CCell
from symrnn.targets.c.context import CColumns, CGradient, CGradients
from symrnn.targets.c.names import CNames


def c_gradients(cell: CCell, routine: Routine) -> CGradients:
    """The deferred products and sums of ``routine``, the backward routine of ``cell``."""
    rights, outers = _products(cell, routine)
    sums = tuple(
        _gradient(cell, routine, item.parameter, _columns(cell, routine, item.value), 0) for item in routine.sums
    )
    return CGradients(rights, outers, sums, tuple(_zeroed(cell, routine)))


def gives_input_gradient(routine: Routine) -> bool:
    """Whether a stage of ``routine`` computes the gradient of the input; it is zero if no parameter meets the input."""
    return any(write.place.kind is Kind.INPUT_GRADIENT for stage in routine.stages for write in stage.writes)


def _products(cell: CCell, routine: Routine) -> tuple[tuple[CColumns, ...], tuple[CGradient, ...]]:
    """The right sides of the deferred products, and the gradients, those of one left side together."""
    rights: dict[CColumns, int] = {}
    lefts: dict[CColumns, list[CGradient]] = {}
    for product in routine.products:
        right = rights.setdefault(_columns(cell, routine, product.right), len(rights))
        for parameter, value in product.entries:
            left = _columns(cell, routine, value)
            lefts.setdefault(left, []).append(_gradient(cell, routine, parameter, left, right))
    return tuple(rights), tuple(gradient for gradients in lefts.values() for gradient in gradients)


def _gradient(cell: CCell, routine: Routine, parameter: str, left: CColumns, right: int) -> CGradient:
    alone = _additions(routine)[parameter] == 1
    return CGradient(left, right, cell.names.parameters[parameter], alone, _label(routine, parameter))


def _zeroed(cell: CCell, routine: Routine) -> Iterator[tuple[str, str]]:
    """The gradients that no single product or sum can write: several add to them, or none does."""
    adds = _additions(routine)
    for v in cell.program.cell.parameters:
        if adds[v.name] != 1:
            yield cell.names.parameters[v.name], " * ".join(cell.names.sizes[size] for size in v.shape)


def _additions(routine: Routine) -> Counter[str]:
    """The number of products and sums that add to the gradient of each parameter."""
    products = [parameter for product in routine.products for parameter, _ in product.entries]
    return Counter([*products, *(item.parameter for item in routine.sums)])


def _columns(cell: CCell, routine: Routine, value: str) -> CColumns:
    address = cell.arrays.address(value, routine.places[value])
    return CColumns(address.array, _column(address, cell.names), cell.names.sizes[routine.sizes[value]])


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
    label = next(system.definition[name].label for name in system.outputs if system.by_name[name].of == parameter)
    return Marked(label, Mark((label,), "gradients"))
