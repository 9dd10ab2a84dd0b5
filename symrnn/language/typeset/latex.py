r"""Pieces of LaTeX for mathematics mode: what a larger piece must know of them, parentheses, superscripts, numbers.

Leaves out: names (`symrnn.language.typeset.symbols`) and expressions (`symrnn.language.typeset.expressions`).
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Self


class Latex(str):
    r"""A piece of LaTeX for mathematics mode, with what a larger piece must know to hold it.

    >>> parentheses(Latex(r"\frac{a}{b}", tall=True)), raised(Latex("x^{2}", raised=True), Latex("3"))
    ('\\Bigl(\\frac{a}{b}\\Bigr)', '{x^{2}}^{3}')

    Attributes:
        tall: whether a fraction of full size stands in it.
        raised: whether a superscript stands in it.
    """

    __slots__ = ("raised", "tall")

    tall: bool
    raised: bool

    def __new__(cls, text: str, *parts: Latex, tall: bool = False, raised: bool = False) -> Self:
        """``text``, which holds ``parts``: it is as tall and as raised as any of them, or as said."""
        self = super().__new__(cls, text)
        self.tall = tall or any(part.tall for part in parts)
        self.raised = raised or any(part.raised for part in parts)
        return self


TRANSPOSE = Latex(r"\top")


def parentheses(piece: Latex) -> Latex:
    r"""``piece`` in parentheses as tall as it is; of a fixed size, so that a line may be broken between them."""
    return Latex(rf"\Bigl({piece}\Bigr)" if piece.tall else f"({piece})", piece)


def raised(base: Latex, exponent: Latex) -> Latex:
    """``base`` with a superscript; LaTeX refuses a second one, so a base that has one becomes a group."""
    whole = f"{{{base}}}^{{{exponent}}}" if base.raised else f"{base}^{{{exponent}}}"
    return Latex(whole, base, exponent, raised=True)


def number_latex(value: Fraction, text: str) -> Latex:
    """A literal as the author wrote it, powers of ten set as such."""
    mantissa, mark, power = text.lower().partition("e")
    if not mark:
        return Latex(text)
    ten = f"10^{{{int(power)}}}"
    return Latex(ten if Fraction(mantissa) == 1 else rf"{mantissa} \cdot {ten}", raised=True)


_WEIGHTLESS = "operatorname|mathit|mathrm|mathbf|overline|overset|tilde|hat|bar|dot|[dt]?frac|sqrt"


def glyphs(latex: str) -> int:
    """About how many characters of full width ``latex`` fills on the page."""
    bare = re.sub(rf"\\(?:{_WEIGHTLESS})\b", "", latex)
    bare = re.sub(r"\\[A-Za-z]+", "m", bare)
    return len(re.sub(r"[{}_^\\ ,]", "", bare))
