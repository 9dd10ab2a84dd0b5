"""The suite: a cell's kernels through every case and oracle.

Reads a cell and its kernel modules; returns `Deviation` records, the largest error of each oracle for each array. The
references of a case are computed once, in double precision, and serve every backend and precision.

Every case runs on dense draws, if these give finite numbers. Short cases also run on a point near the cell's start. Long
cases do so only if the dense draws do not count. Dense draws do not count if a number is not finite; or if rounding alone
explains every error that misses its bound, some value has a sign that the cell never gives it, and the point near the start
passes. The result gives the reason for each draw that was left out.

Leaves out: building the kernels, and the symbolic proof (`symrnn.check.check`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import cast

import numpy as np

from symrnn.check import measure, oracles
from symrnn.check.cases import CASES, DENSE, START, Case, Problem, draw
from symrnn.check.deviations import Deviation, NotRun, Points, worst
from symrnn.check.interpreter import interpret_at
from symrnn.check.kernels import Kernels, Result, TangentKernels, labelled, run_kernels
from symrnn.check.oracles import Finding, Reference
from symrnn.check.planned import PlanKernels, run_plan
from symrnn.check.points import near_start, one_signed, outside
from symrnn.check.rounding import Rounding, rounding
from symrnn.errors import CheckError
from symrnn.language.axes import shape_axes
from symrnn.language.cell import Cell
from symrnn.language.functions import FUNCTIONS
from symrnn.language.reductions import REDUCTIONS
from symrnn.language.system import HIDDEN, INPUT, ONE
from symrnn.language.tree import Call, Reduce, walk
from symrnn.plan.program import Program
from symrnn.saying import Progress, say_at, silent
from symrnn.targets import registry

BESIDE_STEPS = 20
"""The longest case that runs near the cell's start beside the dense draws."""


@dataclass(frozen=True)
class Subjects:
    """The kernels and plans of a cell that are checked.

    Attributes:
        cell: what everything was made from.
        numpy: its NumPy kernels, whose forward pass the derivative oracles step through.
        tested: the modules to test by backend.
        plans: the plan of each backend, if it is tested too.
    """

    cell: Cell
    numpy: TangentKernels
    tested: Mapping[str, Kernels]
    plans: Mapping[str, Program]


@dataclass(frozen=True)
class Suite:
    """The result of the suite.

    Attributes:
        deviations: the largest error of each oracle for each array of every module.
        points: how many cases ran on which draws.
        not_run: what was left out, and why.
    """

    deviations: tuple[Deviation, ...]
    points: Points
    not_run: tuple[NotRun, ...]


@dataclass(frozen=True)
class _Tried:
    """A case at one point: its deviations, or why there are none."""

    drawn: str
    deviations: tuple[Deviation, ...] = ()
    reason: str = ""

    @property
    def passed(self) -> bool:
        return not self.reason and all(deviation.passed for deviation in self.deviations)

    @property
    def only_rounded(self) -> bool:
        """Whether errors miss their bounds, and rounding alone explains all of them."""
        return not (self.passed or self.reason) and all(
            deviation.passed or deviation.rounded for deviation in self.deviations
        )


def run_suite(
    cell: Cell,
    numpy: TangentKernels,
    tested: Mapping[str, Kernels],
    cases: Sequence[Case] = CASES,
    progress: Progress | None = None,
    plans: Mapping[str, Program] | None = None,
) -> tuple[Deviation, ...]:
    """The deviations of `run_cases`, which has the arguments and errors."""
    return run_cases(Subjects(cell, numpy, tested, plans or {}), cases, progress).deviations


def run_cases(subjects: Subjects, cases: Sequence[Case] = CASES, progress: Progress | None = None) -> Suite:
    """The largest error of each oracle for each array of every tested module, and the points.

    Args:
        subjects: what to test; the NumPy kernels are among the tested ones where they are to be tested too.
        cases: what to run.
        progress: called with a line of text before each piece of work: the title of each case, and what runs in it.

    Raises:
        CheckError: a module's parameters are not the cell's, or no point gives finite numbers in any case.
    """
    cell = subjects.cell
    signs = one_signed(cell)
    found: list[tuple[Case, list[_Tried]]] = []
    for number, case in enumerate(cases, 1):
        at = f"{cell.name}: {case.title} ({number} of {len(cases)})"
        say = partial(say_at, progress or silent, at)
        found.append((case, _tried_everywhere(subjects, case, signs, say)))
    reasons = [each.reason for case, tried in found if case.steps and case.batch for each in tried]
    if reasons and all(reasons):
        raise CheckError(reasons[0])
    ran = {drawn: sum(any(_counts(each, drawn) for each in tried) for _, tried in found) for drawn in (DENSE, START)}
    points = Points(cell.name, len(found), ran[DENSE], ran[START])
    return Suite(
        worst(deviation for _, tried in found for each in tried for deviation in each.deviations if not each.reason),
        points,
        tuple(_left_out(cell, found)),
    )


def _counts(tried: _Tried, drawn: str) -> bool:
    return tried.drawn == drawn and not tried.reason


