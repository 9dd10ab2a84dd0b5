"""The page of a cell, as a record for its template: the lecture, the graphs, the code and its cost.

Reads a `Derivation` and the generated files; returns a `Page` of plain data. Leaves out: layout and
colours (`templates/report/`), and what the lecture says (`symrnn.derive.lecture`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from symrnn.costs import latex as count_latex
from symrnn.derive.derivation import Derivation
from symrnn.derive.graph import Graph
from symrnn.derive.lecture_section import Block, Display, Prose, Section, Table
from symrnn.language.cell import Cell
from symrnn.language.typeset.lines import Line, pieces
from symrnn.language.typeset.mathml import mathml, prose
from symrnn.pipeline import Sources
from symrnn.plan.size import Count
from symrnn.report.charts import Chart, flow_chart
from symrnn.report.code import Listing, listings
from symrnn.report.drawing import Drawing, draw
from symrnn.saying import Progress, silent


@dataclass(frozen=True)
class Formula:
    """One line of a display: MathML of the left side and the sign, and of the right side in pieces that may be wrapped.

    Attributes:
        labels: numbers of the equations that light up when a reader points at it.
        tag: the number that the page shows beside it.
        origin: the numbers of the equations that it comes from.
        left: MathML.
        relation: MathML.
        right: summands, each in pieces of MathML.
        plain: LaTeX, for readers who hear it or copy it.
    """

    labels: str
    tag: str
    origin: str
    left: str
    relation: str
    right: tuple[tuple[str, ...], ...]
    plain: str


@dataclass(frozen=True)
class Part:
    """A block of a section: a paragraph, formulas, or a table. The fields of the other two are empty."""

    kind: str
    html: str = ""
    formulas: tuple[Formula, ...] = ()
    head: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Chapter:
    """A section of the page: ``figures`` stand before its parts, ``charts`` after them."""

    key: str
    title: str
    parts: tuple[Part, ...]
    figures: tuple[Figure, ...] = ()
    charts: tuple[Chart, ...] = ()
    appendix: bool = False


@dataclass(frozen=True)
class Figure:
    """A drawing for wide pages and for narrow ones, with its caption.

    Attributes:
        key: ``forward`` or ``backward``.
        across: from side to side.
        down: from top to bottom.
        upright: whether wide pages show ``down`` too, because ``across`` would be too small to read.
        caption: HTML.
    """

    key: str
    across: Drawing
    down: Drawing
    upright: bool
    caption: str


@dataclass(frozen=True)
class Page:
    """The page of a cell.

    Attributes:
        name: of the cell.
        title: of the cell, for people.
        reference: where it was published.
        parent: the name of the cell that it descends from.
        parent_file: the parent's page; empty where the site has none.
        difference: what differs from the parent.
        departures: what departs from the reference, a line each.
        chapters: in order.
        listings: code.
        source: the cell's file, as its author wrote it.
    """

    name: str
    title: str
    reference: str
    parent: str
    parent_file: str
    difference: str
    departures: tuple[str, ...]
    chapters: tuple[Chapter, ...]
    listings: tuple[Listing, ...]
    source: str


def page(
    derivation: Derivation,
    found: Sources,
    sections: Sequence[Section],
    pages: Collection[str] = (),
    progress: Progress = silent,
) -> Page:
    """The page of a cell.

    Args:
        derivation: of the cell.
        found: its generated files by target.
        sections: its lecture.
        pages: the names of the cells that have pages.
        progress: called with a line of text before each piece of work.
    """
    cell = derivation.cell
    progress("its graphs")
    figures = {"step": forward_figure(derivation), "adjoint": backward_figure(derivation)}
    progress("its gradient flow")
    charts = {"time": flow_chart(cell)}
    progress("its formulas and code")
    chapters = tuple(_chapter(section, figures, charts) for section in sections)
    code = listings(found, labels(derivation))
    return Page(
        name=cell.name,
        title=escape(cell.title or cell.name),
        reference=escape(cell.reference),
        parent=cell.parent,
        parent_file=f"{cell.parent}.html" if cell.parent in pages else "",
        difference=escape(cell.difference),
        departures=tuple(map(escape, cell.departures)),
        chapters=chapters,
        listings=code,
        source=_source(cell),
    )


def labels(derivation: Derivation) -> frozenset[str]:
    """The numbers of the equations of a page: the step's, with the parts that have names of their own, and the adjoint's."""
    cell = derivation.cell
    equations = (*cell.equations, *cell.parts, *cell.normal.equations, *derivation.adjoint.equations)
    equations += derivation.preparation.adjoint.equations
    return frozenset(equation.label for equation in equations)


WIDE = 820
"""The widest drawing, in its units, that can be read in a column of a wide page."""


def forward_figure(derivation: Derivation, prefix: str = "") -> Figure:
    """The graph of the step; ``prefix`` makes its names unique on a page with several."""
    says = f"The computation graph of one step of {derivation.cell.name}."
    caption = "One step, drawn from its equations."
    return _figure(derivation.graph(), "forward", prefix, says, caption)


def backward_figure(derivation: Derivation, prefix: str = "") -> Figure:
    """The graph of the adjoint of the step."""
    says = f"The computation graph of the adjoint of one step of {derivation.cell.name}."
    caption = "The same step backwards, drawn from the derived adjoint: gradients enter where the step ends."
    return _figure(derivation.adjoint_graph(), "backward", prefix, says, caption)


def _figure(graph: Graph, key: str, prefix: str, says: str, caption: str) -> Figure:
    backward = key == "backward"
    marked = " The path that no matrix crosses is marked." if graph.lanes else ""
    across = draw(graph, f"{prefix}{key}-across", says + marked, backward=backward)
    down = draw(graph, f"{prefix}{key}-down", says + marked, down=True)
    return Figure(key, across, down, float(across.width) > WIDE, caption + marked)


def _chapter(section: Section, figures: Mapping[str, Figure], charts: Mapping[str, Chart]) -> Chapter:
    return Chapter(
        key=section.key,
        title=section.title,
        parts=tuple(_part(block) for block in section.blocks),
        figures=(figures[section.key],) if section.key in figures else (),
        charts=(charts[section.key],) if section.key in charts else (),
        appendix=section.appendix,
    )


def _part(block: Block) -> Part:
    match block:
        case Prose(text):
            return Part("prose", html=prose(text))
        case Display(rows):
            return Part("formulas", formulas=tuple(formula(row) for row in rows))
        case Table(head, rows):
            return Part("table", head=head, rows=tuple(tuple(prose(cell) for cell in row) for row in rows))


def formula(row: Line) -> Formula:
    """A row of a display."""
    labels = " ".join(label for label in (row.tag, "" if row.tag else row.origin) if label)
    right = tuple(_summand(index, summand) for index, summand in enumerate(pieces(row.right)))
    plain = escape(f"{row.left} {row.relation} {row.right}")
    return Formula(labels, row.tag, row.origin, mathml(row.left, display=True), mathml(row.relation), right, plain)


def _summand(index: int, parts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(mathml(part, display=True, goes_on=index + at > 0) for at, part in enumerate(parts))


def counted(count: Count) -> str:
    """A count as MathML that can be wrapped at each term."""
    return " ".join(mathml(piece, goes_on=at > 0) for at, (piece,) in enumerate(pieces(count_latex(count))))


def _source(cell: Cell) -> str:
    definitions = "".join(f'\n"{head}" = "{body}"' for head, body in cell.define.items())
    return escape(cell.text.strip("\n") + (f"\n\n[define]{definitions}" if definitions else ""), quote=False)
