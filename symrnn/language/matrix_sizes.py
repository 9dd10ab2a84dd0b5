"""Sizes where parameters are prepared: rows and columns of every matrix, by the unification of `symrnn.language.sizes`.

Reads the equations of parameters alone; makes sizes one. Matrices in elementwise arithmetic agree in rows and columns. A
vector stands along the axis that has its size, along the rows where both have it or nothing tells. What a reduction over an
axis leaves stands along the other one, and so does a name that is assigned to it. Leaves out: the normal form, where this is
written out (`symrnn.language.matrix_form`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from symrnn.language.axes import in_words
from symrnn.language.located import Assignment, Located
from symrnn.language.origin import Origin, shown
from symrnn.language.prepared import MatrixKind, Preparing
from symrnn.language.reductions import REDUCTIONS
from symrnn.language.text import to_text
from symrnn.language.tree import Constant, Eye, MatVec, Name, Number, Reduce, Transpose, VectorCall

ROWS, COLUMNS = "rows", "columns"
"""What the axes of a matrix may be called where both have one size."""

Table: TypeAlias = tuple[int, int]
"""Rows and columns, each a size of the unification; 1 where it broadcasts."""


@dataclass(frozen=True)
class Classes:
    """The unification of sizes: what `symrnn.language.sizes` lends."""

    one: int
    vectors: dict[str, int]
    fresh: Callable[[str], int]
    unify: Callable[[int, int], bool]
    named: Callable[[int], str]
    same: Callable[[int, int], bool]
    used: Callable[[str], Table]


@dataclass(frozen=True)
class _Spread:
    """A value: a matrix, or a vector whose axis is not known yet (``rows`` alone, ``columns`` None)."""

    rows: int
    columns: int | None


def axis_of(axis: str, rows: str, columns: str) -> int | None:
    """Which axis of a matrix of these sizes is called ``axis``: 0 for the rows, 1 for the columns; None where none or both are.

    A sum over ``rows`` runs over the row index, and leaves one number for each column.
    """
    if axis in (ROWS, COLUMNS):
        return (ROWS, COLUMNS).index(axis)
    found = [place for place, size in enumerate((rows, columns)) if size == axis]
    return found[0] if len(found) == 1 else None


class MatrixSizes:
    """Takes in the equations that prepare parameters.

    Args:
        preparing: what they assign.
        classes: of the sizes.
        declared: sizes of names, from ``[sizes]``.
        origin: for errors.
    """

    def __init__(
        self, preparing: Preparing, classes: Classes, declared: Mapping[str, tuple[str, ...]], origin: Origin
    ) -> None:
        self._preparing, self._classes, self._declared, self._origin = preparing, classes, declared, origin
        self._oriented: dict[str, Table] = {}

    @property
    def oriented(self) -> Mapping[str, Table]:
        """Vectors that stand along a known axis of a matrix, by name."""
        return self._oriented

    def declare(self) -> None:
        """Give every vector that is prepared a size, before the step is taken in."""
        for target, kind in self._preparing.targets.items():
            if kind is MatrixKind.SCALAR:
                self._classes.vectors[target] = self._classes.one
            elif kind is MatrixKind.VECTOR:
                self._classes.vectors[target] = self._classes.fresh(self._declared.get(target, ("",))[0])

    def take(self, assignments: Sequence[Assignment], counted: Callable[[Assignment], None]) -> None:
        """Take in the equations that prepare parameters, the last one first to know matrices, then in order.

        ``counted`` is told of each before its sizes are made one.
        """
        own = [each for each in assignments if each.target in self._preparing.targets]
        for each in reversed(own):
            counted(each)
            if self._preparing.targets[each.target] is MatrixKind.MATRIX:
                self._whole(each.expression, self._classes.used(each.target))
        for each in own:
            counted(each)
            self._assign(each)

    def _whole(self, at: Located, table: Table) -> None:
        """Matrices that are added or multiplied to ``at``, which has the sizes of ``table``."""
        match at.node:
            case Name(name) if name in self._preparing.matrices:
                self._agree(self._classes.used(name), table, at)
            case Transpose():
                self._whole(at.parts[0], (table[1], table[0]))
            case Eye():
                self._agree((table[0], table[0]), table, at)
            case MatVec(matrix, transposed, _) if self._is_matrix(at.parts[0]):
                rows, columns = self._turned(matrix, transposed)
                self._unify(rows, table[0], at)
                self._whole(at.parts[0], (columns, table[1]))
            case Name() | MatVec() | Reduce() | Number() | Constant():
                return
            case _:
                for part in at.parts:
                    self._whole(part, table)

    def _is_matrix(self, at: Located) -> bool:
        match at.node:
            case Name(name):
                return name in self._preparing.matrices
            case Transpose() | Eye():
                return True
            case Reduce():
                return False
            case MatVec():
                return self._is_matrix(at.parts[0])
            case _:
                return any(self._is_matrix(part) for part in at.parts)

    def _turned(self, matrix: str, transposed: bool) -> Table:
        rows, columns = self._classes.used(matrix)
        return (columns, rows) if transposed else (rows, columns)

    def _assign(self, each: Assignment) -> None:
        value = self._size(each.expression)
        target, kind = each.target, self._preparing.targets[each.target]
        if kind is MatrixKind.MATRIX:
            table = self._classes.used(target)
            self._agree(self._along(value, table), table, each.expression)
        elif value.columns is None:
            self._vector(target, value.rows, each)
        else:
            rows, columns = value.rows, value.columns
            self._vector(target, columns if self._is_one(rows) else rows, each)
            self._oriented[target] = (rows, columns)

    def _vector(self, target: str, size: int, each: Assignment) -> None:
        mine = self._classes.vectors[target]
        if not self._is_one(size) and not self._classes.unify(mine, size):
            raise self._origin.error(
                f"`{target}` has size {self._named(mine)}, but its right side has size {self._named(size)}",
                each.place,
            )

    def _is_one(self, size: int) -> bool:
        return self._classes.same(size, self._classes.one) or self._classes.named(size) == "1"

    def _size(self, at: Located) -> _Spread:
        one = self._classes.one
        match at.node:
            case Number() | Constant():
                return _Spread(one, None)
            case Name(name):
                if name in self._preparing.matrices:
                    return _Spread(*self._classes.used(name))
                if name in self._oriented:
                    return _Spread(*self._oriented[name])
                return _Spread(self._classes.vectors[name], None)
            case Eye():
                size = self._classes.fresh("")
                return _Spread(size, size)
            case Transpose():
                inner = self._size(at.parts[0])
                return _Spread(one if inner.columns is None else inner.columns, inner.rows)
            case Reduce():
                return self._reduced(at)
            case VectorCall(kind, _):
                message = f"`{kind}` of parameters alone is not prepared; move it into an equation of the step"
                raise self._origin.error(message, at.place)
            case MatVec(matrix, transposed, _):
                return self._product(at, *self._turned(matrix, transposed))
            case _:
                return self._elementwise(at)

    def _reduced(self, at: Located) -> _Spread:
        assert isinstance(at.node, Reduce)
        kind, axis, one = at.node.kind, at.node.axis, self._classes.one
        if REDUCTIONS[kind].rule is not None:
            message = f"`{kind}` of parameters alone is not prepared; `sum` and `mean` are, or move it into the step"
            raise self._origin.error(message, at.place)
        inner = self._size(at.parts[0])
        if not axis:
            return _Spread(one, None)
        if inner.columns is None:
            found = shown(to_text(at.parts[0].node), 40)
            raise self._origin.error(
                f"`{kind}` runs over the axis `{axis}` of a matrix; `{found}` is a vector", at.place
            )
        rows, columns = self._classes.named(inner.rows), self._classes.named(inner.columns)
        found_axis = axis_of(axis, rows or "?", columns or "?")
        if found_axis is None:
            both = self._classes.same(inner.rows, inner.columns) or (rows == columns and bool(rows))
            told = (
                f"both axes are {rows}"
                if both
                else f"its axes are {in_words(rows) if rows else 'not known'} and {columns or 'not known'}"
            )
            raise self._origin.error(
                f"`{to_text(at.parts[0].node)}` has no single axis `{axis}`: {told}; write `columns` for the sum of each row, "
                f"`rows` for that of each column, as in `{kind}(…, columns)`",
                at.place,
            )
        return _Spread(one, inner.columns) if found_axis == 0 else _Spread(inner.rows, one)

    def _product(self, at: Located, rows: int, columns: int) -> _Spread:
        inner = self._size(at.parts[0])
        oriented = inner.columns is not None and (self._is_one(inner.rows) and not self._is_one(columns))
        height = inner.columns if oriented and inner.columns is not None else inner.rows
        self._unify(columns, height, at)
        if inner.columns is None or oriented or self._is_one(inner.columns):
            return _Spread(rows, None)
        return _Spread(rows, inner.columns)

    def _elementwise(self, at: Located) -> _Spread:
        values = [self._size(part) for part in at.parts]
        tables = [value for value in values if value.columns is not None]
        one = self._classes.one
        if not tables:
            size = one
            for value, part in zip(values, at.parts, strict=True):
                if not self._is_one(value.rows):
                    size = value.rows if self._is_one(size) else size
                    self._unify(size, value.rows, part)
            return _Spread(size, None)
        rows, columns = one, one
        for value, part in zip(values, at.parts, strict=True):
            if value.columns is not None:
                rows, columns = self._joined(rows, value.rows, part), self._joined(columns, value.columns, part)
        for value, part in zip(values, at.parts, strict=True):
            if value.columns is None:
                height, width = self._along(value, (rows, columns))
                rows, columns = self._joined(rows, height, part), self._joined(columns, width, part)
        return _Spread(rows, columns)

    def _joined(self, first: int, second: int, at: Located) -> int:
        if self._is_one(first):
            return second
        if not self._is_one(second):
            self._unify(first, second, at)
        return first

    def _along(self, value: _Spread, table: Table) -> Table:
        """A vector along the axis of ``table`` that has its size: the rows if that is unknown or both have it."""
        one, size = self._classes.one, value.rows
        if value.columns is not None:
            return (value.rows, value.columns)
        if self._is_one(size):
            return (one, one)
        mine, rows, columns = (self._classes.named(each) for each in (size, *table))
        if self._classes.same(size, table[0]) or (mine and mine == rows):
            return (size, one)
        if self._classes.same(size, table[1]) or (mine and mine == columns):
            return (one, size)
        if mine and rows and not columns:
            return (one, size)
        return (size, one)

    def _agree(self, found: Table, wanted: Table, at: Located) -> None:
        for mine, other in zip(found, wanted, strict=True):
            if not self._is_one(mine):
                self._unify(other, mine, at)

    def _named(self, size: int) -> str:
        return in_words(self._classes.named(size))

    def _unify(self, first: int, second: int, at: Located) -> None:
        if not self._classes.unify(first, second):
            raise self._origin.error(
                f"`{shown(to_text(at.node), 40)}` has size {self._named(second)} where "
                f"{self._named(first)} is needed; matrices in elementwise arithmetic have the same rows and columns, "
                "and a product's inner sizes agree",
                at.place,
            )
