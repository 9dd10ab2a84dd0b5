"""Equations in plain text, one a line under their labels.

Reads equations; returns lines. Leaves out: how an expression is written (`symrnn.language.text`), and LaTeX
(`symrnn.language.typeset`).
"""

from __future__ import annotations

from collections.abc import Iterable

from symrnn.language.system import Equation
from symrnn.language.text import to_text


def labelled(equations: Iterable[Equation]) -> list[str]:
    """Equations in plain text under their labels, one a line."""
    listed = tuple(equations)
    wide = max(len(equation.label) for equation in listed) + 2
    return [f"  {f'({e.label})':{wide}}  {e.target} = {to_text(e.expression)}" for e in listed]
