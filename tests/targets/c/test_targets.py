"""One C file for every kind of register: each build holds every oracle, and is as long as it was."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from types import ModuleType
from typing import cast

import pytest

import symrnn
from symrnn.check.cases import CASES
from symrnn.check.deviations import Report
from symrnn.check.kernels import Kernels, TangentKernels
from symrnn.check.suite import run_suite
from tests.families import FIRST_CELLS
from tests.processors import LEVELS, load_at
from tests.sparing import ONE, sparing

FILES = Path(__file__).resolve().parents[2] / "cells"
CELLS = (
    *FIRST_CELLS,
    *(str(FILES / f"{name}.toml") for name in ("layernorm_lstm", "max_exp")),
)

# Shapes below a vector, odd, beyond a tile and beyond a block of rows; lengths and reverse.
CHOSEN = tuple(case for case in CASES if case.steps <= 50 and (case.hidden < 20 or case.ragged) and not case.others)

OTHERS = tuple(level for level in LEVELS if level != "native")
"""Builds that `symrnn.check` does not run."""


@pytest.mark.parametrize("name", sparing(CELLS, ONE), ids=lambda name: Path(name).stem)
@pytest.mark.parametrize("level", OTHERS)
def test_every_oracle_holds(name: str, level: str) -> None:
    cell, files, numpy = generated(name)
    kernels = load_at(level, files, cell.name)
    report = Report(run_suite(cell, cast(TangentKernels, numpy), {"c": cast(Kernels, kernels)}, CHOSEN), ())
    assert report.passed, report.table()


@cache
def generated(name: str) -> tuple[symrnn.Cell, dict[str, str], ModuleType]:
    """A cell, its files for C, and its NumPy kernels."""
    cell = symrnn.load(name)
    return cell, symrnn.render(cell, backends=("c",)), symrnn.build(cell, backend="numpy")
