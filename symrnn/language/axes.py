"""Named axes: values with several axes, as one size name, and where a step broadcasts one along the axes that it lacks.

A value with the axes ``value`` and ``key`` has the size ``value*key``: its numbers stand one after the other, the last axis
running fastest, and to arithmetic unit by unit it is a vector like any other. So only two things know of axes: `Broadcast`,
which repeats a value along the axes that it lacks, and a reduction over some of the axes of its operand.

A matrix may have one axis in its rows and in its columns. It is called ``key'`` in the columns, a name that no cell can give:
as many units as ``key``, and another axis of a product. Such a twin stands only beside the axis that it is of: what has one of
the two alone has the axis itself (`settled`). So a `Broadcast` may read a value of size ``key`` as one of size ``key'``, which
are the same numbers, and a reduction that leaves ``key'`` has the size ``key``.

Reads and returns size names. Leaves out: which sizes names have (`symrnn.language.sizes`), and where a `Broadcast` stands
(`symrnn.language.axis_sizes`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from math import prod

SCALAR = "1"
"""The size of one number. `symrnn.language.system`, which has the names of sizes, reads modules that read this one."""

TIMES = "*"
"""What stands between the axes in a size name."""

TWIN = "'"
"""What the second name of an axis ends in."""


def axes_of(size: str) -> tuple[str, ...]:
    """The axes of a size, the last one running fastest; none of the size 1.

    >>> axes_of("value*key"), axes_of("hidden"), axes_of("1")
    (('value', 'key'), ('hidden',), ())
    """
    return () if size == SCALAR else tuple(size.split(TIMES))


def twin(axis: str) -> str:
    """The second name of an axis, for the columns of a matrix that has it in its rows too.

    >>> twin("key")
    "key'"
    """
    return axis + TWIN


def plain_axes(size: str) -> tuple[str, ...]:
    """The axes of a size by the names that the cell gives them, as keys of numbers.

    >>> plain_axes("head*key*key'")
    ('head', 'key', 'key')
    """
    return axes_of(plain(size))


def plain(size: str) -> str:
    """A size with its axes by the names that the cell gives them, for people and for text that has no product of axes.

    >>> plain("head*key*key'")
    'head*key*key'
    """
    return size.replace(TWIN, "")


def twins_of(sizes: Iterable[str]) -> tuple[str, ...]:
    """The second names of axes in these sizes, each once.

    >>> twins_of(["key", "key*key'", "head*key*key'"])
    ("key'",)
    """
    return tuple(dict.fromkeys(axis for size in sizes for axis in axes_of(size) if axis.endswith(TWIN)))


def settled(size: str) -> str:
    """A size where a twin that stands alone is the axis that it is of.

    >>> settled("head*key'"), settled("key*key'")
    ('head*key', "key*key'")
    """
    axes = axes_of(size)
    return size_of(axis if (own := axis.removesuffix(TWIN)) in axes else own for axis in axes)


def size_of(axes: Iterable[str]) -> str:
    """The size of a value with these axes."""
    return TIMES.join(axes) or SCALAR


def in_words(size: str) -> str:
    """A size as messages name it.

    >>> in_words("value*key"), in_words("hidden"), in_words("1")
    ('value, key', 'hidden', '1')
    """
    return ", ".join(plain_axes(size)) or SCALAR


def has_text(size: str) -> str:
    """What a value of a size has, as messages say it.

    >>> has_text("value*key"), has_text("hidden")
    ('has the axes value, key', 'has size hidden')
    """
    return f"has the axes {in_words(size)}" if has_axes(size) else f"has size {size}"


def has_axes(size: str) -> bool:
    """Whether a size has several axes."""
    return TIMES in size


def without(size: str, axes: Collection[str]) -> str:
    """The size that is left when ``axes`` are summed over."""
    return size_of(axis for axis in axes_of(size) if axis not in axes)


def beyond(of: str, size: str) -> str:
    """The axes of ``size`` that ``of`` lacks, as a size: those along which a `Broadcast` repeats."""
    return without(size, axes_of(of))


def acted_on(of: str, shape: Sequence[str], transposed: bool) -> str:
    """The size of a matrix, or its transpose, times a value of the size ``of``, whose last axes become others.

    An axis that the value keeps and the rows have too stands once: there is a matrix for each of its units.

    >>> acted_on("head*key", ("value", "key"), False), acted_on("head*value", ("value", "key"), True)
    ('head*value', 'head*key')
    >>> acted_on("head*unit", ("head*unit", "unit"), False)
    'head*unit'
    """
    rows, columns = (axes_of(size) for size in shape)
    inner, outer = (rows, columns) if transposed else (columns, rows)
    axes = axes_of(of)
    kept = axes[: len(axes) - len(inner)]
    return size_of([*kept, *(axis for axis in outer if axis not in kept)])


def matrix_axes(shape: Sequence[str]) -> str:
    """The size of a matrix as a value with axes: those of its rows, then of its columns, each by a name of its own.

    >>> matrix_axes(("value", "key")), matrix_axes(("head*unit", "unit"))
    ('value*key', "head*unit*unit'")
    """
    rows, columns = (axes_of(size) for size in shape)
    return size_of([*rows, *(twin(axis) if axis in rows else axis for axis in columns)])


class Numbers(dict[str, int]):
    """The number behind each size name; of a size with several axes, the product of theirs.

    >>> Numbers(value=2, key=3)["value*key"]
    6
    """

    def __missing__(self, size: str) -> int:
        if not has_axes(size) and TWIN not in size:
            raise KeyError(size)
        return prod(self[axis] for axis in plain_axes(size))


class Spelt(dict[str, str]):
    """The text of each size name in a target; of a size with several axes, that of their product, in parentheses.

    >>> Spelt(value="V", key="K")["value*key"]
    '(V * K)'
    """

    def __missing__(self, size: str) -> str:
        if not has_axes(size):
            if TWIN in size:
                return self[plain(size)]
            raise KeyError(size)
        return f"({' * '.join(self[axis] for axis in axes_of(size))})"


def shape_axes(shape: Iterable[str]) -> tuple[str, ...]:
    """The axes of an array as a person gives it; one number has one axis, of size 1.

    >>> shape_axes(("head*key", "input")), shape_axes(("key*key'",)), shape_axes(("1",))
    (('head', 'key', 'input'), ('key', 'key'), ('1',))
    """
    return tuple(axis for size in shape for axis in (plain_axes(size) or (SCALAR,)))
