r"""The lecture as a document: a LaTeX file that needs amsmath, amssymb, array, longtable and geometry.

Reads `Section` records (`symrnn.derive.lecture`) and what stands above them; returns the text of the file. Leaves out:
what the sections say, figures and dates.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from symrnn.derive.lecture_section import Block, Display, Prose, Section, Table
from symrnn.language.cell import Cell
from symrnn.language.typeset.lines import align, width


def document(cell: Cell, sections: Iterable[Section]) -> str:
    """The LaTeX file: a heading for ``cell`` and its ``sections``."""
    blocks = [*_opening(cell), *(block for section in sections for block in _section(section))]
    return "\n\n".join([_PREAMBLE, *blocks, r"\end{document}"]) + "\n"


_PREAMBLE = r"""\documentclass[11pt,fleqn]{article}
\usepackage[a4paper,margin=22mm]{geometry}
\usepackage{amsmath,amssymb,array,longtable}
\setlength{\mathindent}{1.5em}
\setlength{\parindent}{0pt}
\setlength{\parskip}{0.6ex}
\allowdisplaybreaks
\begin{document}"""


def _opening(cell: Cell) -> Iterator[str]:
    yield "\\begin{center}"
    yield rf"{{\Large\bfseries {escaped(cell.title or cell.name)}}}\\[1ex]"
    yield "The step, its derivatives and backpropagation through time"
    if cell.reference:
        yield rf"{{\small {escaped(cell.reference)}}}"
    yield "\\end{center}"


def _section(section: Section) -> Iterator[str]:
    yield rf"\section{'*' * section.appendix}{{{section.title}}}"
    lead = ""
    for block in section.blocks:
        if isinstance(block, Prose) and block.leads:
            lead = f"{block.text}\n"  # a sentence and the formulas after it form one paragraph
            continue
        yield lead + _block(block)
        lead = ""


def _block(block: Block) -> str:
    match block:
        case Prose(text):
            return text
        case Display(rows):
            return align(rows)
        case Table(head, rows, wide):
            return _table(head, rows, wide)


def _table(head: tuple[str, ...], rows: tuple[tuple[str, ...], ...], wide: tuple[int, ...]) -> str:
    """A table whose wide columns share the rest of the line."""
    widths = [max(width(row[index].replace("$", "")) for row in (head, *rows)) for index in range(len(head))]
    wide = tuple(index for index in range(len(head)) if index in wide or widths[index] > _LETTERS / 3)
    taken = sum(each for index, each in enumerate(widths) if index not in wide)
    share = (_TABLE - taken / _LETTERS - _GAP * (len(head) - 1)) / max(len(wide), 1)
    columns = "".join(
        rf">{{\raggedright\arraybackslash}}p{{{share:.2f}\linewidth}}" if index in wide else "l"
        for index in range(len(head))
    )
    lines = [" & ".join(rf"\textbf{{{name}}}" for name in head), *(" & ".join(row) for row in rows)]
    body = " \\\\\n".join(lines)
    return f"\n{{\\small\\begin{{longtable}}[l]{{@{{}}{columns}@{{}}}}\n{body}\n\\end{{longtable}}}}"


_TABLE, _GAP = 0.96, 0.027
"""The widths of a table and of the space between two of its columns, in parts of the line."""
_LETTERS = 82.0
"""Characters of average width, in the small size of tables, that a line holds."""

_ESCAPES = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
}  # fmt: skip
_PUNCTUATION = "–—‘’“”…"


def escaped(text: str) -> str:
    """A person's text for LaTeX; letters that the usual fonts lack become question marks."""
    plain = (_ESCAPES.get(letter, letter) for letter in " ".join(text.split()))
    return "".join(part if len(part) > 1 or ord(part) < 0x180 or part in _PUNCTUATION else "?" for part in plain)
