r"""What running a cell costs, as a section of its lecture: what is kept and why, operations, memory.

Reads a `Program` and the notation of its derivation; returns a `Section`. Counts are those of the plan, symbolic in the
steps T, the rows B and the sizes. Leaves out: time, which depends on the machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from symrnn.derive.lecture_section import Block, Display, Prose, Section, Table
from symrnn.language.system import HIDDEN, INPUT
from symrnn.language.typeset.expressions import Notation
from symrnn.language.typeset.lines import Line
from symrnn.language.typeset.symbols import size_latex
from symrnn.plan.cost import every_step, routine_cost, state_cost, tape_cost, unit_work
from symrnn.plan.program import Column, Extent, Program, Routine
from symrnn.plan.size import Count

BYTES = 4
"""Bytes of a number in single precision."""

_STEPS, _ROWS = r"\mathrm{T}", r"\mathrm{B}"
_EXTENTS = {Extent.ONCE: "", Extent.STEP: _ROWS, Extent.SEQUENCE: rf"{_STEPS} {_ROWS}"}


def cost_section(program: Program, notation: Notation) -> Section:
    """The section; for inference alone it has no backward pass."""
    return Section("cost", "What running it costs", tuple(_blocks(program, notation)))


def _blocks(program: Program, notation: Notation) -> Iterator[Block]:
    sizes = [size for size in program.cell.sizes if size != INPUT or not program.cell.input_is_hidden]
    yield Prose(
        rf"There are ${_STEPS}$ steps of ${_ROWS}$ rows, {_meaning(sizes)}. Counts are of numbers; in single precision each "
        rf"takes {BYTES} bytes, in double precision {2 * BYTES}."
    )
    if program.saved or program.recomputed:
        yield from _kept(program, notation)
    yield Prose(
        "Operations: multiply-adds of matrix products, arithmetic unit by unit, and calls of functions, "
        "over a whole sequence:",
        leads=True,
    )
    yield Display(tuple(row for routine in _routines(program) for row in _operations(routine)))
    yield Prose("Memory:", leads=True)
    yield Display(tuple(_memory(program)))
    workspace = [buffer for routine in _routines(program) for buffer in routine.buffers if not buffer.taped]
    if workspace:
        yield Prose(
            "The workspace holds at most these numbers. To save memory, kernels run hoisted and deferred work for some "
            "steps at a time.",
            leads=True,
        )
        yield Table(
            ("numbers", "values", "purpose"),
            tuple(
                (
                    f"${_times(_EXTENTS[b.extent], b.width)}$",
                    _names(b.columns),
                    b.note,
                )
                for b in workspace
            ),
            wide=(1, 2),
        )


def _routines(program: Program) -> tuple[Routine, ...]:
    return (program.forward,) if program.backward is None else (program.forward, program.backward)


def _meaning(sizes: Iterable[str]) -> str:
    words = {INPUT: "inputs", HIDDEN: "units"}
    return ", ".join(f"${size_latex(size)}$ {words.get(size, f'numbers of the size {_plain(size)}')}" for size in sizes)


def _kept(program: Program, notation: Notation) -> Iterator[Block]:
    yield Prose(
        "The tape keeps these values of each step, beside the input and the states. Values that are cheap to compute are "
        "computed again:",
        leads=True,
    )
    rows = [(name, "kept", why) for name, why in program.saved]
    rows += [(name, "computed again", why) for name, why in program.recomputed]
    sizes = program.forward.sizes
    cells = []
    for name, how, why in rows:
        count = f"${_times(_ROWS, Count.of((sizes[name],)))}$" if how == "kept" else "0"
        cells.append((f"${notation.name(name)}$", how, count, _plain(why)))
    yield Table(("value", "", "numbers per step", "because"), tuple(cells), wide=(3,))


def _plain(text: str) -> str:
    return text.replace("_", r"\_")


def _names(columns: Iterable[Column]) -> str:
    return ", ".join(rf"\texttt{{{_plain(column.value)}}}" for column in columns)


def _operations(routine: Routine) -> Iterator[Line]:
    arithmetic, calls = elementwise_cost(routine)
    rows = f"{_STEPS} {_ROWS}"
    for what, count in (("products", routine_cost(routine)), ("arithmetic", arithmetic), ("functions", calls)):
        if count:
            yield Line(rf"\text{{{routine.name}, {what}}}", _times(rows, count))


def elementwise_cost(routine: Routine) -> tuple[Count, Count]:
    """Arithmetic unit by unit, and calls of functions, of one step for one row."""
    found: list[list[tuple[str]]] = [[], []]
    for stage in (stage for phase in every_step(routine) for stage in phase.stages):
        for kind, number in zip(found, unit_work(stage.statements), strict=True):
            kind += [(stage.size,)] * number
    return Count.of(*found[0]), Count.of(*found[1])


def _memory(program: Program) -> Iterator[Line]:
    weights = Count.of(*(parameter.shape for parameter in program.cell.parameters))
    states, tape = state_cost(program.forward), tape_cost(program.forward)
    yield from _both("weights", "", weights)
    if program.backward is not None:
        yield from _both("tape, one step", _ROWS, tape + states)
        whole = [_times(f"{_STEPS} {_ROWS}", tape)] if tape else []
        yield Line(r"\text{tape, all steps}", " + ".join([*whole, _times(rf"({_STEPS} + 1) {_ROWS}", states)]))


def _both(what: str, rows: str, count: Count) -> Iterator[Line]:
    """``count`` in numbers, and in bytes of single precision."""
    yield Line(rf"\text{{{what}}}", _times(rows, count))
    yield Line(r"\text{in bytes}", _times(rows, BYTES * count))


def _times(rows: str, count: Count) -> str:
    """A count for each of ``rows``."""
    if not rows:
        return latex(count)
    if count.is_sum or not count:
        return rf"{rows} ({latex(count)})"
    ((sizes, factor),) = count.terms
    return _product(factor, f"{rows} {_letters(sizes)}".strip())


def latex(count: Count) -> str:
    """A polynomial in sizes, in LaTeX."""
    return " + ".join(_product(factor, _letters(sizes)) for sizes, factor in count.terms) or "0"


def _product(factor: int, letters: str) -> str:
    number = [str(factor)] if factor != 1 or not letters else []
    return r"\, ".join([*number, *([letters] if letters else [])])


def _letters(sizes: Iterable[str]) -> str:
    powers = [(size, len(list(group))) for size, group in groupby(sizes)]
    return " ".join(size_latex(size) + (f"^{{{power}}}" if power > 1 else "") for size, power in powers)
