"""Blocks in the source map: they nest like brackets, stay with their lines, and are complete."""

from __future__ import annotations

from pathlib import Path

import pytest

from symrnn.emit.render import render_source
from symrnn.emit.source import Block, Mark, Marked, Source, block, within
from symrnn.errors import GenerateError


def lines() -> list[str]:
    """A function of four lines; its loop and the branch in it end with it."""
    loop = block(["  for i:", *block(["    if i:", Marked("      a = 1", Mark(("1",), "s"))])])
    return within("f", block(["def f():", *loop]))


def test_blocks_nest_and_an_outer_one_comes_first(tmp_path: Path) -> None:
    (tmp_path / "t.jinja").write_text(
        "# no mark\n{% for line in lines %}\n{{ line }}\n{% endfor %}\n", encoding="utf-8"
    )
    found = render_source("t.jinja", {"lines": lines()}, tmp_path)
    assert found.text.splitlines()[1:] == ["def f():", "  for i:", "    if i:", "      a = 1"]
    assert found.blocks == (Block(2, 5), Block(3, 5), Block(4, 5))


def test_a_block_leaves_what_a_mark_says() -> None:
    marks = [line.mark if isinstance(line, Marked) else None for line in lines()]
    assert marks[-1] == Mark(("1",), "s", "f", closes=3)
    assert [mark and mark.function for mark in marks] == ["f"] * 4


def test_blocks_may_begin_or_end_on_one_line() -> None:
    (line,) = block(block(["a = 1"]))
    assert isinstance(line, Marked)
    assert Source("a = 1", {1: line.mark}).blocks == (Block(1, 1), Block(1, 1))


@pytest.mark.parametrize(
    ("marks", "message"),
    [
        ({2: Mark(opens=1), 3: Mark(closes=2)}, "line 3: a block ends here that begins nowhere"),
        ({2: Mark(opens=2), 3: Mark(closes=1)}, "line 2: a block begins here that ends nowhere"),
    ],
)
def test_half_a_block_is_refused(marks: dict[int, Mark], message: str) -> None:
    with pytest.raises(GenerateError, match=message):
        _ = Source("", marks).blocks
