"""The report: largest errors kept, tables aligned, failures and skipped parts named, JSON for programs."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace

from symrnn.check.deviations import HEADINGS, Deviation, NotRun, Report, worst
from symrnn.check.measure import ADJOINT, BACKENDS, CENTRAL, EXPANSION, INTERPRETER

Y = Deviation("tiny", "numpy", "float64", INTERPRETER, "y", 3e-16, 1e-12, "T=2 B=1 I=1 H=1, forward")
WORSE = Deviation("tiny", "numpy", "float64", INTERPRETER, "y", 4e-15, 1e-12, "T=20 B=3 I=5 H=7, infer")
GRAD = Deviation("tiny", "numpy", "float64", ADJOINT, "grad W_hh", 0.0, 1e-12, "T=2 B=1 I=1 H=1, backward")
C_GRAD = Deviation("tiny", "c", "float64", BACKENDS, "grad W_hh", 0.5, 1e-12, "T=2 B=1 I=1 H=1, backward")
SINGLE = Deviation("tiny", "numpy", "float32", INTERPRETER, "y", 1e-7, 2e-5, "T=2 B=1 I=1 H=1, forward")
PROOF = Deviation("tiny", "sympy", "exact", EXPANSION, "h by h", 0.0, 1e-40, "sizes 1 to 3")


def test_the_largest_error_and_its_case_are_kept() -> None:
    assert worst([Y, GRAD, WORSE, Y]) == (WORSE, GRAD)


def test_an_error_that_is_not_finite_is_kept_and_fails() -> None:
    infinite = Deviation("tiny", "numpy", "float64", INTERPRETER, "y", math.inf, 1e-12, "somewhere")
    assert worst([Y, infinite, WORSE]) == (infinite,)
    assert not infinite.passed
    assert json.loads(json.dumps(Report((infinite,)).to_json()))["rows"][0]["error"] is None


def test_passed_needs_every_row_and_at_least_one() -> None:
    assert Report((Y, GRAD)).passed
    assert not Report((Y, C_GRAD)).passed
    assert not Report(()).passed
    assert Report((Y, C_GRAD)).failures == (C_GRAD,)


def test_the_table_is_aligned_with_a_column_per_oracle_and_backend() -> None:
    table = Report((WORSE, GRAD)).table()
    lines = table.splitlines()
    assert lines[:6] + lines[-2:] == [
        "tiny float64  interpreter  adjoint",
        "                    NumPy    NumPy",
        "y                 4.0e-15        -",
        "grad W_hh               -        0",
        "bound             1.0e-12  1.0e-12",
        "",
        "",
        "all 2 errors are within their bounds",
    ]


def test_a_legend_says_what_headings_and_rows_mean() -> None:
    legend = Report((WORSE, GRAD)).table().split("\n\n")[1]
    terms = [re.split(" {2,}", line)[0] for line in legend.splitlines()]
    for heading in (*HEADINGS.values(), EXPANSION, "error", "tape S", "tangent S"):
        assert heading in ", ".join(terms).split(", ")
    assert "max|a - b| / max(max|b|, floor)" in legend
    assert all(len(line) <= 120 for line in legend.splitlines())


def test_no_line_ends_in_blanks() -> None:
    table = Report((WORSE, C_GRAD, SINGLE, PROOF)).table()
    assert "to NumPy" in table
    assert [line for line in table.splitlines() if line != line.rstrip()] == []


def test_precisions_have_tables_of_their_own_and_the_proof_a_line() -> None:
    lines = Report((Y, SINGLE, PROOF)).table().splitlines()
    assert lines[0].startswith("tiny float64")
    assert any(line.startswith("tiny float32") for line in lines)
    assert "tiny scalar expansion: 1 of 1 Jacobian blocks equal, sizes 1 to 3" in lines


def test_failures_are_marked_and_named_with_their_case() -> None:
    table = Report((Y, C_GRAD)).table()
    assert "5.0e-01 !" in table
    assert "tiny: grad W_hh misses its bound: against NumPy, C float64, error 5.0e-01, bound 1.0e-12, at T=2" in table
    assert table.endswith("1 of 2 errors miss their bounds (marked !)")


def test_a_failed_proof_is_named() -> None:
    failed = Deviation("tiny", "sympy", "exact", EXPANSION, "h by h", math.inf, 1e-40, "sizes 1 to 3")
    assert "tiny: h by h misses its bound: scalar expansion" in Report((Y, failed)).table()


CHAOTIC = Deviation(
    "wild", "numpy", "float64", INTERPRETER, "y", 3e-5, 1e-12, "T=200 B=1 I=3 H=5, forward", rounding=1e-5
)
STEPPED = Deviation(
    "wild", "numpy", "float64", CENTRAL, "grad b", 2e3, 1e-7, "T=200 B=1 I=3 H=5, backward", rounding=1e4
)


def test_errors_that_rounding_makes_are_explained_once_and_still_fail() -> None:
    report = Report((Y, CHAOTIC, STEPPED))
    assert not report.passed
    table = report.table()
    assert "wild: 1 errors" not in table
    assert "wild: 1 error in float64 misses its bound at T=200 B=1 I=3 H=5 by rounding alone" in table
    assert "changing every input by\n  at most 2.2e-16 of itself changes y by 1.0e-05; the" in table
    assert "wild: 1 error of central differences in float64 misses its bound at T=200 B=1 I=3 H=5" in table
    assert "symrnn flow" in table
    assert "misses its bound: interpreter" not in table
    assert table.endswith("2 of 3 errors miss their bounds (marked !), because of rounding")
    assert [row["rounding"] for row in json.loads(json.dumps(report.to_json()))["rows"]] == [0.0, 1e-5, 1e4]


def test_an_error_beyond_rounding_stands_apart() -> None:
    mistaken = replace(CHAOTIC, array="state h", error=0.5)
    table = Report((CHAOTIC, mistaken)).table()
    assert "wild: state h misses its bound: interpreter, NumPy float64, error 5.0e-01, bound 1.0e-12, at T=200" in table
    assert table.endswith("2 of 2 errors miss their bounds (marked !), 1 because of rounding")


def test_a_mistake_is_kept_before_a_larger_error_of_rounding() -> None:
    mistaken = replace(CHAOTIC, error=1e-9, case="T=2 B=1 I=1 H=1, forward", rounding=1e-16)
    assert worst([CHAOTIC, mistaken]) == worst([mistaken, CHAOTIC]) == (mistaken,)


def test_what_was_not_run_is_named_with_its_reason() -> None:
    table = Report((Y,), (NotRun("tiny", "C kernels", "no C compiler found; install gcc or clang", "c"),)).table()
    assert "tiny: C kernels not run: no C compiler found; install gcc or clang" in table
    assert table.endswith("all 1 errors are within their bounds; C not checked")


def test_nothing_checked_says_so() -> None:
    assert Report(()).table() == "nothing was checked"


def test_json_holds_every_row_and_reason() -> None:
    report = Report((Y, C_GRAD), (NotRun("tiny", "C kernels", "no compiler", "c"),))
    values = json.loads(json.dumps(report.to_json()))
    assert values["passed"] is False
    assert [row["passed"] for row in values["rows"]] == [True, False]
    assert values["rows"][1] == {
        **{"cell": "tiny", "backend": "c", "dtype": "float64", "oracle": BACKENDS, "array": "grad W_hh"},
        **{"error": 0.5, "bound": 1e-12, "case": "T=2 B=1 I=1 H=1, backward", "passed": False},
        "rounding": 0.0,
    }
    assert values["not_run"] == [{"cell": "tiny", "what": "C kernels", "reason": "no compiler", "backend": "c"}]
