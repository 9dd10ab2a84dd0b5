"""Packed weights in C: their parts, how they are filled, and how many numbers they have.

Reads a `CCell`; returns its parts in the order in which they lie in memory, and the texts that place and fill them. Leaves
out: the layout within a panel, which the runtime knows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from symrnn.language.system import Variable
from symrnn.plan.program import Extent
from symrnn.plan.size import Count
from symrnn.targets.c.arrays import width_of
from symrnn.targets.c.c_cell import CCell
from symrnn.targets.c.c_prepared import tables_of
from symrnn.targets.c.context import CPacked
from symrnn.targets.c.names import CNames, table_pointer
from symrnn.targets.c.stage_records import CForm, CPanel


@dataclass(frozen=True)
class CVector:
    """Numbers side by side: a vector of parameters, or what is computed from parameters alone.

    Attributes:
        name: of the C enumeration.
        width: their number.
    """

    name: str
    width: Count


def parts_of(cell: CCell) -> tuple[CVector | CPanel, ...]:
    """The parts of the packed weights of ``cell``, in order."""
    return (
        *(CVector(f"PARAM_{v.name}", Count.size(v.shape[0])) for v in _vectors(cell)),
        *(CVector(f"TABLE_{name}", Count.of(table)) for name, table in tables_of(cell.program)),
        *(
            CVector(f"PACKED_{buffer.name}", width_of(buffer.columns))
            for buffer in cell.program.forward.buffers
            if buffer.extent is Extent.ONCE
        ),
        *cell.panels,
    )


def numbers(part: CVector | CPanel, sizes: Mapping[str, int], lanes: int) -> int:
    """The numbers in ``part`` with vectors of ``lanes`` numbers: as `place_vector` and `place_panel` of the runtime."""
    if isinstance(part, CVector):
        return part.width.value(sizes)
    tiles = (Count.size(part.size).value(sizes) - 1) // lanes + part.width.most
    return tiles * part.depth.value(sizes) * part.count * lanes


def c_packed(cell: CCell) -> CPacked:
    """The texts that place and fill the packed weights of ``cell``."""
    names = cell.names
    return CPacked(
        tagged=tuple(names.fields[size] for size in names.open),
        parts=tuple(_placed(part, names) for part in parts_of(cell)),
        filled=(*(line for v in _all(cell) for line in _filled(v, cell)), *_shared(cell)),
    )


def _vectors(cell: CCell) -> list[Variable]:
    return [v for v in cell.program.cell.step_parameters if len(v.shape) == 1]


def _all(cell: CCell) -> list[Variable]:
    """The parameters, which are copied in their order, and then what is prepared from them."""
    made = cell.program.preparation.forward.outputs
    return [*cell.program.cell.parameters, *(v for v in cell.program.cell.step_parameters if v.name in made)]


def _source(parameter: str, cell: CCell) -> str:
    """The numbers of a parameter, or of what is prepared."""
    made = cell.program.preparation.forward.outputs
    return table_pointer(parameter) if parameter in made else f"params->{cell.names.parameters[parameter]}"


def _placed(part: CVector | CPanel, names: CNames) -> str:
    """The call that finds a place for ``part``."""
    if isinstance(part, CVector):
        return f"place_vector(end, &b[{part.name}], {names.count(part.width)})"
    units, depth = names.sizes[part.size], names.count(part.depth)
    return f"place_panel(end, &b[{part.name}], {units}, {part.width.text}, {part.width.most}, {depth}, {part.count})"


def _filled(parameter: Variable, cell: CCell) -> Iterator[str]:
    """Lines that pack and copy ``parameter``: a matrix goes to all its panels at once."""
    names = cell.names
    field, sizes = names.parameters[parameter.name], [names.sizes[size] for size in parameter.shape]
    source, made = _source(parameter.name, cell), cell.program.preparation.forward.outputs
    copy, us = "&none" if parameter.name in made else "&copy", "&alone" if made else "&us"
    if len(sizes) == 1 and parameter.name not in {v.name for v in _vectors(cell)}:
        yield f"pack_matrix({source}, {sizes[0]}, 1, 0, NULL, {copy}, {us});"
        return
    if len(sizes) == 1:
        yield f"pack_vector(packed, &b[PARAM_{parameter.name}], {source}, {sizes[0]}, {copy}, {us});"
        return
    forms = [_form(panel, form) for panel in cell.panels for form in _alone(panel) if form.parameter == field]
    head = f'PROFILED("packing", pack_matrix({source}, {", ".join(sizes)}, {len(forms)}, '
    if not forms:
        yield f"{head}NULL, {copy}, {us}));"
        return
    yield f"{head}(const S(form)[]){{"
    for first in range(0, len(forms), 2):
        end = f"}}, {copy}, {us}));" if first + 2 >= len(forms) else ","
        yield f"    {', '.join(forms[first : first + 2])}{end}"


def _shared(cell: CCell) -> Iterator[str]:
    """Calls for the matrices that share a place in a panel: the first is laid out, and the others are added to it."""
    fields = cell.names.parameters
    us = "&alone" if cell.program.preparation else "&us"
    sources = {fields[v.name]: _source(v.name, cell) for v in _all(cell)}
    for panel in cell.panels:
        alone = _alone(panel)
        for form in panel.forms:
            if form not in alone:
                matrix = f"{sources[form.parameter]}, &b[{panel.name}], {_form(panel, form)}"
                call = f"pack_shared({matrix}, {form.depth}, {form.columns}, {int(form.add)}, {us})"
                yield f'PROFILED("packing", {call});'


def _form(panel: CPanel, form: CForm) -> str:
    """The call that finds the place of ``form`` in ``panel``."""
    return f"form_in(packed, &b[{panel.name}], {form.accumulator}, {form.start}, {int(form.transposed)})"


def _alone(panel: CPanel) -> tuple[CForm, ...]:
    """The forms of ``panel`` that share their place with no other."""
    places = Counter((form.accumulator, form.start) for form in panel.forms)
    return tuple(form for form in panel.forms if places[form.accumulator, form.start] == 1)
