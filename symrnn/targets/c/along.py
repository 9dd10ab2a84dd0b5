"""Stages along axes in C: lines of the last axis, what is repeated along axes, and reductions over some of them.

Reads a stage whose size has several axes; returns its lines of C. The stage runs line by line: a line holds the numbers of
the last axis, and ``line`` counts the others. A value that lacks the last axis is one number for a line; one that lacks others
is read again in every line. A reduction over the last axis adds up a line in a register; one over other axes alone adds each
line to memory. Leaves out: how a stage runs over rows, which the runtime does, and stages with linear forms
(`symrnn.targets.c.stages`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from symrnn.language.axes import TWIN, axes_of
from symrnn.language.tree import Broadcast, Name, Reduce, walk
from symrnn.plan.program import Stage, Statement
from symrnn.targets.c.functions import reduction


@dataclass(frozen=True)
class Axes:
    """The axes of a stage as C expressions.

    Args:
        size: of the stage.
        texts: the C expression of every axis.
    """

    size: str
    texts: Mapping[str, str]

    @property
    def last(self) -> str:
        """The numbers in a line."""
        return self.texts[axes_of(self.size)[-1]]

    @property
    def lines(self) -> str:
        """The number of lines."""
        return " * ".join(self.texts[axis] for axis in axes_of(self.size)[:-1])

    def has_last(self, size: str) -> bool:
        """Whether a value of ``size`` has numbers for each number of a line."""
        return axes_of(size)[-1:] == axes_of(self.size)[-1:]

    def place(self, size: str) -> str:
        """Which of its lines, or of its numbers where it has no last axis, a value of ``size`` has at a line."""
        outer = axes_of(self.size)[:-1]
        own = [axis for axis in axes_of(size) if axis in outer]
        terms = []
        for run in self._runs(own):
            stride = self._product(own[own.index(run[-1]) + 1 :])
            terms.append(f"{_grouped(self._index(run))} * {stride}" if stride else self._index(run))
        return " + ".join(terms) or "0"

    def begin(self, size: str) -> str:
        """Where that line begins."""
        place = self.place(size)
        return "" if place == "0" else f"{_grouped(place)} * apart"

    def first(self, size: str) -> str:
        """Whether a line is the first that a reduction to ``size`` adds to a number; empty where it is the only one."""
        outer = axes_of(self.size)[:-1]
        gone = [axis for axis in outer if axis not in axes_of(size)]
        return " && ".join(f"{self._index(run)} == 0" for run in self._runs(gone))

    def _runs(self, axes: Sequence[str]) -> list[list[str]]:
        """``axes`` of the lines, in runs of neighbours."""
        outer = axes_of(self.size)[:-1]
        places = [outer.index(axis) for axis in axes]
        pairs = groupby(enumerate(places), key=lambda pair: pair[1] - pair[0])
        return [[outer[place] for _, place in run] for _, run in pairs]

    def _index(self, run: Sequence[str]) -> str:
        """The number of a line along neighbouring axes."""
        outer = axes_of(self.size)[:-1]
        after = self._product(outer[outer.index(run[-1]) + 1 :])
        index = f"(line + v) / {after}" if after else "line + v"
        return index if run[0] == outer[0] else f"{_grouped(index)} % {self._product(run)}"

    def _product(self, axes: Sequence[str]) -> str:
        return _grouped(" * ".join(self.texts[axis] for axis in axes))


def _grouped(text: str) -> str:
    return f"({text})" if " " in text else text


@dataclass(frozen=True)
class LineRepeat:
    """What a stage repeats along axes: the value, its size, its row and the local that stands for it in a line."""

    value: str
    size: str
    row: str
    local: str


@dataclass(frozen=True)
class LineTotal:
    """A reduction over axes: its statement, the sizes of its operand and result, and the local that adds it up."""

    statement: Statement
    of: str
    size: str
    local: str

    @property
    def kind(self) -> str:
        """The last part of the names of the runtime's functions that add it up."""
        assert isinstance(self.statement.expression, Reduce)
        return reduction(self.statement.expression.kind).joins


def line_key(name: str, of: str) -> str:
    """Identifies what stands in a line for a value that is repeated: the value, and its size if that names an axis again."""
    return f"{name} {of}" if TWIN in of else name


def repeated_by(stage: Stage) -> list[tuple[str, str]]:
    """The values that a stage repeats along axes, with the sizes that they are read with, each pair once."""
    nodes = [node for s in stage.statements for node in walk(s.expression)]
    found = [(n.operand.name, n.of) for n in nodes if isinstance(n, Broadcast) and isinstance(n.operand, Name)]
    return list(dict.fromkeys(found))


def line_heads(axes: Axes, repeated: Sequence[LineRepeat], totals: Sequence[LineTotal]) -> Iterator[str]:
    """What holds in a line: numbers, where lines begin, which of them come first, totals."""
    for each in repeated:
        if not axes.has_last(each.size):
            yield f"LETS({each.local}) = K({each.row}[{axes.place(each.size)}]);"
        elif begin := axes.begin(each.size):
            yield f"IN_LINES(const real *, {each.local}) = {each.row} + {begin};"
    for total in totals:
        if first := axes.first(total.size):
            yield f"IN_LINES(int, {total.local}_first) = {first};"
        if not axes.has_last(total.size):
            yield f"LETS({total.local}) = START_{total.kind};"


def in_line(axes: Axes, each: LineRepeat) -> str:
    """The vector that stands for what is repeated."""
    if not axes.has_last(each.size):
        return f"{each.local}[v]"
    return f"OF_LINE({each.local}[v])" if axes.begin(each.size) else each.local


def vector_heads(axes: Axes, repeated: Sequence[LineRepeat]) -> Iterator[str]:
    """What is the same in every line, of the vector at hand."""
    for each in repeated:
        if axes.has_last(each.size) and not axes.begin(each.size):
            yield f"const vec {each.local} = OF_LINE({each.row});"


def total_lines(
    axes: Axes, total: LineTotal, operand: str, rows: Sequence[str], ragged: bool
) -> tuple[list[str], list[str]]:
    """The lines that take a vector into ``total`` and those that end a line; ``rows`` are where it is stored."""
    place, first = axes.place(total.size), axes.first(total.size)
    fresh = f"{total.local}_first[v]" if first else ""
    if axes.has_last(total.size):
        at = " + ".join(each for each in (axes.begin(total.size), "column") if each)
        inside = []
        for row in rows:
            value = f"{fresh} ? {operand} : join_{total.kind}(load(to, count), {operand})" if fresh else operand
            value = f"idle ? K(0) : {value}" if ragged else value
            inside += [
                f"{_EACH} {{",
                f"    real *const to = {row} + {at};",
                f"    store(to, {value}, count);",
                "}",
            ]
        return inside, []
    inside = [f"TAKE(join_{total.kind}, {total.local}, {operand});"]
    one = f"{total.local}_one"
    behind = [f"real {one}[4];", f"lines_{total.kind}(N, {total.local}, apart, {one});", f"{_EACH} {{"]
    for row in rows:
        value = f"{fresh} ? {one}[v] : one_{total.kind}({row}[{place}], {one}[v])" if fresh else f"{one}[v]"
        behind.append(f"    {row}[{place}] = {f'idle ? 0 : {value}' if ragged else value};")
    return inside, [*behind, "}"]


_EACH = "for (size_t v = 0; v < N; ++v)"


def lines_at_a_time(stage: Stage) -> int:
    """How many lines run at a time at most: of few statements several, whose results do not wait for one another."""
    return next((most for most, statements in ((4, 8), (2, 16)) if len(stage.statements) <= statements), 1)
