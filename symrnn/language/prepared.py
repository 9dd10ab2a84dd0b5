"""Which equations prepare parameters: those of parameters alone in which a matrix is a value, and what these read.

Reads parsed equations; returns them with a name for each matrix that stands unnamed left of ``@``, and a `Preparing`: the
equations that are computed once when parameters are packed, and what each name is. A name is a matrix if it stands left of
``@`` or is transposed, if ``[sizes]`` gives it two sizes, or if an equation needs it to be one and it begins with a capital, as
in papers. Leaves out: sizes (`symrnn.language.matrix_sizes`) and the normal form (`symrnn.language.matrix_form`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum

from symrnn.language.identifiers import Allocator
from symrnn.language.located import Assignment, Located, located
from symrnn.language.origin import Origin, shown
from symrnn.language.text import to_text
from symrnn.language.tree import (
    PRIME,
    Applied,
    Binary,
    Call,
    Expression,
    Eye,
    MatVec,
    Name,
    Negate,
    Power,
    Reduce,
    Transpose,
    children,
    is_next,
    names,
    rebuild,
    walk,
)


class MatrixKind(IntEnum):
    """What a value of parameters alone is."""

    SCALAR = 0
    VECTOR = 1
    MATRIX = 2


@dataclass(frozen=True)
class Preparing:
    """The equations that prepare parameters.

    Attributes:
        targets: what they assign, and what it is, in order.
        matrices: every name that is a matrix, parameters included.
        vague: targets that are matrices, where nothing tells which part of the right side is one.
    """

    targets: Mapping[str, MatrixKind] = field(default_factory=dict)
    matrices: frozenset[str] = frozenset()
    vague: frozenset[str] = frozenset()


def name_matrices(assignments: Sequence[Assignment], taken: Iterable[str]) -> tuple[Assignment, ...]:
    """The equations with a name for each matrix that stands unnamed left of ``@``, in an equation of its own before it.

    Args:
        assignments: the equations.
        taken: names that are no free names.
    """
    if not any(isinstance(at.node, Applied) for each in assignments for at in located(each.expression)):
        return tuple(assignments)
    return _MatrixNaming(assignments, taken).run()


class _MatrixNaming:
    """Walks the equations and replaces each `Applied` by a `MatVec`."""

    def __init__(self, assignments: Sequence[Assignment], taken: Iterable[str]) -> None:
        self._given = assignments
        read = (name for each in assignments for name in names(each.expression.node))
        targets = (each.target for each in assignments)
        self._allocator = Allocator(name.removesuffix(PRIME) for name in (*taken, *read, *targets))
        self._known: dict[Expression, str] = {}
        self._done: list[Assignment] = []

    def run(self) -> tuple[Assignment, ...]:
        for assignment in self._given:
            parts: list[Assignment] = []
            expression = self._named(assignment.expression, assignment, parts)
            self._done += [*parts, replace(assignment, expression=expression)]
        return tuple(self._done)

    def _named(self, at: Located, whole: Assignment, parts: list[Assignment]) -> Located:
        inner = tuple(self._named(part, whole, parts) for part in at.parts)
        if not isinstance(at.node, Applied):
            unchanged = all(new is old for new, old in zip(inner, at.parts, strict=True))
            return at if unchanged else replace(at, node=rebuild(at.node, tuple(p.node for p in inner)), parts=inner)
        left, operand = inner
        turned = isinstance(left.node, Transpose)
        matrix = left.parts[0] if turned else left
        name = matrix.node.name if isinstance(matrix.node, Name) else self._of(matrix, at.remedy, whole, parts)
        return replace(at, node=MatVec(name, turned, operand.node), parts=(operand,), remedy="")

    def _of(self, matrix: Located, remedy: str, whole: Assignment, parts: list[Assignment]) -> str:
        """The name of an unnamed matrix."""
        if matrix.node not in self._known:
            stem = next(iter(names(matrix.node)), "eye").removesuffix(PRIME)
            name = self._known[matrix.node] = self._allocator.fresh(f"{stem}_prepared")
            label = f"{whole.label}{chr(ord('A') + len(parts))}"
            parts.append(Assignment(name, matrix.place, replace(matrix, remedy=remedy), label=label))
        return self._known[matrix.node]


def preparing(assignments: Sequence[Assignment], step: Collection[str], declared: Mapping[str, int]) -> Preparing:
    """What the equations prepare.

    Args:
        assignments: the equations; each matrix left of ``@`` has a name.
        step: inputs and states.
        declared: the number of sizes that ``[sizes]`` gives a name; 0 where it is the size 1.
    """
    found = _Classifier(assignments, step, declared)
    found.spread()
    return found.result()


class _Classifier:
    def __init__(self, assignments: Sequence[Assignment], step: Collection[str], declared: Mapping[str, int]) -> None:
        self._step, self._declared = frozenset(step), declared
        self._assigned = {each.target: each for each in assignments}
        self._alone: dict[str, Assignment] = {}
        for each in assignments:
            if not is_next(each.target) and all(self._is_alone(name) for name in names(each.expression.node)):
                self._alone[each.target] = each
        read = {name for each in self._alone.values() for name in (each.target, *names(each.expression.node))}
        self._kinds: dict[str, MatrixKind] = {}
        nodes = [at for each in assignments for at in located(each.expression)]
        self._matrices: set[str] = set()
        for at in nodes:
            match at.node:
                case MatVec(matrix) if self._is_alone(matrix):
                    self._matrices.add(matrix)
                case Transpose(Name(name)) if self._is_alone(name):
                    self._matrices.add(name)
        two = {name for name, count in declared.items() if count > 1 and name in read}
        self._axes = two - self._behind(nodes)
        self._matrices |= two - self._axes

    def _behind(self, nodes: Sequence[Located]) -> set[str]:
        """The matrices, and what they are prepared from; another name with two sizes is a value with two axes."""
        found = set(self._matrices)
        found |= {
            target
            for target, each in self._alone.items()
            if any(isinstance(n, Eye) for n in walk(each.expression.node))
        }
        for target, each in reversed(self._alone.items()):
            if target in found:
                found.update(names(each.expression.node))
        return found

    def _is_alone(self, name: str) -> bool:
        """Whether ``name`` is a parameter, or assigned from parameters alone."""
        if name in self._step or is_next(name):
            return False
        return name in self._alone or name not in self._assigned

    def spread(self) -> None:
        """Find every matrix: an equation needs some, and makes one."""
        before = -1
        while before != len(self._matrices):
            before = len(self._matrices)
            for target, each in self._alone.items():
                node = each.expression.node
                self._kinds[target] = self._kind(node)
                if target in self._matrices or self._kinds[target] is MatrixKind.MATRIX:
                    self._matrices.add(target)
                    self._need(node)
                for part in walk(node):
                    if isinstance(part, Reduce) and part.axis and self._axes.isdisjoint(names(part.operand)):
                        self._need(part.operand)

    def _kind(self, node: Expression) -> MatrixKind:
        match node:
            case Name(name):
                if name in self._matrices:
                    return MatrixKind.MATRIX
                if name in self._alone:
                    return self._kinds.get(name, MatrixKind.VECTOR)
                return MatrixKind.SCALAR if self._declared.get(name) == 0 else MatrixKind.VECTOR
            case Reduce(operand=operand, axis=axis):
                return MatrixKind.VECTOR if axis and self._axes.isdisjoint(names(operand)) else MatrixKind.SCALAR
            case MatVec(operand=operand):
                return max(self._kind(operand), MatrixKind.VECTOR)
            case Transpose() | Eye():
                return MatrixKind.MATRIX
            case _:
                return max((self._kind(part) for part in children(node)), default=MatrixKind.SCALAR)

    def _need(self, node: Expression) -> None:
        """``node`` is a matrix: so are the capitals in it, or all of it if it is nothing but a name."""
        match node:
            case Name(name):
                self._add(name)
            case Transpose(operand) | Negate(operand):
                self._need(operand)
            case MatVec(operand=operand):
                self._need(operand)
            case _:
                self._need_capitals(node)

    def _need_capitals(self, node: Expression) -> None:
        """The matrices in elementwise arithmetic that is one, and in what a matrix is multiplied by there."""
        for leaf in _leaves(node):
            match leaf:
                case Name(name) if name[0].isupper():
                    self._add(name)
                case Transpose(operand):
                    self._need(operand)
                case MatVec(operand=operand):
                    self._need_capitals(operand)

    def _add(self, name: str) -> None:
        if self._is_alone(name) and self._declared.get(name, 2) > 1 and name not in self._axes:
            self._matrices.add(name)

    def result(self) -> Preparing:
        """The equations with a matrix as a value, and those of parameters alone that they read."""
        found = {target for target in self._alone if target in self._matrices or self._has_matrix(target)}
        while True:
            read = {name for target in found for name in names(self._alone[target].expression.node)}
            more = {name for name in read if name in self._alone} - found
            if not more:
                break
            found |= more
        targets = {target: self._kind(Name(target)) for target in self._alone if target in found}
        vague = (t for t in targets if t in self._matrices and self._kinds[t] is not MatrixKind.MATRIX)
        return Preparing(targets, frozenset(self._matrices), frozenset(vague))

    def _has_matrix(self, target: str) -> bool:
        return any(_is_value(part, self._matrices) for part in walk(self._alone[target].expression.node))


def check_values(assignments: Sequence[Assignment], step: Collection[str], found: Preparing, origin: Origin) -> None:
    """Check that matrices are values only where parameters are prepared, and that such equations make them.

    Args:
        assignments: the equations.
        step: inputs and states.
        found: what they prepare.
        origin: for errors.

    Raises:
        CellError: a matrix is a value in an equation of the step, or nothing tells which part of an equation is a matrix.
    """
    for each in assignments:
        fault = each.expression.remedy
        if each.target in found.targets:
            if each.target in found.vague:
                raise origin.error(fault or _vague(each), each.expression.place)
            continue
        if fault:
            raise origin.error(fault, each.expression.place)
        for at in located(each.expression):
            if _is_value(at.node, found.matrices):
                raise origin.error(_no_value(at.node), at.place)


def _vague(each: Assignment) -> str:
    text = shown(to_text(each.expression.node), 40)
    return (
        f"`{each.target}` is a matrix, but nothing tells which part of `{text}` is one; a capital letter does, or an entry "
        'under [sizes], as in `w = ["hidden", "input"]`'
    )


def _no_value(node: Expression) -> str:
    text = shown(to_text(node), 40)
    match node:
        case Reduce():
            return (
                f"`{text}` runs over an axis of a matrix, so it stands where parameters are prepared: in an equation of "
                "parameters alone; over the units of a vector write it without the axis"
            )
        case Name(name):
            return (
                f"`{name}` is a matrix, so it stands left of `@`; matrices are values only in equations of parameters alone, "
                "as in `A = U - U.T`"
            )
        case _:
            return (
                f"`{text}` is a matrix; in the step a matrix stands left of `@`; an equation of parameters alone can compute "
                "with it, as in `A = U - U.T`"
            )


def _is_value(node: Expression, matrices: Collection[str]) -> bool:
    """Whether ``node`` is a matrix as a value, or made of one."""
    match node:
        case Name(name):
            return name in matrices
        case Reduce(operand=operand, axis=axis):
            return bool(axis) and any(isinstance(part, Name) and part.name in matrices for part in walk(operand))
        case _:
            return isinstance(node, Transpose | Eye)


def _leaves(node: Expression) -> Iterable[Expression]:
    """The parts of elementwise arithmetic."""
    if isinstance(node, Negate | Binary | Power | Call):
        for part in children(node):
            yield from _leaves(part)
    else:
        yield node
