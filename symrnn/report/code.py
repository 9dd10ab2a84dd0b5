"""The generated code beside the formulas: the functions of a step, line by line, with the equations each line came from.

Reads the generated texts, whose lines end with the numbers of their equations; returns `Listing` records. Shown are the
innermost blocks that hold numbered lines, in single precision; what lies between is left out and marked. Leaves out: what
the lines do.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from pygments.lexer import Lexer
from pygments.lexers.c_cpp import CLexer
from pygments.lexers.python import PythonLexer
from pygments.token import STANDARD_TYPES

_NUMBERS = re.compile(r"\(([a-z]?\d+[a-z]*)\)")
_C_COMMENT = re.compile(r"[;,]\s*/\*((?: ?\([a-z]?\d+[a-z]*\))+)")
_NUMPY_COMMENT = re.compile(r"  #((?: \([a-z]?\d+[a-z]*\))+)")
_C_HEAD = re.compile(r"(?:static )?(?:int|void) \w*?(\w+)_f32\b.*\(|(?:static )?(?:int|void) \w+_f32_(\w+)\(")
_NUMPY_HEAD = re.compile(r"(?:def (_forward|_backward)\(|class (_Weights))")


@dataclass(frozen=True)
class Line:
    """A line of code: its number in its file, coloured HTML, and the numbers of its equations; none where it is a gap."""

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
    lines: tuple[Line, ...]

    @property
    def labels(self) -> frozenset[str]:
        """The numbers that its lines carry."""
        return frozenset(label for line in self.lines for label in line.labels.split())


def numpy_listing(file: str, text: str, known: Collection[str]) -> Listing:
    """The forward and the backward function of a NumPy module; ``known`` are the numbers of the page's equations."""
    lines = text.splitlines()
    heads = [at for at, line in enumerate(lines) if _NUMPY_HEAD.match(line)]
    chosen = [at for head in heads for at in _excerpt(lines, head, _numbered(lines, head, _NUMPY_COMMENT, known))]
    return Listing("numpy", "NumPy", file, tuple(_lines(lines, chosen, PythonLexer(), _NUMPY_COMMENT, known)))


def c_listing(file: str, text: str, known: Collection[str], left_out: Collection[str]) -> Listing:
    """The stages of a C source in single precision; ``left_out`` are those that say the same as another."""
    lines = text.split("/* ==== double ==== */")[0].splitlines()
    chosen: list[int] = []
    for head, line in enumerate(lines):
        found = _C_HEAD.match(line)
        if found and not any(line.startswith(f"static void {name}_f32(") for name in left_out):
            chosen += _excerpt(lines, head, _numbered(lines, head, _C_COMMENT, known))
    return Listing("c", "C", file, tuple(_lines(lines, chosen, CLexer(), _C_COMMENT, known)))


def _numbered(lines: Sequence[str], head: int, comment: re.Pattern[str], known: Collection[str]) -> list[int]:
    """The lines of the block below ``head`` that carry the number of a known equation."""
    found = []
    for at in range(head + 1, len(lines)):
        if lines[at] and not lines[at].startswith((" ", "{", "#", ")")):
            break
        if _labels(lines[at], comment, known):
            found.append(at)
    return found


def _excerpt(lines: Sequence[str], head: int, numbered: Sequence[int]) -> list[int]:
    """``head`` and the innermost blocks around the numbered lines."""
    found: set[int] = set()
    for at in numbered:
        depth = _depth(lines[at])
        start, end = at, at
        while start - 1 > head and (not lines[start - 1].strip() or _depth(lines[start - 1]) >= depth):
            start -= 1
        while end + 1 < len(lines) and (not lines[end + 1].strip() or _depth(lines[end + 1]) >= depth):
            end += 1
        found.update(range(start, end + 1))
    trimmed = sorted(found)
    while trimmed and not lines[trimmed[-1]].strip():
        trimmed.pop()
    return [head, *trimmed] if trimmed else []


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())


def _labels(line: str, comment: re.Pattern[str], known: Collection[str]) -> tuple[str, ...]:
    found = comment.search(line)
    return tuple(label for label in _NUMBERS.findall(found.group(1)) if label in known) if found else ()


def _lines(
    lines: Sequence[str], chosen: Sequence[int], lexer: Lexer, comment: re.Pattern[str], known: Collection[str]
) -> Iterator[Line]:
    """The chosen lines with gaps between them, each stretch as far to the left as it goes."""
    for stretch in _stretches(chosen):
        if stretch[0] != chosen[0]:
            yield Line("", "", "", gap=True)
        margin = min((_depth(lines[at]) for at in stretch if lines[at].strip()), default=0)
        text = "\n".join(lines[at][margin:] for at in stretch)
        for at, html in zip(stretch, _coloured(text, lexer), strict=True):
            yield Line(str(at + 1), html, " ".join(_labels(lines[at], comment, known)), gap=False)


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
