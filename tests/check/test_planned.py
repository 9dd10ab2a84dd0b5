"""The plan as an oracle: right plans pass, and each fault put into one is found, in the plan and not in the kernels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

import symrnn
from symrnn.check.cases import CASES, Case, draw
from symrnn.check.deviations import Deviation, Report
from symrnn.check.kernels import TangentKernels
from symrnn.check.measure import ADJOINT, COMPLEX_STEP, INTERPRETER, PLAN, PLANNED
from symrnn.check.planned import PlanKernels, run_plan
from symrnn.check.suite import Subjects, run_cases, run_suite
from symrnn.errors import CheckError
from symrnn.language.tree import Name, Negate, transform
from symrnn.plan.planner import plan
from symrnn.plan.policy import Policy
from symrnn.plan.program import Absorbed, Direction, Kind, Program, Routine, Stage
from tests.families import SOME_CELLS

CELLS = (*SOME_CELLS, *sorted(str(path) for path in (Path(__file__).parents[1] / "cells").glob("*.toml")))
ORACLES = (INTERPRETER, COMPLEX_STEP, ADJOINT)
SOME = (
    Case(3, 2, 2, 3, ORACLES),
    Case(6, 3, 5, 7, ORACLES, ragged=True),
    Case(6, 3, 5, 7, ORACLES, ragged=True, reverse=True),
    Case(6, 3, 5, 7, ORACLES, at_rest=True),
)
EMPTY = (Case(0, 3, 3, 5, ORACLES), Case(2, 0, 3, 5, ORACLES))
Fault = Callable[[Program], Program]


@cache
def kernels(cell: str) -> TangentKernels:
    return cast(TangentKernels, symrnn.build(cell, backend="numpy"))


@cache
def planned(cell: str) -> Program:
    return plan(symrnn.derive(symrnn.load(cell)), Policy())


def rows_of(cell: str, program: Program, cases: tuple[Case, ...] = SOME) -> tuple[Deviation, ...]:
    return run_suite(symrnn.load(cell), kernels(cell), {"numpy": kernels(cell)}, cases, plans={"numpy": program})


def missed(deviations: tuple[Deviation, ...]) -> set[tuple[str, str]]:
    """The backend and oracle of every missed bound."""
    return {(deviation.backend, deviation.oracle) for deviation in deviations if not deviation.passed}


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: Path(cell).stem)
def test_the_plan_of_every_cell_passes_every_oracle(cell: str) -> None:
    report = Report(rows_of(cell, planned(cell), (*SOME, *EMPTY)))
    assert report.passed, report.table()
    own = [deviation for deviation in report.deviations if deviation.backend == PLANNED]
    assert {row.oracle for row in own} >= set(ORACLES)
    assert {"y", "grad x"} < {row.array for row in own}
    assert any(row.array.startswith("tangent ") for row in own)
    assert any(deviation.oracle == PLAN and deviation.backend == "numpy" for deviation in report.deviations)


@pytest.mark.slow
@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: Path(cell).stem)
def test_the_plan_of_every_cell_passes_every_case_of_check(cell: str) -> None:
    loaded = symrnn.load(cell)
    cases = [case for case in CASES if case.tells(loaded)]
    ran = run_cases(Subjects(loaded, kernels(cell), {}, {"numpy": planned(cell)}), cases)
    assert Report(ran.deviations).passed, Report(ran.deviations).table()
    assert {deviation.backend for deviation in ran.deviations} == {PLANNED}
    assert {deviation.oracle for deviation in ran.deviations} >= set(ORACLES)
    assert ran.points.cases == len(cases)
    assert ran.points.dense + ran.points.start >= len(cases)


def test_the_fused_loop_runs_where_there_is_one() -> None:
    problem = draw(symrnn.load("lstm"), SOME[0])
    whole = planned("lstm")
    assert list(run_plan(whole, problem)) == ["forward", "fused"]
    assert list(run_plan(replace(whole, forward=replace(whole.forward, fused=None)), problem)) == ["forward"]


def staged(routine: Routine, change: Callable[[Stage], Stage]) -> Routine:
    """``routine`` with a change to every stage of its phases; its fused loop as it was."""
    phases = tuple(replace(phase, stages=tuple(map(change, phase.stages))) for phase in routine.phases)
    return replace(routine, phases=phases)


def forward(change: Callable[[Stage], Stage]) -> Fault:
    return lambda program: replace(program, forward=staged(program.forward, change))


def backward(change: Callable[[Stage], Stage]) -> Fault:
    def fault(program: Program) -> Program:
        assert program.backward is not None
        return replace(program, backward=staged(program.backward, change))

    return fault


def unwritten(value: str) -> Callable[[Stage], Stage]:
    return lambda stage: replace(stage, writes=tuple(write for write in stage.writes if write.value != value))


def idle(kind: Kind, instead: str) -> Callable[[Stage], Stage]:
    """Rows beyond their length write something else to places of a kind."""
    return lambda stage: replace(
        stage, writes=tuple(replace(w, idle=instead) if w.place.kind is kind else w for w in stage.writes)
    )


def negated(target: str, name: str) -> Callable[[Stage], Stage]:
    """A term of a statement, or an accumulator, with the other sign."""

    def changed(stage: Stage) -> Stage:
        return replace(
            stage,
            statements=tuple(
                replace(s, expression=transform(s.expression, lambda n: Negate(n) if n == Name(name) else n))
                if s.target == target
                else s
                for s in stage.statements
            ),
        )

    return changed


def without_form(stage: Stage) -> Stage:
    """Accumulators without the last of several forms."""
    shorter = (replace(a, forms=a.forms[:-1] if len(a.forms) > 1 else a.forms) for a in stage.accumulators)
    return replace(stage, accumulators=tuple(shorter))


def turned(program: Program) -> Program:
    """The backward loop runs forward."""
    assert program.backward is not None
    phases = tuple(
        replace(phase, direction=Direction.FORWARD) if phase.direction else phase for phase in program.backward.phases
    )
    return replace(program, backward=replace(program.backward, phases=phases))


def at_once(stage: Stage) -> Stage:
    """Forms of this step in place of the step before in the loop."""
    if not stage.name.startswith("back"):
        return stage
    return replace(
        stage,
        accumulators=tuple(
            replace(a, forms=tuple(replace(form, later=False) for form in a.forms)) for a in stage.accumulators
        ),
    )


def fused(change: Callable[[Absorbed], Absorbed]) -> Fault:
    def fault(program: Program) -> Program:
        whole = program.forward.fused
        assert whole is not None
        loop = tuple(replace(stage, absorbed=tuple(map(change, stage.absorbed))) for stage in whole.loop)
        return replace(program, forward=replace(program.forward, fused=replace(whole, loop=loop)))

    return fault


def without_product(program: Program) -> Program:
    assert program.backward is not None
    return replace(program, backward=replace(program.backward, products=program.backward.products[1:]))


def without_sum(program: Program) -> Program:
    assert program.backward is not None
    return replace(program, backward=replace(program.backward, sums=program.backward.sums[1:]))


def wrong_tangent(program: Program) -> Program:
    assert program.tangent is not None
    return replace(program, tangent=staged(program.tangent, negated("i_dot", "i")))


FAULTS: dict[str, tuple[Fault, str]] = {
    "a tape value that is not written": (forward(unwritten("g")), COMPLEX_STEP),
    "a state that is not written": (forward(unwritten("c'")), INTERPRETER),
    "a state that is zero when idle": (forward(idle(Kind.NEXT, "")), INTERPRETER),
    "an output that is the state when idle": (forward(idle(Kind.OUTPUT, "h")), INTERPRETER),
    "a sign in the forward loop": (forward(negated("c'", "g")), INTERPRETER),
    "a form that is lost": (backward(without_form), COMPLEX_STEP),
    "a backward loop that runs forward": (turned, COMPLEX_STEP),
    "a form of the wrong step": (backward(at_once), COMPLEX_STEP),
    "a carry that is zero when idle": (backward(idle(Kind.CARRY, "")), COMPLEX_STEP),
    "a delta that is not zero when idle": (backward(idle(Kind.BUFFER, "dh_out")), COMPLEX_STEP),
    "a carry that is not written": (backward(unwritten("carry_c_next")), COMPLEX_STEP),
    "a sign in the backward loop": (backward(negated("dc_all", "dtanh_c")), COMPLEX_STEP),
    "a product that is lost": (without_product, COMPLEX_STEP),
    "a sum that is lost": (without_sum, COMPLEX_STEP),
    "forms that the fused loop loses": (fused(lambda each: replace(each, joined=())), INTERPRETER),
    "a bias that the fused loop loses": (
        fused(lambda each: replace(each, statement=replace(each.statement, expression=Negate(Name("b_i"))))),
        INTERPRETER,
    ),
    "a sign in the tangent": (wrong_tangent, ADJOINT),
}
"""Faults of the plan of an LSTM, each with an oracle that must see it."""


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_of_a_plan_is_found(fault: str) -> None:
    broken, oracle = FAULTS[fault]
    program = broken(planned("lstm"))
    assert program != planned("lstm")
    found = missed(rows_of("lstm", program))
    assert (PLANNED, oracle) in found
    # The kernels come from a right plan: of them, only the comparison with this one fails.
    assert {oracle for backend, oracle in found if backend == "numpy"} <= {PLAN}


def test_a_fault_of_kernels_is_told_from_one_of_their_plan() -> None:
    class Wrong:
        """Kernels with a wrong gradient."""

        def __getattr__(self, name: str) -> object:
            return getattr(kernels("rnn"), name)

        def backward(self, *arguments: object, **named: object) -> SimpleNamespace:
            grads = kernels("rnn").backward(*arguments, **named)
            negated = {name: -array for name, array in grads.params.items()}
            return SimpleNamespace(params=negated, x=grads.x, state=grads.state)

    cell = symrnn.load("rnn")
    wrong = cast(TangentKernels, Wrong())
    deviations = run_suite(cell, wrong, {"numpy": wrong}, SOME, plans={"numpy": planned("rnn")})
    assert {backend for backend, _ in missed(deviations)} == {"numpy"}
    assert ("numpy", PLAN) in missed(deviations)


def test_a_plan_without_a_tangent_says_so() -> None:
    program = replace(planned("rnn"), tangent=None)
    x = np.zeros((1, 1, 2))
    with pytest.raises(CheckError, match="rnn: the plan has no tangent; ask for one in its policy"):
        PlanKernels(program, {"input": 2, "hidden": 2}).jvp({}, x, None, {}, x, None)


def test_the_report_has_a_table_for_the_plan_and_a_column_to_it() -> None:
    text = symrnn.check("rnn", backends=("numpy",), cases=SOME[:1]).table()
    assert text.startswith("rnn plan         interpreter")
    assert "\nrnn float64      interpreter" in text
    heading = next(line for line in text.splitlines() if line.startswith("rnn float64"))
    assert heading.endswith("to plan")
    assert "\nplan     " in text
