"""Code beside formulas: every equation that kernels run has lines in both languages, and lines are those of the file."""

from __future__ import annotations

import html
import re

import pytest

import symrnn
from symrnn.derive.derivation import Derivation
from symrnn.pipeline import program as planned
from symrnn.report.code import Listing
from symrnn.report.page import listings_of


@pytest.fixture(scope="module")
def files(derivation: Derivation) -> dict[str, str]:
    return symrnn.render(derivation.cell)


@pytest.fixture(scope="module")
def listings(derivation: Derivation, files: dict[str, str]) -> tuple[Listing, ...]:
    return listings_of(derivation, planned(derivation.cell, backend="c"), files)


def test_every_equation_has_lines_in_numpy_and_in_c(derivation: Derivation, listings: tuple[Listing, ...]) -> None:
    program = planned(derivation.cell, backend="c")
    assert program.backward is not None
    functions = (program.forward, program.backward)
    run = {s.label for f in functions for stage in f.stages for s in stage.statements if s.label}
    run |= {label for f in functions for product in f.products for label in product.labels}
    run |= {item.label for f in functions for item in f.sums}
    for listing in listings:
        assert run - listing.labels == set(), listing.file
    assert [listing.title for listing in listings] == ["NumPy", "C"]


def test_lines_are_those_of_the_file(files: dict[str, str], listings: tuple[Listing, ...]) -> None:
    for listing in listings:
        lines = files[listing.file].splitlines()
        shown = [line for line in listing.lines if not line.gap]
        assert shown
        for line in shown:
            text = html.unescape(re.sub(r"</?span[^>]*>", "", line.html))
            assert text.strip() == lines[int(line.number) - 1].strip()
        numbers = [int(line.number) for line in shown]
        assert numbers == sorted(set(numbers))


def test_an_excerpt_is_a_part_of_the_file(files: dict[str, str], listings: tuple[Listing, ...]) -> None:
    for listing in listings:
        assert len(listing.lines) < len(files[listing.file].splitlines()) / 2
