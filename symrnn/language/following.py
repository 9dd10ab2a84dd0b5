"""States that follow the input unit by unit and therefore have its size: ``p' = x``, or ``p' = a * p + x``.

Reads parsed equations; returns such states. Their right sides, intermediates written out, are elementwise in ``x``, in
themselves and in other such states, with parameters and numbers. The output is never one: its size is ``hidden``. Leaves
out: what else may tie their size (`symrnn.language.sizes`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from symrnn.language.located import Assignment
from symrnn.language.tree import PRIME, Expression, MatVec, Name, Reduce, children, is_next

INPUT_NAME = "x"


class _Reads(NamedTuple):
    """The input and states that a value reads: unit by unit, or all units of them in a reduction."""

    units: frozenset[str] = frozenset()
    totals: frozenset[str] = frozenset()
    form: bool = False


def following(assignments: Iterable[Assignment], returned: Collection[str]) -> tuple[str, ...]:
    """The states that ``x`` alone determines, unit by unit, in order.

    Args:
        assignments: the equations; each name is assigned before it is read.
        returned: the states and other names that are the layer's outputs.
    """
    assignments = tuple(assignments)
    states = [assignment.target[:-1] for assignment in assignments if is_next(assignment.target)]
    known = {name: _Reads(frozenset({name})) for name in (INPUT_NAME, *states)}
    for assignment in assignments:
        known[assignment.target] = _reads(assignment.expression.node, known)
    reads = {state: known[state + PRIME] for state in states}
    closed = {state for state in states if state not in returned and not reads[state].form}
    while left := {s for s in closed if not (reads[s].units | reads[s].totals) <= closed | {INPUT_NAME}}:
        closed -= left
    found: set[str] = set()
    while more := {s for s in closed - found if reads[s].units & (found | {INPUT_NAME})}:
        found |= more
    return tuple(state for state in states if state in found)


def _reads(node: Expression, known: dict[str, _Reads]) -> _Reads:
    """What ``node`` reads; parameters and numbers do not count."""
    if isinstance(node, Name):
        return known.get(node.name, _Reads())
    parts = [_reads(part, known) for part in children(node)]
    units = frozenset().union(*(part.units for part in parts))
    totals = frozenset().union(*(part.totals for part in parts))
    if isinstance(node, Reduce):
        units, totals = frozenset(), units | totals
    return _Reads(units, totals, isinstance(node, MatVec) or any(part.form for part in parts))
