"""The heads of repeated equations (``repeat k = 1..L:``) and the passes that an equation is for (``for odd k``), as text.

Reads a line of the equations; returns `Head` and `Guard` records, whose bounds are whole numbers or names of constants.
Leaves out: which lines belong to a head (`symrnn.language.scanner`), and the passes themselves
(`symrnn.language.repetition`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from symrnn.language.origin import Origin, Place, shown

MAX_NESTED = 3
"""Most repeats around an equation."""

_NAME = r"[A-Za-z]\w*"
_BOUND = rf"(?:{_NAME}|\d{{1,40}})"
_STARTS = re.compile(r"[ \t]*repeat(?![\w'])(?![ \t]*=)", re.ASCII)
_HEAD = re.compile(
    rf"[ \t]*repeat[ \t]+(?:(?P<index>{_NAME})[ \t]*=[ \t]*(?P<first>{_BOUND})[ \t]*\.\.[ \t]*(?P<last>{_BOUND})"
    rf"|(?P<count>{_BOUND}))[ \t]*:",
    re.ASCII,
)
_FOR = re.compile(r"[ \t]for(?!\w)")
_GUARD = re.compile(
    rf"[ \t]*(?:(?P<parity>odd|even)[ \t]+(?P<one>{_NAME})"
    rf"|(?P<other>{_NAME})[ \t]*(?P<relation><=|>=|=|<|>)[ \t]*(?P<bound>{_BOUND}))[ \t]*",
    re.ASCII,
)

ODD, EVEN = "odd", "even"


@dataclass(frozen=True)
class Head:
    """``repeat 3:`` or ``repeat k = 1..L:``.

    Attributes:
        index: the name that counts the passes; empty where they have none.
        first: the number of the first pass, or the constant that gives it.
        last: the number of the last pass, or the constant that gives it.
        place: of the word.
        bounds: of the first bound.
        indent: columns in front of the word.
    """

    index: str
    first: str
    last: str
    place: Place
    bounds: Place
    indent: int

    def __str__(self) -> str:
        """As it stands in a cell file."""
        return f"repeat {self.index} = {self.first}..{self.last}:" if self.index else f"repeat {self.last}:"


@dataclass(frozen=True)
class Guard:
    """The passes that an equation is for: ``for odd k``, ``for k = 1``.

    Attributes:
        index: the name that counts the passes.
        relation: ``odd`` or ``even``, or one of ``= < > <= >=`` between the index and the bound.
        bound: a number or a constant; empty after ``odd`` and ``even``.
        place: of the word ``for``.
    """

    index: str
    relation: str
    bound: str
    place: Place

    def __str__(self) -> str:
        """As it stands in a cell file."""
        if self.relation in (ODD, EVEN):
            return f"for {self.relation} {self.index}"
        return f"for {self.index} {self.relation} {self.bound}"

    def holds(self, value: int, bound: int) -> bool:
        """Whether the equation is for the pass of that number."""
        match self.relation:
            case "odd" | "even":
                return value % 2 == (self.relation == ODD)
            case "=":
                return value == bound
            case "<" | "<=":
                return value < bound + (self.relation == "<=")
            case _:
                return value > bound - (self.relation == ">=")


def starts_head(line: str, start: int = 0) -> bool:
    """Whether a head begins in ``line`` at ``start``; a name ``repeat`` that is assigned is none."""
    return _STARTS.match(line, start) is not None


def read_head(line: str, number: int, start: int, origin: Origin) -> tuple[Head, int]:
    """The head that begins at ``start`` of line ``number``, and where it ends.

    Raises:
        CellError: it is no head.
    """
    begin = start + len(line[start:]) - len(line[start:].lstrip(" \t"))
    found = _HEAD.match(line, start)
    if found is None:
        text = shown(line[begin:].partition("#")[0].partition(":")[0], 30)
        message = f"expected `repeat 3:` or `repeat k = 1..3:`, whole numbers or constants, found `{text}`"
        raise origin.error(message, (number, begin + 1))
    group = "count" if found["count"] else "first"
    first, last = ("1", found["count"]) if found["count"] else (found["first"], found["last"])
    indent = len(line[:begin].expandtabs())
    bounds = (number, found.start(group) + 1)
    return Head(found["index"] or "", first, last, (number, begin + 1), bounds, indent), found.end()


def split_guard(line: str, number: int, origin: Origin) -> tuple[str, Guard | None]:
    """An equation's line without its last words ``for …``, and what they say.

    Raises:
        CellError: they say something else.
    """
    code, mark, comment = line.partition("#")
    found = _FOR.search(code)
    if found is None:
        return line, None
    place = (number, found.start() + 2)
    said = _GUARD.fullmatch(code, found.end())
    if said is None:
        text = shown(code[found.start() :], 30)
        message = f"expected `for odd k`, `for even k` or the like of `for k = 1` and `for k > 1`, found `{text}`"
        raise origin.error(message, place)
    guard = Guard(said["one"] or said["other"], said["parity"] or said["relation"], said["bound"] or "", place)
    blank = " " * (len(code) - found.start())
    return code[: found.start()] + blank + mark + comment, guard
