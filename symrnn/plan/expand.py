"""Reductions and vector functions that are made of others, written out: a plan and its targets know the others alone.

Reads a normal `System`, the step or what is derived from it; returns the system with a name for each part. So a derivative
keeps the rule of the table, in the saved result, and no target needs a text for what it can compute already. Leaves out: what
each is made of (`symrnn.language.reductions`, `symrnn.language.vectors`).
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from symrnn.language.identifiers import Allocator
from symrnn.language.reductions import REDUCTIONS, Reduced
from symrnn.language.system import Equation, Role, System, Variable
from symrnn.language.tree import PRIME, Expression, Name, Reduce, VectorCall
from symrnn.language.vectors import VECTORS


def written_out(system: System, allocator: Allocator) -> System:
    """``system`` without reductions and vector functions that are made of others; the same record where it has none.

    Args:
        system: normal.
        allocator: of the names of parts, which have the labels of the equations that they come from.
    """
    if not any(_is_made_of_others(equation.expression) for equation in system.equations):
        return system
    equations: list[Equation] = []
    variables: list[Variable] = []
    for equation in system.equations:
        expression = equation.expression
        if _is_made_of_others(expression):
            assert isinstance(expression, Reduce | VectorCall)
            assert isinstance(expression.operand, Name)
            named = partial(_part, equation, allocator, equations, variables)
            at = Reduced(expression.operand, Name(equation.target), system.size(expression.operand.name), named)
            row = REDUCTIONS[expression.kind] if isinstance(expression, Reduce) else VECTORS[expression.kind]
            assert row.made_of is not None
            expression = row.made_of(at)
        equations.append(replace(equation, expression=expression))
    return replace(system, equations=tuple(equations), variables=(*system.variables, *variables))


def _is_made_of_others(node: Expression) -> bool:
    match node:
        case Reduce(kind, _):
            return REDUCTIONS[kind].made_of is not None
        case VectorCall(kind, _):
            return VECTORS[kind].made_of is not None
        case _:
            return False


def _part(
    equation: Equation,
    allocator: Allocator,
    equations: list[Equation],
    variables: list[Variable],
    hint: str,
    node: Expression,
    size: str,
) -> Name:
    """A name for ``node``, a part of ``equation``, ahead of it."""
    name = allocator.fresh(f"{equation.target.removesuffix(PRIME)}_{hint}")
    equations.append(replace(equation, target=name, expression=node))
    variables.append(Variable(name, Role.INTERMEDIATE, (size,)))
    return Name(name)
