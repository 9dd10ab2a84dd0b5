"""A wrong cell file, and what it is refused with: its line, its column, what was expected and the nearest right name."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from symrnn.errors import CellError
from symrnn.language.cellfile import load


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


def hold_refused(wrong: Wrong, folder: Path) -> None:
    """The file is refused at its place, with a message that people read to its end."""
    path = folder / "bad.toml"
    path.write_text(wrong.file, encoding="utf-8")
    with pytest.raises(CellError) as raised:
        load(path)
    assert wrong.message in raised.value.message
    assert (raised.value.line, raised.value.column) == wrong.place
    assert str(raised.value).startswith(f"{path}:{wrong.place[0]}:")
    assert len(raised.value.message) < 400
