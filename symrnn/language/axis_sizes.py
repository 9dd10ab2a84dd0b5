"""Sizes where names have several axes: operands agree axis by axis, by the unification of `symrnn.language.sizes`.

Arithmetic unit by unit broadcasts by the names of axes: the result has the axes of all its operands. Which axes may meet is
declared: those of a name with several axes in the same equation, its target included, in the order that it gives; what meets
has its axes in one order. A size that nothing ties yet waits until all equations are taken in. Once sizes are known,
`broadcast` writes out where a value is repeated. Leaves out: sizes that agree (`symrnn.language.sizes`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from symrnn.errors import CellError
from symrnn.language.axes import acted_on, axes_of, has_axes, has_text, in_words, size_of, without
from symrnn.language.axis_faults import ActionFaults, as_entry, free_name, in_order, kept_in_rows
from symrnn.language.located import Assignment, Located
from symrnn.language.matrix_sizes import Classes
from symrnn.language.origin import Origin, shown
from symrnn.language.reductions import REDUCTIONS
from symrnn.language.system import HIDDEN, INPUT, ONE
from symrnn.language.text import to_text
from symrnn.language.tree import PRIME, Broadcast, Expression, MatVec, Name, Reduce, VectorCall, names, rebuild
from symrnn.language.vectors import VECTORS


@dataclass(frozen=True)
class _Waiting:
    """An operand at ``at`` whose size is not known yet, beside one that has the axes of ``beside``."""

    size: int
    beside: str
    at: Located


class AxisSizes:
    """Takes in the equations of the step of a cell where names have several axes.

    Args:
        classes: of the sizes.
        declared: sizes of names, from ``[sizes]``.
        origin: for errors.
        tied: whether ``input`` and ``hidden`` are one number, as far as the equations are taken in.
        inputs: the names whose sizes ``[inputs]`` declares.
        prepared: the matrices that equations of parameters alone assign or read.
    """

    def __init__(
        self,
        classes: Classes,
        declared: Mapping[str, tuple[str, ...]],
        origin: Origin,
        tied: Callable[[], bool],
        inputs: Collection[str] = (),
        prepared: Collection[str] = (),
    ) -> None:
        self._classes, self._declared, self._origin, self._tied = classes, declared, origin, tied
        self._inputs = inputs
        self._found = any(has_axes(size) for shape in declared.values() for size in shape)
        self._known: dict[str, int] = {}
        self._open: list[str] = []
        self._target = ""
        self._actions = ActionFaults(declared, prepared, classes.vectors)
        self._waiting: list[_Waiting] = []
        self._applied: list[tuple[Located, int]] = []
        self._acted: list[tuple[Located, int, int, int, str]] = []
        self._apart: dict[str, list[str]] = {}
        self.acting: dict[str, None] = {}
        """The matrices that act on the last axis of a value with several axes."""

    def __bool__(self) -> bool:
        """Whether any name has several axes."""
        return self._found

    def begin(self, assignment: Assignment) -> None:
        """Say which equation comes next: the axes of its names may meet there."""
        self._target = assignment.target.removesuffix(PRIME)
        read = [assignment.target, *names(assignment.expression.node)]
        sizes = [self._named(self._classes.vectors[name]) for name in read if name in self._classes.vectors]
        sizes += self._declared.get(assignment.target, ())
        self._open = [size for size in dict.fromkeys(sizes) if has_axes(size)]

    def _named(self, size: int) -> str:
        """The name of a size; empty where nothing ties it yet."""
        return self._merged(self._classes.named(size))

    def _merged(self, size: str) -> str:
        return merged(size) if self._tied() else size

    def labelled(self, size: str) -> int:
        """The class of the sizes with this name."""
        if size == ONE:
            return self._classes.one
        if size not in self._known:
            self._known[size] = self._classes.fresh(size)
        return self._known[size]

    def joined(self, first: int, second: int, beside: Located, at: Located, whole: Located) -> int | None:
        """The size of two operands together, none of size 1; None where they are to agree.

        Args:
            first: the size of what stands before.
            second: the size at hand.
            beside: what stands before.
            at: the operand at hand.
            whole: the arithmetic in which they meet.
        """
        sizes = [self._named(first), self._named(second)]
        several = [has_axes(size) for size in sizes]
        if sizes[0] == sizes[1] or not all(sizes):
            if not any(several):
                return None
            if not all(sizes):
                known, unknown = (first, second) if sizes[0] else (second, first)
                self._waiting.append(_Waiting(unknown, self._named(known), at if sizes[0] else beside))
                return known
            return first
        covers = self._covers(sizes)
        if covers:
            fitting = next((cover for cover in covers if all(in_order(size, cover) for size in sizes)), "")
            if fitting:
                return self.labelled(fitting)
            turned = next(place for place in (1, 0) if not in_order(sizes[place], covers[0]))
            raise self._turned((beside, at)[turned], sizes[turned], covers[0])
        if not any(several) and self._classes.unify(first, second):  # input and hidden, made one number
            return first
        raise self.mixed(sizes, beside, at, whole)

    def _covers(self, sizes: Iterable[str]) -> list[str]:
        """The size with all axes of ``sizes``, in the order of each name here that has them."""
        wanted = [axis for size in sizes for axis in axes_of(size)]
        found = dict.fromkeys(map(self._merged, self._open)) | dict.fromkeys(sizes)
        return [
            size_of(axis for axis in axes_of(size) if axis in wanted)
            for size in found
            if has_axes(size) and set(wanted) <= set(axes_of(size))
        ]

    def mixed(self, sizes: Sequence[str], beside: Located, at: Located, whole: Located) -> CellError:
        """The error of operands of two sizes, where no name has the axes of both: it shows what to declare."""
        axes = dict.fromkeys(axis for size in sizes for axis in axes_of(size))
        declared = (size for shape in self._declared.values() for size in shape)
        order = next((size for size in declared if set(axes) <= set(axes_of(size))), size_of(axes))
        entry = as_entry(axis for axis in axes_of(order) if axis in axes)
        found = " and ".join(
            f"`{shown(to_text(each.node), 30)}` {has_text(size)}"
            for each, size in zip((beside, at), sizes, strict=True)
        )
        name = free_name(self._classes.vectors)
        alone = f"name their combination in an equation of its own, `{name} = {shown(to_text(whole.node), 40)}`, and declare "
        if self._target in self._declared:
            remedy = f"{alone}`{name} = {entry}` under [sizes]"
        else:
            remedy = (
                f"declare `{self._target} = {entry}` under [sizes] if it is to have all of these axes; else {alone}that"
            )
        return self._origin.error(f"{found}, and no name here has all of these axes; {remedy}", at.place)

    def _turned(self, at: Located, size: str, order: str) -> CellError:
        """The error of a value whose axes stand in another order than in what it meets."""
        wanted = [axis for axis in axes_of(order) if axis in axes_of(size)]
        table = "inputs" if isinstance(at.node, Name) and at.node.name in self._inputs else "sizes"
        match at.node:
            case Name(name):
                remedy = f"`{name.removesuffix(PRIME)} = {as_entry(wanted)}`"
            case MatVec(matrix, False, _):
                columns = self._declared.get(matrix, ("", "columns"))[1]
                remedy = f"`{matrix} = {as_entry([*wanted, columns])}`"
            case _:
                remedy = as_entry(wanted)
        return self._origin.error(
            f"`{shown(to_text(at.node), 40)}` {has_text(size)}, and meets a value whose axes stand in another order, "
            f"{in_words(order)}; declare them in one order under [{table}], here {remedy}",
            at.place,
        )

    def reduced(self, at: Located, inner: int) -> int:
        """The size of a reduction over an axis of its operand, whose size is ``inner``."""
        size = self.along(at, inner)
        return self.labelled(without(size, axes_of(self._axis(at)))) if has_axes(size) else self._classes.one

    def names_no_axis(self, at: Located, size: str) -> str:
        """The error of a vector function of a value with several axes that does not say along which one."""
        assert isinstance(at.node, VectorCall)
        operand, kind = shown(to_text(at.parts[0].node), 40), at.node.kind
        told = f"`{kind}` takes a vector; `{operand}` {has_text(size)}"
        if VECTORS[kind].weights is None:
            return f"{told}; it runs over a vector alone, so reduce it to one axis first"
        return f"{told}; name the one that it runs over, as in `{kind}({operand}, {axes_of(size)[-1]})`"

    def _axis(self, at: Located) -> str:
        """The axis that a reduction or a vector function names."""
        assert isinstance(at.node, Reduce | VectorCall)
        return self._merged(at.node.axis)

    def along(self, at: Located, inner: int) -> str:
        """The size of the operand of a reduction or a vector function over an axis that it has; ``inner`` is its class."""
        assert isinstance(at.node, Reduce | VectorCall)
        kind, axis, size = at.node.kind, self._axis(at), self._named(inner)
        if has_axes(size) and axis in axes_of(size):
            if isinstance(at.node, VectorCall) and VECTORS[kind].weights is None:
                raise self._origin.error(self.names_no_axis(at, size), at.place)
            return size
        if not has_axes(size) and size != ONE and (size == axis or (not size and self._is_axis(axis))):
            self._classes.unify(inner, self.labelled(axis))
            return axis
        chosen = kind in REDUCTIONS and REDUCTIONS[kind].rule is not None
        larger = "" if not chosen else f"; the larger of two, unit by unit, is `{kind}imum(a, b)`"
        axes = " or ".join(f"`{each}`" for each in axes_of(size)) or "none"
        raise self._origin.error(
            f"`{kind}` runs over an axis of its operand; `{shown(to_text(at.parts[0].node), 40)}` {has_text(size)}, so "
            f"`{at.node.axis}` is "
            f"no axis of it: write {axes}{larger if not has_axes(size) and kind == 'max' else ''}",
            at.place,
        )

    def _is_axis(self, name: str) -> bool:
        return any(name in axes_of(size) for shape in self._declared.values() for size in shape)

    def applied(self, at: Located, rows: int, columns: int, inner: int) -> int | None:
        """The size of a matrix times what has several axes, of which it acts on the last; None for a vector.

        Args:
            at: the form.
            rows: of the matrix, or of its transpose where that acts.
            columns: likewise.
            inner: the size of the operand.
        """
        assert isinstance(at.node, MatVec)
        size, of_columns, of_rows = self._named(inner), self._named(columns), self._named(rows)
        if not has_axes(size) or (at.node.transposed and size == of_columns):
            self._applied.append((at, inner))
            return None
        if fault := self._actions.fault(at.node, size, of_rows, of_columns):
            raise self._origin.error(fault, at.place)
        self.acting[at.node.matrix] = None
        found = acted_on(size, (of_rows, of_columns), transposed=False)
        if apart := kept_in_rows(size, of_rows, of_columns):
            self._apart[at.node.matrix] = max(self._apart.get(at.node.matrix, []), apart, key=len)
        self._acted.append((at, inner, rows, columns, found))
        return self.labelled(found)

    def assigned(self, mine: int, found: int, each: Assignment) -> bool:
        """Whether a right side of size ``found`` broadcasts to its target, of size ``mine``; False where they are to agree."""
        target, right = self._named(mine), self._named(found)
        if not (has_axes(target) or has_axes(right)):
            return False
        if not right:
            self._waiting.append(_Waiting(found, target, each.expression))
        elif not set(axes_of(right)) <= set(axes_of(target)):
            entry = f"{each.target.removesuffix(PRIME)} = {as_entry(axes_of(right))}"
            over = [axis for axis in axes_of(right) if axis not in axes_of(target)]
            raise self._origin.error(
                f"`{each.target}` {has_text(target)}, but its right side {has_text(right)}; declare `{entry}` under [sizes], "
                f"or sum over an axis, as in `sum(…, {over[-1]})`",
                each.place,
            )
        elif not in_order(right, target):
            raise self._turned(each.expression, right, target)
        return True

    def end(self) -> None:
        """Hold what waited against what is known by now; what nothing else ties has all axes of what it meets."""
        for each in self._waiting:
            beside = self._merged(each.beside)
            size = self._named(each.size) or beside
            if size == ONE or set(axes_of(size)) <= set(axes_of(beside)):
                if not in_order(size, beside):
                    raise self._turned(each.at, size, beside)
                self._classes.unify(each.size, self.labelled(size))
                continue
            text = shown(to_text(each.at.node), 40)
            name = text if text.isidentifier() else "its name"
            first = axes_of(beside)[0]
            raise self._origin.error(
                f"`{text}` {has_text(size)}, and meets a value with the axes {in_words(beside)}; declare under "
                f'[sizes] along which it stands, as in `{name} = "{first}"`, or `{name} = 1` for one number',
                each.at.place,
            )
        for at, inner in self._applied:
            assert isinstance(at.node, MatVec)
            size = self._named(inner)
            if has_axes(size) and not at.node.transposed:
                text = shown(to_text(at.node.operand), 40)
                pair = as_entry(["rows", axes_of(size)[-1]])
                raise self._origin.error(
                    f"`{at.node.matrix} @` meets `{text}` before its axes, {in_words(size)}, are known; declare "
                    f"`{text if text.isidentifier() else 'its name'} = {as_entry(axes_of(size))}` and "
                    f"`{at.node.matrix} = {pair}` under [sizes]",
                    at.place,
                )
            self._hold_whole(at)
        for at, inner, rows, columns, found in self._acted:
            assert isinstance(at.node, MatVec)
            sizes = self._named(inner), self._named(rows), self._named(columns)
            fault = self._actions.fault(at.node, *sizes)
            if not fault and acted_on(sizes[0], sizes[1:], transposed=False) != self._merged(found):
                fault = (
                    f"the equations make `input` and `hidden` one number, so `{shown(to_text(at.node), 40)}`, with the axes "
                    f"{in_words(found)}, has one axis twice; give one of them another name"
                )
            if fault:
                raise self._origin.error(fault, at.place)
            self._hold_whole(at)

    def apart(self, matrix: str) -> int:
        """How many of the first axes of a matrix that acts have a matrix for each unit."""
        return len(self._apart.get(matrix, ()))

    def _hold_whole(self, at: Located) -> None:
        """Refuse the transpose of a matrix that elsewhere is one for each unit of an axis: it would sum over this axis."""
        assert isinstance(at.node, MatVec)
        matrix = at.node.matrix
        if at.node.transposed and matrix in self._apart:
            axes = " and ".join(f"`{axis}`" for axis in self._apart[matrix])
            raise self._origin.error(
                f"`{matrix} @` has a matrix for each unit of {axes}, and `{matrix}.T @` sums over all rows, {axes} too; use "
                "another matrix",
                at.place,
            )

    def hold_distinct(self, tied_by: int | None) -> None:
        """Refuse a name that has both ``input`` and ``hidden`` where equations make them one number: one axis twice.

        Args:
            tied_by: the number of the equation; 0 where ``[sizes]`` does by itself; None where nothing does.
        """
        if tied_by is None:
            return
        for name, shape in self._declared.items():
            for size in shape:
                if {INPUT, HIDDEN} <= {*axes_of(size)}:
                    cause = f"equation {tied_by} makes" if tied_by else "[sizes] makes"
                    table = "inputs" if name in self._inputs else "sizes"
                    raise self._origin.entry_error(
                        f"[{table}] {name}: {cause} `input` and `hidden` one number, so they are one axis twice; keep them "
                        "apart by a matrix, as in `W @ x`, or give one of the axes another name",
                        table,
                        name,
                    )


def merged(size: str) -> str:
    """A size where ``input`` and ``hidden`` are one number; one that nothing ties yet, which has no name, stays so."""
    return size and size_of(HIDDEN if axis == INPUT else axis for axis in axes_of(size))


def broadcast(
    at: Located, size: Callable[[Located], str], target: str, acting: Mapping[str, tuple[str, ...]]
) -> Expression:
    """The tree of an equation, with a `Broadcast` wherever a value is repeated along axes that it lacks.

    Args:
        at: the right side.
        size: the size of each of its parts.
        target: the size of its target.
        acting: the matrices that act on the last axis of values with several axes: rows and columns of each.
    """
    return _fitted(_spread(at, size, acting), size(at), target)


def _spread(at: Located, size: Callable[[Located], str], acting: Mapping[str, tuple[str, ...]]) -> Expression:
    if not at.parts:
        return at.node
    parts = tuple(_spread(part, size, acting) for part in at.parts)
    match at.node:
        case MatVec(matrix, transposed, _) if matrix in acting:
            return MatVec(matrix, transposed, parts[0], size(at.parts[0]), acting[matrix])
        case Reduce(kind, _, axis) if axis:
            of = size(at.parts[0])
            over = axis if axis in axes_of(of) else merged(axis)
            return Reduce(kind, parts[0], over, of) if has_axes(of) else Reduce(kind, parts[0])
        case VectorCall(kind, _, axis) if axis:
            of = size(at.parts[0])
            over = axis if axis in axes_of(of) else merged(axis)
            return VectorCall(kind, parts[0], over, of) if has_axes(of) else VectorCall(kind, parts[0])
        case MatVec() | Reduce() | VectorCall():
            return rebuild(at.node, parts)
        case _:
            sizes = (size(part) for part in at.parts)
            return rebuild(at.node, tuple(_fitted(part, of, size(at)) for part, of in zip(parts, sizes, strict=True)))


def _fitted(node: Expression, of: str, size: str) -> Expression:
    return node if of in (ONE, size) or not has_axes(size) else Broadcast(node, of, size)
