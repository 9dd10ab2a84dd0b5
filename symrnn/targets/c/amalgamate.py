"""Several C files joined into one: each include of a file at hand is replaced by the text of that file.

Reads sources by name; returns one `Source` with the marks of all of them. It knows two things of C: a line that includes a
file in quotes, and a file that includes itself. Leaves out: the rest of the preprocessor, which the compiler runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from symrnn.emit.source import Mark, Source
from symrnn.errors import GenerateError

_INCLUDE = re.compile(r'#include "([^"]+)"')

_Line = tuple[str, Mark | None]


def amalgamated(name: str, files: Mapping[str, Source], precisions: Sequence[str] = ()) -> Source:
    """The file ``name`` with the text of each of ``files`` in place of the lines that include it.

    A file may include itself. It then stands between ``#ifndef NAME`` and ``#endif``, and ``#else`` separates the text
    that stands once from the text of each include.

    >>> files = {"a.c": Source('#include "b.h"'), "b.h": Source("int b;")}
    >>> amalgamated("a.c", files).text.splitlines()
    ['int b;']

    Args:
        name: a key of ``files``.
        files: sources by name; an include of any other file stays.
        precisions: of the file's own includes of itself, in their order; the marks of their lines get these.

    Raises:
        GenerateError: the file includes itself, and has no such ``#else``.
    """
    lines = _lines(files[name])
    once, again = _halves(name, lines) if any(_included(line) == name for line in lines) else (lines, [])
    others = {other: _lines(source) for other, source in files.items() if other != name}
    of_precision = iter(precisions)
    joined: list[_Line] = []
    for line in once:
        if _included(line) == name:
            precision = next(of_precision, "")
            joined += [(text, mark and replace(mark, precision=precision)) for text, mark in _expanded(again, others)]
        else:
            joined += _expanded([line], others)
    marks = {number: mark for number, (_, mark) in enumerate(joined, 1) if mark}
    return Source("".join(f"{text}\n" for text, _ in joined), marks)


def _lines(source: Source) -> list[_Line]:
    return [(text, source.marks.get(number)) for number, text in enumerate(source.text.splitlines(), 1)]


def _included(line: _Line) -> str:
    """The file that a line includes in quotes, or an empty text."""
    found = _INCLUDE.fullmatch(line[0])
    return found[1] if found else ""


def _expanded(lines: Sequence[_Line], files: Mapping[str, Sequence[_Line]]) -> Iterator[_Line]:
    for line in lines:
        if (file := _included(line)) in files:
            yield from _expanded(files[file], files)
        else:
            yield line


def _halves(name: str, lines: Sequence[_Line]) -> tuple[Sequence[_Line], Sequence[_Line]]:
    """Of a file that includes itself, the text that stands once and that of each include, divided at the outer ``#else``."""
    depth = 0
    for number, (text, _) in enumerate(lines):
        depth += text.startswith("#if") - text.startswith("#endif")
        if depth == 1 and text.startswith("#else"):
            return lines[1:number], lines[number + 1 : -1]
    raise GenerateError(
        f"{name}: it includes itself, so it needs an #else between the text that stands once and the rest"
    )
