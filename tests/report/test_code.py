"""Code beside formulas: every equation that kernels run has lines in every language, and lines are those of the file."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping

import pytest

from symrnn.derive.derivation import Derivation
from symrnn.emit.source import Mark, Source
from symrnn.pipeline import Sources, programs, requested, sources
from symrnn.plan.program import Program
from symrnn.report.code import Listing, listings
from symrnn.report.page import labels
from symrnn.targets import registry


@pytest.fixture(scope="module")
def planned(derivation: Derivation) -> Mapping[str, Program]:
    return programs(derivation, registry.names())


@pytest.fixture(scope="module")
def found(derivation: Derivation, planned: Mapping[str, Program]) -> Sources:
    return sources(planned, requested(derivation.cell, registry.names()))


@pytest.fixture(scope="module")
def code(derivation: Derivation, found: Sources) -> tuple[Listing, ...]:
    return listings(found, labels(derivation))


@pytest.fixture(scope="module")
def files(found: Sources) -> dict[str, str]:
    return {name: source.text for each in found.values() for name, source in each.items()}


def test_every_equation_has_lines_in_every_language(planned: Mapping[str, Program], code: tuple[Listing, ...]) -> None:
    for name, program in planned.items():
        assert program.backward is not None
        functions = (program.forward, program.backward)
        run = {s.label for f in functions for stage in f.stages for s in stage.statements if s.label}
        run |= {label for f in functions for product in f.products for label in product.labels}
        run |= {item.label for f in functions for item in f.sums}
        shown = frozenset().union(*(listing.labels for listing in code if listing.key.partition("-")[0] == name))
        assert run - shown == set(), name
    assert list(dict.fromkeys(listing.title.partition(":")[0] for listing in code)) == ["NumPy", "C", "PyTorch"]


def test_what_says_the_same_or_computes_something_else_is_left_out() -> None:
    """A second function of the same equations, the other precision, and one of equations that the page has not."""
    lines = ["f:", "  a", "g:", "  a", "h:", "  b", "  t", "i:", "  b", "j:", "  b"]
    marks = {
        **{1: Mark(function="f"), 2: Mark(("1",), "s", "f", "f32"), 3: Mark(function="g"), 4: Mark(("1",), "s", "g")},
        **{5: Mark(function="h"), 6: Mark(("2",), "t", "h"), 7: Mark(("j1",), "t", "h")},
        **{8: Mark(function="i"), 9: Mark(("2",), "u", "i", "f64")},
        **{10: Mark(function="j"), 11: Mark(("2",), "u", "j", "f32")},
    }
    source = Source("\n".join(lines), marks)
    (listing,) = listings({"numpy": {"x.py": source, "y.py": Source("a = 1")}}, {"1", "2"})
    assert [line.number for line in listing.lines if not line.gap] == ["1", "2", "10", "11"]
    assert [line.gap for line in listing.lines] == [False, False, True, False, False]
    assert [line.labels for line in listing.lines] == ["", "1", "", "", "2"]


def test_an_excerpt_is_the_innermost_block_of_the_map_whatever_the_text_looks_like() -> None:
    """With its head and its end, and without what is beside it in the block around it."""
    marks = {
        **{1: Mark(function="f", opens=1), 3: Mark(opens=1), 4: Mark(("1",), "s", "f"), 6: Mark(closes=1)},
        **{8: Mark(("2",), "s", "f", opens=1, closes=1), 9: Mark(closes=1)},
    }
    (listing,) = listings({"c": {"x.c": Source("\n".join("abcdefghi"), marks)}}, {"1", "2"})
    assert [line.number for line in listing.lines] == ["1", "", "3", "4", "5", "6", "", "8"]


def test_without_blocks_a_line_stands_for_itself() -> None:
    source = Source("f:\n  a\n  b\n  c", {1: Mark(function="f"), 3: Mark(("1",), "", "f")})
    (listing,) = listings({"c": {"x.c": source}}, {"1"})
    assert [line.number for line in listing.lines] == ["1", "", "3"]


def test_two_files_of_one_target_have_listings_of_their_own() -> None:
    source = Source("a = 1", {1: Mark(("1",))})
    both = listings({"c": {"x.h": source, "x.c": source}}, {"1"})
    assert [(each.key, each.title) for each in both] == [("c", "C"), ("c-2", "C: x.c")]


def test_lines_are_those_of_the_file(files: dict[str, str], code: tuple[Listing, ...]) -> None:
    for listing in code:
        lines = files[listing.file].splitlines()
        shown = [line for line in listing.lines if not line.gap]
        assert shown
        for line in shown:
            text = html.unescape(re.sub(r"</?span[^>]*>", "", line.html))
            assert text.strip() == lines[int(line.number) - 1].strip()
        numbers = [int(line.number) for line in shown]
        assert numbers == sorted(set(numbers))


def test_an_excerpt_is_a_part_of_the_file(files: dict[str, str], code: tuple[Listing, ...]) -> None:
    for listing in code:
        assert len(listing.lines) < len(files[listing.file].splitlines()) / 2
