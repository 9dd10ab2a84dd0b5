"""The tangent of a step: the Jacobian-vector product, computed beside the step itself.

Reads a normal `System`; returns the `System` that has every equation of the step followed by that of its tangent.
A tangent variable has the role and shape of the variable that it belongs to (``of``), so a planner schedules the pair
as it would any step. Every derivative is SymPy's; the tangent of ``W v`` is ``dW v + W dv``, a reduction's is linear. An input
without gradient, and a value that such inputs alone determine, has no tangent: it is zero.
"""

from __future__ import annotations

from functools import partial

from symrnn.derive.adjoint import derivative
from symrnn.language.functions import Algebra
from symrnn.language.identifiers import Allocator
from symrnn.language.normalise import expression_size, has_form
from symrnn.language.reductions import REDUCTIONS, Reduced
from symrnn.language.symbolic import Restorer, atoms_of, choice_of
from symrnn.language.system import Equation, Role, System, Variable
from symrnn.language.tree import (
    PRIME,
    Binary,
    Broadcast,
    Expression,
    MatVec,
    Name,
    Number,
    Reduce,
    VectorCall,
    integer,
    is_next,
    names,
)
from symrnn.language.vectors import VECTORS


def tangent(system: System) -> System:
    """The combined system of ``system`` and its tangent, whose equations are labelled ``j1``, ``j2`` and so on.

    Its inputs are those of the step and their tangents, its outputs the next states and their tangents.
    """
    return _TangentBuilder(system).run()


class _TangentBuilder:
    """Walks the equations forwards; every name that a gradient reaches has a tangent of its own, and so has every output."""

    def __init__(self, system: System) -> None:
        self._system, self._held = system, system.held.difference(system.outputs)
        self._allocator = Allocator(variable.name.removesuffix(PRIME) for variable in system.variables)
        self._shape = {variable.name: variable.shape for variable in system.variables}
        self._variables: list[Variable] = []
        self._equations: list[Equation] = []
        self._count = 0
        self._name: dict[str, str] = {}
        stems: dict[str, str] = {}
        for variable in system.variables:
            self._variables.append(variable)
            if variable.name in self._held:
                continue
            stem = variable.name.removesuffix(PRIME)
            if stem not in stems:
                stems[stem] = self._allocator.fresh(f"{stem}_dot")
            self._name[variable.name] = stems[stem] + (PRIME if is_next(variable.name) else "")
            self._declare(self._name[variable.name], variable.role, variable.shape, variable.name)

    def run(self) -> System:
        for equation in self._system.equations:
            self._equations.append(equation)
            if equation.target not in self._held:
                self._push(equation)
        inputs = (*self._system.inputs, *(self._name[name] for name in self._system.inputs if name in self._name))
        outputs = (*self._system.outputs, *(self._name[name] for name in self._system.outputs))
        return System(inputs, outputs, tuple(self._equations), tuple(self._variables))

    def _declare(self, name: str, role: Role, shape: tuple[str, ...], of: str) -> None:
        self._variables.append(Variable(name, role, shape, of))
        self._shape[name] = shape

    def _emit(self, target: str, expression: Expression, origin: str) -> None:
        self._count += 1
        self._equations.append(Equation(f"j{self._count}", target, expression, origin))

    def _push(self, equation: Equation) -> None:
        """The tangent of ``equation``: for each slope, the slope times the sum of the tangents it multiplies."""
        target = self._name[equation.target]
        if self._held and not self._moves(equation.expression):
            self._emit(target, integer(0), equation.label)
            return
        if isinstance(equation.expression, Reduce | VectorCall):
            assert isinstance(equation.expression.operand, Name)
            operand, kind = equation.expression.operand, equation.expression.kind
            axis = equation.expression.axis
            size, part = self._shape[operand.name][0], partial(self._part, equation)
            at = Reduced(operand, Name(equation.target), size, part, axis)
            row = REDUCTIONS[kind] if isinstance(equation.expression, Reduce) else VECTORS[kind]
            self._emit(target, row.tangent(Name(self._name[operand.name]), at), equation.label)
            return
        atoms = [
            a for a in atoms_of(equation.expression) if isinstance(a, Name | MatVec | Broadcast) and self._moves(a)
        ]
        restore = Restorer((*atoms_of(equation.expression), Name(equation.target)))
        groups: dict[Algebra, list[Expression]] = {}
        for atom in atoms:
            groups.setdefault(derivative(equation, atom), []).append(self._of_atom(atom))
        terms: list[Expression] = []
        for slope, inner_terms in groups.items():
            factor, inner = restore(slope), _sum(inner_terms)
            if isinstance(factor, Number) and factor.value == 0:
                continue
            if factor != integer(1) and has_form(inner):
                inner = self._named(inner, equation)
            choice = choice_of(factor)
            terms.append(choice(scaled(choice.value, inner)) if choice else scaled(factor, inner))
        self._emit(target, _sum(terms) if terms else integer(0), equation.label)

    def _moves(self, atom: Expression) -> bool:
        """Whether a name, or a factor of a linear form, has a tangent."""
        return any(name in self._name for name in names(atom))

    def _of_atom(self, atom: Expression) -> Expression:
        if isinstance(atom, Name):
            return Name(self._name[atom.name])
        if isinstance(atom, Broadcast):
            return Broadcast(self._of_atom(atom.operand), atom.of, atom.size)
        assert isinstance(atom, MatVec)
        assert isinstance(atom.operand, Name)
        terms: list[Expression] = []
        if atom.matrix in self._name:
            terms.append(MatVec(self._name[atom.matrix], atom.transposed, atom.operand))
        if atom.operand.name in self._name:
            terms.append(MatVec(atom.matrix, atom.transposed, Name(self._name[atom.operand.name])))
        return _sum(terms)

    def _named(self, node: Expression, equation: Equation) -> Name:
        return self._part(equation, "dot_in", node, expression_size(node, self._shape))

    def _part(self, equation: Equation, hint: str, node: Expression, size: str) -> Name:
        """A name for ``node``, a part of the tangent of ``equation``."""
        name = self._allocator.fresh(f"{equation.target.removesuffix(PRIME)}_{hint}")
        self._declare(name, Role.INTERMEDIATE, (size,), "")
        self._emit(name, node, equation.label)
        return Name(name)


def scaled(factor: Expression, inner: Expression) -> Expression:
    """``factor`` times ``inner``."""
    return inner if factor == integer(1) else Binary("*", factor, inner)


def _sum(terms: list[Expression]) -> Expression:
    total = terms[0]
    for term in terms[1:]:
        total = Binary("+", total, term)
    return total
