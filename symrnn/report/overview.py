"""The page that compares cells: their graphs beside each other, and what differs in a table.

Reads derivations; returns an `Overview` of plain data. Leaves out: layout and colours (`templates/report/`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from symrnn.derive.factors import to_latex
from symrnn.derive.record import Derivation
from symrnn.derive.sections import equations_rows
from symrnn.language.latex import spell
from symrnn.language.mathml import mathml
from symrnn.plan.cost import Count
from symrnn.report.page import Figure, Formula, formula, forward_figure


@dataclass(frozen=True)
class Column:
    """A cell in the comparison."""

    name: str
    title: str
    file: str
    figure: Figure
    equations: tuple[Formula, ...]
    facts: tuple[str, ...]


@dataclass(frozen=True)
class Overview:
    """The comparison: cells, and the names of the facts that each has one of."""

    columns: tuple[Column, ...]
    facts: tuple[str, ...]


FACTS = ("State", "Without a matrix, one step back multiplies a gradient by", "Weights", "Kept for the backward pass")


def overview(derivations: Sequence[Derivation]) -> Overview:
    """The comparison of cells."""
    return Overview(tuple(_column(derivation) for derivation in derivations), FACTS)


def _column(derivation: Derivation) -> Column:
    cell = derivation.cell
    weights = Count.of(*(parameter.shape for parameter in cell.parameters))
    states = ", ".join(mathml(spell(state, "t")) for state in cell.states)
    tape = ", ".join(mathml(derivation.notation.name(name)) for name in derivation.tape)
    return Column(
        name=cell.name,
        title=escape(cell.title or cell.name),
        file=f"{cell.name}.html",
        figure=forward_figure(derivation, prefix=f"{cell.name}-"),
        equations=tuple(formula(row) for row in equations_rows(cell, derivation.notation)),
        facts=(states, _direct(derivation), escape(str(weights)), tape),
    )


def _direct(derivation: Derivation) -> str:
    """The direct paths of every state that has one."""
    found = []
    for state in derivation.cell.states:
        if direct := derivation.jacobian(state, state).direct:
            found.append(mathml(rf"{spell(state, 't')} : \; {to_latex(direct, '', derivation.notation)}"))
    return ", ".join(found) or "nothing: every path crosses a matrix"
