"""Why a matrix does not act on a value with several axes, and what to write instead.

A matrix acts on the last axis of its operand and keeps the others. Reads sizes as far as they are known; returns the text of
messages. Leaves out: sizes that agree (`symrnn.language.axis_sizes`), which raises the errors.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import replace

from symrnn.language.axes import acted_on, axes_of, has_axes, has_text, in_words, size_of
from symrnn.language.origin import shown
from symrnn.language.system import ONE
from symrnn.language.text import to_text
from symrnn.language.tree import Binary, MatVec, Name


class ActionFaults:
    """The messages about a matrix left of a value with several axes.

    Args:
        declared: sizes of names, from ``[sizes]``.
        prepared: the matrices that equations of parameters alone assign or read.
        taken: the names of values, which no message gives to another one.
    """

    def __init__(
        self, declared: Mapping[str, tuple[str, ...]], prepared: Collection[str], taken: Container[str]
    ) -> None:
        self._declared, self._prepared, self._taken = declared, prepared, taken

    def fault(self, form: MatVec, size: str, rows: str, columns: str) -> str:
        """Why a matrix of ``rows`` and ``columns`` does not act on the last axis of a value of ``size``; empty if it does."""
        matrix, operand = form.matrix, shown(to_text(form.operand), 40)
        name = f"{matrix}{'.T' * form.transposed}"
        told = f"`{name} @` acts on the last axis of what has several, and `{operand}` {has_text(size)}"
        axes, ends, others = axes_of(size), axes_of(columns), axes_of(rows)
        if matrix not in self._declared:
            pair = [axes[-1], "columns"] if form.transposed else ["rows", axes[-1]]
            return (
                f"{told}; declare the rows and columns of `{matrix}` under [sizes], as in `{matrix} = {as_entry(pair)}`: "
                f"`{pair[form.transposed]}` takes the place of `{axes[-1]}`, and the other axes stay"
            )
        if matrix in self._prepared or ONE in (rows, columns):
            why = (
                "is prepared from parameters, or in their equations"
                if matrix in self._prepared
                else "has an axis of size 1"
            )
            return f"{told}; `{matrix}` {why}; {self._written_out(form, size)}"
        if not set(ends) <= set(axes):
            return f"{told}; `{name}` takes a value {described_as(columns)}; {self._other_side(form, axes, others)}"
        apart = kept_in_rows(size, rows, columns)
        fits = not apart or (not form.transposed and len(apart) < len(others))
        if axes[len(axes) - len(ends) :] != ends or not fits:
            has = f"{told}; `{name}` has the axes {in_words(size_of([*others, *ends]))}"
            if not set(others) & set(ends):
                return f"{has}; {self._written_out(form, size)}{self._renamed(form, axes, ends, others)}"
            order = as_entry([*(axis for axis in axes if axis not in ends), *ends])
            of = operand if operand.isidentifier() else "its name"
            return f"{has}; declare the value with {' and '.join(f'`{axis}`' for axis in ends)} last, as in `{of} = {order}`"
        if not in_order(rows, acted_on(size, (rows, columns), transposed=False)):
            new = [axis for axis in others if axis not in apart]
            first = [axis for axis in axes if axis in apart]
            return (
                f"{told}; `{matrix}` has a matrix for each unit of {' and '.join(f'`{axis}`' for axis in first)}: declare "
                f"{'these axes' if len(first) > 1 else 'this axis'} first, as in `{matrix} = {as_entry([*first, *new, *ends])}`"
            )
        return ""

    @staticmethod
    def _other_side(form: MatVec, axes: Sequence[str], others: Sequence[str]) -> str:
        """The remedy where the last of ``axes`` is none of the columns: the other side of the matrix if that has it."""
        if tuple(others) == tuple(axes[-1:]):
            turned = shown(to_text(replace(form, transposed=not form.transposed)), 60)
            return f"its other side has the last axis, `{axes[-1]}`: write `{turned}`, which keeps the other axes"
        if form.transposed:
            return "use another matrix"
        entry = as_entry([*others, axes[-1]])
        return f"use another matrix, or declare `{form.matrix} = {entry}`: its rows take the place of `{axes[-1]}`"

    @staticmethod
    def _renamed(form: MatVec, axes: Sequence[str], ends: Sequence[str], others: Sequence[str]) -> str:
        """The other remedy where the columns are the last of ``axes`` and all rows are among those that the value keeps."""
        if form.transposed or tuple(axes[-len(ends) :]) != tuple(ends):
            return ""
        kept = " and ".join(f"`{axis}`" for axis in others)
        entry = as_entry(["rows", *ends])
        return (
            f"; or, for one matrix on `{ends[-1]}`, which keeps {kept}, name its rows anew: `{form.matrix} = {entry}`"
        )

    def _written_out(self, form: MatVec, size: str) -> str:
        """The remedy that works but for square matrices: the sum of products of a matrix and a value of ``size``."""
        matrix = form.matrix
        rows, columns = (axes_of(each) for each in self._declared.get(matrix, ("rows", axes_of(size)[-1])))
        if set(rows) & set(columns):  # as a value it would have an axis twice
            return "use another matrix"
        inner = [axis for axis in (rows if form.transposed else columns) if axis in axes_of(size)] or axes_of(size)[-1:]
        name = free_name(self._taken)
        text = f"{name} = {shown(to_text(Binary('*', Name(matrix), form.operand)), 40)}"
        summed = name
        for axis in inner:
            summed = f"sum({summed}, {axis})"
        entry = as_entry(_joined_axes((*rows, *columns), axes_of(size)))
        return f"write the sum out, `{text}` and `{summed}`, and declare `{name} = {entry}` under [sizes]"


def kept_in_rows(size: str, rows: str, columns: str) -> list[str]:
    """The axes that a value of ``size`` keeps and the rows of a matrix have too: those with a matrix for each unit."""
    kept = axes_of(size)[: -len(axes_of(columns))]
    return [axis for axis in axes_of(rows) if axis in kept]


def free_name(taken: Container[str]) -> str:
    """A name for a message to give to a value."""
    return next(name for name in ("p", "q", "product", "product_2") if name not in taken)


def in_order(size: str, other: str) -> bool:
    """Whether the axes of ``size``, all of which ``other`` has, stand in the same order there."""
    return axes_of(size) == tuple(axis for axis in axes_of(other) if axis in axes_of(size))


def _joined_axes(first: Sequence[str], second: Sequence[str]) -> list[str]:
    """The axes of both in an order that both have, where there is one."""
    found = list(first)
    for place, axis in enumerate(second):
        if axis not in found:
            before = [found.index(each) for each in second[:place] if each in found]
            behind = [found.index(each) for each in second[place + 1 :] if each in found]
            found.insert(max(before) + 1 if before else min(behind, default=len(found)), axis)
    return found


def as_entry(axes: Iterable[str]) -> str:
    """Axes as an entry of ``[sizes]``."""
    found = [f'"{axis}"' for axis in axes]
    return found[0] if len(found) == 1 else f"[{', '.join(found)}]"


def described_as(size: str) -> str:
    """A size in the words of messages, behind what has it."""
    return f"with the axes {in_words(size)}" if has_axes(size) else f"of size {size}"
