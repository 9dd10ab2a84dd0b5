"""Every oracle holds for the first cells and for one of each family, compiled as users compile them."""

from __future__ import annotations

import pytest

from symrnn.check.cases import CASES, EVERY_WIDTH
from tests.checked import QUICK, hold_oracles
from tests.families import SOME_CELLS


def test_the_cases_have_every_width_and_kind() -> None:
    assert {*EVERY_WIDTH} <= {*QUICK}
    assert {(case.ragged, case.reverse, case.at_rest) for case in CASES} == {
        (case.ragged, case.reverse, case.at_rest) for case in QUICK
    }
    assert {oracle for case in CASES for oracle in case.oracles} == {
        oracle for case in QUICK for oracle in case.oracles
    }


@pytest.mark.parametrize("name", SOME_CELLS)
def test_every_oracle_holds(name: str) -> None:
    hold_oracles(name)
