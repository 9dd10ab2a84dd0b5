r"""How the names of a derivation are written: ``h_{t-1}`` and ``h_t``, ``\overline{c}_t``, ``\delta_{i,t}``.

Reads a cell and the adjoint of its normal form; returns a `Notation`. Short parts that normalisation named
(``tanh(c')``, ``r * h``) are written out as the author wrote them. Leaves out: how expressions are put together
(`symrnn.language.typeset.expressions`).
"""

from __future__ import annotations

from collections.abc import Mapping

from symrnn.language.cell import Cell
from symrnn.language.system import Role, System, Variable
from symrnn.language.tree import PRIME, Expression, walk
from symrnn.language.typeset.expressions import Notation
from symrnn.language.typeset.latex import Latex, raised
from symrnn.language.typeset.symbols import BEFORE, NOW, spell, step_name, timeless

ARROW = r"\overset{\scriptscriptstyle\leftarrow}"
"""Marks what a step hands back to the step before it."""

ARRIVES = Latex(r"\mathrm{in}")
"""Marks the part of an adjoint that reaches the step from outside."""

SHORT = 5
"""The largest expression, in nodes, that is written out in place of its name."""


def notation_of(cell: Cell, adjoint: System, now: str = NOW, before: str = BEFORE) -> Notation:
    """The notation of a cell's step and of its adjoint; ``now`` and ``before`` are the indices of the two steps."""
    parts = written_out(cell)
    texts = {name: spell(name) for name in cell.constants}
    fixed = timeless(cell.normal) | timeless(cell)
    once = cell.preparation.variables
    texts |= {variable.name: spell(variable.name) for variable in once}
    for variable in (*cell.variables, *cell.normal.variables):
        texts[variable.name] = step_name(variable, fixed, now, before)
    shapes = {v.name: v.shape for v in (*once, *cell.variables, *cell.normal.variables, *adjoint.variables)}
    step = Notation(texts, shapes, parts)
    arriving = arrivals(adjoint)
    for variable in adjoint.of_role(Role.ADJOINT):
        arrives = variable.name in arriving
        texts[variable.name] = _adjoint_name(variable, cell.normal, step, fixed, arrives, (now, before))
    return Notation(_distinct(texts, parts), shapes, parts)


def arrivals(adjoint: System) -> tuple[str, ...]:
    """The adjoints that reach a step from outside and are a part of what they are there; these are marked."""
    totals = [variable.of for variable in adjoint.variables if variable.name in adjoint.definition]
    adjoints = adjoint.of_role(Role.ADJOINT)
    return tuple(each.name for each in adjoints if each.name not in adjoint.definition and each.of in totals)


def written_out(cell: Cell) -> dict[str, Expression]:
    """The names that normalisation gave and that are as short written out, and what they stand for."""
    parts: dict[str, Expression] = {}
    for equation in cell.normal.equations:
        if equation.target in cell.by_name:
            continue
        whole = Notation({}, {}, parts).shown(equation.expression)
        if sum(1 for _ in walk(whole)) <= SHORT:
            parts[equation.target] = whole
    return parts


def _adjoint_name(
    variable: Variable, step: System, notation: Notation, fixed: frozenset[str], arrives: bool, times: tuple[str, str]
) -> Latex:
    """A bar marks an adjoint; an arrow what a step hands back to the step before it; "in" what it is handed itself."""
    now, before = times
    if not variable.of:
        return spell(variable.name, now)
    of = step.by_name[variable.of]
    if of.name in notation.parts:
        whole = notation.name(of.name)
        return Latex(rf"\overline{{{whole}}}", whole)
    match of.role:
        case Role.STATE:
            return spell(of.name, before, ARROW)
        case Role.PARAMETER:
            # What this step contributes; the gradient is the sum over steps.
            return raised(spell(of.name, "", r"\overline"), Latex(f"({now})"))
        case _:
            text = spell(of.name.removesuffix(PRIME), "" if of.name in fixed else now, r"\overline")
            return raised(text, ARRIVES) if arrives else text


def _distinct(texts: Mapping[str, Latex], parts: Mapping[str, Expression]) -> dict[str, Latex]:
    """``texts``, with names that would look alike (``h_1`` and ``h1``) written as they are typed."""
    taken: dict[str, str] = {}
    result = {}
    for name, text in texts.items():
        if name not in parts and taken.setdefault(text, name) != name:
            plain = name.replace("_", r"\_").replace(PRIME, "'")
            text = Latex(rf"\mathtt{{{plain}}}")
        result[name] = text
    return result
