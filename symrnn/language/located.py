"""Parsed equations, whose trees know the place of each node.

Records that the parser returns and the rest of the language reads, and what it asks of functions that a cell gives itself.
Leaves out: how text becomes them (`symrnn.language.parser`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from symrnn.language.origin import Place
from symrnn.language.repeats import Guard, Head
from symrnn.language.tree import Expression


@dataclass(frozen=True)
class Located:
    """A node of an expression with its place in the equations, and its parts with theirs.

    ``remedy`` is the error of a `Applied` whose left side turns out to be no matrix of parameters alone.
    """

    node: Expression
    place: Place
    parts: tuple[Located, ...] = ()
    remedy: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True)
class Assignment:
    """One equation: ``target = expression``.

    Attributes:
        target: the name that it assigns.
        place: of the target.
        expression: the right side.
        heads: the repeats that it stands in, the outermost first.
        guard: which of their passes it is for; None where it is for all.
        label: its number; empty until equations are numbered.
    """

    target: str
    place: Place
    expression: Located
    heads: tuple[Head, ...] = ()
    guard: Guard | None = None
    label: str = ""


Calls = Mapping[str, tuple[str, ...]]
"""What may be called beside the functions, and the arguments of each."""


class Callee(Protocol):
    """A function of a cell's own."""

    @property
    def arity(self) -> int:
        """The number of its operands."""
        ...

    def called(self, operands: Sequence[Located], place: Place) -> Located:
        """A call at ``place``."""
        ...


Callees = Mapping[str, Callee]
"""The functions of a cell's own, by name."""


def located(root: Located) -> Iterator[Located]:
    """Every node with its place, parents before children, left to right."""
    yield root
    for part in root.parts:
        yield from located(part)
