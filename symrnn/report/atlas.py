"""The page that orders cells by descent: a tree, and beside each cell what a step of it holds and costs.

Reads derivations and plans; returns an `Atlas` of plain data. Leaves out: layout and colours (`templates/report/`), and the
drawings (`symrnn.report.overview`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from symrnn.costs import elementwise_cost
from symrnn.derive.derivation import Derivation
from symrnn.language.bundled import year_of
from symrnn.language.cell import Cell
from symrnn.language.families import FAMILIES
from symrnn.plan.cost import routine_cost, state_cost
from symrnn.plan.program import Program
from symrnn.plan.size import Count
from symrnn.report.page import counted


@dataclass(frozen=True)
class Branch:
    """A cell in the tree.

    Attributes:
        name: of the cell.
        title: of the cell, for people.
        file: of its page.
        depth: how many ancestors stand above it.
        family: a word; empty if the cell has none.
        year: of its publication; empty if its reference has none.
        difference: what differs from the cell above.
        facts: HTML, in the order of `FACTS`.
        words: what a reader may look for, in small letters.
    """

    name: str
    title: str
    file: str
    depth: int
    family: str
    year: str
    difference: str
    facts: tuple[str, ...]
    words: str


@dataclass(frozen=True)
class Kin:
    """A family: its word, its name for people, and how many of its cells are there."""

    word: str
    title: str
    count: int


@dataclass(frozen=True)
class Atlas:
    """The tree, each cell behind its ancestors, and the families that have cells."""

    branches: tuple[Branch, ...]
    families: tuple[Kin, ...]
    facts: tuple[str, ...]


FACTS = ("weights", "states", "multiply-adds", "arithmetic", "functions")
"""The facts of each cell; counts are for one row of the batch and one step forward."""


def atlas(derivations: Sequence[Derivation], programs: Sequence[Program]) -> Atlas:
    """The tree of cells, each with its plan."""
    planned = dict(zip((each.cell.name for each in derivations), programs, strict=True))
    cells = [derivation.cell for derivation in derivations]
    branches = tuple(_branch(cell, depth, planned[cell.name]) for cell, depth in descent(cells))
    counts = {word: sum(cell.family == word for cell in cells) for word in FAMILIES}
    families = tuple(Kin(word, title, counts[word]) for word, title in FAMILIES.items() if counts[word])
    return Atlas(branches, families, FACTS)


def descent(cells: Sequence[Cell]) -> Iterator[tuple[Cell, int]]:
    """Every cell once with the number of its ancestors: below its parent, and otherwise in the given order.

    A cell is a root if its parent is not among ``cells``, or if it descends from itself through others.
    """
    known = {cell.name for cell in cells}
    children: dict[str, list[Cell]] = {}
    for cell in cells:
        children.setdefault(cell.parent if cell.parent in known else "", []).append(cell)
    seen: set[str] = set()
    for root in (*children.get("", ()), *cells):
        waiting = [(root, 0)]
        while waiting:
            cell, depth = waiting.pop()
            if cell.name not in seen:
                seen.add(cell.name)
                yield cell, depth
                waiting += [(child, depth + 1) for child in reversed(children.get(cell.name, ()))]


def _branch(cell: Cell, depth: int, program: Program) -> Branch:
    arithmetic, functions = elementwise_cost(program.forward)
    weights = Count.of(*(parameter.shape for parameter in cell.parameters))
    counts = (weights, state_cost(program.forward), routine_cost(program.forward), arithmetic, functions)
    words = (cell.name, cell.title, cell.reference, cell.family, cell.difference)
    return Branch(
        name=cell.name,
        title=escape(cell.title or cell.name),
        file=f"{cell.name}.html",
        depth=depth,
        family=cell.family,
        year=year_of(cell.reference),
        difference=escape(cell.difference),
        facts=tuple(counted(count) if count else "0" for count in counts),
        words=escape(" ".join(words).casefold()),
    )
