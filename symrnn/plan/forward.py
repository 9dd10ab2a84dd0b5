"""The forward routine of a step: what leaves the loop, and what stays.

Reads a normal `System` (a step, or a step beside its tangent); returns the statements of each phase. Nothing here
knows which values the tape wants: `symrnn.plan.storage` decides on places once all phases are known.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass
from enum import IntEnum

from symrnn.language.identifiers import Allocator
from symrnn.language.system import Role, System
from symrnn.language.tree import (
    PRIME,
    Binary,
    Expression,
    MatVec,
    Name,
    children,
    is_next,
    names,
    rebuild,
    walk,
)
from symrnn.plan.lower import Term, sum_of, terms_of
from symrnn.plan.vocabulary import Statement


class Known(IntEnum):
    """When a value is known: with the parameters, with ``x`` before the loop, or in the loop with the states."""

    ONCE = 0
    BEFORE = 1
    LOOP = 2


@dataclass(frozen=True)
class Split:
    """The statements of a forward routine by phase, each in order of evaluation.

    Attributes:
        once: of parameters alone.
        before: of ``x`` and parameters.
        loop: of one step.
        hoisted: the values of ``before`` that were taken out of a sum of the loop; each is read there, once.
    """

    once: tuple[Statement, ...]
    before: tuple[Statement, ...]
    loop: tuple[Statement, ...]
    hoisted: tuple[str, ...] = ()


def classify(system: System) -> dict[str, Known]:
    """When each variable of ``system`` is known.

    If a linear form reads a value of parameters alone, that value is hoisted and not computed once: its rows then make
    the deferred gradient of the matrix, as those of any other operand do.
    """
    known: dict[str, Known] = {}
    for variable in system.variables:
        known[variable.name] = {Role.PARAMETER: Known.ONCE, Role.INPUT: Known.BEFORE}.get(variable.role, Known.LOOP)
    operands = {
        node.operand.name
        for equation in system.equations
        for node in walk(equation.expression)
        if isinstance(node, MatVec) and isinstance(node.operand, Name)
    }
    for equation in system.equations:
        if is_next(equation.target):
            continue
        least = Known.BEFORE if equation.target in operands else Known.ONCE
        if equation.target in system.outputs:
            least = Known.LOOP  # the loop hands each step's outputs to the caller
        known[equation.target] = max([least, *(known[name] for name in names(equation.expression))])
    return known


def split(system: System, sizes: MutableMapping[str, str], allocator: Allocator) -> Split:
    """The equations of ``system`` by phase, with the hoistable part of each sum of the loop taken out of it.

    Args:
        system: normal.
        sizes: the size of every value; new names join it.
        allocator: of new names.
    """
    known = classify(system)
    statements: dict[Known, list[Statement]] = {when: [] for when in Known}
    hoisted: list[str] = []
    for equation in system.equations:
        when = known[equation.target]
        expression = equation.expression
        if when is Known.LOOP:
            hoister = _Hoister(equation.target, equation.label, known, sizes, allocator)
            expression = hoister.visit(expression)
            statements[Known.BEFORE] += hoister.hoisted
            hoisted += [statement.target for statement in hoister.hoisted]
        statements[when].append(Statement(equation.target, expression, equation.label))
    once, before, loop = (tuple(statements[when]) for when in Known)
    return Split(once, before, loop, tuple(hoisted))


class _Hoister:
    """Takes the terms of ``x`` and parameters out of the sums of one equation, where they contain a linear form."""

    def __init__(
        self, target: str, label: str, known: dict[str, Known], sizes: MutableMapping[str, str], allocator: Allocator
    ) -> None:
        self._target, self._label, self._known, self._sizes, self._allocator = target, label, known, sizes, allocator
        self.hoisted: list[Statement] = []

    def visit(self, node: Expression) -> Expression:
        """``node`` with the hoistable part of each of its sums replaced by a name."""
        if isinstance(node, MatVec) or (isinstance(node, Binary) and node.op in "+-"):
            terms = terms_of(node)
            early = [term for term in terms if self._early(term[1])]
            if any(isinstance(part, MatVec) for _, term in early for part in walk(term)):
                rest: list[Term] = [(sign, self.visit(term)) for sign, term in terms if not self._early(term)]
                return sum_of([(True, self._hoist(sum_of(early))), *rest])
            if isinstance(node, MatVec):
                return node
        parts = children(node)
        return rebuild(node, tuple(self.visit(part) for part in parts)) if parts else node

    def _early(self, node: Expression) -> bool:
        return all(self._known[name] < Known.LOOP for name in names(node))

    def _hoist(self, node: Expression) -> Name:
        name = self._allocator.fresh(f"{self._target.removesuffix(PRIME)}_x")
        self._sizes[name] = self._sizes[self._target]
        self._known[name] = Known.BEFORE
        self.hoisted.append(Statement(name, node, self._label))
        return Name(name)
