"""What tests of pages share: every cell file, and its derivation."""

from __future__ import annotations

from pathlib import Path

import pytest

import symrnn
from symrnn.derive.derivation import Derivation, derive
from symrnn.language.cell import Cell
from tests.families import FIRST_CELLS

CELLS = (*FIRST_CELLS, *sorted(str(path) for path in (Path(__file__).parents[1] / "cells").glob("*.toml")))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "cell" in metafunc.fixturenames:
        metafunc.parametrize("cell", CELLS, ids=lambda name: Path(name).stem, indirect=True, scope="session")


@pytest.fixture(scope="session")
def cell(request: pytest.FixtureRequest) -> Cell:
    return symrnn.load(request.param)


@pytest.fixture(scope="session")
def derivation(cell: Cell) -> Derivation:
    return derive(cell)
