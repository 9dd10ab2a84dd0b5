"""The tape: the forward routine's values that the backward routine reads, and whether each is stored or computed again.

Reads the normal system of a step and its adjoint system; returns `Saved`. Leaves out: where a value is stored
(`symrnn.plan.storage`); and states and inputs, which every run keeps.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from symrnn.language.normalise import has_form
from symrnn.language.reductions import REDUCTIONS
from symrnn.language.system import ONE, Equation, Role, System
from symrnn.language.tree import Call, Name, Outer, Reduce, VectorCall, names, walk
from symrnn.plan.forward import Known


@dataclass(frozen=True)
class Saved:
    """The forward routine's values that the backward routine reads: (name, reason) pairs."""

    stored: tuple[tuple[str, str], ...]
    recomputed: tuple[tuple[str, str], ...]


def tape(system: System, adjoint: System, known: Mapping[str, Known], cheap: Collection[str]) -> Saved:
    """Which values of the step its adjoint reads, and whether each is stored or computed again.

    Every run keeps states and inputs, and values of parameters alone. Another value is computed again if arithmetic and
    ``cheap`` functions can make it from stored values, and no deferred product reads it. Else it is stored. So is what a
    reduction compares with its result: computed again, it may differ in the last place.
    """
    read: dict[str, None] = {}
    operands: dict[str, None] = {}
    for equation in adjoint.equations:
        read.update(dict.fromkeys(names(equation.expression)))
        for node in walk(equation.expression):
            if isinstance(node, Outer):
                operands.update({node.left.name: None, node.right.name: None})
    compared = {
        node.operand.name: node.kind
        for equation in system.equations
        for node in walk(equation.expression)
        if isinstance(node, Reduce) and isinstance(node.operand, Name) and REDUCTIONS[node.kind].exact
    }
    there = {v.name for v in system.variables if v.role in (Role.INPUT, Role.STATE, Role.NEXT, Role.PARAMETER)}
    stored: list[tuple[str, str]] = []
    recomputed: list[tuple[str, str]] = []
    for equation in system.equations:
        name = equation.target
        if name in there or name not in read:
            continue
        if known[name] is Known.ONCE:
            there.add(name)
            continue
        reason = _reason_to_store(equation, name in operands, there, system, cheap)
        if not reason and name in compared:
            reason = f"compared with its {compared[name]}"
        there.add(name)
        if reason:
            stored.append((name, reason))
        else:
            recomputed.append((name, "arithmetic on " + ", ".join(names(equation.expression))))
    return Saved(tuple(stored), tuple(recomputed))


def _reason_to_store(equation: Equation, operand: bool, there: set[str], system: System, cheap: Collection[str]) -> str:
    """Why the value of ``equation`` is stored; empty if computing it again is cheaper."""
    if operand:
        return "operand of a deferred product"
    if has_form(equation.expression):
        return "needs a matrix product"
    if system.size(equation.target) == ONE:
        return "a scalar per row"
    if isinstance(equation.expression, Reduce):
        return "made of many numbers"
    if isinstance(equation.expression, VectorCall):
        return "made of all units"
    calls = [node.function for node in walk(equation.expression) if isinstance(node, Call)]
    costly = [function for function in calls if function not in cheap]
    if costly:
        return f"{costly[0]} costs more than a load"
    missing = [name for name in names(equation.expression) if name not in there]
    if missing:
        return f"{missing[0]} is not stored"
    return ""
