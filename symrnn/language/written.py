"""How an author wrote a step whose equations were written out: definitions, and equations with calls and repeats.

Reads parsed equations and definitions; returns `Authored` records for people. Leaves out: the equations written out
(`symrnn.language.expansion`), LaTeX (`symrnn.language.typeset.as_written`), and listings (`symrnn.language.listing`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from symrnn.language.definitions import Definitions
from symrnn.language.located import Assignment
from symrnn.language.repeats import Guard, Head
from symrnn.language.text import to_text
from symrnn.language.tree import Call, Expression, Name


@dataclass(frozen=True)
class Authored:
    """A definition or an equation as its author wrote it.

    Attributes:
        label: the number of an equation; empty for a definition.
        left: what is assigned, or the call that is defined.
        right: the right side.
        heads: the repeats around it.
        guard: which of their passes it is for; None where it is for all.
    """

    label: str
    left: Expression
    right: Expression
    heads: tuple[Head, ...] = ()
    guard: Guard | None = None

    def __str__(self) -> str:
        """As it could stand in a cell file, below the repeats around it."""
        guard = f"  {self.guard}" if self.guard else ""
        return f"{to_text(self.left)} = {to_text(self.right)}{guard}"


def written(given: Sequence[Assignment], definitions: Definitions) -> tuple[Authored, ...]:
    """The definitions of a cell, then its equations, both in their order."""
    heads = [
        Authored("", Call(each.name, tuple(map(Name, each.arguments))), each.body.node)
        for each in definitions.by_name.values()
    ]
    equations = [
        Authored(str(number), Name(each.target), each.expression.node, each.heads, each.guard)
        for number, each in enumerate(given, 1)
    ]
    return (*heads, *equations)
