"""Sizes where names have several axes: operands agree axis by axis, by the unification of `symrnn.language.sizes`.

Arithmetic unit by unit broadcasts by the names of axes: the result has the axes of all its operands. Which axes may meet is
declared: those of a name with several axes in the same equation, its target included, in the order that it gives. A size that
nothing ties yet waits until all equations are taken in. Once sizes are known, `broadcast` writes out where a value is repeated.
Leaves out: sizes that agree (`symrnn.language.sizes`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from symrnn.language.axes import axes_of, has_axes, size_of, without
from symrnn.language.matrix_sizes import Classes
from symrnn.language.origin import Origin, shown
from symrnn.language.parser import Assignment, Located
from symrnn.language.reductions import REDUCTIONS
from symrnn.language.system import ONE
from symrnn.language.text import to_text
from symrnn.language.tree import PRIME, Broadcast, Expression, MatVec, Reduce, VectorCall, names, rebuild


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
    """

    def __init__(self, classes: Classes, declared: Mapping[str, tuple[str, ...]], origin: Origin) -> None:
        self._classes, self._declared, self._origin = classes, declared, origin
        self._found = any(has_axes(size) for shape in declared.values() for size in shape)
        self._known: dict[str, int] = {}
        self._open: list[str] = []
        self._target = ""
        self._waiting: list[_Waiting] = []

    def __bool__(self) -> bool:
        """Whether any name has several axes."""
        return self._found

    def begin(self, assignment: Assignment) -> None:
        """Say which equation comes next: the axes of its names may meet there."""
        self._target = assignment.target.removesuffix(PRIME)
        read = [assignment.target, *names(assignment.expression.node)]
        sizes = [self._classes.named(self._classes.vectors[name]) for name in read if name in self._classes.vectors]
        sizes += self._declared.get(assignment.target, ())
        self._open = [size for size in dict.fromkeys(sizes) if has_axes(size)]

    def labelled(self, size: str) -> int:
        """The class of the sizes with this name."""
        if size == ONE:
            return self._classes.one
        if size not in self._known:
            self._known[size] = self._classes.fresh(size)
        return self._known[size]

    def joined(self, first: int, second: int, beside: Located, at: Located) -> int | None:
        """The size of two operands together, none of size 1; None where they are to agree.

        Args:
            first: the size of what stands before.
            second: the size at hand.
            beside: what stands before.
            at: the operand at hand.
        """
        sizes = [self._classes.named(first), self._classes.named(second)]
        several = [has_axes(size) for size in sizes]
        if sizes[0] == sizes[1] or not all(sizes):
            if not any(several):
                return None
            if not all(sizes):
                known, unknown = (first, second) if sizes[0] else (second, first)
                self._waiting.append(_Waiting(unknown, self._classes.named(known), at if sizes[0] else beside))
                return known
            return first
        cover = self._cover(sizes)
        if cover:
            return self.labelled(cover)
        if not any(several) and self._classes.unify(first, second):  # input and hidden, made one number
            return first
        raise self._origin.error(self._mixed(sizes, beside, at), at.place)

    def _cover(self, sizes: Iterable[str]) -> str:
        """The size with all axes of ``sizes``, in the order of one that has them; empty where none has."""
        wanted = [axis for size in sizes for axis in axes_of(size)]
        for size in (*self._open, *sizes):
            if has_axes(size) and set(wanted) <= set(axes_of(size)):
                return size_of(axis for axis in axes_of(size) if axis in wanted)
        return ""

    def _mixed(self, sizes: list[str], beside: Located, at: Located) -> str:
        axes = dict.fromkeys(axis for size in sizes for axis in axes_of(size))
        entry = ", ".join(f'"{axis}"' for axis in axes)
        text = [shown(to_text(each.node), 30) for each in (beside, at)]
        found = " and ".join(f"`{t}` {_has(size)}" for t, size in zip(text, sizes, strict=True))
        if self._target in self._declared:
            remedy = f"name their combination in an equation of its own, `p = {' * '.join(text)}`, and declare `p = [{entry}]`"
        else:
            remedy = f"declare `{self._target} = [{entry}]`, if it is to have all of these axes,"
        return f"{found}, and no name here has all of these axes; {remedy} under [sizes]"

    def reduced(self, at: Located, inner: int) -> int:
        """The size of a reduction over an axis of its operand, whose size is ``inner``."""
        assert isinstance(at.node, Reduce)
        kind, axis, size = at.node.kind, at.node.axis, self._classes.named(inner)
        if has_axes(size) and axis in axes_of(size):
            return self.labelled(without(size, (axis,)))
        if not has_axes(size) and size != ONE and (size == axis or (not size and self._is_axis(axis))):
            self._classes.unify(inner, self.labelled(axis))
            return self._classes.one
        larger = "" if REDUCTIONS[kind].rule is None else f"; the larger of two, unit by unit, is `{kind}imum(a, b)`"
        axes = " or ".join(f"`{each}`" for each in axes_of(size)) or "none"
        raise self._origin.error(
            f"`{kind}` runs over an axis of its operand; `{shown(to_text(at.parts[0].node), 40)}` {_has(size)}, so `{axis}` is "
            f"no axis of it: write {axes}{larger if not has_axes(size) and kind == 'max' else ''}",
            at.place,
        )

    def _is_axis(self, name: str) -> bool:
        return any(name in axes_of(size) for shape in self._declared.values() for size in shape)

    def applied(self, at: Located, columns: int, inner: int) -> None:
        """Refuse a matrix of what has several axes, but for one whose columns are all of them."""
        assert isinstance(at.node, MatVec)
        size = self._classes.named(inner)
        if not has_axes(size) or size == self._classes.named(columns):
            return
        matrix, operand = at.node.matrix, to_text(at.parts[0].node)
        last = axes_of(size)[-1]
        raise self._origin.error(
            f"`{matrix} @` takes a vector; `{shown(operand, 40)}` {_has(size)}; write `sum({matrix} * {shown(operand, 40)}, "
            f'{last})` and under [sizes] the axes of `{matrix}`, as in `{matrix} = ["{matrix.lower()}_rows", "{last}"]`',
            at.place,
        )

    def assigned(self, mine: int, found: int, each: Assignment) -> bool:
        """Whether a right side of size ``found`` broadcasts to its target, of size ``mine``; False where they are to agree."""
        target, right = self._classes.named(mine), self._classes.named(found)
        if not (has_axes(target) or has_axes(right)):
            return False
        if not right:
            self._waiting.append(_Waiting(found, target, each.expression))
        elif not set(axes_of(right)) <= set(axes_of(target)):
            entry = ", ".join(f'"{axis}"' for axis in axes_of(right))
            name = each.target.removesuffix(PRIME)
            raise self._origin.error(
                f"`{each.target}` {_has(target)}, but its right side {_has(right)}; declare `{name} = [{entry}]` under "
                f"[sizes], or sum over an axis, as in `sum(…, {axes_of(right)[-1]})`",
                each.place,
            )
        return True

    def end(self) -> None:
        """Hold what waited against what is known by now; what nothing else ties has all axes of what it meets."""
        for each in self._waiting:
            size = self._classes.named(each.size) or each.beside
            if size == ONE or set(axes_of(size)) <= set(axes_of(each.beside)):
                self._classes.unify(each.size, self.labelled(size))
                continue
            text = shown(to_text(each.at.node), 40)
            name = text if text.isidentifier() else "its name"
            first = axes_of(each.beside)[0]
            raise self._origin.error(
                f"`{text}` has size {size}, and meets a value with the axes {', '.join(axes_of(each.beside))}; declare under "
                f'[sizes] along which it stands, as in `{name} = "{first}"`, or `{name} = 1` for one number',
                each.at.place,
            )


