"""What becomes of derivatives where parameters are prepared: adjoint and tangent of these equations, again as such equations.

Reads `Cell.preparation`, equations over tables of numbers (`symrnn.language.matrix_form`); returns systems of the same kinds.
Every elementwise derivative is SymPy's, of one scalar expression for a representative entry. Beside it there are three exact
rules: a transpose's adjoint is the transpose, a reduction's is a broadcast, and ``C = A B`` gives ``dA = dC Bᵀ`` and
``dB = Aᵀ dC``. The adjoint takes the gradients of what is prepared, summed over rows and steps, to those of the parameters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from symrnn.derive.adjoint import derivative
from symrnn.derive.evaluate import Arithmetic, Array, Evaluator, floats
from symrnn.language.identifiers import Allocator
from symrnn.language.matrix_form import NOTHING, Table
from symrnn.language.matrix_sizes import COLUMNS, ROWS
from symrnn.language.reductions import REDUCTIONS
from symrnn.language.symbolic import Restorer, atoms_of, symbol
from symrnn.language.system import ONE, Equation, Role, System, Variable
from symrnn.language.tree import (
    Binary,
    Expression,
    Eye,
    MatVec,
    Name,
    Negate,
    Number,
    Reduce,
    SizeOf,
    Transpose,
    integer,
    names,
)


@dataclass(frozen=True)
class Preparation:
    """The equations that prepare parameters, and their derivatives.

    Attributes:
        forward: from parameters to what is prepared; equations as their author numbered them.
        adjoint: from the gradients of what is prepared, and the values of ``forward``, to those of the parameters;
            equations ``p1``, ``p2``, …
        tangent: from the tangents of parameters, and the values of ``forward``, to those of what is prepared; equations
            ``q1``, ``q2``, …
    """

    forward: System = NOTHING
    adjoint: System = NOTHING
    tangent: System = NOTHING

    @property
    def systems(self) -> tuple[System, ...]:
        """All of them."""
        return (self.forward, self.adjoint, self.tangent)

    @cached_property
    def seeds(self) -> Mapping[str, str]:
        """The adjoint that comes from outside, by what is prepared; none for what no gradient reaches."""
        of = {variable.name: variable.of for variable in self.adjoint.variables}
        return {of[name]: name for name in self.adjoint.inputs if of[name]}

    @cached_property
    def gradients(self) -> Mapping[str, str]:
        """The adjoint's result by parameter."""
        return {self.adjoint.by_name[name].of: name for name in self.adjoint.outputs}

    @cached_property
    def dots(self) -> Mapping[str, str]:
        """The tangent's name by parameter and by what is prepared."""
        return {variable.of: variable.name for variable in self.tangent.variables if variable.of}

    def __bool__(self) -> bool:
        """Whether anything is prepared."""
        return bool(self.forward.equations)


NO_PREPARATION = Preparation()
"""That of a cell that prepares nothing."""


def preparation_of(forward: System, dot: Mapping[str, str] | None = None) -> Preparation:
    """The derivatives of equations that prepare parameters.

    Args:
        forward: `Cell.preparation`.
        dot: names of tangents that the step's tangent has already, by the name that they belong to.
    """
    if not forward.equations:
        return NO_PREPARATION
    return Preparation(forward, _PreparedAdjoint(forward).run(), _PreparedTangent(forward, dot or {}).run())


class _TableBuilder:
    """What adjoint and tangent share: names, tables and equations."""

    prefix = ""

    def __init__(self, forward: System) -> None:
        self._forward = forward
        self._table: dict[str, Table] = {v.name: (v.shape[0], v.shape[1]) for v in forward.variables}
        self._variables = list(forward.variables)
        self._equations: list[Equation] = []
        self._allocator = Allocator(self._table)

    def _declare(self, name: str, table: Table, of: str, role: Role) -> None:
        self._table[name] = table
        self._variables.append(Variable(name, role, table, of))

    def _emit(self, target: str, expression: Expression, *origins: str) -> None:
        label = f"{self.prefix}{len(self._equations) + 1}"
        self._equations.append(Equation(label, target, expression, origins[0] if origins else "", origins[1:]))

    def _part(self, hint: str, expression: Expression, table: Table, origin: str) -> Name:
        """A name for a part of a derivative."""
        name = self._allocator.fresh(hint)
        self._declare(name, table, "", Role.INTERMEDIATE)
        self._emit(name, expression, origin)
        return Name(name)

    def _turned(self, name: str, origin: str) -> Name:
        """The transpose of a value, by a name: that of the step's preparation where it has one."""
        for equation in (*self._forward.equations, *self._equations):
            if equation.expression == Transpose(Name(name)):
                return Name(equation.target)
        rows, columns = self._table[name]
        return self._part(f"{name}_T", Transpose(Name(name)), (columns, rows), origin)

    def _system(self, outputs: list[str]) -> System:
        assigned = {equation.target for equation in self._equations}
        read = {name for equation in self._equations for name in names(equation.expression)}
        used = tuple(v.name for v in self._variables if v.name in read and v.name not in assigned)
        kept = tuple(v for v in self._variables if v.name in read or v.name in assigned)
        return System(used, tuple(outputs), tuple(self._equations), kept)


