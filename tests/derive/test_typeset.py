"""Derivations as they are typeset: no line wider than the page, and every formula one that browsers set."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from symrnn.derive.derivation import Derivation
from symrnn.derive.lecture_section import Display, Prose, Table
from symrnn.language.typeset.lines import TEXT_WIDTH, width
from symrnn.language.typeset.mathml import mathml
from symrnn.parts import DERIVED

KNOWN = {
    "math", "mrow", "mi", "mn", "mo", "mtext", "mspace", "mstyle", "msub", "msup", "msubsup", "mover", "munder",
    "munderover", "mfrac", "msqrt", "mtable", "mtr", "mtd",
}  # fmt: skip
"""Elements of MathML Core."""


def test_every_formula_of_a_lecture_is_core_mathml(derivation: Derivation) -> None:
    formulas = []
    for section in derivation.lecture():
        for block in section.blocks:
            match block:
                case Display(rows):
                    formulas += [text for row in rows for text in (row.left, row.right)]
                case Prose(text):
                    formulas += text.split("$")[1::2]
                case Table(_, rows):
                    formulas += [part for row in rows for cell in row for part in cell.split("$")[1::2]]
    for latex in dict.fromkeys(formulas):
        root = ElementTree.fromstring(mathml(latex))
        assert {each.tag for each in root.iter()} <= KNOWN, latex
        text = "".join(root.itertext())
        assert "\\" not in text, latex
        assert text.strip(), latex
        assert all(each.get("mathvariant") in (None, "normal", "bold") for each in root.iter()), latex


def test_no_line_of_any_derivation_is_wider_than_the_page(derivation: Derivation) -> None:
    for part in DERIVED[:-1]:
        for line in derivation.latex(part).splitlines()[1:-1]:
            if "pmatrix" in line:
                # Columns stand beside each other: pdflatex is asked, not the estimate.
                continue
            bare = re.sub(r"\\tag\{.*?\}|\\\\$|&", "", line)
            assert width(bare) <= TEXT_WIDTH + 2, bare
