"""Python text laid out as the project's formatter lays it out, without running it.

Reads heads, items and tails; returns lines. Generating a module must not need
the formatter. So this module lays out the few kinds of statement that are emitted, and a test compares it with the formatter.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

WIDTH = 120
INDENT = "    "


def call(head: str, arguments: Sequence[str], tail: str = ")", depth: int = 0) -> list[str]:
    """``head(arguments)``: on one line, else the arguments on a line of their own, else one a line.

    >>> call("f(", ["a", "b"])
    ['f(a, b)']
    """
    pad = INDENT * depth
    joined = ", ".join(arguments)
    if len(pad + head + joined + tail) <= WIDTH:
        return [pad + head + joined + tail]
    if len(pad + INDENT + joined) <= WIDTH:
        return [pad + head, pad + INDENT + joined, pad + tail]
    return [pad + head, *(f"{pad}{INDENT}{argument}," for argument in arguments), pad + tail]


def collection(head: str, items: Sequence[str], tail: str, depth: int = 0, *, single: bool = False) -> list[str]:
    """A list, tuple or dictionary: on one line, else one item a line; ``single`` for a tuple of one."""
    pad = INDENT * depth
    line = pad + head + ", ".join(items) + ("," if single and len(items) == 1 else "") + tail
    if len(line) <= WIDTH:
        return [line]
    return [pad + head, *(f"{pad}{INDENT}{item}," for item in items), pad + tail]


def commented(code: str, comment: str, depth: int = 0) -> list[str]:
    """A line of ``code`` with its comment behind it, or above it where both are too long for one line.

    >>> commented("a += b", "(3)", 1)
    ['    a += b  # (3)']
    """
    line = INDENT * depth + code
    if not comment:
        return [line]
    if len(line) + len(comment) + 4 <= WIDTH:
        return [f"{line}  # {comment}"]
    return [*remark(comment, depth), line]


def remark(text: str, depth: int = 0) -> list[str]:
    """``text`` as comment lines."""
    pad = INDENT * depth
    return [f"{pad}# {line}" for line in textwrap.wrap(text, WIDTH - len(pad) - 2, break_on_hyphens=False)]


def listed(rows: Iterable[tuple[str, str]], indent: str = INDENT, width: int = WIDTH) -> list[str]:
    """Rows of a legend: the second column aligned, wrapped text beneath it."""
    found = list(rows)
    wide = min(max((len(name) for name, _ in found), default=0), 24) + 2
    lines: list[str] = []
    for name, text in found:
        head = f"{indent}{name:<{wide}}" if len(name) + 2 <= wide else f"{indent}{name}  "
        lines += textwrap.wrap(
            head + text, width, subsequent_indent=indent + " " * wide, break_on_hyphens=False, drop_whitespace=True
        )
    return [line.rstrip() for line in lines]


def span(first: str, last: str) -> str:
    """A slice, spaced as the formatter does: ``0:H`` but ``H : 2 * H``."""
    simple = all(not text or text.isidentifier() or text.isdigit() for text in (first, last))
    if simple:
        return f"{first}:{last}"
    return f"{first}{' ' if first else ''}:{' ' if last else ''}{last}"


def wrapped(text: str) -> list[str]:
    """``text`` in lines of `WIDTH`."""
    return textwrap.wrap(text, WIDTH, break_on_hyphens=False, break_long_words=False)


def quoted(text: str) -> str:
    r"""``text``, which holds no triple quotes, as a docstring has it.

    >>> print(quoted("x is \\tau"))
    x is \\tau
    """
    return text.translate({ord("\\"): "\\\\"})
