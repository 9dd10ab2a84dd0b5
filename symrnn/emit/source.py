"""Generated text with its source map: which line comes from which equation, in which stage, precision and block.

Writers make `Marked` texts, templates print them (`symrnn.emit.render`), and what comes out is a `Source`: the text, and the
`Mark` of each line that has one. Whoever wants to know what a line computes, or where its loop begins, reads the map, never
the text. Leaves out: how a language shows labels to people, which is the writer's own comment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from symrnn.errors import GenerateError


@dataclass(frozen=True)
class Mark:
    """What a line of generated text does.

    Attributes:
        labels: of the equations that it comes from.
        stage: the plan's stage that it belongs to; empty outside stages.
        function: the function or class that the line is in. The first line of a function has a mark with its name
            and no labels.
        precision: ``f32`` or ``f64`` where the line is of one precision alone; else empty.
        opens: how many blocks begin with the line. Like a bracket, it stays with its line wherever that goes.
        closes: how many blocks end with the line.
    """

    labels: tuple[str, ...] = ()
    stage: str = ""
    function: str = ""
    precision: str = ""
    opens: int = 0
    closes: int = 0


class Marked(str):
    """A piece of text with the mark of the line that it stands in; a template prints it like any other text.

    Filters, macros and joined texts lose the mark. So a template prints marked lines from its body or from an included
    template.

    >>> line = Marked("y = a + b", Mark(("3",), "step_1"))
    >>> line.mark.labels, line == "y = a + b"
    (('3',), True)
    """

    __slots__ = ("mark",)

    mark: Mark

    def __new__(cls, text: str, mark: Mark) -> Self:
        """``text`` with ``mark``."""
        self = super().__new__(cls, text)
        self.mark = mark
        return self

    def __str__(self) -> str:
        """Itself: `str` of a marked text keeps the mark."""
        return self


def marked(lines: Iterable[str], mark: Mark) -> list[str]:
    """``lines`` with ``mark``; a statement on several lines has it on each."""
    return [Marked(line, mark) for line in lines]


def within(function: str, lines: Iterable[str]) -> list[str]:
    """``lines``, those with a mark now marked as of ``function``."""
    return [Marked(line, replace(line.mark, function=function)) if isinstance(line, Marked) else line for line in lines]


def block(lines: Iterable[str]) -> list[str]:
    """``lines``, now a block: a function, a loop, a branch or a table. Its first line has its head, and no end is blank.

    >>> lines = block(["for t in range(T):", *block(["    while i:", "        i -= 1"])])
    >>> Source("", {number: line.mark for number, line in enumerate(lines, 1)}).blocks
    (Block(first=1, last=3), Block(first=2, last=3))
    """
    found = list(lines)
    first = _mark(found[0])
    found[0] = Marked(found[0], replace(first, opens=first.opens + 1))
    last = _mark(found[-1])
    found[-1] = Marked(found[-1], replace(last, closes=last.closes + 1))
    return found


def _mark(line: str) -> Mark:
    return line.mark if isinstance(line, Marked) else Mark()


@dataclass(frozen=True)
class Block:
    """A part of a file that belongs together, by its first and its last line; blocks nest."""

    first: int
    last: int


@dataclass(frozen=True)
class Source:
    """The text of a generated file.

    Attributes:
        text: whole.
        marks: by the number of the line, from 1, in order.
        digest: of the other texts that belong with this one; empty if it stands alone. A library built from them holds it too.
    """

    text: str
    marks: Mapping[int, Mark] = field(default_factory=dict)
    digest: str = ""

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The blocks that the marks tell, in the order of the text, each before those within it.

        A writer need not tell any; those that hold no line of an equation may be missing.

        Raises:
            GenerateError: a block ends that did not begin, or the other way round.
        """
        begun: list[int] = []
        found: list[Block] = []
        for number, mark in sorted(self.marks.items()):
            begun += [number] * mark.opens
            if mark.closes > len(begun):
                raise _unpaired(number, "ends", "begins")
            found += [Block(begun.pop(), number) for _ in range(mark.closes)]
        if begun:
            raise _unpaired(begun[-1], "begins", "ends")
        return tuple(sorted(found, key=lambda each: (each.first, -each.last)))


def _unpaired(number: int, what: str, missing: str) -> GenerateError:
    return GenerateError(
        f"generated text, line {number}: a block {what} here that {missing} nowhere; print all lines that "
        "symrnn.emit.source.block returns, from the body of a template"
    )


def joined(pieces: Iterable[str]) -> Source:
    """The text of ``pieces``, and the marks of those that are `Marked`, each at the line where its first character stands.

    >>> source = joined(["def f():", chr(10), Marked("    return x", Mark(("1",)))])
    >>> source.text.splitlines()[1], source.marks[2].labels
    ('    return x', ('1',))
    """
    parts: list[str] = []
    marks: dict[int, Mark] = {}
    line = 1
    for piece in pieces:
        if isinstance(piece, Marked):
            marks[line] = piece.mark
        parts.append(piece)
        line += piece.count("\n")
    return Source("".join(parts), marks)
