"""Step Jacobians in matrix form: sums over paths, each a product of diagonals, parameter matrices and reductions.

Reads a normal `System` and two of its names; returns a `Jacobian`. An output's Jacobian is the sum over the atoms of
its equation of diag(∂output/∂atom) · [matrix] · (the Jacobian of the atom's name), so every term is one path from the
input to the output. A value that several paths share keeps its own name, so the number of terms does not grow exponentially.
Leaves out: time, which `symrnn.derive.derivation` adds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import sympy

from symrnn.derive.adjoint import derivative
from symrnn.derive.evaluate import Arithmetic, Array, Values, flat, floats, run, sizes_of
from symrnn.derive.factors import (
    Diag,
    Factor,
    Identity,
    Kron,
    Linear,
    Matrix,
    Ones,
    OnesRow,
    Ref,
    Repeat,
    Term,
    direct_ways,
    is_direct,
    partial,
    product,
    read_by,
    to_latex,
    to_line,
)
from symrnn.errors import DerivationError
from symrnn.language.axes import shape_axes
from symrnn.language.functions import Algebra
from symrnn.language.normalise import expression_size
from symrnn.language.reductions import REDUCTIONS, Reduced
from symrnn.language.symbolic import Restorer, atoms_of, to_sympy
from symrnn.language.system import ONE, Equation, System
from symrnn.language.tree import (
    Binary,
    Broadcast,
    Expression,
    MatVec,
    Name,
    Negate,
    Number,
    Reduce,
    VectorCall,
    integer,
    names,
    opposite,
)
from symrnn.language.typeset.expressions import Notation
from symrnn.language.typeset.lines import Line, align
from symrnn.language.vectors import VECTORS

MOST_WAYS = 32
"""Direct paths from one value that are told apart; where values share values, their number may grow exponentially."""


@dataclass(frozen=True)
class Jacobian:
    """∂output/∂input over one step, in matrix form.

    Attributes:
        output: a next state (``c'``) or an intermediate.
        input: a state, an input, a parameter, or an earlier value held fixed.
        rows: the size name of the output.
        columns: the shape of the input in size names; a matrix counts row by row.
        terms: the paths; none where the output does not depend on the input.
        parts: the Jacobians that `Ref` factors name, each before those that use it.
        system: the normal step.
        notation: how names are written in LaTeX.
    """

    output: str
    input: str
    rows: str
    columns: tuple[str, ...]
    terms: tuple[Term, ...]
    parts: tuple[Jacobian, ...] = ()
    system: System = field(default=System((), (), (), ()), repr=False)
    notation: Notation = field(default=Notation({}, {}), repr=False)

    @property
    def direct(self) -> tuple[Term, ...]:
        """The paths that no matrix and no reduction crosses: each unit of the input reaches its own unit only.

        Those through a value with a name, from which there are more than `MOST_WAYS`, are left out.
        """
        ways: dict[str, tuple[Term, ...]] = {}
        for each in (*self.parts, self):
            found = tuple(way for term in each.terms for way in direct_ways(term, ways))
            ways[each.output] = found if each is self or len(found) <= MOST_WAYS else ()
        return ways[self.output]

    def left(self, command: str = r"\frac") -> str:
        """The LaTeX of what this is: a quotient of differentials; a matrix parameter is a vector of its rows."""
        return partial(self.output, self._column(), self.notation, command)

    def line(self) -> Line:
        """The Jacobian alone, as a line of an alignment."""
        return Line(self.left(), to_latex(self.terms, self._column(), self.notation))

    def lines(self) -> tuple[Line, ...]:
        """The Jacobian and, after it, those that it names."""
        return tuple(each.line() for each in (self, *reversed(self.parts)))

    def latex(self) -> str:
        """An ``aligned`` environment: the Jacobian, and below it those that it names."""
        return align(self.lines(), "aligned")

    def text(self) -> str:
        """The Jacobian and those that it names, a line each, in plain text."""
        shapes = self.notation.shapes
        parts = (self, *reversed(self.parts))
        return "\n".join(f"J[{e.output}, {e.input}] = {to_line(e.terms, e.input, shapes)}" for e in parts)

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"

    def evaluate(self, values: Values) -> Array:
        """The dense matrix at a point, for one row of a batch.

        Args:
            values: parameters, states at the start of the step and inputs by name, as vectors ``(size,)`` and
                matrices ``(rows, columns)``; intermediates and next states are computed where they are not given.

        Returns:
            ``(rows, columns)``; a matrix input counts row by row.

        Raises:
            DerivationError: a value is missing or has another shape than the cell says.
        """
        given = {name: np.asarray(value) for name, value in values.items()}
        sizes = sizes_of(self.system.variables, given)
        given = flat(self.system.variables, given)
        needed = self._needed(given)
        missing = [name for name in self.system.inputs if name in needed and name not in given]
        if missing:
            raise DerivationError(
                f"the Jacobian of {self.output!r} by {self.input!r} reads {', '.join(missing)}, which "
                f"{'is' if len(missing) == 1 else 'are'} not among the values; add an array for each"
            )
        unknown = [size for size in shape_axes((self.rows, *self.columns)) if size not in sizes]
        if unknown:
            raise DerivationError(f"the size {unknown[0]!r} is unknown; add the array of {self.input!r} as well")
        equations = [e for e in self.system.equations if e.target in needed and e.target not in given]
        point = run(equations, self.system.by_name, given, sizes, floats())
        # Whole numbers become floating point, half precision: it widens no other type.
        kind = np.result_type(np.float16, *(value.dtype for value in given.values()))
        return self.over(point, sizes, floats()).astype(kind)

    def over(self, values: Values, sizes: Mapping[str, int], arithmetic: Arithmetic) -> Array:
        """The dense matrix over any scalars; ``values`` holds every name that the paths read."""
        columns = 1
        for size in self.columns:
            columns *= sizes[size]
        known: dict[str, Array] = {}
        for each in (*self.parts, self):
            known[each.output] = np.zeros((sizes[each.rows], columns), dtype=int)
            for term in each.terms:
                paths = product(term, columns, values, sizes, arithmetic, known)
                known[each.output] = known[each.output] + paths
        return known[self.output]

    def _column(self) -> str:
        name = self.notation.name(self.input)
        return rf"\operatorname{{vec}}({name})" if len(self.columns) == 2 else name

    def _needed(self, given: Values) -> set[str]:
        """The names that evaluation reads, directly or to compute what is not given."""
        needed = {name for each in (self, *self.parts) for term in each.terms for name in read_by(term)}
        for equation in reversed(self.system.equations):
            if equation.target in needed and equation.target not in given:
                needed.update(names(equation.expression))
        return needed


@dataclass(frozen=True)
class BlockJacobian:
    """The Jacobian of a whole step: every next state by every state.

    Attributes:
        blocks: rows of blocks, in the order of the states.
    """

    blocks: tuple[tuple[Jacobian, ...], ...]

    def lines(self) -> tuple[Line, ...]:
        """The matrix of named blocks where there are several, then each block and those that it names."""
        found = [Line(self.left(), self.matrix())] if len(self.blocks) > 1 else []
        found += [line for row in self.blocks for block in row for line in block.lines()]
        return tuple(dict.fromkeys(found))

    def latex(self) -> str:
        """An ``aligned`` environment: the matrix of named blocks, and below it each block."""
        return align(self.lines(), "aligned")

    def left(self) -> str:
        """The LaTeX of what this is: the derivative of all next states together by all states together."""
        notation = self.blocks[0][0].notation
        after = ", ".join(notation.name(row[0].output) for row in self.blocks)
        before = ", ".join(notation.name(block.input) for block in self.blocks[0])
        if len(self.blocks) == 1:
            return rf"\frac{{\partial {after}}}{{\partial {before}}}"
        return rf"\frac{{\partial ({after})}}{{\partial ({before})}}"

    def matrix(self) -> str:
        """The LaTeX of the matrix of named blocks; a block that no path reaches is zero."""
        rows = [" & ".join(block.left(r"\dfrac") if block.terms else "0" for block in row) for row in self.blocks]
        # Fractions of full size need air between their rows.
        whole = " \\\\[2ex] ".join(rows)
        return rf"\begin{{pmatrix}} {whole} \end{{pmatrix}}"

    def text(self) -> str:
        """Every block, a line each, in plain text."""
        texts = (block.text() for row in self.blocks for block in row)
        return "\n".join(dict.fromkeys(line for text in texts for line in text.splitlines()))

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"

    def evaluate(self, values: Values) -> Array:
        """The dense matrix at a point; see `Jacobian.evaluate`."""
        return np.block([[block.evaluate(values) for block in row] for row in self.blocks])


Slopes = Mapping[str, tuple[tuple[Expression, Expression], ...]]
"""For each target, the atoms of its equation and the derivative by each, zeros left out."""


def slopes_of(system: System) -> Slopes:
    """The derivatives of every equation, which all Jacobians share."""
    found: dict[str, tuple[tuple[Expression, Expression], ...]] = {}
    for equation in system.equations:
        atoms = atoms_of(equation.expression)
        restore = Restorer((*atoms, Name(equation.target)))
        by_atom = [
            (atom, restore(derivative(equation, atom))) for atom in atoms if isinstance(atom, Name | MatVec | Broadcast)
        ]
        found[equation.target] = tuple((atom, slope) for atom, slope in by_atom if not _is_zero(slope))
    return found


def _is_zero(node: Expression) -> bool:
    return isinstance(node, Number) and node.value == 0


def jacobian(system: System, slopes: Slopes, output: str, given: str, notation: Notation) -> Jacobian:
    """The Jacobian of ``output`` by ``given`` over one step of a normal system.

    Args:
        system: normal.
        slopes: its derivatives.
        output: a name that the system assigns.
        given: any other name; one that the system assigns is held fixed.
        notation: for LaTeX.
    """
    paths = _Paths(system, slopes, given)
    for equation in system.equations:
        if equation.target != given:
            paths.collect(equation)
    used = _referenced(paths.terms, output)
    made: list[Jacobian] = []
    for name in [equation.target for equation in system.equations if equation.target in used]:
        below = _referenced(paths.terms, name)
        parts = tuple(each for each in made if each.output in below)
        shape = system.by_name[given].shape
        made.append(Jacobian(name, given, system.size(name), shape, paths.terms[name], parts, system, notation))
    final = tuple(each for each in made if each.output != output)
    terms, shape = paths.terms.get(output, ()), system.by_name[given].shape
    return Jacobian(output, given, system.size(output), shape, terms, final, system, notation)


def _referenced(terms: Mapping[str, tuple[Term, ...]], output: str) -> set[str]:
    """The values whose Jacobians the paths to ``output`` name, directly or through others."""
    found: set[str] = set()
    waiting = [output]
    while waiting:
        for term in terms.get(waiting.pop(), ()):
            fresh = [factor.output for factor in term if isinstance(factor, Ref) and factor.output not in found]
            found.update(fresh)
            waiting.extend(fresh)
    return found


class _Paths:
    """The paths from one name to every value that depends on it, collected equation by equation."""

    def __init__(self, system: System, slopes: Slopes, given: str) -> None:
        self._system = system
        self._slopes = slopes
        self._shapes = {variable.name: variable.shape for variable in system.variables}
        self._given = given
        self.terms: dict[str, tuple[Term, ...]] = {}

    def collect(self, equation: Equation) -> None:
        """The paths that end in the target of ``equation``, in the order of its atoms."""
        found: list[Term] = []
        for head, name in self._steps(equation):
            tail = self._tail(name) if name else ()
            if tail is not None:
                found.append(self._joined((*head, *tail), self._system.size(equation.target)))
        if found:
            # Direct paths first: they are what a reader looks for.
            self.terms[equation.target] = tuple(sorted(found, key=lambda term: not is_direct(term)))

    def _tail(self, name: str) -> Term | None:
        """What is left of a path from ``name`` on: its only path written out, its Jacobian's name, or None."""
        if name == self._given:
            return ()
        paths = self.terms.get(name)
        if paths is None:
            return None
        return paths[0] if len(paths) == 1 else (Ref(name),)

    def _steps(self, equation: Equation) -> Iterator[tuple[Term, str]]:
        """The factors of each way into an equation, and the name it starts from; no name where it ends there."""
        size = self._system.size(equation.target)
        if isinstance(equation.expression, Reduce):
            assert isinstance(equation.expression.operand, Name)
            operand, left = equation.expression.operand, expression_size(equation.expression, self._shapes)
            yield (*self._spread(size, left), *self._reduction(equation, operand)), operand.name
            return
        if isinstance(equation.expression, VectorCall):
            assert isinstance(equation.expression.operand, Name)
            operand = equation.expression.operand
            for term in self._vector_function(equation, operand):
                yield term, operand.name
            return
        for atom, slope in self._slopes[equation.target]:
            head = (Diag(slope), *self._spread(size, expression_size(atom, self._shapes)))
            if isinstance(atom, Name):
                yield head, atom.name
                continue
            if isinstance(atom, Broadcast):
                assert isinstance(atom.operand, Name)
                yield (*head, Repeat(atom.of, atom.size)), atom.operand.name
                continue
            assert isinstance(atom, MatVec)
            assert isinstance(atom.operand, Name)
            if atom.matrix == self._given:
                rows = expression_size(atom, self._shapes)
                yield (*head, Kron(atom.operand, atom.transposed, rows)), ""
            yield (*head, Matrix(atom.matrix, atom.transposed)), atom.operand.name

    def _reduction(self, equation: Equation, operand: Name) -> Term:
        """The Jacobian of a reduction: a row, after a diagonal where it depends on the units."""
        assert isinstance(equation.expression, Reduce)
        reduction, size = REDUCTIONS[equation.expression.kind], self._system.size(operand.name)
        at = Reduced(operand, Name(equation.target), size, lambda _, part, __: part, equation.expression.axis)

        def row(averages: bool) -> Factor:
            return Repeat(at.left, size, transposed=True, averages=averages) if at.axis else OnesRow(size, averages)

        if reduction.rule is None:
            return (row(reduction.averages),)
        return row(averages=False), Diag(reduction.rule(at))

    def _vector_function(self, equation: Equation, operand: Name) -> Iterator[Term]:
        """The Jacobian of a vector function: a matrix, or a diagonal less a product of two vectors."""
        assert isinstance(equation.expression, VectorCall)
        size = self._system.size(operand.name)
        at = Reduced(operand, Name(equation.target), size, lambda _, part, __: part, equation.expression.axis)
        row = VECTORS[equation.expression.kind]
        if row.weights is None:
            yield (Linear(row.name, size),)
            return
        weights = row.weights(at)
        yield (Diag(weights),)
        if at.axis:
            total: Term = Repeat(at.left, size), Repeat(at.left, size, transposed=True)
        else:
            total = Ones(size), OnesRow(size)
        yield Diag(Negate(weights)), *total, Diag(weights)

    def _spread(self, size: str, atom: str) -> Term:
        """The broadcast of an atom to the size of its equation, where there is one."""
        return (Ones(size),) if atom == ONE != size else ()

    def _joined(self, factors: Term, size: str) -> Term:
        """A path with neighbouring diagonals multiplied out and identities removed."""
        joined: list[Factor] = []
        for factor in factors:
            if isinstance(factor, Identity):
                continue
            if isinstance(factor, Diag):
                before = joined.pop() if joined and isinstance(joined[-1], Diag) else Diag(integer(1))
                assert isinstance(before, Diag)
                factor = Diag(_times(before.expression, factor.expression))
                if factor.expression == integer(1):
                    continue
            joined.append(factor)
        if any(isinstance(factor, OnesRow) for factor in joined):
            joined = self._gathered(joined)
        if all(isinstance(f, Diag) and expression_size(f.expression, self._shapes) == ONE != size for f in joined):
            joined.append(Identity(size))
        return tuple(joined)

    def _gathered(self, factors: list[Factor]) -> list[Factor]:
        """A path through a reduction with all its numbers and scalars in front, where they are one factor."""
        scalar: Algebra = sympy.Integer(1)
        kept: list[Factor] = []
        atoms: list[Expression] = []
        for factor in factors:
            if isinstance(factor, Diag):
                atoms += atoms_of(factor.expression)
                number, rest = to_sympy(factor.expression).as_coeff_Mul()
                if expression_size(factor.expression, self._shapes) == ONE:
                    number, rest = number * rest, sympy.Integer(1)
                scalar *= number
                factor = Diag(Restorer(atoms)(rest))
            if factor != Diag(integer(1)):
                kept.append(factor)
        if kept and isinstance(first := kept[0], Diag):
            scalar *= to_sympy(first.expression)
            kept = kept[1:]
        return kept if scalar == 1 else [Diag(_times(integer(1), Restorer(atoms)(scalar))), *kept]


def _times(left: Expression, right: Expression) -> Expression:
    """The product, with one sign in front and no factor of one."""
    minus = False
    parts = []
    for part in (left, right):
        match part:
            case Negate(operand):
                minus, part = not minus, operand
            case Number(value, _) as number if value < 0:
                minus, part = not minus, opposite(number)
        if part != integer(1):
            parts.append(part)
    whole = integer(1) if not parts else parts[0] if len(parts) == 1 else Binary("*", *parts)
    return Negate(whole) if minus else whole
