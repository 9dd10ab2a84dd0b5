"""Names with an index, such as ``R[k]`` in a repeat, and the parameter that each pass has for one: ``R_2``.

A tree holds such a name as it is written: no other name has a bracket. Reads names; returns their parts. Leaves out: what
an index stands for (`symrnn.language.repetition`).
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from typing import NamedTuple

_OPEN, _CLOSE = "[", "]"


class Term(NamedTuple):
    """A part of an index: ``k + offset``, or the number ``offset`` where ``name`` is empty."""

    name: str
    offset: int

    def __str__(self) -> str:
        if not self.name:
            return str(self.offset)
        return f"{self.name}{self.offset:+d}" if self.offset else self.name

    def value(self, numbers: Mapping[str, int]) -> int:
        """The number that it stands for."""
        return self.offset + (numbers[self.name] if self.name else 0)


def with_index(stem: str, terms: Iterable[Term]) -> str:
    """The name ``stem`` with an index.

    >>> with_index("R", [Term("k", 0), Term("j", -1), Term("", 2)])
    'R[k,j-1,2]'
    """
    return f"{stem}{_OPEN}{','.join(map(str, terms))}{_CLOSE}"


def is_indexed(name: str) -> bool:
    """Whether ``name`` has an index."""
    return name.endswith(_CLOSE)


def split(name: str) -> tuple[str, tuple[Term, ...]]:
    """What `with_index` joined.

    >>> split("R[k,j-1,2]") == ("R", (Term("k", 0), Term("j", -1), Term("", 2)))
    True
    """
    stem, _, inside = name.removesuffix(_CLOSE).partition(_OPEN)
    return stem, tuple(_term(part) for part in inside.split(","))


def _term(text: str) -> Term:
    for sign in "+-":
        name, found, offset = text.partition(sign)
        if found and name:
            return Term(name, int(sign + offset))
    return Term("", int(text)) if text.isdigit() else Term(text, 0)


def numbered(stem: str, numbers: Iterable[int]) -> str:
    """The name of a pass.

    >>> numbered("R", [2, 1])
    'R_2_1'
    """
    return "_".join([stem, *map(str, numbers)])


def read_index(node: ast.Subscript) -> str:
    """The name that a syntax tree with an index stands for, or nothing where the index is no such."""
    terms = [_read_term(part) for part in (node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice])]
    known = [term for term in terms if term is not None]
    if not isinstance(node.value, ast.Name) or not node.value.id.isascii() or not known or len(known) < len(terms):
        return ""
    return with_index(node.value.id, known)


def _read_term(node: ast.expr) -> Term | None:
    match node:
        case ast.Name(id=name) if name.isascii():
            return Term(name, 0)
        case ast.Constant(value=int(value)) if not isinstance(value, bool):
            return Term("", value)
        case ast.BinOp(
            op=ast.Add() | ast.Sub() as sign, left=ast.Name(id=name), right=ast.Constant(value=int(value))
        ) if name.isascii():
            return Term(name, value if isinstance(sign, ast.Add) else -value)
        case _:
            return None