class _PreparedAdjoint(_TableBuilder):
    """Walks the equations backwards and collects, for each name, what its consumers contribute."""

    prefix = "p"

    def __init__(self, forward: System) -> None:
        super().__init__(forward)
        self._held = forward.held
        self._received: dict[str, list[tuple[Expression, str]]] = {}
        self._name = {v.name: self._allocator.fresh(f"d{v.name}") for v in forward.variables}

    def run(self) -> System:
        outside = [output for output in self._forward.outputs if output not in self._held]
        for output in outside:
            self._declare(self._name[output], self._table[output], output, Role.ADJOINT)
        for equation in reversed(self._forward.equations):
            if equation.target in self._received or equation.target in outside:
                self._pull(equation, self._total(equation.target))
        outputs = []
        for name in self._forward.inputs:
            if name in self._received:
                self._assign(name, self._name[name])
                outputs.append(self._name[name])
        return self._system(outputs)

    def _total(self, name: str) -> Name:
        """The adjoint of a value: what comes from outside, and what its consumers contribute."""
        terms = self._received.get(name, [])
        if name in self._forward.outputs:
            if not terms:
                return Name(self._name[name])
            terms.insert(0, (Name(self._name[name]), ""))
            self._name[name] = self._allocator.fresh(f"d{name}_all")
        elif len(terms) == 1 and isinstance(terms[0][0], Name) and self._table[terms[0][0].name] == self._table[name]:
            return terms[0][0]
        self._assign(name, self._name[name])
        return Name(self._name[name])

    def _assign(self, name: str, target: str) -> None:
        terms = self._received[name]
        total = terms[0][0]
        for term, _ in terms[1:]:
            total = Binary("+", total, term)
        self._declare(target, self._table[name], name, Role.ADJOINT)
        self._emit(target, total, *dict.fromkeys(origin for _, origin in terms if origin))

    def _give(self, name: str, term: Expression, equation: Equation) -> None:
        """Add to the adjoint of ``name``, which is no input without gradient, nor made of such alone."""
        self._received.setdefault(name, []).append((term, equation.label))

    def _pull(self, equation: Equation, incoming: Name) -> None:
        """Distribute the adjoint of ``equation.target`` over what its right side reads."""
        label = equation.label
        match equation.expression:
            case Eye():
                return
            case Transpose(Name(name)):
                self._give(name, self._turned(incoming.name, label), equation)
            case Reduce(kind, Name(name), axis):
                self._give(name, self._broadcast(kind, name, axis, incoming), equation)
            case MatVec(matrix, transposed, Name(name)):
                self._pull_product(matrix, transposed, name, incoming, equation)
            case _:
                self._pull_elementwise(equation, incoming)

    def _broadcast(self, kind: str, name: str, axis: str, incoming: Name) -> Expression:
        """The adjoint of a sum is its own in every entry; a mean's is divided by the number of entries."""
        if not REDUCTIONS[kind].averages:
            return incoming
        rows, columns = self._table[name]
        counted = [size for size, over in ((rows, ROWS), (columns, COLUMNS)) if axis in ("", over) and size != ONE]
        whole: Expression = incoming
        for size in counted:
            whole = Binary("/", whole, SizeOf(size))
        return whole

    def _pull_product(self, matrix: str, transposed: bool, operand: str, incoming: Name, equation: Equation) -> None:
        """``C = A B``: dA = dC Bᵀ and dB = Aᵀ dC; where A is transposed, dA = B dCᵀ and dB = A dC."""
        label, table = equation.label, self._table
        if matrix not in self._held:
            left, right = (operand, incoming.name) if transposed else (incoming.name, operand)
            product = MatVec(left, False, self._turned(right, label))
            self._give(matrix, self._part(f"delta_{matrix}", product, table[matrix], label), equation)
        if operand not in self._held:
            product = MatVec(matrix, not transposed, incoming)
            self._give(operand, self._part(f"delta_{operand}", product, table[operand], label), equation)

    def _pull_elementwise(self, equation: Equation, incoming: Name) -> None:
        atoms = [atom for atom in atoms_of(equation.expression) if isinstance(atom, Name)]
        restore = Restorer((incoming, *atoms_of(equation.expression), Name(equation.target)))
        for atom in atoms:
            if atom.name in self._held or self._is_constant(atom.name):
                continue
            term = restore(symbol(incoming) * derivative(equation, atom))
            if isinstance(term, Number) and term.value == 0:
                continue
            self._give(atom.name, self._summed(atom.name, term, equation), equation)

    def _is_constant(self, name: str) -> bool:
        """Whether ``name`` is made of numbers alone, as the identity is."""
        definition = self._forward.definition.get(name)
        return definition is not None and not names(definition.expression)

    def _summed(self, name: str, term: Expression, equation: Equation) -> Expression:
        """``term``, of the extent of ``equation``, summed over the axes along which ``name`` was broadcast."""
        whole, own = self._table[equation.target], self._table[name]
        over = [axis for axis, size, mine in zip((ROWS, COLUMNS), whole, own, strict=True) if mine == ONE != size]
        if not over:
            return term
        if not isinstance(term, Name):
            term = self._part(f"delta_{name}_terms", term, whole, equation.label)
        axis = over[0] if len(over) == 1 else ""
        return self._part(f"delta_{name}_sum", Reduce("sum", term, axis), own, equation.label)


