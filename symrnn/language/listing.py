"""Equations in plain text, one a line under their labels.

Reads equations; returns lines. Leaves out: how an expression is written (`symrnn.language.text`), and LaTeX
(`symrnn.language.typeset`).
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from symrnn.language.system import Equation
from symrnn.language.text import to_text


def labelled(equations: Iterable[Equation], indent: str = "  ", width: int | None = None) -> list[str]:
    """Equations in plain text under their labels, one a line.

    Args:
        equations: at least one.
        indent: what stands before each label.
        width: where a line breaks, between words; the default is nowhere. The rest is four columns further in.
    """
    listed = tuple(equations)
    wide = max(len(equation.label) for equation in listed) + 2
    lines: list[str] = []
    for equation in listed:
        head = f"{indent}{f'({equation.label})':{wide}}  "
        line = f"{head}{equation.target} = {to_text(equation.expression)}"
        lines += [line] if width is None else _wrapped(line, width, len(head) + 4)
    return lines


def _wrapped(line: str, width: int, further: int) -> list[str]:
    return textwrap.wrap(line, width, subsequent_indent=" " * further, break_on_hyphens=False, break_long_words=False)
