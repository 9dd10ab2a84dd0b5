"""What the bundled cells say of themselves: each has a family, a reference, and a parent that is older and bundled too."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

import symrnn
from symrnn.language.bundled import about_cells, bundled_files, cells, first_cells, year_of
from symrnn.language.cell import Cell
from symrnn.language.families import FAMILIES
from symrnn.language.similar import doubts
from tests.families import OF_A_FAMILY, PREPARING, families

IDENTIFIED = re.compile(r"arXiv:\d{4}\.\d{4,5}$|doi:10\.\d{4,}/\S+$")
UNNUMBERED = {"jordan", "rnn", "esn", "lmu", "exponential_trace", "multiplicative_rnn", "mut1", "mut2", "mut3"}
"""Cells of publications that have neither number; they say where they appeared."""


@pytest.fixture(scope="module")
def loaded() -> Mapping[str, Cell]:
    """The bundled cells by name."""
    return {name: symrnn.load(name) for name in cells()}


def test_there_are_many_and_each_once(loaded: Mapping[str, Cell]) -> None:
    assert len(loaded) >= 100
    assert len(loaded) == len({cell.text for cell in loaded.values()}) == len(bundled_files())
    assert {path.parent.name for name, path in bundled_files().items() if name not in first_cells()} == {"more"}


@pytest.mark.parametrize("name", cells())
def test_a_cell_says_where_it_comes_from(name: str, loaded: Mapping[str, Cell]) -> None:
    cell = loaded[name]
    assert cell.name == name
    assert cell.title
    assert cell.family in FAMILIES
    assert year_of(cell.reference)
    if name not in {*first_cells(), *UNNUMBERED}:
        assert IDENTIFIED.search(cell.reference), cell.reference
    assert all(departure == departure.strip() and departure[-1] != "." for departure in cell.departures)
    assert doubts(cell) == ()


@pytest.mark.parametrize("name", cells())
def test_a_parent_is_bundled_and_older(name: str, loaded: Mapping[str, Cell]) -> None:
    cell = loaded[name]
    if cell.parent:
        assert cell.difference
        assert year_of(loaded[cell.parent].reference) <= year_of(cell.reference)
    line = [name]
    while loaded[line[-1]].parent:
        line.append(loaded[line[-1]].parent)
        assert len(line) == len(set(line))


def test_few_cells_are_roots(loaded: Mapping[str, Cell]) -> None:
    roots = {"rnn", "jordan", "exponential_trace", "cornn", "linear_transformer"}
    assert {name for name, cell in loaded.items() if not cell.parent} == roots


def test_tests_choose_one_cell_of_each_family(loaded: Mapping[str, Cell]) -> None:
    assert set(OF_A_FAMILY) == families()
    assert {family: loaded[name].family for family, name in OF_A_FAMILY.items()} == {each: each for each in OF_A_FAMILY}


def test_the_light_way_to_read_files_agrees_with_the_whole_one(loaded: Mapping[str, Cell]) -> None:
    found = {about.name: (about.title, about.family, about.reference) for about in about_cells()}
    assert found == {name: (cell.title, cell.family, cell.reference) for name, cell in loaded.items()}


def test_tests_know_which_cells_prepare_parameters(loaded: Mapping[str, Cell]) -> None:
    assert tuple(name for name, cell in loaded.items() if cell.preparation.equations) == PREPARING