class _PreparedTangent(_TableBuilder):
    """Walks the equations forwards; every value but the identity has a tangent of its own."""

    prefix = "q"

    def __init__(self, forward: System, dot: Mapping[str, str]) -> None:
        super().__init__(forward)
        self._allocator = Allocator((*self._table, *dot.values()))
        moving = [v.name for v in forward.variables if v.name not in forward.held]
        self._name = {name: dot.get(name) or self._allocator.fresh(f"{name}_dot") for name in moving}

    def run(self) -> System:
        for name in self._forward.inputs:
            if name in self._name:
                self._declare(self._name[name], self._table[name], name, Role.TANGENT)
        for equation in self._forward.equations:
            if equation.target not in self._name:
                continue
            target = self._name[equation.target]
            expression = self._pushed(equation)
            self._declare(target, self._table[equation.target], equation.target, Role.TANGENT)
            self._emit(target, expression, equation.label)
        return self._system([self._name[name] for name in self._forward.outputs if name in self._name])

    def _pushed(self, equation: Equation) -> Expression:
        match equation.expression:
            case Eye():
                return integer(0)
            case Transpose(Name(name)):
                return Transpose(Name(self._name[name]))
            case Reduce(kind, Name(name), axis):
                return Reduce(kind, Name(self._name[name]), axis)
            case MatVec(matrix, transposed, Name(name)):
                return self._product(matrix, transposed, name, equation)
            case _:
                return self._elementwise(equation)

    def _product(self, matrix: str, transposed: bool, operand: str, equation: Equation) -> Expression:
        terms: list[Expression] = []
        if matrix in self._name:
            terms.append(MatVec(self._name[matrix], transposed, Name(operand)))
        if operand in self._name:
            terms.append(MatVec(matrix, transposed, Name(self._name[operand])))
        if len(terms) == 1:
            return terms[0]
        table, hint = self._table[equation.target], f"{equation.target}_dot_part"
        first, second = (self._part(hint, term, table, equation.label) for term in terms)
        return Binary("+", first, second)

    def _elementwise(self, equation: Equation) -> Expression:
        atoms = [atom for atom in atoms_of(equation.expression) if isinstance(atom, Name)]
        restore = Restorer((*atoms_of(equation.expression), Name(equation.target)))
        total: Expression | None = None
        for atom in atoms:
            if atom.name not in self._name:
                continue
            slope, dot = restore(derivative(equation, atom)), Name(self._name[atom.name])
            if isinstance(slope, Number) and slope.value == 0:
                continue
            term = dot if slope in (integer(1), integer(-1)) else Binary("*", slope, dot)
            if slope == integer(-1):
                total = Negate(term) if total is None else Binary("-", total, term)
            else:
                total = term if total is None else Binary("+", total, term)
        return integer(0) if total is None else total


