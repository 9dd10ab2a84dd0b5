"""What tests of derivations share: every cell file, its derivation, a random point, and its derivatives there."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symrnn
from symrnn.derive.derivation import Derivation, derive
from symrnn.derive.evaluate import floats, run, shaped
from symrnn.language.axes import Numbers
from symrnn.language.cell import Cell
from symrnn.language.system import ONE
from tests.families import PREPARING

Array = np.ndarray[Any, np.dtype[Any]]
Values = Mapping[str, Array]

CELLS = (
    *(name for name in symrnn.cells() if name not in PREPARING),
    *sorted(str(path) for path in (Path(__file__).parents[1] / "cells").glob("*.toml")),
)
WIDTHS = {"input": 3, "hidden": 4, ONE: 1}
OTHERS = (2, 5, 6)
"""Sizes that all differ: a transposed or swapped shape shows. The others are for sizes that a cell names itself."""
STEP = 1e-30


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "cell" in metafunc.fixturenames:
        metafunc.parametrize("cell", CELLS, ids=lambda name: Path(name).stem, indirect=True, scope="session")


@pytest.fixture(scope="session")
def cell(request: pytest.FixtureRequest) -> Cell:
    return symrnn.load(request.param)


@pytest.fixture(scope="session")
def derivation(cell: Cell) -> Derivation:
    return derive(cell)


@pytest.fixture(scope="session")
def sizes(cell: Cell) -> Numbers:
    own = [size for size in cell.sizes if size not in WIDTHS]
    return Numbers({**WIDTHS, **dict(zip(own, OTHERS, strict=False))})


@pytest.fixture(scope="session")
def learned(cell: Cell) -> tuple[str, ...]:
    """The inputs of the step that have a gradient."""
    return tuple(name for name in cell.inputs if cell.by_name[name].gradient)


@pytest.fixture(scope="session")
def point(cell: Cell, sizes: dict[str, int]) -> dict[str, Array]:
    """Dense random values of all inputs of the step."""
    draw = np.random.default_rng(zlib.crc32(cell.name.encode()))
    return {v.name: draw.uniform(-1, 1, [sizes[s] for s in v.shape]) for v in map(cell.by_name.get, cell.inputs) if v}


@pytest.fixture(scope="session")
def natural(cell: Cell, point: dict[str, Array], sizes: Numbers) -> dict[str, Array]:
    """The point with an array axis for each axis of a size, as callers give it."""
    return shaped(map(cell.by_name.__getitem__, cell.inputs), point, sizes)


@pytest.fixture(scope="session")
def step() -> Callable[[Cell, Values, Mapping[str, int]], dict[str, Array]]:
    """The author's equations at a point: every value of the step."""

    def values(cell: Cell, given: Values, sizes: Mapping[str, int]) -> dict[str, Array]:
        return run(cell.equations, cell.by_name, given, sizes, floats())

    return values


@pytest.fixture(scope="session")
def differentiated(
    step: Callable[[Cell, Values, Mapping[str, int]], dict[str, Array]],
) -> Callable[[Cell, Values, Mapping[str, int], str], dict[str, Array]]:
    """By the complex step: the derivatives of every assigned name by all entries of one that is given."""

    def derivatives(cell: Cell, given: Values, sizes: Mapping[str, int], name: str) -> dict[str, Array]:
        columns: dict[str, list[Array]] = {equation.target: [] for equation in cell.equations}
        for index in np.ndindex(given[name].shape):
            moved = {each: value.astype(complex) for each, value in given.items()}
            moved[name][index] += 1j * STEP
            after = step(cell, moved, sizes)
            for target, column in columns.items():
                column.append(after[target].imag / STEP)
        return {target: np.stack(column, axis=1) for target, column in columns.items()}

    return derivatives
