"""A wrong cell file, and what it is refused with: its line, its column, what was expected and the nearest right name."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Wrong:
    """A wrong cell file.

    Attributes:
        text: the equations, from line 3 on; or the whole file.
        place: line and column in the file.
        message: part of what is said.
        tail: tables behind the equations.
    """

    label: str
    text: str
    place: tuple[int, int]
    message: str
    tail: str = ""
    whole: bool = field(default=False, kw_only=True)

    @property
    def file(self) -> str:
        return self.text if self.whole else f'name = "bad"\nequations = """\n{self.text}\n"""\n{self.tail}'


GOOD = "h' = tanh(W @ x + U @ h + b)"
"""Equations of a right cell: what is wrong stands in the tail, which then begins in line 5."""
