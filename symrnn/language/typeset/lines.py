r"""Long formulas on several lines: where LaTeX may be broken, and how wide a piece of it is.

Reads LaTeX that `symrnn.language.typeset.expressions` wrote; returns lines for an ``aligned`` or ``align`` environment. A
line is broken before an operator that stands in no braces, the outermost first. Leaves out: fonts; widths are estimates.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from string import ascii_uppercase
from typing import NamedTuple

TEXT_WIDTH = 74.0
"""What fits on a line beside an equation's number, in characters of average width."""

_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|.", re.DOTALL)
_FONTS = """operatorname text mathrm mathit mathbf mathtt mathbb overline overset scriptscriptstyle tilde hat bar dot
left right"""
_WIDTHS = {
    **{f"\\{font}": 0.0 for font in _FONTS.split()},
    **dict.fromkeys(" &{}", 0.0),
    **{"+": 2.2, "-": 2.2, "=": 2.4, r"\odot": 2.4, r"\otimes": 2.4, r"\cdot": 1.4, r"\sum": 2.5, r"\quad": 2.0},
    **{r"\tanh": 4.0, r"\exp": 3.2, r"\log": 3.0, r"\sin": 2.6, r"\cos": 3.0, r"\min": 3.2, r"\max": 3.6},
    **{"(": 0.7, ")": 0.7, "[": 0.6, "]": 0.6, ",": 0.8, ".": 0.5, "|": 0.5, r"\,": 0.3, r"\sqrt": 1.6},
    **dict.fromkeys((r"\Bigl", r"\Bigr"), 0.4),
    **dict.fromkeys(("<", ">", r"\leq", r"\geq", r"\neq", r"\in"), 2.4),
    **dict.fromkeys(ascii_uppercase, 1.45),
    **dict.fromkeys((r"\Gamma", r"\Delta", r"\Theta", r"\Lambda", r"\Sigma", r"\Phi", r"\Psi", r"\Omega"), 1.5),
    **{"W": 1.9, "M": 1.9, "I": 0.9, "m": 1.75, "w": 1.4, "i": 0.7, "l": 0.6, "t": 0.7, "j": 0.8},
}
_SCRIPT = 0.72
_SPACE = r" \, "
_BREAKS = (" + ", " - ", r" \odot ", _SPACE)


def width(latex: str) -> float:
    """About how wide ``latex`` is, in characters of average width; a fraction is as wide as its wider part."""
    return _Measure(latex).run()


class _Measure:
    """Adds up widths; groups after ``_`` and ``^`` are small, those of a fraction stand above each other."""

    def __init__(self, latex: str) -> None:
        self._tokens: list[str] = _TOKEN.findall(latex)
        self._at = 0

    def run(self, most: float = math.inf) -> float:
        """The width of it all, or of as much as is wider than ``most``."""
        total = 0.0
        while self._at < len(self._tokens) and total <= most:
            total += self._next()
        return total

    def _until(self, end: str) -> float:
        total = 0.0
        while self._at < len(self._tokens) and self._tokens[self._at] != end:
            total += self._next()
        self._at += 1
        return total

    def _next(self) -> float:
        if self._at >= len(self._tokens):
            return 0.0
        token = self._tokens[self._at]
        self._at += 1
        if token == "{":
            return self._until("}")
        if token in ("_", "^"):
            return _SCRIPT * self._next()
        if token in ("\\frac", "\\dfrac", "\\tfrac"):
            scale = _SCRIPT if token == "\\tfrac" else 1.0
            return scale * max(self._next(), self._next()) + 0.4
        return _WIDTHS.get(token, 1.0)


@dataclass(frozen=True)
class Line:
    """One formula of an alignment, ``left = right``.

    Attributes:
        left: LaTeX.
        right: LaTeX.
        tag: the number that it is shown under, or nothing.
        relation: the sign between the two, at which formulas are aligned.
        origin: labels of the equations that it was derived from, or nothing; shown beside the number.
    """

    left: str
    right: str
    tag: str = ""
    relation: str = "="
    origin: str = ""

    @property
    def mark(self) -> str:
        """What stands at the end of the line: the number, and the equation that the formula comes from."""
        return rf"{self.tag} $\leftarrow$ {self.origin}" if self.tag and self.origin else self.tag or self.origin