def _left_out(cell: Cell, found: Sequence[tuple[Case, Sequence[_Tried]]]) -> Iterator[NotRun]:
    """The draws that did not count, with the first reason, by where they come from."""
    for drawn in (DENSE, START):
        reasons = {case.title: each.reason for case, tried in found for each in tried if each.drawn == drawn}
        reasons = {title: reason for title, reason in reasons.items() if reason}
        if reasons:
            first, reason = next(iter(reasons.items()))
            what = drawn if drawn == DENSE else f"points {drawn}"
            yield NotRun(cell.name, f"{what} in {len(reasons)} of {len(found)} cases", f"at {first}, {reason}")


def _tried_everywhere(subjects: Subjects, case: Case, signs: Mapping[str, float], say: Progress) -> list[_Tried]:
    """The case on dense draws and, if needed, near the cell's start."""
    cell = subjects.cell
    say("drawing numbers")
    dense = draw(cell, case)
    first = _tried(subjects, dense, say)
    odd = outside(cell, dense, signs) if first.only_rounded else ()
    # Cases of every width look for array calls that are wrong, whatever the numbers.
    if not (first.reason or odd or (case.steps <= BESIDE_STEPS and not case.others)):
        return [first]
    try:
        say(f"{START}: drawing numbers")
        second = _tried(subjects, near_start(cell, case), lambda what: say(f"{START}: {what}"))
    except CheckError as error:
        second = _Tried(START, reason=str(error))
    if odd and second.passed:
        reason = (
            f"rounding alone makes errors miss their bounds, at a sign of {', '.join(odd)} that the cell never gives"
        )
        first = replace(first, reason=reason)
    return [first, second]


def not_smooth(cell: Cell) -> tuple[str, ...]:
    """The functions and reductions of ``cell`` with kinks, where central differences do not hold, in order of appearance."""
    found: dict[str, None] = {}
    for node in (node for equation in cell.equations for node in walk(equation.expression)):
        match node:
            case Call(name, _, written) if not FUNCTIONS[name].smooth:
                found[written or name] = None
            case Reduce(name) if not REDUCTIONS[name].smooth:
                found[name] = None
    return tuple(found)


@np.errstate(all="ignore")  # numbers that are not finite are found below
def _tried(subjects: Subjects, problem: Problem, say: Progress) -> _Tried:
    """The deviations of a case at a point. Those that miss their bounds say what rounding alone does to their array."""
    cell, numpy = subjects.cell, subjects.numpy
    for backend, kernels in subjects.tested.items():
        _require_shapes(cell, problem, backend, kernels)
    say(f"{registry.title(registry.DEFAULT)} in float64")
    exact = run_kernels(numpy, problem, "float64")
    try:
        references = tuple(_references(cell, numpy, problem, say))
        reason = _why_undefined(cell, numpy, problem, exact, references)
    except CheckError as error:
        reason = str(error)
    if reason:
        return _Tried(problem.drawn, reason=reason)
    scale = oracles.scale_of_loss(exact, problem)
    alone: dict[str, Rounding] = {}
    deviations = []
    for deviation in _measured(subjects, problem, exact, scale, references, say):
        if not deviation.passed and deviation.dtype not in alone:
            say(f"what rounding alone does in {deviation.dtype}")
            alone[deviation.dtype] = rounding(numpy, problem, exact, scale, deviation.dtype)
        deviations.append(
            deviation
            if deviation.passed
            else replace(deviation, rounding=alone[deviation.dtype].get((deviation.oracle, deviation.array), 0.0))
        )
    return _Tried(problem.drawn, tuple(deviations))


def _why_undefined(
    cell: Cell, numpy: TangentKernels, problem: Problem, exact: Result, references: Sequence[Reference]
) -> str:
    """Why numbers cannot be compared at this point; empty if they can.

    A number of the kernels that is not finite may be their fault, so the oracles decide.
    """
    by_oracle = {reference.oracle: reference for reference in references}
    outputs = by_oracle[measure.INTERPRETER].outputs if measure.INTERPRETER in by_oracle else None
    if outputs is None and not _finite(exact.outputs["forward"].values()):
        run = interpret_at(cell, problem)
        outputs = {**labelled(run.outputs, {}), **run.states}
    if outputs is not None and not _finite(outputs.values()):
        return "an output is not finite"
    if _finite(exact.gradients.values()) or not _finite(exact.outputs["forward"].values()):
        return ""
    stepped = by_oracle.get(measure.COMPLEX_STEP) or oracles.by_complex_step(
        numpy, problem, oracles.draw_directions(problem)
    )
    return "" if _finite(along.values for along in stepped.derivatives.values()) else "a gradient is not finite"


def _finite(arrays: Iterable[measure.Array]) -> bool:
    return all(bool(np.all(np.isfinite(array))) for array in arrays)


