"""Sizes by unification: how many units each name has, from ``x``, the states, ``[sizes]`` and the equations.

Reads parsed equations; returns the shape of every name. Operands of elementwise arithmetic agree, a matrix takes the
size of its operand and gives that of its result, size 1 broadcasts, and a size that nothing ties is ``hidden``. A state
is ``hidden``; one that follows ``x`` unit by unit (`symrnn.language.following`) has the size of ``x``. Where names have several
axes, operands agree axis by axis (`symrnn.language.axis_sizes`). Leaves out: what role a name has
(`symrnn.language.compose`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from symrnn.errors import CellError
from symrnn.language.axes import has_axes, matrix_axes
from symrnn.language.axis_faults import described_as
from symrnn.language.axis_sizes import AxisSizes, broadcast, merged
from symrnn.language.located import Assignment, Located
from symrnn.language.matrix_sizes import Classes, MatrixSizes
from symrnn.language.origin import Origin
from symrnn.language.prepared import Preparing
from symrnn.language.system import HIDDEN, INPUT, ONE
from symrnn.language.text import to_text
from symrnn.language.tree import Constant, Expression, MatVec, Name, Number, Reduce, VectorCall, is_next, names

Shape = tuple[str, ...]


@dataclass(frozen=True)
class Sizes:
    """The shape of every name, and what forces ``input`` and ``hidden`` to be one number.

    Attributes:
        shapes: by name.
        tied_by: the number of the first equation, from 1, with which the equations force it; 0 where ``[sizes]`` does
            by itself; None where nothing does.
        shared_matrix: the matrix that forces it because several vectors share it: with a matrix for each, the sizes would be
            apart. The first one if there are several; empty if something else forces it.
        oriented: rows and columns of vectors that are prepared from a matrix and stand along one of its axes.
        trees: the right sides with each `Broadcast`, by target; empty where no name has several axes.
        acting: the matrices that act on the last axis of a value with several axes, each with how many of its first axes have
            a matrix for each unit. The shape of one is that of a vector with the axes of its rows and columns.
    """

    shapes: Mapping[str, Shape]
    tied_by: int | None = None
    shared_matrix: str = ""
    oriented: Mapping[str, Shape] = field(default_factory=dict)
    trees: Mapping[str, Expression] = field(default_factory=dict)
    acting: Mapping[str, int] = field(default_factory=dict)

    @property
    def input_is_hidden(self) -> bool:
        """Whether ``input`` and ``hidden`` are one number."""
        return self.tied_by is not None


def infer(
    assignments: tuple[Assignment, ...],
    declared: Mapping[str, Shape],
    matrices: tuple[str, ...],
    vectors: tuple[str, ...],
    origin: Origin,
    following: Collection[str] = (),
    preparing: Preparing | None = None,
    inputs: Collection[str] = (),
) -> Sizes:
    """The shapes of ``x``, of every state and next state, intermediate and parameter.

    Args:
        assignments: the equations.
        declared: sizes of names, from ``[sizes]``.
        matrices: parameters that stand left of ``@``.
        vectors: ``x`` and the other parameters.
        origin: for errors.
        following: states that have the size, or the axes, of ``x`` unless others are declared.
        preparing: the equations that prepare parameters, whose matrices are among ``matrices``.
        inputs: the names whose sizes ``[inputs]`` declares.

    Raises:
        CellError: two sizes disagree, at the place where they meet.
    """
    preparing = preparing or Preparing()
    of_x = next((size for size in declared.get("x", ()) if has_axes(size)), INPUT)
    labels = dict.fromkeys(following, of_x) | {name: shape[0] for name, shape in declared.items()}
    unifier = _Unifier(assignments, declared, matrices, vectors, origin, labels, preparing, inputs)
    unifier.assign_all()
    found = unifier.result()
    if not found.tied_by:
        return found
    # What broadcasts must not depend on how the matrices are used, so sizes of 1 are known from the start.
    ones = {
        name: tuple(size if size == ONE else "" for size in shape)
        for name, shape in found.shapes.items()
        if ONE in shape
    }
    apart = _Unifier(
        assignments, {**ones, **declared}, matrices, vectors, origin, labels, preparing, inputs, apart=True
    )
    apart.assign_all()
    return replace(found, shared_matrix=apart.shared_matrix())


class _Unifier:
    """Classes of equal sizes; a size is a node of a forest, labelled once its name is known.

    With ``apart``, each use of a matrix has rows and columns of its own.
    """

    def __init__(
        self,
        assignments: tuple[Assignment, ...],
        declared: Mapping[str, Shape],
        matrices: tuple[str, ...],
        vectors: tuple[str, ...],
        origin: Origin,
        states: Mapping[str, str],
        preparing: Preparing,
        inputs: Collection[str],
        *,
        apart: bool = False,
    ) -> None:
        self._assignments, self._origin, self._declared, self._apart = assignments, origin, declared, apart
        self._preparing = preparing
        self._parent: list[int] = []
        self._label: dict[int, str] = {}
        self._tied_by: int | None = None
        self._taken = 0
        self._one = self._fresh(ONE)
        self._vector: dict[str, int] = {}
        self._matrices: dict[str, list[tuple[int, int]]] = {name: [] for name in matrices}
        for name in vectors:
            self._vector[name] = self._fresh(declared.get(name, ("",))[0])
        if not has_axes(*declared.get("x", (INPUT,))):
            self._unify(self._vector["x"], self._fresh(INPUT))
        classes = Classes(self._one, self._vector, self._fresh, self._unify, self._named, self._same, self._used)
        self._prepared = MatrixSizes(preparing, classes, declared, origin)
        self._prepared.declare()
        own = [each for each in assignments if each.target in preparing.targets]
        prepared = tuple(name for each in own for name in (each.target, *names(each.expression.node)))
        self._axes = AxisSizes(classes, declared, origin, lambda: self._tied_by is not None, inputs, prepared)
        self._found: dict[int, int] = {}
        for assignment in assignments:
            if is_next(assignment.target):
                state = assignment.target[:-1]
                self._vector[state] = self._fresh(states.get(state, HIDDEN))
                self._vector[assignment.target] = self._vector[state]

    def _fresh(self, label: str = "") -> int:
        self._parent.append(len(self._parent))
        if label:
            self._label[len(self._parent) - 1] = label
        return len(self._parent) - 1

    def _used(self, matrix: str) -> tuple[int, int]:
        """The rows and columns of a matrix, for one more use of it."""
        uses = self._matrices[matrix]
        if (self._apart and not (self._preparing.targets and matrix in self._preparing.matrices)) or not uses:
            rows, columns = self._declared.get(matrix, ("", ""))
            uses.append((self._fresh(rows), self._fresh(columns)))
        return uses[-1]

    def _root(self, size: int) -> int:
        while self._parent[size] != size:
            size = self._parent[size]
        return size

    def _named(self, size: int) -> str:
        return self._label.get(self._root(size), "")

    def _same(self, first: int, second: int) -> bool:
        return self._root(first) == self._root(second)

    def _is_one(self, size: int) -> bool:
        return self._named(size) == ONE

    def _unify(self, first: int, second: int) -> bool:
        """Make two sizes one; False where their names disagree."""
        a, b = self._root(first), self._root(second)
        if a == b:
            return True
        names = {self._label[size] for size in (a, b) if size in self._label}
        if self._tied_by is not None and len(names) > 1:
            names = {merged(name) for name in names}
        if names == {INPUT, HIDDEN}:
            self._tied_by = self._taken if self._tied_by is None else self._tied_by
            names = {HIDDEN}
        if len(names) > 1:
            return False
        self._parent[b] = a
        self._label.pop(b, None)
        for name in names:
            self._label[a] = name
        return True

    def assign_all(self) -> None:
        """Take in the equations."""
        self._assign_step()
        if not self._apart:
            self._axes.end()
        numbers = {assignment.target: number for number, assignment in enumerate(self._assignments, 1)}

        def counted(assignment: Assignment) -> None:
            self._taken = numbers[assignment.target]

        self._prepared.take(self._assignments, counted)

    def _assign_step(self) -> None:
        """Take in the equations of the step, in order.

        An equation below may make ``input`` and ``hidden`` one number, and so one axis. So where names have several axes, an
        equation that does not fit before waits until the others are taken in, with those that read what it assigns if its size
        is not declared.
        """
        waiting: dict[str, tuple[int, Assignment]] = {}
        fault: CellError | None = None
        for number, assignment in enumerate(self._assignments, 1):
            if assignment.target in self._preparing.targets:
                continue
            if any(name in waiting and name not in self._vector for name in names(assignment.expression.node)):
                waiting[assignment.target] = number, assignment
                continue
            tied = self._tied_by is not None
            try:
                self._take(number, assignment)
            except CellError as error:
                if tied or not self._axes:
                    raise
                waiting[assignment.target] = number, assignment
                fault = fault or error
                if assignment.target in self._declared:
                    self._vector.setdefault(assignment.target, self._fresh(self._declared[assignment.target][0]))
        if fault and self._tied_by is None:
            if self._apart:  # what fits only where a matrix that several vectors share makes two axes one
                return
            raise fault
        for number, assignment in waiting.values():
            self._take(number, assignment)

    def _take(self, number: int, assignment: Assignment) -> None:
        self._taken = number
        self._axes.begin(assignment)
        self._assign(assignment)

    def _assign(self, assignment: Assignment) -> None:
        found = self._size(assignment.expression)
        target = assignment.target
        if target not in self._vector:
            if target not in self._declared:
                self._vector[target] = found
                return
            self._vector[target] = self._fresh(self._declared[target][0])
        mine = self._vector[target]
        if self._is_one(found) or self._axes.assigned(mine, found, assignment) or self._unify(mine, found):
            return
        size, right = self._named(self._vector[target]), self._named(found)
        raise self._origin.error(
            f"`{target}` has size {size}, but its right side has size {right}; "
            "a matrix between them, or an entry under [sizes], makes them agree",
            assignment.place,
        )

    def _size(self, at: Located) -> int:
        """The size of an expression."""
        found = self._found[id(at)] = self._size_of(at)
        return found

    def _size_of(self, at: Located) -> int:
        match at.node:
            case Number() | Constant():
                return self._one
            case Name(name):
                return self._vector[name]
            case Reduce(kind, _, axis):
                self._check_operand(at.parts[0], f"`{kind}` runs over the units of a vector")
                inner = self._size(at.parts[0])
                return self._axes.reduced(at, inner) if axis else self._one
            case VectorCall(kind, _, axis):
                rule = f"`{kind}` takes a vector"
                self._check_operand(at.parts[0], rule)
                size = self._size(at.parts[0])
                if axis:
                    self._axes.along(at, size)
                    return size
                if self._is_one(size):
                    found = f"`{to_text(at.parts[0].node)}` has size {ONE}"
                    raise self._origin.error(f"{rule}; {found}, one number for all units", at.parts[0].place)
                if has_axes(self._named(size)):
                    raise self._origin.error(self._axes.names_no_axis(at, self._named(size)), at.parts[0].place)
                return size
            case MatVec(matrix, transposed, _):
                rows, columns = self._used(matrix)
                if transposed:
                    rows, columns = columns, rows
                self._check_operand(at.parts[0], "a matrix takes a vector")
                inner = self._size(at.parts[0])
                acted = self._axes.applied(at, rows, columns, inner)
                if acted is not None:
                    return acted
                if not self._unify(columns, inner):
                    raise self._origin.error(
                        f"`{matrix}{'.T' if transposed else ''}` takes a vector {described_as(self._named(columns))}, but "
                        f"`{to_text(at.parts[0].node)}` has size {self._named(inner)}; use another matrix",
                        at.place,
                    )
                return rows
            case _:
                return self._agree(at)

    def _check_operand(self, at: Located, rule: str) -> None:
        if not names(at.node):
            raise self._origin.error(f"{rule}; `{to_text(at.node)}` is a number", at.place)

    def _agree(self, at: Located) -> int:
        """The size on which the operands of elementwise arithmetic agree."""
        result, first = self._one, at
        for part in at.parts:
            size = self._size(part)
            if self._is_one(size):
                continue
            if self._is_one(result):
                result, first = size, part
                continue
            joined = self._axes.joined(result, size, first, part, at) if self._axes else None
            if joined is not None:
                result = joined
            elif not self._unify(result, size):
                sizes = self._named(result), self._named(size)
                if not {INPUT, HIDDEN} & {*sizes}:
                    raise self._axes.mixed(sizes, first, part, at)
                raise self._origin.error(
                    f"`{to_text(first.node)}` has size {sizes[0]}, `{to_text(part.node)}` has size {sizes[1]}; operands of "
                    "elementwise arithmetic have one size",
                    part.place,
                )
        return result

    def result(self) -> Sizes:
        """The shapes; a size without a name is ``hidden``."""
        self._axes.hold_distinct(self._tied_by)
        shapes: dict[str, Shape] = {name: (self._final(size),) for name, size in self._vector.items()}
        shapes |= {
            name: (self._final(rows), self._final(columns)) for name, [(rows, columns)] in self._matrices.items()
        }
        oriented = {
            name: (self._final(rows), self._final(columns)) for name, (rows, columns) in self._prepared.oriented.items()
        }
        acting = {name: shapes[name] for name in self._axes.acting}
        trees = self._trees(acting) if self._axes else {}
        shapes |= {name: (matrix_axes(shape),) for name, shape in acting.items()}
        apart = {name: self._axes.apart(name) for name in acting}
        return Sizes(shapes, self._tied_by, oriented=oriented, trees=trees, acting=apart)

    def _trees(self, acting: Mapping[str, Shape]) -> dict[str, Expression]:
        """The right sides of the step with each `Broadcast`."""
        trees = {}
        for each in self._assignments:
            if each.target not in self._preparing.targets:
                target = self._final(self._vector[each.target])
                trees[each.target] = broadcast(
                    each.expression, lambda at: self._final(self._found[id(at)]), target, acting
                )
        return trees

    def _final(self, size: int) -> str:
        name = self._named(size) or HIDDEN
        if self._tied_by is None:
            return name
        return merged(name)

    def shared_matrix(self) -> str:
        """The first matrix whose uses, made one again, force ``input`` and ``hidden`` to be one number, if any does.

        The uses of the matrices before it are one again then.
        """
        if self._tied_by is not None:
            return ""
        for matrix, [first, *others] in self._matrices.items():
            for other in others:
                for a, b in zip(first, other, strict=True):
                    self._unify(a, b)
            if self._tied_by is not None:
                return matrix
        return ""
