r"""Long formulas on several lines: where LaTeX may be broken, and how wide a piece of it is.

Reads LaTeX that `symrnn.language.latex` wrote; returns lines for an ``aligned`` or ``align`` environment. A line is
broken before an operator that stands in no braces, the outermost first. Leaves out: fonts; widths are estimates.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

TEXT_WIDTH = 74.0
"""What fits on a line beside an equation's number, in characters of average width."""

_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|.", re.DOTALL)
_SILENT = {
    "\\left", "\\right", "\\operatorname", "\\mathrm", "\\mathit", "\\mathbf", "\\mathtt", "\\overline", "\\tilde", "\\hat",
    "\\bar", "\\dot", "\\overleftarrow", "{", "}", " ", "&", "^", "_", "\\mathbb", "\\displaystyle",
}  # fmt: skip
_WIDE = {"+": 2.2, "-": 2.2, "=": 2.4, "\\odot": 2.4, "\\otimes": 2.4, "\\cdot": 1.4, "\\sum": 2.5, "\\quad": 2.0}
_WORDS = {"\\tanh": 4.0, "\\exp": 3.2, "\\log": 3.0, "\\sin": 2.6, "\\cos": 3.0, "\\min": 3.2, "\\max": 3.6, "\\sqrt": 1.6}
_NARROW = {"(": 0.7, ")": 0.7, ",": 0.8, "\\,": 0.3, "|": 0.5, ".": 0.5, "i": 0.7, "l": 0.6, "t": 0.7, "j": 0.8, "[": 0.6, "]": 0.6}
_SCRIPT = 0.72
_BREAKS = (" + ", " - ", r" \odot ", r" \, ")


def width(latex: str) -> float:
    """About how wide ``latex`` is, in characters of average width; a fraction is as wide as its wider part."""
    return _Measure(latex).run()


class _Measure:
    """Adds up the widths of tokens; groups after ``_`` and ``^`` are small, those of a fraction stand above each other."""

    def __init__(self, latex: str) -> None:
        self._tokens: list[str] = _TOKEN.findall(latex)
        self._at = 0

    def run(self) -> float:
        return self._until("")

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
        if token in ("\\frac", "\\tfrac"):
            scale = 1.0 if token == "\\frac" else _SCRIPT
            return scale * max(self._next(), self._next()) + 0.4
        if token in _SILENT:
            return 0.0
        return _WIDE.get(token) or _WORDS.get(token) or _NARROW.get(token) or 1.0


def broken(left: str, right: str, limit: float = TEXT_WIDTH) -> list[str]:
    """``left = right`` as lines of an alignment at the sign; later lines begin with the operator they break before.

    >>> broken("a", "b + c", limit=100)
    ['a &= b + c']
    >>> broken("a", "b + (c + d) + e", limit=9)
    ['a &= b', '&\\\\quad + (c + d)', '&\\\\quad + e']
    """
    room = limit - width(left) - _WIDE["="]
    first, *rest = lines(right, room, room - _WIDE["\\quad"])
    return [f"{left} &= {first}", *(rf"&\quad {line}" for line in rest)]


def lines(latex: str, room: float, later: float) -> list[str]:
    """``latex`` cut into pieces that fit into ``room`` (the first) and ``later`` (the others), as far as it can be cut."""
    result = []
    while width(latex) > room:
        cut = _best_cut(latex, room)
        if cut == 0:
            break
        result.append(latex[:cut].rstrip())
        latex = latex[cut:].lstrip()
        room = later
    return [*result, latex]


def _best_cut(latex: str, room: float) -> int:
    """Where to cut: the outermost place that fits, the last of those; the first of all where none fits; 0 for none."""
    places = list(_places(latex))
    fitting = [(rank, -at) for rank, at in places if width(latex[:at]) <= room]
    if fitting:
        # A shallow place near the start would leave a line all but empty: prefer one in its second half.
        full = [(rank, at) for rank, at in fitting if width(latex[:-at]) >= room / 3]
        return -min(full or fitting)[1]
    return min((at for _, at in places), default=0)


def _places(latex: str) -> Iterator[tuple[tuple[int, int], int]]:
    """Every place where ``latex`` may be broken, with its rank: how deep in parentheses, then which operator."""
    braces = depth = 0
    at = 0
    while at < len(latex):
        if latex.startswith((r"\left", r"\right"), at) and not latex.startswith(r"\leftarrow", at):
            braces += 1 if latex.startswith(r"\left", at) else -1
            at += len(r"\left") if latex.startswith(r"\left", at) else len(r"\right")
            # The delimiter itself is part of the pair.
            at += 1
            continue
        character = latex[at]
        braces += (character == "{") - (character == "}")
        depth += (character == "(") - (character == ")")
        if braces == 0 and at > 0 and character == " ":
            for order, operator in enumerate(_BREAKS):
                if latex.startswith(operator, at):
                    yield (depth, order // 2), at
        at += 1
