"""The parts of a cell that matter to its gradient flow: recurrent matrices, and the biases that hold a state.

Reads a cell's normal step; returns names. A matrix is recurrent if it multiplies something that
depends on a state. A state is *held* by its factor in its own next value, with all functions' values taken as given:
``f`` in ``c' = f * c + i * g``, ``1 - u`` in ``h' = (1 - u) * h + u * n``. A bias holds the state if such a factor is a
function of a sum with that bias. Leaves out: numbers, except for a sign.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy

from symrnn.derive.adjoint import derivative, root_derivative
from symrnn.derive.evaluate import evaluate, floats
from symrnn.flow.trajectory import Trajectory
from symrnn.language.cell import Cell
from symrnn.language.functions import Algebra
from symrnn.language.symbolic import Restorer, atoms_of, symbol, to_sympy
from symrnn.language.system import ONE, Equation, Role, System
from symrnn.language.tree import PRIME, Broadcast, Call, Expression, MatVec, Name, names, walk


def recurrent_matrices(cell: Cell) -> tuple[str, ...]:
    """The matrices, in order of appearance, that multiply something that depends on a state."""
    system = cell.normal
    dependent = set(cell.states)
    found: dict[str, None] = {}
    for equation in system.equations:
        if any(name in dependent for name in names(equation.expression)):
            dependent.add(equation.target)
        for node in walk(equation.expression):
            if isinstance(node, MatVec) and isinstance(node.operand, Name) and node.operand.name in dependent:
                found[node.matrix] = None
        read = names(equation.expression)  # of a matrix that acts on an axis, a product
        found |= {name: None for name in read if system.by_name[name].matrix and equation.target in dependent}
    return tuple(found)


def held_by(cell: Cell, state: str) -> Algebra:
    """The factor of ``state`` in its own next value; 0 if it has none.

    Functions and linear forms are taken as given.
    """
    return _Held(cell.normal, state).factor(state + PRIME)


class _Held:
    """The derivative of a value by one state, with the values of functions held constant."""

    def __init__(self, system: System, state: str) -> None:
        self._system, self._state = system, state

    def factor(self, name: str) -> Algebra:
        if name == self._state:
            return sympy.Integer(1)
        equation = self._system.definition.get(name)
        if equation is None or isinstance(equation.expression, Call):
            return sympy.Integer(0)
        atoms = [atom for atom in atoms_of(equation.expression) if isinstance(atom, Name)]
        slopes = [(atom.name, derivative(equation, atom)) for atom in atoms]
        return sum((slope * self.factor(atom) for atom, slope in slopes if slope != 0), sympy.Integer(0))


def holding_biases(cell: Cell) -> dict[str, tuple[str, ...]]:
    """For each state that biases hold, these biases in order of appearance."""
    found = {}
    for state in cell.states:
        biases = dict.fromkeys(bias for _, bias, _ in _ways(cell, state))
        if biases:
            found[state] = tuple(biases)
    return found


def holding_signs(trajectory: Trajectory, state: str) -> dict[str, int]:
    """For each bias that holds ``state``: 1 if raising it holds more, -1 if it holds less.

    Args:
        trajectory: where the derivative of the factor by the bias is evaluated; its mean counts.
        state: one of `holding_biases`.
    """
    total: dict[str, float] = {}
    for slope, bias, sign in _ways(trajectory.cell, state):
        value = evaluate(slope, trajectory.known, trajectory.sizes, floats())
        total[bias] = total.get(bias, 0.0) + sign * float(np.mean(value))
    return {bias: -1 if value < 0 else 1 for bias, value in total.items()}


def _ways(cell: Cell, state: str) -> Iterator[tuple[Expression, str, int]]:
    """For each bias that holds ``state``: the magnitude of the factor's slope by the bias, and its sign."""
    system, factor = cell.normal, held_by(cell, state)
    for equation in system.equations:
        name = equation.target
        if system.by_name[name].role is not Role.INTERMEDIATE or symbol(Name(name)) not in factor.free_symbols:
            continue
        slope = sympy.diff(factor, symbol(Name(name)))
        if isinstance(equation.expression, Call):
            slope *= _root(equation)
        atoms = [Name(variable.name) for variable in system.variables]
        inner = [atom for each in system.equations for atom in atoms_of(each.expression)]
        # A value that the state's equation repeats along axes has the symbol of what is repeated: there it has all axes.
        wide = [atom for atom in inner if isinstance(atom, Broadcast) and atom.size == cell.size(state)]
        for bias, sign in _added(system, name):
            yield Restorer((*wide, *atoms, *inner))(slope), bias, sign


def _root(equation: Equation) -> Algebra:
    """The derivative of the function at the root by its argument; 1 if it has several arguments."""
    assert isinstance(equation.expression, Call)
    return root_derivative(equation) if len(equation.expression.arguments) == 1 else sympy.Integer(1)


def _added(system: System, name: str) -> Iterator[tuple[str, int]]:
    """The biases that are added to the argument of a value's function, directly or through other sums, with their signs."""
    equation = system.definition.get(name)
    if equation is None:
        return
    node = equation.expression
    arguments: tuple[Expression, ...] = node.arguments if isinstance(node, Call) else (node,)
    for argument in arguments:
        for atom in atoms_of(argument):
            slope = sympy.diff(to_sympy(argument), symbol(atom))
            if not isinstance(atom, Name) or slope not in (1, -1):
                continue
            variable = system.by_name[atom.name]
            if variable.role is Role.PARAMETER and len(variable.shape) == 1 and variable.shape != (ONE,):
                yield atom.name, int(slope)
            elif variable.role is Role.INTERMEDIATE and not isinstance(_definition(system, atom.name), Call):
                yield from ((bias, sign * int(slope)) for bias, sign in _added(system, atom.name))


def _definition(system: System, name: str) -> Expression | None:
    equation = system.definition.get(name)
    return equation.expression if equation else None
