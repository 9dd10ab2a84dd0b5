"""The site: a page for every cell and one that compares them. Each page is a single file that needs nothing else.

Reads cells; returns texts by file name. Leaves out: writing them (`symrnn.emit.manifest`), what pages hold
(`symrnn.report.page`, `symrnn.report.overview`) and how they look (`templates/report/`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from symrnn.derive.derivation import derive
from symrnn.emit.render import render as rendered
from symrnn.errors import GenerateError
from symrnn.language.cell import Cell
from symrnn.pipeline import lecture, programs, requested, sources
from symrnn.report.overview import Overview, overview
from symrnn.report.page import Page, page
from symrnn.targets import registry

INDEX = "index.html"
"""The overview's file name."""


@dataclass(frozen=True)
class Link:
    """A page of the site."""

    file: str
    name: str
    title: str
    here: bool


def site(cells: Sequence[Cell], progress: Callable[[str], None] = lambda line: None) -> dict[str, str]:
    """The pages of ``cells`` and the overview: file name to text.

    Args:
        cells: of different names.
        progress: called with a line of text before each piece of work.

    Raises:
        GenerateError: a cell's page would have the name of the overview.
    """
    for cell in cells:
        if file_name(cell) == INDEX:
            raise GenerateError(
                f"{cell.source}: the page of a cell named {cell.name!r} would replace the overview; rename it"
            )
    derivations = []
    for cell in cells:
        progress(f"{cell.name}: deriving")
        derivations.append(derive(cell))
    names = tuple(dict.fromkeys((registry.DEFAULT, *registry.working())))
    planned = [programs(derivation, names) for derivation in derivations]
    told = [each[registry.DEFAULT] for each in planned]
    progress("the overview")
    files = {INDEX: _overview_text(overview(derivations, told), _links(cells, ""))}
    for derivation, by_target in zip(derivations, planned, strict=True):
        cell = derivation.cell
        progress(f"{cell.name}: its page")
        found = sources(by_target, requested(cell, names))
        content = page(derivation, found, lecture(derivation, by_target[registry.DEFAULT]))
        files[file_name(cell)] = _page_text(content, _links(cells, cell.name))
    return files


def file_name(cell: Cell) -> str:
    """The file of a cell's page."""
    return f"{cell.name}.html"


def _links(cells: Sequence[Cell], here: str) -> tuple[Link, ...]:
    first = Link(INDEX, "Overview", "Overview", here == "")
    return (first, *(Link(file_name(cell), cell.name, cell.title or cell.name, cell.name == here) for cell in cells))


def _page_text(content: Page, links: tuple[Link, ...]) -> str:
    return rendered("report/page.html.jinja", {"page": content, "links": links})


def _overview_text(content: Overview, links: tuple[Link, ...]) -> str:
    return rendered("report/overview.html.jinja", {"page": content, "links": links})
