"""The page that compares cells: their graphs beside each other, and a table of their differences.

Reads derivations; returns an `Overview` of plain data. Leaves out: layout and colours (`templates/report/`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from symrnn.derive.derivation import Derivation
from symrnn.derive.factors import to_latex
from symrnn.derive.sections import equations_rows
from symrnn.language.typeset.as_written import written_rows
from symrnn.language.typeset.lines import Line, pieces
from symrnn.language.typeset.mathml import mathml
from symrnn.language.typeset.symbols import spell
from symrnn.plan.cost import routine_cost, state_cost, tape_cost
from symrnn.plan.program import Program
from symrnn.plan.size import Count
from symrnn.report.charts import Chart, comparison_chart
from symrnn.report.page import Figure, Formula, counted, formula, forward_figure
from symrnn.saying import Progress, silent


@dataclass(frozen=True)
class ComparedCell:
    """A cell in the comparison."""

    name: str
    title: str
    file: str
    figure: Figure
    equations: tuple[Formula, ...]
    facts: tuple[str, ...]


@dataclass(frozen=True)
class Overview:
    """The comparison.

    Attributes:
        cells: those compared.
        facts: the names of the facts in the table.
        chart: of gradient flow.
        everything: how many cells the site has.
        atlas: the file that has all cells; empty where ``cells`` are all.
    """

    cells: tuple[ComparedCell, ...]
    facts: tuple[str, ...]
    chart: Chart
    everything: int
    atlas: str


FACTS = (
    "state",
    "the path without a matrix multiplies a gradient by",
    "weights",
    "multiply-adds of a step, forward",
    "multiply-adds of a step, backward",
    "numbers on the tape, each step",
    "values on the tape, beside input and states",
)
"""The facts of each cell in the table; counts are for one row of the batch."""


def overview(
    derivations: Sequence[Derivation],
    programs: Sequence[Program],
    progress: Progress = silent,
    everything: int = 0,
    atlas: str = "",
) -> Overview:
    """The comparison of cells.

    Args:
        derivations: of the cells.
        programs: their plans.
        progress: called with a line of text before each piece of work.
        everything: how many cells the site has; the default is those that are compared.
        atlas: the file that has them all, if these are more.
    """
    cells = []
    for derivation, program in zip(derivations, programs, strict=True):
        progress(f"drawing {derivation.cell.name}")
        cells.append(_compared(derivation, program))
    chart = comparison_chart([derivation.cell for derivation in derivations], progress)
    return Overview(tuple(cells), FACTS, chart, everything or len(cells), atlas)


def _compared(derivation: Derivation, program: Program) -> ComparedCell:
    cell = derivation.cell
    return ComparedCell(
        name=cell.name,
        title=escape(cell.title or cell.name),
        file=f"{cell.name}.html",
        figure=forward_figure(derivation, prefix=f"{cell.name}-"),
        equations=tuple(formula(row) for row in _equations(derivation)),
        facts=tuple(_facts(derivation, program)),
    )


def _equations(derivation: Derivation) -> tuple[Line, ...]:
    """The equations as their author wrote them."""
    cell, notation = derivation.cell, derivation.notation
    return written_rows(cell.written, cell, notation) if cell.written else equations_rows(cell, notation)


def _facts(derivation: Derivation, program: Program) -> Iterator[str]:
    """The facts of one cell, in the order of `FACTS`."""
    cell, notation = derivation.cell, derivation.notation
    yield ", ".join(mathml(spell(state, "t")) for state in cell.states)
    yield _direct(derivation)
    yield counted(Count.of(*(parameter.shape for parameter in cell.parameters)))
    yield counted(routine_cost(program.forward))
    yield counted(routine_cost(program.backward)) if program.backward else ""
    yield counted(tape_cost(program.forward) + state_cost(program.forward))
    yield ", ".join(mathml(notation.name(name)) for name, _ in program.saved) or "none"


def _direct(derivation: Derivation) -> str:
    """The direct paths of every state that has one."""
    found = []
    for state in derivation.cell.states:
        if direct := derivation.jacobian(state, state).direct:
            summands = pieces(to_latex(direct, "", derivation.notation))
            parts = [part for summand in summands for part in summand]
            terms = " ".join(mathml(part, goes_on=at > 0) for at, part in enumerate(parts))
            found.append(f"{mathml(spell(state, 't'))}: {terms}")
    return "; ".join(found) or "none: all paths cross a matrix"
