"""Names in a generated NumPy module: which are taken, and how several values are named together.

Reads names of values; returns Python identifiers. Leaves out: names of temporaries (`symrnn.targets.numpy.lowerer`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from symrnn.plan.size import Count

INPUTS = "x.shape[2]"
"""The local for the letter I, which looks like 1 (pycodestyle E741)."""
SIZE_OF_INPUT = 'sizes["input"]'
"""The same where a row of ``x`` has several axes."""

RESERVED = tuple(
    """
    T B I H O l t np dtype weights sizes state x y dy idle gone rows taped tape dstate params p self grads Mapping
    abs all any bool dict enumerate float int isinstance len list max min range slice sum tuple type zip
    """.split()  # noqa: SIM905 - fifty words read better without quotation marks
)
"""Names that the kernels of a generated module use. Its other functions have names with an underscore."""


def width(sizes: Iterable[str]) -> Count:
    """The columns of values of these sizes side by side."""
    return Count.of(*((size,) for size in sizes))


def noted(labels: Sequence[str], text: str) -> str:
    """The comment of a line: the labels of its equations before the ``text``.

    >>> noted(["b1", "b2"], "(B, H)"), noted([], "(B, H)")
    ('(b1) (b2): (B, H)', '(B, H)')
    """
    return f"{' '.join(f'({label})' for label in labels)}: {text}" if labels else text


def shape(rows: str, *widths: Count, letters: Mapping[str, str]) -> str:
    """A shape as a comment gives it.

    >>> letters = {"hidden": "H"}
    >>> shape("B", width(["hidden", "hidden", "1"]), letters=letters), shape("", width(["hidden"]), letters=letters)
    ('(B, 2 H + 1)', '(H,)')
    """
    texts = [*([rows] if rows else []), *(each.spelt(letters.__getitem__, times=" ") for each in widths)]
    return f"({', '.join(texts)}{',' if len(texts) == 1 else ''})"