def align(rows: Sequence[Line], environment: str = "align*", limit: float = TEXT_WIDTH) -> str:
    r"""The formulas below each other, aligned at their signs, each broken where it is too long.

    >>> print(align([Line("a", "b + c", "1")]))
    \begin{align*}
    a &= b + c \tag{1}
    \end{align*}
    """
    body = " \\\\\n".join(line for line in aligned_lines(rows, limit))
    return f"\\begin{{{environment}}}\n{body}\n\\end{{{environment}}}"


def aligned_lines(rows: Sequence[Line], limit: float = TEXT_WIDTH) -> list[str]:
    r"""The lines of an alignment; later lines of a formula begin with the operator that they are broken before.

    >>> aligned_lines([Line("a", "b + c + (d + e) + f")], limit=14)
    ['a &= b + c', '&\\quad + (d + e)', '&\\quad + f']
    """
    room = limit - max(width(row.left) for row in rows) - _WIDTHS["="]
    result = []
    for row in rows:
        first, *rest = lines(row.right, room, room - _WIDTHS[r"\quad"])
        formula = [f"{row.left} &{row.relation} {first}", *(rf"&\quad {line}" for line in rest)]
        formula[-1] += rf" \tag{{{row.mark}}}" if row.mark else ""
        result += formula
    return result


def lines(latex: str, room: float, later: float) -> list[str]:
    """``latex`` in pieces that fit into ``room`` (the first) and ``later`` (the others), as far as it can be cut."""
    result = []
    while _Measure(latex).run(room) > room:
        cut = _best_cut(latex, room)
        if cut == 0:
            break
        result.append(latex[:cut].rstrip())
        latex = latex[cut:].lstrip()
        room = later
    return [*result, latex]


def _best_cut(latex: str, room: float) -> int:
    """Where to cut: the outermost place that fits, the last of those; the first of all where none fits; 0 for none."""
    # What stands before a later place is wider: the first that does not fit ends the search.
    places = takewhile(lambda place: width(latex[: place.at]) <= room, _places(latex))
    fitting = [(place.rank, -place.at) for place in places]
    if fitting:
        # A shallow place near the start would leave a line all but empty: prefer one in its second half.
        full = [(rank, at) for rank, at in fitting if width(latex[:-at]) >= room / 3]
        return -min(full or fitting)[1]
    return min((place.at for place in _places(latex)), default=0)


class _Break(NamedTuple):
    """A place where LaTeX may be broken: before ``operator``; the rank is how deep in parentheses, then which operator."""

    rank: tuple[int, int]
    at: int
    operator: str

    @property
    def begins(self) -> int:
        """Where a piece begins that is set by itself: with the operator, unless that is nothing but space."""
        return self.at + (len(self.operator) if self.operator == _SPACE else 0)


def _places(latex: str) -> Iterator[_Break]:
    """Every place where ``latex`` may be broken."""
    braces = depth = 0
    at = 0
    while at < len(latex):
        pair = next((word for word in (r"\left", r"\right") if latex.startswith(word, at)), "")
        if pair:
            braces += 1 if pair == r"\left" else -1
            # The delimiter is part of the pair.
            at += len(pair) + 1
            continue
        character = latex[at]
        braces += (character == "{") - (character == "}")
        depth += (character == "(") - (character == ")")
        if braces == 0 and at > 0 and character == " ":
            for order, operator in enumerate(_BREAKS):
                if latex.startswith(operator, at):
                    yield _Break((depth, order // 2), at, operator)
        at += 1


def pieces(latex: str) -> tuple[tuple[str, ...], ...]:
    r"""``latex`` cut wherever it may be broken: into summands, and each of them into its factors and parts.

    A product without a sign is cut at its space, which no piece has.

    >>> pieces(r"(a + b) \odot c - d \, e")
    (('(a', '+ b)', '\\odot c'), ('- d', 'e'))
    """
    summands = _cut(latex, [place for place in _places(latex) if place.rank == (0, 0)])
    return tuple(tuple(_cut(summand, list(_places(summand)))) for summand in summands)


def _cut(latex: str, places: Sequence[_Break]) -> list[str]:
    starts = [0, *(place.begins for place in places)]
    ends = [*(place.at for place in places), len(latex)]
    return [latex[start:end].strip() for start, end in zip(starts, ends, strict=True)]
