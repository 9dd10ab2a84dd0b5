"""Equations in plain text, one a line under their labels.

Reads equations; returns lines. Leaves out: how an expression is written (`symrnn.language.text`), and LaTeX
(`symrnn.language.typeset`).
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from symrnn.language.own import OwnFunction
from symrnn.language.repeats import Head
from symrnn.language.system import Equation
from symrnn.language.text import to_text
from symrnn.language.written import Authored

_STEP = "  "
"""How far the equations of a repeat stand to the right of its head."""


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
        lines += _wrapped(f"{head}{equation.target} = {to_text(equation.expression)}", width, len(head) + 4)
    return lines


def written_lines(rows: Iterable[Authored], indent: str = "  ", width: int | None = None) -> list[str]:
    """Definitions and equations as their author wrote them, those of a repeat below its head.

    The arguments are those of `labelled`.
    """
    listed = tuple(rows)
    wide = max(len(row.label) for row in listed) + 2
    lines: list[str] = []
    around: tuple[Head, ...] = ()
    for row in listed:
        for level, head in enumerate(row.heads):
            if around[: level + 1] != row.heads[: level + 1]:
                lines.append(f"{indent}{'':{wide}}  {_STEP * level}{head}")
        around = row.heads
        start = f"{indent}{f'({row.label})' if row.label else '':{wide}}  {_STEP * len(around)}"
        lines += _wrapped(f"{start}{row}", width, len(start) + 4)
    return lines


def own_lines(functions: Iterable[OwnFunction], indent: str = "  ", width: int | None = None) -> list[str]:
    """Functions of a cell's own, their values and derivatives, one a line.

    The arguments are those of `labelled`.
    """
    lines: list[str] = []
    for function in functions:
        slopes = " and ".join(to_text(each.node) for each in function.derivatives)
        is_of = f"{to_text(function.call)} = {to_text(function.value.node)}"
        line = f"{indent}{is_of}, with the derivative{'s'[: function.arity > 1]} {slopes}"
        lines += _wrapped(line, width, len(indent) + 4)
    return lines


def _wrapped(line: str, width: int | None, further: int) -> list[str]:
    if width is None:
        return [line]
    return textwrap.wrap(line, width, subsequent_indent=" " * further, break_on_hyphens=False, break_long_words=False)
