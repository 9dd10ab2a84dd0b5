"""Long formulas: broken outermost first, each piece within its room, nothing lost."""

from __future__ import annotations

import pytest

from symrnn.language.typeset.lines import Line, align, aligned_lines, lines, width

LONG = " + ".join(rf"\operatorname{{diag}}(a_{k} \odot (1 - b_{k})) \, W_{k}" for k in range(9))


@pytest.mark.parametrize("room", [20.0, 40.0, 74.0])
def test_pieces_fit_and_join_to_the_whole(room: float) -> None:
    pieces = lines(LONG, room, room)
    assert " ".join(pieces) == LONG
    assert all(width(piece) <= room for piece in pieces)
    assert all(piece.count("{") == piece.count("}") for piece in pieces)


def test_sums_are_broken_before_products_and_outside_parentheses_first() -> None:
    assert lines("a + (b + c + d) + e", 14, 14) == ["a + (b + c + d)", "+ e"]
    assert lines(r"(a + b) \odot c + d", 10, 10) == [r"(a + b) \odot c", "+ d"]
    # A first line that would hold less than a third is filled up instead.
    assert lines("a + (b + c + d) + e", 11, 14) == ["a + (b + c", "+ d) + e"]


def test_what_cannot_be_cut_stays_whole() -> None:
    assert lines(r"\frac{a + b}{c + d}", 2, 2) == [r"\frac{a + b}{c + d}"]
    assert lines(r"\left| a + b \right|", 2, 2) == [r"\left| a + b \right|"]


def test_widths_are_of_what_is_seen() -> None:
    assert width(r"\frac{aaaa}{b}") < width("aaaa") + 1
    assert width("a_{bc}") < width("abc")
    assert width(r"\operatorname{diag}(v)") == width("diag(v)")


def test_the_tag_stands_on_the_last_line() -> None:
    found = aligned_lines([Line("x", LONG, "b7"), Line("y", "z")])
    assert [line for line in found if r"\tag{b7}" in line] == [found[-2]]
    assert found[-1] == "y &= z"
    assert align([Line("x", "y")], "aligned") == "\\begin{aligned}\nx &= y\n\\end{aligned}"
