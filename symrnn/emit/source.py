"""Generated text with its source map: which line comes from which equation, in which stage and precision.

Writers make `Marked` texts, templates print them (`symrnn.emit.render`), and what comes out is a `Source`: the text, and the
`Mark` of each line that has one. Whoever wants to know what a line computes reads the map, never the text. Leaves out: how a
language shows labels to people, which is the writer's own comment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Self


@dataclass(frozen=True)
class Mark:
    """What a line of generated text does.

    Attributes:
        labels: of the equations that it comes from.
        stage: the plan's stage that it belongs to; empty outside stages.
        function: the function or class that the line is in. The first line of a function has a mark with its name
            and no labels.
        precision: ``f32`` or ``f64`` where the line is of one precision alone; else empty.
    """

    labels: tuple[str, ...] = ()
    stage: str = ""
    function: str = ""
    precision: str = ""


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
