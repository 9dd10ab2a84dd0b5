"""The C kernels of a cell: its header, its source, and the runtime that they share with every other cell.

Reads a `Program`; returns `Source` texts by file name. The cell's source holds the statements of each stage once; it includes
itself for each precision, and the runtime (`templates/c/`) does the rest. Each part of the text comes from a module of its
own: the stages from `symrnn.targets.c.c_routine`, the tables from `symrnn.targets.c.tables`, and so on. Leaves out: compiling,
and the Python module over the library (`symrnn.targets.c.module`).
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from symrnn.emit.legend import adjoint_lines, buffer_lines, step_lines
from symrnn.emit.provenance import provenance
from symrnn.emit.render import render_source
from symrnn.emit.request import Request
from symrnn.emit.source import Source
from symrnn.emit.templates import template_directory
from symrnn.errors import GenerateError
from symrnn.language.axes import plain
from symrnn.language.digest import digest
from symrnn.plan.program import Program
from symrnn.targets.c.amalgamate import amalgamated
from symrnn.targets.c.c_cell import CCell, c_cell
from symrnn.targets.c.c_prepared import c_prepared
from symrnn.targets.c.c_routine import c_routine
from symrnn.targets.c.context import CFile, CFixed, CHeader
from symrnn.targets.c.flags import ARITHMETIC, NATIVE, OPTIMISE, PREPARING, RUNTIME, STANDARD
from symrnn.targets.c.gradients import c_gradients
from symrnn.targets.c.interface import MOST_PARTS, dims_lines, entries, head, led, prototypes, statuses
from symrnn.targets.c.names import fixed_macro
from symrnn.targets.c.packed import c_packed
from symrnn.targets.c.room import c_room
from symrnn.targets.c.step import c_step
from symrnn.targets.c.tables import c_tables


@dataclass(frozen=True)
class CFiles:
    """The C files of a cell.

    Attributes:
        sources: by file name.
        digest: the library's own statement of its source; it changes with any of the texts.
    """

    sources: Mapping[str, Source]
    digest: str


def c_files(program: Program, request: Request) -> CFiles:
    """``<cell>.h`` and ``<cell>.c``, and the runtime, which is joined into the latter if a single file is requested.

    Args:
        program: the cell's plan.
        request: the options.

    Raises:
        GenerateError: the cell has the name of a file of the runtime.
    """
    _require_own_name(program.cell.name)
    runtime = runtime_files(prepares=bool(program.preparation))
    context = _context(c_cell(program, request), request)
    # The digest has a line of its own in the source, and covers everything else.
    texts = (source.text for source in runtime.values())
    found = digest(*texts, render_source("c/cell.c.jinja", {"c": context}).text)
    values = {"c": replace(context, digest=found)}
    header, source = f"{context.name}.h", f"{context.name}.c"
    files = {name: render_source(f"c/cell.{name[-1]}.jinja", values) for name in (header, source)}
    if request.single_file:
        joined = amalgamated(source, {source: files[source], **runtime}, [p.name for p in context.precisions])
        return CFiles({**files, source: joined}, found)
    return CFiles(files | runtime, found)


def _require_own_name(cell: str) -> None:
    """Refuse a cell whose files or macros would be those of the runtime; some disks tell no case from another."""
    for file in (*RUNTIME, PREPARING):
        if cell.lower() == Path(file).stem.lower():
            raise GenerateError(
                f"cell {cell!r}: {file} is a file that the C kernels of all cells include, so no cell can have its name; "
                "rename the cell, or leave C out"
            )


def runtime_files(*, prepares: bool = False) -> dict[str, Source]:
    """The runtime's files, which are the same for every cell; one of them only where parameters are prepared."""
    folder = template_directory() / "c"
    files = (*RUNTIME, PREPARING) if prepares else RUNTIME
    return {name: Source(folder.joinpath(name).read_text(encoding="utf-8")) for name in files}


def _context(cell: CCell, request: Request) -> CFile:
    """The context of the templates, without the digest."""
    program, names, equations = cell.program, cell.names, cell.program.cell
    backward = program.backward
    gradients = c_gradients(cell, backward) if backward else None
    return CFile(
        name=cell.name,
        title=equations.title or cell.name,
        kinds=" and ".join(p.real for p in cell.precisions),
        provenance=tuple(textwrap.wrap(provenance(equations, request), 115)),
        step=step_lines(program),
        adjoint=adjoint_lines(program),
        legend=buffer_lines(program),
        digest="",
        flags=" ".join((*STANDARD, OPTIMISE, NATIVE, *ARITHMETIC)),
        dims=cell.dims,
        size_fields=tuple(names.fields.values()),
        input_is_hidden=equations.input_is_hidden,
        fixed=tuple(CFixed(names.fields[s], fixed_macro(cell.name, names.fields[s]), n) for s, n in cell.fixed.items()),
        parameters=tuple((names.parameters[v.name], " × ".join(map(plain, v.shape))) for v in equations.parameters),
        trained=tuple((names.parameters[v.name], " × ".join(map(plain, v.shape))) for v in equations.trainable),
        precisions=cell.precisions,
        heads={entry.name: head(entry, cell.dims, cell.name) for entry in entries(backward is not None)},
        header=_header(cell),
        tables=c_tables(cell, gradients),
        packed=c_packed(cell),
        row=c_step(cell),
        forward=c_routine(cell, program.forward, cell.forward),
        backward=c_routine(cell, backward, cell.backward) if backward else None,
        gradients=gradients,
        prepared=c_prepared(cell),
    )


def row_of(names: Sequence[str], sizes: Sequence[str]) -> str:
    """The size of a row of inputs or outputs, as a header says it; several values stand side by side."""
    if len(names) == 1:
        return sizes[0]
    return f"({' + '.join(sizes)}) with {', '.join(names[:-1])} and {names[-1]} side by side"


def _header(cell: CCell) -> CHeader:
    """The context of the header alone."""
    equations, training = cell.program.cell, cell.program.backward is not None
    return CHeader(
        guard=f"{cell.name.upper()}_H",
        prefix=cell.name.upper(),
        statuses=tuple((s.name, s.code, s.note) for s in statuses(bool(cell.fixed))),
        most_parts=MOST_PARTS,
        room=c_room(cell),
        dims=dims_lines(tuple(cell.names.fields.values())),
        input_size=row_of(equations.given, ("input", *(equations.size(name) for name in equations.given[1:]))),
        output_size=row_of(equations.returned, [equations.size(value) for value in equations.output_values]),
        state_order=", ".join(equations.states),
        prototypes=prototypes(cell.name, cell.dims, training, tuple(p.name for p in cell.precisions)),
        led=led(training),
    )
