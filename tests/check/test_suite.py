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


def failures(deviations: tuple[Deviation, ...]) -> set[tuple[str, str]]:
    return {(deviation.oracle, deviation.array) for deviation in deviations if not deviation.passed}


def test_a_right_layer_passes_every_case(tiny_cell: Cell, tiny_kernels: Tiny) -> None:
    kernels = tiny_kernels()
    said: list[str] = []
    deviations = run_suite(tiny_cell, kernels, {"numpy": kernels, "c": tiny_kernels()}, progress=said.append)
    report = Report(deviations)
    assert report.passed, report.table()
    titles = dict.fromkeys(line.partition(", ")[0] for line in said)
    assert list(titles) == [f"tiny: {case.title} ({n} of {len(CASES)})" for n, case in enumerate(CASES, 1)]
    assert said[0].endswith(", drawing numbers")
    assert {"interpreter, row 1 of 1, step 2 of 2", "complex step", "adjoint identity in NumPy", "C in float32"} <= {
        line.partition(", ")[2] for line in said
    }
    assert {deviation.oracle for deviation in deviations} == {INTERPRETER, *DERIVATIVES, BACKENDS, PRECISIONS}
    assert {deviation.dtype for deviation in deviations} == {"float64", "float32"}
    assert {deviation.backend for deviation in deviations} == {"numpy", "c"}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_caught_by_its_oracles(tiny_cell: Cell, tiny_kernels: Tiny, fault: str) -> None:
    kernels = tiny_kernels(fault)
    found = failures(run_suite(tiny_cell, kernels, {"numpy": kernels}, SHORT))
    oracles, array = FAULTS[fault]
    assert {oracle for oracle, _ in found} >= oracles
    assert array in {name for _, name in found}


@pytest.mark.parametrize("fault", ["sign", "forward", "wide", "half", "missing"])
def test_c_that_differs_from_numpy_is_caught(tiny_cell: Cell, tiny_kernels: Tiny, fault: str) -> None:
    deviations = run_suite(tiny_cell, tiny_kernels(), {"numpy": tiny_kernels(), "c": tiny_kernels(fault)}, SHORT)
    assert BACKENDS in {deviation.oracle for deviation in deviations if not deviation.passed}
    assert {deviation.backend for deviation in deviations if not deviation.passed} == {"c"}


def test_a_faulty_c_module_alone_is_compared_with_numpy(tiny_cell: Cell, tiny_kernels: Tiny) -> None:
    deviations = run_suite(tiny_cell, tiny_kernels(), {"c": tiny_kernels("sign")}, SHORT)
    assert {deviation.backend for deviation in deviations} == {"c"}
    assert (BACKENDS, "grad W_hh") in failures(deviations)


def test_parameters_of_another_cell_are_refused(tiny_cell: Cell, tiny_kernels: Tiny) -> None:
    kernels = tiny_kernels("shapes")
    with pytest.raises(CheckError, match="numpy module of cell 'tiny' has parameters"):
        run_suite(tiny_cell, kernels, {"numpy": kernels}, SHORT)


def test_central_differences_are_left_out_across_kinks(kinked_cell: Cell, tiny_kernels: Tiny) -> None:
    assert not_smooth(kinked_cell) == ("maximum",)
    deviations = run_suite(kinked_cell, tiny_kernels(), {"numpy": tiny_kernels()}, SHORT)
    assert CENTRAL not in {deviation.oracle for deviation in deviations}
    assert Report(deviations).passed


def test_streams_run_from_a_given_state_too(tiny_cell: Cell, tiny_kernels: Tiny) -> None:
    kernels = tiny_kernels("stream")
    missed = {
        deviation.case
        for deviation in run_suite(tiny_cell, kernels, {"numpy": kernels}, [FEW_STEPS])
        if not deviation.passed
    }
    assert missed
    assert all(case.startswith(FEW_STEPS.title) and case.endswith(", stream") for case in missed)


def test_a_state_is_given_where_no_parameter_tells_its_size() -> None:
    cell = symrnn.Cell.from_equations("h' = tanh(0.5 * h + mean(x))", name="untold")
    kernels = symrnn.build(cell)
    deviations = run_suite(cell, kernels, {"numpy": kernels}, [replace(FEW_STEPS, oracles=EVERY, at_rest=True)])
    assert Report(deviations).passed
    assert {deviation.array for deviation in deviations} >= {"y", "grad state h"}


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
    deviations = run_suite(tiny_cell, tiny_kernels(), {"numpy": tiny_kernels()}, [Case(51, 1, 1, 1, EVERY)])
    assert {deviation.dtype for deviation in deviations} == {"float64"}
