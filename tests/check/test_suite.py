"""The oracles pass a right layer, and each one catches its faults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

import symrnn
from symrnn.check.cases import CASES, EVERY, Case
from symrnn.check.deviations import Deviation, Report
from symrnn.check.measure import ADJOINT, BACKENDS, CENTRAL, COMPLEX_STEP, INTERPRETER, PRECISIONS
from symrnn.check.suite import not_smooth, run_suite
from symrnn.errors import CheckError
from symrnn.language.cell import Cell

Tiny = Callable[..., Any]

SHORT = tuple(case for case in CASES if case.steps <= 20 and case.hidden <= 7 and not case.others)
FEW_STEPS = Case(3, 2, 2, 3, (INTERPRETER,))
DERIVATIVES = {COMPLEX_STEP, CENTRAL, ADJOINT}

FAULTS = {
    "forward": ({INTERPRETER}, "y"),
    "padding": ({INTERPRETER}, "y"),
    "reverse": ({INTERPRETER}, "y"),
    "infer": ({INTERPRETER}, "y"),
    "step": ({INTERPRETER}, "y"),
    "stream": ({INTERPRETER}, "y"),
    "slope": (DERIVATIVES, "grad W_xh"),
    "sign": (DERIVATIVES, "grad W_hh"),
    "transpose": (DERIVATIVES, "grad x"),
    "final": (DERIVATIVES, "grad state h"),
    "lengths": ({COMPLEX_STEP, CENTRAL}, "grad state h"),
    "missing": (DERIVATIVES, "grad b_h"),
    "wide": (DERIVATIVES, "grad b_h"),
    "flat": (DERIVATIVES, "grad W_xh"),
    "nan": (DERIVATIVES, "grad x"),
    "tangent": ({ADJOINT}, "tangent y"),
    "half": ({INTERPRETER, PRECISIONS}, "y"),
}
"""For each fault, the oracles that must see it and an array in which they must."""


def failures(rows: tuple[Deviation, ...]) -> set[tuple[str, str]]:
    return {(row.oracle, row.array) for row in rows if not row.passed}


def test_a_right_layer_passes_every_case(tiny_cell: Cell, tiny_kernels: Tiny) -> None:
    kernels = tiny_kernels()
    titles: list[str] = []
    rows = run_suite(tiny_cell, kernels, {"numpy": kernels, "c": tiny_kernels()}, progress=titles.append)
    report = Report(rows)
    assert report.passed, report.table()
    assert len(titles) == len(CASES)
    assert {row.oracle for row in rows} == {INTERPRETER, *DERIVATIVES, BACKENDS, PRECISIONS}
    assert {row.dtype for row in rows} == {"float64", "float32"}
    assert {row.backend for row in rows} == {"numpy", "c"}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_caught_by_its_oracles(tiny_cell: Cell, tiny_kernels: Tiny, fault: str) -> None:
    kernels = tiny_kernels(fault)
    found = failures(run_suite(tiny_cell, kernels, {"numpy": kernels}, SHORT))
    oracles, array = FAULTS[fault]
    assert {oracle for oracle, _ in found} >= oracles
    assert array in {name for _, name in found}


@pytest.mark.parametrize("fault", ["sign", "forward", "wide", "half", "missing"])
def test_c_that_differs_from_numpy_is_caught(tiny_cell: Cell, tiny_kernels: Tiny, fault: str) -> None:
    rows = run_suite(tiny_cell, tiny_kernels(), {"numpy": tiny_kernels(), "c": tiny_kernels(fault)}, SHORT)
    assert BACKENDS in {row.oracle for row in rows if not row.passed}
    assert {row.backend for row in rows if not row.passed} == {"c"}


def test_a_faulty_c_module_alone_is_compared_with_numpy(tiny_cell: Cell, tiny_kernels: Tiny) -> None:
    rows = run_suite(tiny_cell, tiny_kernels(), {"c": tiny_kernels("sign")}, SHORT)
    assert {row.backend for row in rows} == {"c"}
    assert (BACKENDS, "grad W_hh") in failures(rows)


def test_parameters_of_another_cell_are_refused(tiny_cell: Cell, tiny_kernels: Tiny) -> None:
    kernels = tiny_kernels("shapes")
    with pytest.raises(CheckError, match="numpy module of cell 'tiny' has parameters"):
        run_suite(tiny_cell, kernels, {"numpy": kernels}, SHORT)


def test_central_differences_are_left_out_across_kinks(kinked_cell: Cell, tiny_kernels: Tiny) -> None:
    assert not_smooth(kinked_cell) == ("maximum",)
    rows = run_suite(kinked_cell, tiny_kernels(), {"numpy": tiny_kernels()}, SHORT)
    assert CENTRAL not in {row.oracle for row in rows}
    assert Report(rows).passed


def test_streams_run_from_a_given_state_too(tiny_cell: Cell, tiny_kernels: Tiny) -> None:
    kernels = tiny_kernels("stream")
    missed = {row.case for row in run_suite(tiny_cell, kernels, {"numpy": kernels}, [FEW_STEPS]) if not row.passed}
    assert missed
    assert all(case.startswith(FEW_STEPS.title) and case.endswith(", stream") for case in missed)


def test_a_state_is_given_where_no_parameter_tells_its_size() -> None:
    cell = symrnn.Cell.from_equations("h' = tanh(0.5 * h + mean(x))", name="untold")
    kernels = symrnn.build(cell)
    rows = run_suite(cell, kernels, {"numpy": kernels}, [replace(FEW_STEPS, oracles=EVERY, at_rest=True)])
    assert Report(rows).passed
    assert {row.array for row in rows} >= {"y", "grad state h"}


def test_cases_cover_what_kernels_are_sensitive_to() -> None:
    assert {case.steps for case in CASES} >= {0, 1, 2, 20, 50, 200}
    assert {case.batch for case in CASES} >= {0, 1, 3}
    assert {case.hidden for case in CASES} >= {1, 7, 37, 67}
    assert any(case.ragged and not case.reverse for case in CASES)
    assert any(case.ragged and case.reverse for case in CASES)
    assert any(case.reverse and not case.ragged for case in CASES)
    assert any(case.at_rest for case in CASES)
    assert len({case.title for case in CASES}) == len(CASES)


def test_only_sequences_up_to_50_steps_run_in_float32(tiny_cell: Cell, tiny_kernels: Tiny) -> None:
    rows = run_suite(tiny_cell, tiny_kernels(), {"numpy": tiny_kernels()}, [Case(51, 1, 1, 1, EVERY)])
    assert {row.dtype for row in rows} == {"float64"}