def _measured(
    subjects: Subjects,
    problem: Problem,
    exact: Result,
    scale: float,
    references: Sequence[Reference],
    say: Progress,
) -> Iterator[Deviation]:
    cell, numpy, tested = subjects.cell, subjects.numpy, subjects.tested
    case = problem.case
    planned: dict[str, dict[str, Result]] = {}
    for backend, program in subjects.plans.items():
        # Backends with equal policies share a program.
        same = next((other for other in planned if subjects.plans[other] is program), "")
        if not same:
            say(f"the plan of {registry.title(backend)}")
        planned[backend] = planned[same] if same else run_plan(program, problem)
        if not same:
            yield from _of_plan(cell, program, problem, planned[backend], scale, references)
    for dtype in ("float64", "float32") if case.single else ("float64",):
        numpy_result = exact if dtype == "float64" else run_kernels(numpy, problem, dtype)
        for backend, kernels in tested.items():
            if not _runs(backend, case, dtype):
                continue
            can = registry.describe(backend).can
            say(f"{registry.title(backend)} in {dtype}")
            result = numpy_result if kernels is numpy else run_kernels(kernels, problem, dtype, can)
            matches = _matches(backend, dtype, exact, numpy_result)
            if backend in planned and dtype == "float64":
                matches = [*matches, oracles.by_result(measure.PLAN, planned[backend]["forward"])]
            for reference in (*references, *matches):
                said = reference if can.backward else replace(reference, gradients={}, derivatives={})
                found = oracles.findings(result, said, scale, dtype)
                yield from _deviations(cell, backend, dtype, reference.oracle, problem, found)
    for backend, kernels in tested.items():
        if registry.describe(backend).can.tangent and oracles.has_tangent(problem):
            tangent = cast(TangentKernels, kernels)
            say(f"{measure.ADJOINT} in {registry.title(backend)}")
            found = oracles.tangent_findings(tangent, problem, oracles.draw_directions(problem))
            yield from _deviations(cell, backend, "float64", measure.ADJOINT, problem, found)


def _of_plan(
    cell: Cell,
    program: Program,
    problem: Problem,
    results: Mapping[str, Result],
    scale: float,
    references: Sequence[Reference],
) -> Iterator[Deviation]:
    """The plan itself, checked with every oracle; in double precision, as it has no other."""
    for result in results.values():
        for reference in references:
            found = oracles.findings(result, reference, scale, "float64")
            yield from _deviations(cell, measure.PLANNED, "float64", reference.oracle, problem, found)
    if program.tangent is not None and oracles.has_tangent(problem):
        plan = PlanKernels(program, problem.sizes)
        found = oracles.tangent_findings(plan, problem, oracles.draw_directions(problem))
        yield from _deviations(cell, measure.PLANNED, "float64", measure.ADJOINT, problem, found)


def _runs(backend: str, case: Case, dtype: str) -> bool:
    """Whether the kernels of a target take the case in a precision."""
    described = registry.describe(backend)
    can = described.can
    return dtype in described.dtypes and (can.lengths or not case.ragged) and (can.reverse or not case.reverse)


def _references(cell: Cell, numpy: TangentKernels, problem: Problem, say: Progress) -> Iterator[Reference]:
    """The results of the oracles of the case."""
    wanted = problem.case.oracles
    directions = oracles.draw_directions(problem)
    if measure.INTERPRETER in wanted:
        yield oracles.by_interpreter(cell, problem, partial(say_at, say, measure.INTERPRETER))
    if measure.COMPLEX_STEP in wanted:
        say(measure.COMPLEX_STEP)
        yield oracles.by_complex_step(numpy, problem, directions)
    if measure.CENTRAL in wanted and not not_smooth(cell):
        say(measure.CENTRAL)
        yield oracles.by_central_differences(numpy, problem, directions)
    if oracles.has_tangent(problem):
        say(f"{measure.ADJOINT} in {registry.title(registry.DEFAULT)}")
        yield oracles.by_tangent(numpy, problem, directions)


def _matches(backend: str, dtype: str, exact: Result, numpy_result: Result) -> list[Reference]:
    """Other kernels whose results these must match."""
    found = []
    if backend != registry.DEFAULT:
        found.append(oracles.by_result(measure.BACKENDS, numpy_result))
    if dtype != "float64":
        found.append(oracles.by_result(measure.PRECISIONS, exact))
    return found


def _deviations(
    cell: Cell, backend: str, dtype: str, oracle: str, problem: Problem, found: Iterable[Finding]
) -> Iterator[Deviation]:
    bound = measure.bound(oracle, dtype)
    for finding in found:
        place = f"{problem.title}, {finding.source}"
        yield Deviation(cell.name, backend, dtype, oracle, finding.array, finding.error, bound, place)


def _require_shapes(cell: Cell, problem: Problem, backend: str, kernels: Kernels) -> None:
    """Refuse a module that was generated from another cell."""
    numbers = {**problem.sizes, ONE: 1}
    others = {name: number for name, number in problem.sizes.items() if name not in (INPUT, HIDDEN)}
    expected = {v.name: tuple(numbers[axis] for axis in shape_axes(v.shape)) for v in cell.parameters}
    shapes = kernels.param_shapes(numbers[INPUT], numbers[HIDDEN], **others)
    actual = {name: tuple(shape) for name, shape in shapes.items()}
    if actual != expected:
        raise CheckError(
            f"the {backend} module of cell {cell.name!r} has parameters {actual} where the equations have {expected}; "
            "generate it again from this cell"
        )
