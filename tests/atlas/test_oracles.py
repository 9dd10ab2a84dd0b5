"""Every oracle holds for every bundled cell: always for one of each family, for the others with ``-m long``."""

from __future__ import annotations

import pytest

import symrnn
from symrnn.check.cases import CASES
from symrnn.check.check import check
from symrnn.language.bundled import cells, first_cells
from tests.families import OF_A_FAMILY
from tests.sparing import sparing

QUICK = tuple(case for case in CASES if case.steps <= 50 and (case.hidden < 20 or case.ragged))
"""Every kind of case, the first ones of each: as for the cells of the tests."""
NAMES = [name for name in cells() if name not in first_cells()]
"""The first cells take every case, in `tests/check`."""


@pytest.mark.parametrize("name", sparing(NAMES, OF_A_FAMILY.values()))
def test_every_oracle_holds(name: str) -> None:
    report = check((symrnn.load(name),), backends=("numpy", "c"), cases=QUICK)
    assert report.passed, report.table()
    assert {deviation.backend for deviation in report.deviations} >= {"numpy", "c"}
    assert {deviation.dtype for deviation in report.deviations} >= {"float32", "float64"}
