"""The normal form of the equations that prepare parameters: a `System` over tables of numbers, rows × columns.

Reads these equations with their sizes. In the normal form a whole right side is elementwise arithmetic of names, or one
function of such, or one `Transpose`, `Eye`, `Reduce` or product (`MatVec`) of names. Every name is a table: a vector has
one column, or one row if it stands along the columns, and what has one row or column broadcasts. A reduction's axis is
``rows``, ``columns``, or empty for all numbers. Leaves out: the step.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from symrnn.language.identifiers import Allocator
from symrnn.language.matrix_sizes import COLUMNS, ROWS, axis_of
from symrnn.language.prepared import Preparing
from symrnn.language.system import ONE, Equation, Role, System, Variable
from symrnn.language.tree import (
    Binary,
    Call,
    Constant,
    Expression,
    Eye,
    MatVec,
    Name,
    Negate,
    Number,
    Power,
    Reduce,
    Transpose,
    children,
    constants,
    names,
    rebuild,
)

Table = tuple[str, str]
"""Rows and columns, by the names of their sizes."""

NOTHING = System((), (), (), ())
"""The preparation of a cell that prepares nothing."""

_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def matrix_form(
    equations: Sequence[Equation],
    shapes: Mapping[str, tuple[str, ...]],
    oriented: Mapping[str, tuple[str, ...]],
    preparing: Preparing,
    taken: Iterable[str],
    fixed: Collection[str] = (),
) -> System:
    """The normal form of the equations that prepare parameters.

    Args:
        equations: all of the cell, in order.
        shapes: of every name.
        oriented: rows and columns of vectors that stand along a known axis.
        preparing: what is prepared.
        taken: names that are no free names.
        fixed: parameters without gradient.
    """
    own = [equation for equation in equations if equation.target in preparing.targets]
    if not own:
        return NOTHING
    rest = [equation for equation in equations if equation.target not in preparing.targets]
    read = {name for equation in rest for name in names(equation.expression)}
    builder = _MatrixForm(shapes, oriented, preparing, [*taken, *(n for e in own for n in constants(e.expression))])
    found = builder.run(own, [target for target in preparing.targets if target in read])
    variables = (replace(variable, gradient=variable.name not in fixed) for variable in found.variables)
    return replace(found, variables=tuple(variables))


class _MatrixForm:
    def __init__(
        self,
        shapes: Mapping[str, tuple[str, ...]],
        oriented: Mapping[str, tuple[str, ...]],
        preparing: Preparing,
        taken: Iterable[str],
    ) -> None:
        self._shapes, self._oriented, self._preparing = shapes, oriented, preparing
        self._allocator = Allocator((*taken, *shapes))
        self._tables: dict[str, Table] = {}
        self._loose: set[str] = set()
        self._variables: list[Variable] = []
        self._equations: list[Equation] = []
        self._known: dict[Expression, str] = {}
        self._parts: list[Equation] = []
        self._target = ""

    def run(self, own: Sequence[Equation], outputs: Sequence[str]) -> System:
        targets = {equation.target for equation in own}
        inputs = tuple(dict.fromkeys(n for e in own for n in names(e.expression) if n not in targets))
        for name in inputs:
            self._declare(name, Role.PARAMETER)
        for equation in own:
            self._assign(equation)
        return System(inputs, tuple(outputs), tuple(self._equations), tuple(self._variables))

    def _declare(self, name: str, role: Role) -> None:
        shape = self._shapes[name]
        if name in self._oriented:
            rows, columns = self._oriented[name]
            table = (rows, columns)
        elif len(shape) == 2:
            table = (shape[0], shape[1])
        else:
            table = (shape[0], ONE)
            self._loose.add(name)
        self._add(name, role, table)

    def _add(self, name: str, role: Role, table: Table) -> None:
        self._tables[name] = table
        self._variables.append(Variable(name, role, table))

    def _assign(self, equation: Equation) -> None:
        self._target, self._parts = equation.target, []
        self._declare(equation.target, Role.INTERMEDIATE)
        table = self._tables[equation.target]
        whole = self._root(equation.expression, table)
        if not _is_elementwise(whole) and self._extent(whole) != table:
            whole = self._named(whole)
        labels = (f"{equation.label}{letter}" for letter in _LETTERS)
        for part, label in zip(self._parts, labels, strict=False):
            self._equations.append(Equation(label, part.target, part.expression, equation.label))
        self._equations.append(Equation(equation.label, equation.target, whole, equation.label))
        if not isinstance(whole, Name | Number | Constant):
            self._known.setdefault(whole, equation.target)

    def _root(self, node: Expression, table: Table) -> Expression:
        """``node`` as a whole right side of the extent ``table``, or that broadcasts to it."""
        match node:
            case Call():
                return rebuild(node, tuple(self._inside(argument, table) for argument in children(node)))
            case Eye():
                return node
            case Transpose(operand):
                return Transpose(self._operand(operand))
            case Reduce(kind, operand, axis):
                inner = self._operand(operand)
                place = axis_of(axis, *self._tables[inner.name]) if axis else None
                return Reduce(kind, inner, "" if place is None else (ROWS, COLUMNS)[place])
            case MatVec(matrix, transposed, operand):
                inner, table = self._operand(operand), self._tables[matrix]
                height = table[0 if transposed else 1]
                if self._tables[inner.name][0] != height and self._tables[inner.name] == (ONE, height):
                    inner = self._named(Transpose(inner))
                return MatVec(matrix, transposed, inner)
            case _:
                return self._inside(node, table)

    def _inside(self, node: Expression, table: Table) -> Expression:
        """``node`` within elementwise arithmetic of the extent ``table``: names and numbers alone."""
        match node:
            case Number() | Constant():
                return node
            case Name():
                return self._turned(node, table)
            case Negate() | Binary() | Power():
                return rebuild(node, tuple(self._inside(part, table) for part in children(node)))
            case Eye():
                return self._named(node, (table[0], table[0]) if table[0] != ONE else (table[1], table[1]))
            case _:
                return self._turned(self._named(self._root(node, table)), table)

    def _turned(self, name: Name, table: Table) -> Name:
        """A vector along the axis of ``table`` that has its size; the rows where both have it."""
        rows, columns = table
        size = self._tables[name.name][0]
        if name.name not in self._loose or size in (ONE, rows) or size != columns:
            return name
        return self._named(Transpose(name))

    def _operand(self, node: Expression) -> Name:
        """``node`` by a name, as a table of its own."""
        table = self._extent_of(node)
        whole = self._inside(node, table)
        return whole if isinstance(whole, Name) else self._named(whole, table)

    def _named(self, whole: Expression, table: Table | None = None) -> Name:
        if whole not in self._known:
            found = table or self._extent(whole)
            name = self._allocator.fresh(self._hint(whole))
            self._add(name, Role.INTERMEDIATE, found)
            if isinstance(whole, MatVec) and isinstance(whole.operand, Name) and found[1] == ONE:
                self._loose.add(name)
            self._parts.append(Equation("", name, whole))
            self._known[whole] = name
        return Name(self._known[whole])

    def _hint(self, whole: Expression) -> str:
        match whole:
            case Transpose(Name(name)):
                return f"{name}_T"
            case Eye():
                return "identity"
            case Reduce(kind, Name(name)):
                return f"{kind}_{name}"
            case Call(function, (Name(name),)):
                return f"{function}_{name}"
            case Call(function, _):
                return f"{function}_{self._target}"
            case MatVec(matrix, transposed, Name(name)):
                return f"{matrix}{'_T' if transposed else ''}_{name}"
            case _:
                return f"{self._target}_part"

    def _extent(self, whole: Expression) -> Table:
        """Rows and columns of a right side in normal form, but for the identity."""
        match whole:
            case Transpose(Name(name)):
                rows, columns = self._tables[name]
                return (columns, rows)
            case Reduce(_, Name(name), axis):
                rows, columns = self._tables[name]
                return (rows if axis == COLUMNS else ONE, columns if axis == ROWS else ONE)
            case MatVec(matrix, transposed, Name(name)):
                return (self._tables[matrix][1 if transposed else 0], self._tables[name][1])
            case _:
                return _joined([self._tables[name] for name in names(whole)])

    def _extent_of(self, node: Expression) -> Table:
        """Rows and columns of an expression that is not in normal form."""
        match node:
            case Number() | Constant():
                return (ONE, ONE)
            case Name(name):
                return self._tables[name]
            case Transpose(operand):
                rows, columns = self._extent_of(operand)
                return (columns, rows)
            case Reduce(_, operand, axis):
                rows, columns = self._extent_of(operand)
                place = axis_of(axis, rows, columns) if axis else None
                return (rows if place == 1 else ONE, columns if place == 0 else ONE)
            case MatVec(matrix, transposed, operand):
                rows, columns = self._extent_of(operand)
                table = self._tables[matrix]
                height = table[0 if transposed else 1]
                return (table[1 if transposed else 0], ONE if rows != height and columns == height else columns)
            case _:
                tables = [(part, self._extent_of(part)) for part in children(node)]
                firm = _joined([table for part, table in tables if not self._is_loose(part)])
                loose = [table[0] for part, table in tables if self._is_loose(part)]
                rows, columns = firm
                for size in loose:
                    if size not in (rows, columns, ONE):
                        rows = size
                return (rows, columns)

    def _is_loose(self, node: Expression) -> bool:
        """Whether ``node`` is a vector that stands along no axis yet."""
        match node:
            case Name(name):
                return name in self._loose
            case Number() | Constant():
                return True
            case Transpose() | Eye():
                return False
            case Reduce(axis=axis):
                return not axis
            case MatVec(operand=operand):
                return self._is_loose(operand)
            case _:
                return all(self._is_loose(part) for part in children(node))


def _is_elementwise(whole: Expression) -> bool:
    return not isinstance(whole, Transpose | Eye | Reduce | MatVec)


def _joined(tables: Iterable[Table]) -> Table:
    """The extent of elementwise arithmetic."""
    rows, columns = ONE, ONE
    for height, width in tables:
        rows, columns = height if rows == ONE else rows, width if columns == ONE else columns
    return (rows, columns)
