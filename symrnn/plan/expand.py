"""Reductions and vector functions that are made of others, written out: a plan and its targets know the others alone.

Reads a normal `System`, the step or what is derived from it; returns the system with a name for each part. So a derivative
keeps the rule of the table, in the saved result, and no target needs a text for what it can compute already. Leaves out: what
each is made of (`symrnn.language.reductions`, `symrnn.language.vectors`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from symrnn.language.identifiers import Allocator
from symrnn.language.normalise import has_form
from symrnn.language.reductions import REDUCTIONS, Reduced
from symrnn.language.system import Equation, Role, System, Variable
from symrnn.language.tree import (
    PRIME,
    Binary,
    Broadcast,
    Expression,
    Name,
    Reduce,
    SizeOf,
    VectorCall,
    transform,
    walk,
)
from symrnn.language.vectors import VECTORS


def written_out(system: System, allocator: Allocator) -> System:
    """``system`` without reductions and vector functions that are made of others; the same record where it has none.

    An average over some axes is made of their sum. What is repeated beside a linear form has a name: stages along axes have no
    accumulators.

    Args:
        system: normal.
        allocator: of the names of parts, which have the labels of the equations that they come from.
    """
    equations: list[Equation] = []
    variables: list[Variable] = []
    for equation in system.equations:
        named = partial(_part, equation, allocator, equations, variables)
        expression = _written(equation, system, named)
        equations.append(equation if expression is equation.expression else replace(equation, expression=expression))
    if tuple(equations) == system.equations:
        return system
    return replace(system, equations=tuple(equations), variables=(*system.variables, *variables))


def _written(equation: Equation, system: System, named: Callable[[str, Expression, str], Name]) -> Expression:
    """The right side of an equation in what targets compute; parts that need names come before it."""
    match equation.expression:
        case Reduce(kind, Name(operand), axis, of) as whole:
            at = Reduced(Name(operand), Name(equation.target), system.size(operand), named, axis)
            if made_of := REDUCTIONS[kind].made_of:
                return made_of(at)
            if of and REDUCTIONS[kind].averages:
                return Binary("/", named("total", at.reduced("sum", at.operand), at.left), SizeOf(axis))
            return whole
        case VectorCall(kind, Name(operand), axis) as whole:
            at = Reduced(Name(operand), Name(equation.target), system.size(operand), named, axis)
            vector = VECTORS[kind].made_of
            return vector(at) if vector else whole
        case whole if has_form(whole) and any(isinstance(node, Broadcast) for node in walk(whole)):
            return transform(
                whole, lambda part: named("part", part, part.size) if isinstance(part, Broadcast) else part
            )
        case whole:
            return whole


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
