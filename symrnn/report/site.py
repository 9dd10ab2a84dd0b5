"""The site: a page for every cell, one that compares them, one that orders many. Each is a file that needs nothing else.

Reads cells; returns texts by file name. Leaves out: writing them (`symrnn.emit.manifest`), what pages hold
(`symrnn.report.page`, `symrnn.report.overview`, `symrnn.report.atlas`) and how they look (`templates/report/`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from symrnn.derive.derivation import Derivation, derive
from symrnn.emit.render import render as rendered
from symrnn.errors import GenerateError
from symrnn.language.cell import Cell
from symrnn.pipeline import lecture, programs, requested, sources
from symrnn.plan.program import Program
from symrnn.report.atlas import Atlas, atlas
from symrnn.report.overview import Overview, overview
from symrnn.report.page import Page, page
from symrnn.saying import Progress, say_at, silent
from symrnn.targets import registry

INDEX, ATLAS = "index.html", "atlas.html"
"""The file names of the overview, which compares cells, and of the atlas, which orders them by descent."""


@dataclass(frozen=True)
class Link:
    """A page of the site."""

    file: str
    name: str
    title: str
    here: bool


@dataclass(frozen=True)
class _Planned:
    """A cell's derivation, and its plans by target."""

    derivation: Derivation
    programs: Mapping[str, Program]

    @property
    def told(self) -> Program:
        """The plan that pages speak of."""
        return self.programs[registry.DEFAULT]


def site(
    cells: Sequence[Cell],
    progress: Progress = silent,
    compared: Collection[str] | None = None,
) -> dict[str, str]:
    """The pages of ``cells`` and the overview: file name to text; and the atlas, if the overview leaves cells out.

    Args:
        cells: of different names.
        progress: called with a line of text before each piece of work.
        compared: the names of the cells that the overview compares; all unless given. Else they are those that commands take
            where none is named, and the overview says so.

    Raises:
        GenerateError: a cell's page would have the name of the overview or of the atlas.
    """
    for cell in cells:
        if file_name(cell) in (INDEX, ATLAS):
            what = "overview" if file_name(cell) == INDEX else "atlas"
            raise GenerateError(
                f"{cell.source}: the page of a cell named {cell.name!r} would replace the {what}; rename it"
            )
    names = tuple(dict.fromkeys((registry.DEFAULT, *registry.working())))
    planned = []
    for number, cell in enumerate(cells, 1):
        place = f"({number} of {len(cells)})"
        progress(f"{cell.name}: deriving {place}")
        derivation = derive(cell)
        progress(f"{cell.name}: planning {place}")
        planned.append(_Planned(derivation, programs(derivation, names)))
    chosen = [each for each in planned if compared is None or each.derivation.cell.name in compared]
    links = _Links(cells, [each.derivation.cell for each in chosen])
    known = {cell.name for cell in cells}
    files = {}
    if chosen:
        progress("the overview")
        content = overview(
            [each.derivation for each in chosen],
            [each.told for each in chosen],
            progress=lambda what: progress(f"the overview, {what}"),
            everything=len(cells),
            atlas=ATLAS if len(chosen) < len(planned) else "",
        )
        files[INDEX] = _text("overview", content, links.of(INDEX))
    if len(chosen) < len(planned):
        progress("the atlas")
        tree = atlas([each.derivation for each in planned], [each.told for each in planned])
        files[ATLAS] = _text("atlas", tree, links.of(ATLAS))
    for number, each in enumerate(planned, 1):
        cell = each.derivation.cell
        say = partial(say_at, progress, f"{cell.name}: its page ({number} of {len(cells)})")
        say("printing kernels")
        found = sources(each.programs, requested(cell, names))
        say("its lecture")
        sections = lecture(each.derivation, each.told)
        lines = page(each.derivation, found, sections, known, progress=say)
        files[file_name(cell)] = _text("page", lines, links.of(file_name(cell)))
    return files


def file_name(cell: Cell) -> str:
    """The file of a cell's page."""
    return f"{cell.name}.html"


class _Links:
    """The links of every page: to the overview, the atlas, the cells that the overview compares, and the page itself."""

    def __init__(self, cells: Sequence[Cell], compared: Sequence[Cell]) -> None:
        self._cells = {file_name(cell): cell for cell in cells}
        self._compared = [file_name(cell) for cell in compared]

    def of(self, here: str) -> tuple[Link, ...]:
        """The links of the page ``here``."""
        shared = ([(INDEX, "Overview")] if self._compared else []) + (
            [(ATLAS, "Atlas")] if len(self._compared) < len(self._cells) else []
        )
        files = dict.fromkeys((*self._compared, *([here] if here in self._cells else [])))
        return (
            *(Link(file, name, name, file == here) for file, name in shared),
            *(Link(file, (cell := self._cells[file]).name, cell.title or cell.name, file == here) for file in files),
        )


def _text(kind: str, content: Page | Overview | Atlas, links: tuple[Link, ...]) -> str:
    return rendered(f"report/{kind}.html.jinja", {"page": content, "links": links})
