"""What holds when a cell is checked: every oracle, on both backends, in both precisions, and the proof.

`tests/atlas/test_families.py` holds it for a few bundled cells, compiled as users compile them, `test_oracles.py` beside it
for the others, `tests/test_any_cell.py` for cells that are not bundled.
"""

from __future__ import annotations

import symrnn
from symrnn.check.cases import CASES
from symrnn.check.check import check
from symrnn.check.measure import EXPANSION
from symrnn.derive.compared import DIGITS
from symrnn.language.cellfile import CellLike
from symrnn.targets.c.toolchain import compiler_or_reason
from tests.families import BEYOND_ALGEBRA

QUICK = tuple(case for case in CASES if case.steps <= 50 and (case.hidden < 20 or case.ragged))
"""Every kind of case, the first ones of each, and every width."""


def hold_oracles(known: CellLike) -> None:
    """Check a cell; in NumPy alone where there is no C compiler."""
    cell = symrnn.load(known)
    backends = ("numpy",) if isinstance(compiler_or_reason(), str) else ("numpy", "c")
    report = check((cell,), backends=backends, cases=QUICK)
    assert report.passed, report.table()
    assert {deviation.backend for deviation in report.deviations} >= {*backends}
    assert {deviation.dtype for deviation in report.deviations} >= {"float32", "float64"}
    proven = {deviation.array: deviation.case for deviation in report.deviations if deviation.oracle == EXPANSION}
    assert {*proven} >= {f"grad {name}" for name in cell.inputs if cell.by_name[name].gradient}
    (how,) = {*proven.values()}
    assert (f" by algebra and 0 in {DIGITS} digits" in how) == (cell.name not in BEYOND_ALGEBRA), how