def _has(size: str) -> str:
    return f"has the axes {', '.join(axes_of(size))}" if has_axes(size) else f"has size {size}"


def broadcast(at: Located, size: Callable[[Located], str], target: str) -> Expression:
    """The tree of an equation, with a `Broadcast` wherever a value is repeated along axes that it lacks.

    Args:
        at: the right side.
        size: the size of each of its parts.
        target: the size of its target.
    """
    return _fitted(_spread(at, size), size(at), target)


def _spread(at: Located, size: Callable[[Located], str]) -> Expression:
    if not at.parts:
        return at.node
    parts = tuple(_spread(part, size) for part in at.parts)
    match at.node:
        case Reduce(kind, _, axis) if axis:
            of = size(at.parts[0])
            return Reduce(kind, parts[0], axis, of) if has_axes(of) else Reduce(kind, parts[0])
        case MatVec() | Reduce() | VectorCall():
            return rebuild(at.node, parts)
        case _:
            sizes = (size(part) for part in at.parts)
            return rebuild(at.node, tuple(_fitted(part, of, size(at)) for part, of in zip(parts, sizes, strict=True)))


def _fitted(node: Expression, of: str, size: str) -> Expression:
    return node if of in (ONE, size) or not has_axes(size) else Broadcast(node, of, size)
