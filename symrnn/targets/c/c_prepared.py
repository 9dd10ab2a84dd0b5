"""What is prepared from parameters as C text: loops over rows and columns, run when parameters are packed, and backwards.

Reads a `CCell`; returns a `CPrepared` for the templates. Values of the forward direction lie in the packed weights, those
of the adjoint behind the workspace of the backward routine. Leaves out: the loops that have no statement of the cell in them
(``templates/c/symrnn_prepare.h``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from symrnn.emit.source import Mark, Marked
from symrnn.language.matrix_sizes import COLUMNS, ROWS
from symrnn.language.reductions import REDUCTIONS
from symrnn.language.system import ONE, Equation, System
from symrnn.language.tree import Eye, MatVec, Name, Reduce, Transpose, names
from symrnn.plan.program import Program
from symrnn.plan.size import Count
from symrnn.targets.c.c_cell import CCell
from symrnn.targets.c.context import CPrepared
from symrnn.targets.c.expression import CPrinter
from symrnn.targets.c.names import CNames, table_pointer


def tables_of(program: Program) -> list[tuple[str, tuple[str, str]]]:
    """The tables that lie in packed weights, with their sizes: what is computed, and the parameters that the adjoint reads."""
    forward, adjoint = program.preparation.forward, program.preparation.adjoint
    read = set(adjoint.inputs) if program.backward is not None else set()
    wanted = [v for v in forward.variables if v.name in forward.definition or v.name in read]
    return [(variable.name, (variable.shape[0], variable.shape[1])) for variable in wanted]


def c_prepared(cell: CCell) -> CPrepared | None:
    """The text of what ``cell`` prepares; None where that is nothing."""
    program, count = cell.program, cell.names.sizes
    preparation = program.preparation
    if not preparation:
        return None
    packed = tables_of(program)
    own = list(preparation.seeds.values())
    own += [v.name for v in preparation.adjoint.variables if v.name in preparation.adjoint.definition]
    adjoint = preparation.adjoint.by_name
    places = {name: place for place, name in enumerate(own)}
    return CPrepared(
        made=tuple(_pointer(name, f"packed + b[TABLE_{name}].at", "const ") for name in preparation.forward.outputs),
        forward=tuple(_forward(cell, dict(packed))),
        places=tuple(
            f"take(end, &tables[{places[n]}], {', '.join(count[s] for s in adjoint[n].shape)}, 1)" for n in own
        ),
        seeds=tuple(_pointer(seed, f"workspace + tables[{places[seed]}]") for seed in preparation.seeds.values()),
        cleared=tuple(
            (table_pointer(seed), " * ".join(count[s] for s in adjoint[seed].shape))
            for seed in preparation.seeds.values()
        ),
        backward=tuple(_backward(cell, places, dict(packed))) if program.backward is not None else (),
    )


def _pointer(name: str, place: str, kind: str = "") -> str:
    return f"{kind}real *const {table_pointer(name)} = {place};"


def _forward(cell: CCell, packed: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    """The body of the function that fills the tables."""
    forward, names = cell.program.preparation.forward, cell.names
    for name in forward.inputs:
        source = f"params->{names.parameters[name]}"
        if name in packed:
            numbers = " * ".join(names.sizes[size] for size in packed[name])
            yield f"memcpy(packed + b[TABLE_{name}].at, {source}, {numbers} * sizeof *packed);"
        yield _pointer(name, source, "const ")
    for name in forward.definition:
        yield _pointer(name, f"packed + b[TABLE_{name}].at")
    yield from _Equations(forward, names).lines()


def _backward(cell: CCell, places: Mapping[str, int], packed: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    """The body of the function that takes the gradients of what is prepared to those of the parameters."""
    preparation, names = cell.program.preparation, cell.names
    for name in preparation.adjoint.inputs:
        if name in packed:
            yield _pointer(name, f"packed + b[TABLE_{name}].at", "const ")
    for name, place in places.items():
        yield _pointer(name, f"workspace + tables[{place}]")
    yield from _Equations(preparation.adjoint, names).lines()
    step = {variable.name for variable in cell.program.cell.step_trainable}
    for parameter, gradient in preparation.gradients.items():
        shape = preparation.adjoint.by_name[gradient].shape
        numbers = " * ".join(names.sizes[size] for size in shape)
        adds = "1" if parameter in step else "accumulate != 0"
        yield f"hand_over(grads->{names.parameters[parameter]}, {table_pointer(gradient)}, {numbers}, {adds});"


class _Equations:
    """The equations of a system as statements and loops."""

    def __init__(self, system: System, names: CNames) -> None:
        self._system, self._sizes = system, names.sizes

    def lines(self) -> Iterator[str]:
        for equation in self._system.equations:
            for line in self._lines(equation):
                yield Marked(line, Mark((equation.label,), "prepare"))

    def _table(self, name: str) -> tuple[str, str]:
        rows, columns = self._system.by_name[name].shape
        return rows, columns

    def _count(self, sizes: Sequence[str]) -> str:
        return Count.of(tuple(sizes)).spelt(self._sizes.__getitem__)

    def _lines(self, equation: Equation) -> Iterator[str]:
        to, note = table_pointer(equation.target), f" /* ({equation.label}) */"
        rows, columns = (self._sizes[size] for size in self._table(equation.target))
        match equation.expression:
            case Eye():
                yield f"identity_table({to}, {rows});{note}"
            case Transpose(Name(name)):
                yield f"turn_table({to}, {table_pointer(name)}, {columns}, {rows});{note}"
            case MatVec(matrix, transposed, Name(name)):
                height, depth = (self._sizes[size] for size in self._table(matrix))
                steps = f"1, {depth}" if transposed else f"{depth}, 1"
                inner = height if transposed else depth
                left, right = table_pointer(matrix), table_pointer(name)
                yield f"multiply_tables({to}, {left}, {steps}, {right}, {rows}, {inner}, {columns});{note}"
            case Reduce(kind, Name(name), axis):
                yield from self._reduced(to, kind, name, axis, note)
            case _:
                yield from self._elementwise(equation, note)

    def _reduced(self, to: str, kind: str, name: str, axis: str, note: str) -> Iterator[str]:
        source, table = table_pointer(name), self._table(name)
        rows, columns = (self._sizes[size] for size in table)
        if axis == ROWS:
            yield f"sum_rows_of({to}, {source}, {rows}, {columns});{note}"
            over, left = rows, columns
        elif axis == COLUMNS:
            yield f"for (size_t i = 0; i < {rows}; ++i){note}"
            yield f"    {to}[i] = sum_of({source} + i * {columns}, {columns});"
            over, left = columns, rows
        else:
            over, left = self._count(table), "1"
            yield f"{to}[0] = sum_of({source}, {over});{note}"
        if REDUCTIONS[kind].averages:
            yield f"divide_table({to}, {left}, {over});"

    def _elementwise(self, equation: Equation, note: str) -> Iterator[str]:
        """A loop over rows and vectors of columns; a single column runs as a row."""
        rows, columns = self._table(equation.target)
        one = columns == ONE
        height, width = ("1", self._sizes[rows]) if one else (self._sizes[rows], self._sizes[columns])
        index = "j" if height == "1" else f"i * {width} + j"
        read = list(names(equation.expression))
        texts = {name: f"{table_pointer(name)}_vec" for name in read}
        pad = ""
        if height != "1":
            yield f"for (size_t i = 0; i < {height}; ++i)"
            pad = "    "
        yield f"{pad}for (size_t j = 0; j < {width}; j += LANES) {{{note}"
        for name in read:
            mine = self._table(name)[::-1] if one else self._table(name)
            whole = (rows, columns)[::-1] if one else (rows, columns)
            yield f"{pad}    const vec {texts[name]} = {self._loaded(name, mine, whole, width, index)};"
        value = CPrinter(texts, self._sizes)(equation.expression)
        yield f"{pad}    store({table_pointer(equation.target)} + {index}, {value}, {width} - j);"
        yield f"{pad}}}"

    def _loaded(self, name: str, mine: Sequence[str], whole: Sequence[str], width: str, index: str) -> str:
        """A vector of a table, one number in every lane where it broadcasts along the columns."""
        at = table_pointer(name)
        rows, columns = (size == other or size != ONE for size, other in zip(mine, whole, strict=True))
        if columns and mine[1] != ONE:
            place = index if rows and mine[0] != ONE else "j"
            return f"load({at} + {place}, {width} - j)"
        return f"K({at}[{'i' if mine[0] != ONE else '0'}])"
