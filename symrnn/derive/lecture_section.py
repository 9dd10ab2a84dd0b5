"""What a lecture consists of: sections of prose, formulas and tables, as LaTeX text.

Records that whoever prints a lecture reads, and one such print, HTML for a notebook. Leaves out: what a lecture says
(`symrnn.derive.lecture`).
"""

from __future__ import annotations

from dataclasses import dataclass

from symrnn.language.typeset.lines import Line
from symrnn.language.typeset.mathml import prose, rows_html


@dataclass(frozen=True)
class Prose:
    """A paragraph: LaTeX text with formulas between dollar signs. ``leads`` says that a display belongs to it."""

    text: str
    leads: bool = False


@dataclass(frozen=True)
class Display:
    """Formulas below each other."""

    rows: tuple[Line, ...]


@dataclass(frozen=True)
class Table:
    """A table of LaTeX text; ``wide`` marks the columns that hold sentences."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    wide: tuple[int, ...] = ()


Block = Prose | Display | Table


@dataclass(frozen=True)
class Section:
    """A section of the lecture.

    Attributes:
        key: a word that names it, the same for every cell.
        title: LaTeX text.
        blocks: what it says and shows.
        appendix: whether it stands after the lecture, without a number.
    """

    key: str
    title: str
    blocks: tuple[Block, ...]
    appendix: bool = False


def section_html(section: Section) -> str:
    """A section for a notebook: its prose and formulas as HTML and MathML."""
    parts = [f"<h4>{prose(section.title)}</h4>"]
    for block in section.blocks:
        match block:
            case Prose(text):
                parts.append(f"<p>{prose(text)}</p>")
            case Display(rows):
                parts.append(rows_html((row.left, row.right, row.tag or row.origin, row.relation) for row in rows))
            case Table(head, rows):
                lines = "".join(f"<tr>{''.join(f'<td>{prose(cell)}</td>' for cell in row)}</tr>" for row in rows)
                parts.append(f"<table><tr>{''.join(f'<th>{prose(name)}</th>' for name in head)}</tr>{lines}</table>")
    return "".join(parts)