@dataclass(frozen=True)
class _Tables(Evaluator):
    """Values of tables; ``extent`` is that of the equation at hand."""

    extent: tuple[int, int] = (1, 1)

    def _of_form(self, node: MatVec) -> Array:
        matrix = self.values[node.matrix]
        product: Array = (matrix.T if node.transposed else matrix) @ self(node.operand)
        return product

    def _of_transpose(self, node: Transpose) -> Array:
        return self(node.operand).T

    def _of_eye(self, node: Eye) -> Array:
        exact = [self._number(value) for value in (integer(0).value, integer(1).value)]
        return np.where(np.eye(*self.extent, dtype=bool), exact[1], exact[0])

    def _of_reduction(self, node: Reduce) -> Array:
        value = self(node.operand)
        axes = {ROWS: (0,), COLUMNS: (1,), "": (0, 1)}[node.axis]
        total: Array = value.sum(axis=axes, keepdims=True)
        if REDUCTIONS[node.kind].averages:
            for axis in axes:
                total = total / self._number(Number(Fraction(value.shape[axis]), "").value)
        return total


def run_tables(
    system: System, given: Mapping[str, Array], sizes: Mapping[str, int], arithmetic: Arithmetic | None = None
) -> dict[str, Array]:
    """Every value of a system over tables.

    Args:
        system: forward, adjoint or tangent of a `Preparation`.
        given: what it reads, as tables or, where that is a vector, of one axis.
        sizes: the number behind each size name.
        arithmetic: the scalars; floating point by default.
    """
    numbers = {**sizes, ONE: 1}
    extents = {v.name: (numbers[v.shape[0]], numbers[v.shape[1]]) for v in system.variables}
    values = {name: np.reshape(array, extents[name]) for name, array in given.items() if name in extents}
    for equation in system.equations:
        extent = extents[equation.target]
        tables = _Tables(values, numbers, arithmetic or floats(), extent)
        values[equation.target] = np.broadcast_to(tables(equation.expression), extent)
    return values


def prepare(
    forward: System, params: Mapping[str, Array], sizes: Mapping[str, int], arithmetic: Arithmetic | None = None
) -> dict[str, Array]:
    """What the step reads as parameters: ``params``, and what is prepared from them, vectors with one axis.

    Args:
        forward: `Cell.preparation`.
        params: the cell's parameters by name.
        sizes: the number behind each size name.
        arithmetic: the scalars; floating point by default.
    """
    values = run_tables(forward, params, sizes, arithmetic)
    return {**params, **{name: _flat(forward, name, values[name]) for name in forward.outputs}}


def pulled(
    preparation: Preparation,
    params: Mapping[str, Array],
    grads: Mapping[str, Array],
    sizes: Mapping[str, int],
    trainable: Iterable[str],
) -> dict[str, Array]:
    """The gradients of the cell's parameters from those of what the step reads as parameters.

    Args:
        preparation: of the cell.
        params: the cell's parameters by name.
        grads: by what the step reads, summed over rows and steps.
        sizes: the number behind each size name.
        trainable: the parameters that have a gradient, in order.
    """
    values = run_tables(preparation.forward, params, sizes)
    seeds = {seed: grads[name] for name, seed in preparation.seeds.items()}
    found = run_tables(preparation.adjoint, {**values, **seeds}, sizes)
    result: dict[str, Array] = {}
    for name in trainable:
        terms = [grads[name]] if name in grads else []
        if name in preparation.gradients:
            terms.append(found[preparation.gradients[name]].reshape(np.shape(params[name])))
        result[name] = sum(terms, np.zeros_like(params[name]))
    return result


def pushed(
    preparation: Preparation, params: Mapping[str, Array], dots: Mapping[str, Array], sizes: Mapping[str, int]
) -> dict[str, Array]:
    """The tangents of what the step reads as parameters; a name that is missing in ``dots`` stands still."""
    values = run_tables(preparation.forward, params, sizes)
    given = {
        preparation.dots[n]: dots.get(n, np.zeros_like(params[n]))
        for n in preparation.forward.inputs
        if n in preparation.dots
    }
    found = run_tables(preparation.tangent, {**values, **given}, sizes)
    outputs = {n: preparation.dots[n] for n in preparation.forward.outputs if n in preparation.dots}
    return {**dots, **{n: _flat(preparation.forward, n, found[dot]) for n, dot in outputs.items()}}


def _flat(system: System, name: str, table: Array) -> Array:
    """A table as the step reads it: a vector has one axis."""
    return table.ravel() if ONE in system.by_name[name].shape else table
