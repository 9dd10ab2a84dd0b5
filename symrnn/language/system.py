"""`System`: equations of the four kinds, with the shapes of their variables.

A step, its adjoint and its tangent are all systems: one planner, one set of printers and templates serves them.
Reads expression trees; holds no algorithm beyond look-up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from symrnn.language.functions import Algebra
from symrnn.language.symbolic import equation_form
from symrnn.language.tree import Expression, names

INPUT, HIDDEN, ONE = "input", "hidden", "1"
"""The size names that every cell knows: units of ``x``, units of a state, and a scalar that broadcasts."""


class Role(StrEnum):
    """What a variable is to the step."""

    INPUT = "input"
    STATE = "state"
    NEXT = "next state"
    INTERMEDIATE = "intermediate"
    PARAMETER = "parameter"
    PREPARED = "prepared parameter"
    ADJOINT = "adjoint"
    TANGENT = "tangent"


@dataclass(frozen=True)
class Variable:
    """A named value.

    Attributes:
        name: unique in its system; the next value of state ``c`` is named ``c'``.
        role: what it is to the step.
        shape: size names, ``("hidden",)`` for a vector, ``("hidden", "input")`` for a matrix, ``("1",)`` for a scalar.
        of: for an adjoint or a tangent, the variable that it belongs to; for a named part of an equation
            (``c_t`` before its tanh), empty.
        gradient: whether a step is differentiated by it; an adjoint and a tangent pass over one that says False, and over
            what only such values determine (`held`). A parameter under ``fixed`` says False.
        matrix: whether its last axis is the columns of a matrix: one that acts on the last axis of values with several axes
            is a vector with the axes of its rows and columns, and starts as matrices do.
        apart: of such a matrix, how many of its first axes have a matrix for each unit: each of these starts by itself.
    """

    name: str
    role: Role
    shape: tuple[str, ...]
    of: str = ""
    gradient: bool = True
    matrix: bool = False
    apart: int = 0


@dataclass(frozen=True)
class Equation:
    """``target = expression``.

    Attributes:
        label: ``"3"``, or ``"6a"`` for a part that normalisation named; unique in its system.
        target: the variable assigned; exactly one equation assigns it.
        expression: the right side.
        origin: label of the author's equation this one comes from (its own, where the author wrote it).
        further: where its terms come from several equations, the labels of the others, in the order of the terms.
    """

    label: str
    target: str
    expression: Expression
    origin: str = ""
    further: tuple[str, ...] = ()

    @property
    def origins(self) -> tuple[str, ...]:
        """The labels of all equations that it comes from."""
        return (self.origin, *self.further) if self.origin else ()

    @cached_property
    def sympy(self) -> Algebra:
        """The SymPy form: an ``Eq`` whose linear forms and reductions are opaque symbols such as ``W_xi @ x``."""
        return equation_form(self.target, self.expression)


@dataclass(frozen=True)
class System:
    """Equations in the order of evaluation, and every variable they read or assign.

    Attributes:
        inputs: names read and never assigned, parameters included.
        outputs: names that the step returns.
        equations: in an order in which each reads only inputs and earlier targets.
        variables: one per name, in order of first appearance.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    equations: tuple[Equation, ...]
    variables: tuple[Variable, ...]

    def __repr__(self) -> str:
        """One line, which no code reads: what it returns, and how many equations it has."""
        return f"<System outputs={self.outputs} equations={len(self.equations)}>"

    @cached_property
    def by_name(self) -> Mapping[str, Variable]:
        """Variables by name."""
        return {variable.name: variable for variable in self.variables}

    @cached_property
    def definition(self) -> Mapping[str, Equation]:
        """Equations by the variable that they assign."""
        return {equation.target: equation for equation in self.equations}

    @cached_property
    def held(self) -> frozenset[str]:
        """The names that no gradient reaches: inputs that have none, and what these alone determine.

        Empty if every input has one.
        """
        found = {name for name in self.inputs if not self.by_name[name].gradient}
        for equation in self.equations if found else ():
            if found.issuperset(names(equation.expression)):
                found.add(equation.target)
        return frozenset(found)

    def of_role(self, role: Role) -> tuple[Variable, ...]:
        """The variables of a role, in order."""
        return tuple(variable for variable in self.variables if variable.role is role)

    def size(self, name: str) -> str:
        """The size name of a vector variable."""
        return self.by_name[name].shape[0]
