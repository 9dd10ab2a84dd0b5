"""What holds when a bundled cell is checked: every oracle, on both backends, in both precisions, and the proof.

`test_families` holds it for a few, compiled as users compile them, `test_oracles` for the others.
"""

from __future__ import annotations

import symrnn
from symrnn.check.cases import CASES
from symrnn.check.check import check
from symrnn.check.measure import EXPANSION
from symrnn.derive.compared import DIGITS
from tests.families import BEYOND_ALGEBRA

QUICK = tuple(case for case in CASES if case.steps <= 50 and (case.hidden < 20 or case.ragged))
"""Every kind of case, the first ones of each, and every width: as for the cells of the tests."""


def hold_oracles(name: str) -> None:
    cell = symrnn.load(name)
    report = check((cell,), backends=("numpy", "c"), cases=QUICK)
    assert report.passed, report.table()
    assert {deviation.backend for deviation in report.deviations} >= {"numpy", "c"}
    assert {deviation.dtype for deviation in report.deviations} >= {"float32", "float64"}
    proven = {deviation.array: deviation.case for deviation in report.deviations if deviation.oracle == EXPANSION}
    assert {*proven} >= {f"grad {name}" for name in cell.inputs if cell.by_name[name].gradient}
    (how,) = {*proven.values()}
    assert (f" by algebra and 0 in {DIGITS} digits" in how) == (name not in BEYOND_ALGEBRA), how
