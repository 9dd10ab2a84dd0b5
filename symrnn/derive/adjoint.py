"""The adjoint of a step: the vector-Jacobian product, again as a system of equations of the same four kinds.

Reads a normal `System`; returns the `System` that takes the adjoints of its outputs (``dh'`` for ``h'``) to those of
its states, inputs and parameters. Every derivative is SymPy's, of one scalar expression for a representative unit; a
linear form ``W v`` has the adjoint rule ``dv += Wᵀ δ``, ``dW += δ vᵀ``, a reduction's is a broadcast, and a vector
function's is in its row of the table.

A parameter's adjoint here is the contribution of one row and one step. Whoever runs it sums over rows and steps. An input
without gradient, and a value that such inputs alone determine, has no adjoint: nothing is computed that only leads there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import sympy

from symrnn.language.axes import axes_of, beyond, settled, without
from symrnn.language.functions import FUNCTIONS, Algebra
from symrnn.language.identifiers import Allocator
from symrnn.language.normalise import expression_size
from symrnn.language.reductions import REDUCTIONS, Reduced
from symrnn.language.symbolic import Choice, Restorer, atoms_of, choice_of, symbol, to_sympy
from symrnn.language.system import ONE, Equation, Role, System, Variable
from symrnn.language.tree import (
    PRIME,
    Binary,
    Broadcast,
    Call,
    Expression,
    MatVec,
    Name,
    Number,
    Outer,
    Reduce,
    VectorCall,
    is_next,
    names,
    walk,
)
from symrnn.language.vectors import VECTORS


def derivative(equation: Equation, atom: Expression) -> Algebra:
    """∂(right side)/∂atom for one unit, in SymPy, with the function at the root written as the saved output.

    Linear forms and reductions count as independent of the names inside them.
    """
    whole, by = to_sympy(equation.expression), symbol(atom)
    if whole.is_Mul:
        # SymPy would differentiate every factor for every atom, but few factors read this one.
        fixed, moving = whole.as_independent(by, as_Add=False)
        slope = fixed * sympy.diff(moving, by)
    else:
        slope = sympy.diff(whole, by)
    if isinstance(equation.expression, Call):
        slope = slope.subs(whole, sympy.Symbol(equation.target))
    return slope


def root_derivative(equation: Equation) -> Algebra:
    """The derivative of the one-argument function at the root, by its argument, written in the saved output."""
    assert isinstance(equation.expression, Call)
    (argument,) = equation.expression.arguments
    inside = sympy.Dummy()
    applied = FUNCTIONS[equation.expression.function].symbol(inside)
    slope = sympy.diff(applied, inside).subs(applied, sympy.Symbol(equation.target))
    return slope.subs(inside, to_sympy(argument))


def adjoint(system: System) -> System:
    """The adjoint system of ``system``; equations in reverse order, labelled ``b1``, ``b2`` and so on.

    Its inputs are the values of the step and the adjoints of its outputs, its outputs the adjoints of its inputs that have one.
    """
    return _Adjoint(system).run()


@dataclass
class _Contribution:
    """Terms of one adjoint: elementwise ones, and linear forms, in the order found, and the equations they come from."""

    terms: list[Expression] = field(default_factory=list)
    origins: list[str] = field(default_factory=list)

    def ordered(self) -> tuple[tuple[Expression, str], ...]:
        """Terms with their origins; forms and outer products in the order of the step, as a reader expects them.

        Stacks then read memory in order.
        """
        both = tuple(zip(self.terms, self.origins, strict=True))
        linear = [each for each in both if isinstance(each[0], MatVec | Outer)]
        return (*(each for each in both if each not in linear), *reversed(linear))


class _Adjoint:
    """Walks the equations backwards and collects, for each name, what its consumers contribute."""

    def __init__(self, system: System) -> None:
        self._system, self._held = system, system.held
        self._shape = {variable.name: variable.shape for variable in system.variables}
        self._allocator = Allocator(name.removesuffix(PRIME) for name in self._shape)
        self._variables = list(system.variables)
        self._equations: list[Equation] = []
        self._received: dict[str, _Contribution] = {}
        self._choices: dict[str, Choice] = {}
        self._name: dict[str, str] = {}
        for variable in system.variables:
            suffix = "_out" if is_next(variable.name) else ""
            self._name[variable.name] = self._allocator.fresh(f"d{variable.name.removesuffix(PRIME)}{suffix}")

    def run(self) -> System:
        system = self._system
        for output in system.outputs:
            self._declare(self._name[output], system.by_name[output].shape, output)
        for equation in reversed(system.equations):
            if equation.target in self._received or equation.target in system.outputs:
                self._pull(equation)
        outputs = []
        for name in system.inputs:
            if name in self._received:
                self._assign(name)
                outputs.append(self._name[name])
        assigned = {equation.target for equation in self._equations}
        used = tuple(v.name for v in self._variables if v.name not in assigned)
        return System(used, tuple(outputs), tuple(self._equations), tuple(self._variables))

    def _declare(self, name: str, shape: tuple[str, ...], of: str) -> None:
        self._variables.append(Variable(name, Role.ADJOINT, shape, of))
        self._shape[name] = shape

    def _emit(self, target: str, expression: Expression, origin: str, *further: str) -> None:
        self._equations.append(Equation(f"b{len(self._equations) + 1}", target, expression, origin, further))
        if choice := choice_of(expression):
            self._choices[target] = choice

    def _assign(self, name: str) -> Name:
        """The equation ``dname = sum of what consumers contribute``; returns ``dname``."""
        ordered = self._received[name].ordered()
        total = ordered[0][0]
        for term, _ in ordered[1:]:
            total = Binary("+", total, term)
        origins = dict.fromkeys(origin for _, origin in ordered if origin)
        self._declare(self._name[name], self._system.by_name[name].shape, name)
        self._emit(self._name[name], total, *origins)
        return Name(self._name[name])

    def _total(self, equation: Equation) -> Name | Broadcast:
        """The adjoint of an intermediate: the one contribution that has a name and the right size, else an equation.

        What is repeated along axes needs no name either where arithmetic unit by unit reads it.
        """
        name = equation.target
        terms = self._received[name].terms
        if len(terms) == 1 and isinstance(terms[0], Name) and self._shape[terms[0].name] == self._shape[name]:
            return terms[0]
        elementwise = not isinstance(equation.expression, Reduce | VectorCall)
        if len(terms) == 1 and isinstance(terms[0], Broadcast) and elementwise:
            return terms[0]
        return self._assign(name)

    def _pull(self, equation: Equation) -> None:
        """Distribute the adjoint of ``equation.target`` over the atoms of its right side."""
        target = equation.target
        incoming: Name | Broadcast = Name(self._name[target])
        if target in self._received:
            if target in self._system.outputs:
                # A next state that the step itself reads: the adjoint from outside is one more term.
                self._received[target].terms.insert(0, incoming)
                self._received[target].origins.insert(0, "")
                inner = self._allocator.fresh(f"d{target.removesuffix(PRIME)}_all")
                self._name[target] = inner
                incoming = self._assign(target)
            else:
                incoming = self._total(equation)
        match equation.expression:
            case Reduce(kind, Name(operand), axis) if operand not in self._held:
                at = Reduced(Name(operand), Name(target), self._shape[operand][0], partial(self._part, equation), axis)
                self._give(operand, REDUCTIONS[kind].adjoint(incoming, at), equation)
            case VectorCall(kind, Name(operand), axis) if operand not in self._held and isinstance(incoming, Name):
                at = Reduced(Name(operand), Name(target), self._shape[operand][0], partial(self._part, equation), axis)
                self._give(operand, VECTORS[kind].adjoint(incoming, at), equation)
            case Reduce() | VectorCall():
                return  # of values that no gradient reaches
            case _:
                self._pull_elementwise(equation, incoming)

    def _moves(self, atom: Expression) -> bool:
        """Whether a gradient reaches a name, or a factor of a linear form."""
        return not self._held or not self._held.issuperset(names(atom))

    def _part(self, equation: Equation, hint: str, node: Expression, size: str) -> Name:
        """A name for a part of the derivative of a reduction or a vector function."""
        name = self._allocator.fresh(f"{equation.target.removesuffix(PRIME)}_{hint}")
        self._declare(name, (size,), "")
        self._emit(name, node, equation.label)
        return Name(name)

    def _pull_elementwise(self, equation: Equation, incoming: Name | Broadcast) -> None:
        inner = equation
        if not self._moves(equation.expression):
            return
        match equation.expression:
            case Call(_, (argument,)) if not isinstance(argument, Name):
                # The function's own derivative is a factor of every term: it gets a name, and its argument is pulled.
                if FUNCTIONS[equation.expression.function].is_constant:
                    return
                incoming = self._through_call(equation, incoming)
                inner = Equation(equation.label, equation.target, argument)
        varying = (
            a for a in atoms_of(inner.expression) if isinstance(a, Name | MatVec | Broadcast) and self._varies(a)
        )
        atoms = [atom for atom in varying if self._moves(atom)]
        restore = Restorer((incoming, *atoms_of(inner.expression), Name(equation.target)))
        seed = symbol(incoming)
        shared: dict[Algebra, Expression] = {}
        slopes = {atom: seed * derivative(inner, atom) for atom in atoms}
        for coefficient in dict.fromkeys(slopes.values()):
            users = [atom for atom in atoms if slopes[atom] == coefficient]
            shared[coefficient] = self._shared(self._kept(restore(coefficient), incoming), users, equation)
        for atom in atoms:
            factor = shared[slopes[atom]]
            if isinstance(factor, Number) and factor.value == 0:
                continue
            if isinstance(atom, Name):
                self._give(atom.name, factor, equation)
            elif isinstance(atom, Broadcast):
                self._give_repeated(atom, factor, equation)
            else:
                assert isinstance(atom, MatVec)
                assert isinstance(factor, Name)
                self._give_form(atom, factor, equation)

    def _varies(self, atom: Name | MatVec | Broadcast) -> bool:
        """Whether ``atom`` is no name of what is computed from numbers alone."""
        equation = self._system.definition.get(atom.name) if isinstance(atom, Name) else None
        return equation is None or bool(names(equation.expression))

    def _through_call(self, equation: Equation, incoming: Name | Broadcast) -> Name:
        """The name of the incoming adjoint times the derivative of the function at the root of ``equation``."""
        restore = Restorer((incoming, *atoms_of(equation.expression), Name(equation.target)))
        factor = self._kept(restore(symbol(incoming) * root_derivative(equation)), incoming)
        return self._delta(factor, equation) if not isinstance(factor, Name) else factor

    def _kept(self, factor: Expression, incoming: Name | Broadcast) -> Expression:
        """``factor`` of an adjoint; where that is 0 by a choice, so is this, whatever the derivative is there.

        A branch that is not taken may have no derivative: that of log(a) is infinite at 0, and 0 times infinity is no number.
        """
        (name,) = names(incoming)
        choice = self._choices.get(name) if isinstance(incoming, Name) else None
        plain = names(factor) in ((), (name,)) and not any(isinstance(part, Call) for part in walk(factor))
        return factor if choice is None or plain else choice(factor)

    def _shared(self, factor: Expression, users: Sequence[Expression], equation: Equation) -> Expression:
        """``factor`` by a name where a linear form or several atoms use it, else as it is."""
        plain = isinstance(factor, Name) or not any(isinstance(user, MatVec) for user in users)
        if plain and (isinstance(factor, Name | Number) or len(users) == 1):
            return factor
        return self._delta(factor, equation)

    def _delta(self, factor: Expression, equation: Equation) -> Name:
        """A name for ``factor``: an adjoint inside ``equation``."""
        name = self._allocator.fresh(f"delta_{equation.target.removesuffix(PRIME)}")
        size = self._shape[equation.target][0]
        if size == ONE:
            size = expression_size(factor, self._shape)
        self._declare(name, (size,), "")
        self._emit(name, factor, equation.label)
        return Name(name)

    def _give(self, name: str, term: Expression, equation: Equation) -> None:
        """Add ``term`` to the adjoint of ``name``, summed over units where ``name`` was broadcast."""
        if self._shape[name] == (ONE,) and expression_size(term, self._shape) != ONE:
            term = self._summed(name, term, ONE, equation)
        self._receive(name, term, equation)

    def _give_repeated(self, atom: Broadcast, term: Expression, equation: Equation) -> None:
        """Add ``term`` to the adjoint of what was repeated, summed over the axes along which it was."""
        assert isinstance(atom.operand, Name)
        self._receive(atom.operand.name, self._summed(atom.operand.name, term, atom.of, equation), equation)

    def _summed(self, name: str, term: Expression, size: str, equation: Equation) -> Name:
        """The sum of ``term`` over the axes that ``size`` lacks: what it contributes to the adjoint of ``name``."""
        stem, of = f"delta_{name.removesuffix(PRIME)}", expression_size(term, self._shape)
        if not isinstance(term, Name):
            part = self._allocator.fresh(f"{stem}_terms")
            self._declare(part, (of,), "")
            self._emit(part, term, equation.label)
            term = Name(part)
        total = self._allocator.fresh(f"{stem}_sum")
        self._declare(total, (settled(without(of, axes_of(beyond(size, of)))),), "")
        self._emit(
            total, Reduce("sum", term) if size == ONE else Reduce("sum", term, beyond(size, of), of), equation.label
        )
        return Name(total)

    def _give_form(self, form: MatVec, delta: Name, equation: Equation) -> None:
        """``y = W v``: dv += Wᵀ δ and dW += δ vᵀ; transposed: dv += W δ and dW += v δᵀ."""
        assert isinstance(form.operand, Name)
        outer = Outer(form.operand, delta) if form.transposed else Outer(delta, form.operand)
        if form.matrix not in self._held:
            self._receive(form.matrix, outer, equation)
        if form.operand.name not in self._held:
            self._receive(form.operand.name, MatVec(form.matrix, not form.transposed, delta), equation)

    def _receive(self, name: str, term: Expression, equation: Equation) -> None:
        received = self._received.setdefault(name, _Contribution())
        received.terms.append(term)
        received.origins.append(equation.label)
