"""The generated code beside the formulas: the functions of a step, line by line, with the equations each line came from.

Reads generated files with their source maps; returns `Listing` records, in the order of targets. It shows the innermost
blocks that hold lines of the page's equations, in one precision; gaps between them are marked. Functions and blocks are those
of the map; where it tells no block, a line stands for itself. Leaves out: what the lines do.
"""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from pygments.lexer import Lexer
from pygments.lexers import get_lexer_for_filename
from pygments.token import STANDARD_TYPES

from symrnn.emit.source import Block, Mark, Source
from symrnn.pipeline import Sources
from symrnn.targets import registry


@dataclass(frozen=True)
class CodeLine:
    """A line of code: its number in its file, coloured HTML, and the numbers of its equations; none for a gap."""

    number: str
    html: str
    labels: str
    gap: bool


@dataclass(frozen=True)
class Listing:
    """A file's excerpt.

    Attributes:
        key: a word that names it on the page.
        title: for people.
        file: the file's name.
        lines: in the order of the file.
    """

    key: str
    title: str
    file: str
    lines: tuple[CodeLine, ...]

    @property
    def labels(self) -> frozenset[str]:
        """The numbers that its lines carry."""
        return frozenset(label for line in self.lines for label in line.labels.split())


def listings(found: Sources, known: Collection[str]) -> tuple[Listing, ...]:
    """The code of every target that marks its lines; ``known`` are the numbers of the page's equations."""
    return tuple(each for target, files in found.items() for each in _of_target(target, files, known))


def _of_target(target: str, files: Mapping[str, Source], known: Collection[str]) -> Iterator[Listing]:
    """A listing for each file that has lines of the page's equations; the first goes by the target's title alone."""
    title, number = registry.title(target), 0
    for file, source in files.items():
        lines = tuple(_lines(file, source, known))
        if lines:
            number += 1
            key, shown = (target, title) if number == 1 else (f"{target}-{number}", f"{title}: {file}")
            yield Listing(key, shown, file, lines)


@dataclass(frozen=True)
class _MarkedFunction:
    """A function of a file: the line at which it begins, where the map tells it, and those that come from equations."""

    head: int | None
    marks: Mapping[int, Mark]

    @property
    def stated(self) -> frozenset[tuple[str, str]]:
        """Which equations it computes in which stages."""
        return frozenset((mark.stage, label) for mark in self.marks.values() for label in mark.labels)


def _functions(source: Source) -> list[_MarkedFunction]:
    """The functions of a file in order, in the first precision that it has."""
    heads: dict[str, int] = {}
    found: dict[str, dict[int, Mark]] = {}
    precision = next((mark.precision for mark in source.marks.values() if mark.precision), "")
    for number, mark in sorted(source.marks.items()):
        if mark.precision not in ("", precision):
            continue
        name = mark.function or mark.stage
        if mark.labels or mark.stage:
            found.setdefault(name, {})[number] = mark
        else:
            heads.setdefault(name, number)
    return [_MarkedFunction(heads.get(name), marks) for name, marks in found.items()]


def _shown(source: Source, known: Collection[str]) -> list[int]:
    """The lines to show, from 1: of every function that computes equations of the page and no others; none twice."""
    blocks = source.blocks
    chosen: list[int] = []
    said: set[tuple[str, str]] = set()
    for function in _functions(source):
        stated = function.stated
        if stated <= said or not all(label in known for _, label in stated):
            continue
        said |= stated
        chosen += _excerpt(function, blocks)
    return sorted(dict.fromkeys(chosen))


def _excerpt(function: _MarkedFunction, blocks: Sequence[Block]) -> Iterator[int]:
    """The head of a function and the innermost blocks around its lines of equations."""
    if function.head is not None:
        yield function.head
    for at in function.marks:
        around = [block for block in blocks if block.first <= at <= block.last]
        innermost = around[-1] if around else Block(at, at)
        yield from range(innermost.first, innermost.last + 1)


def _lines(file: str, source: Source, known: Collection[str]) -> Iterator[CodeLine]:
    """The chosen lines with gaps between them, each stretch as far to the left as it goes."""
    lines, chosen = source.text.splitlines(), _shown(source, known)
    lexer = get_lexer_for_filename(file)
    for stretch in _stretches(chosen):
        if stretch[0] != chosen[0]:
            yield CodeLine("", "", "", gap=True)
        text = textwrap.dedent("\n".join(lines[at - 1] for at in stretch))
        for at, html in zip(stretch, _coloured(text, lexer), strict=True):
            labels = source.marks[at].labels if at in source.marks else ()
            yield CodeLine(str(at), html, " ".join(labels), gap=False)


def _stretches(chosen: Sequence[int]) -> Iterator[list[int]]:
    held: list[int] = []
    for at in chosen:
        if held and at != held[-1] + 1:
            yield held
            held = []
        held.append(at)
    if held:
        yield held


def _coloured(text: str, lexer: Lexer) -> list[str]:
    """The lines of ``text`` as HTML, each token in a span of its kind."""
    lexer.stripnl = False
    lines = [""]
    for kind, value in lexer.get_tokens(text):
        name = STANDARD_TYPES.get(kind, "")
        for index, part in enumerate(value.split("\n")):
            if index:
                lines.append("")
            if part:
                escaped = escape(part, quote=False)
                lines[-1] += f'<span class="{name}">{escaped}</span>' if name and not part.isspace() else escaped
    return lines[: text.count("\n") + 1]
