"""The suite: a cell's kernels through every case and oracle.

Reads a cell and its kernel modules; returns `Row` records, the largest error of each oracle for each array. The
references of a case are computed once, in double precision, and serve every backend and precision. Leaves out:
building the kernels and the symbolic proof (`symrnn.check.run`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from symrnn.check import measure, oracles
from symrnn.check.cases import CASES, Case, Problem, draw
from symrnn.check.kernels import Kernels, Result, TangentKernels, run_kernels
from symrnn.check.oracles import Finding, Reference
from symrnn.check.report import Row, worst
from symrnn.check.rounding import Rounding, rounding
from symrnn.errors import CheckError
from symrnn.language.cell import Cell
from symrnn.language.functions import FUNCTIONS
from symrnn.language.system import HIDDEN, INPUT, ONE
from symrnn.language.tree import Call, walk

Progress = Callable[[str], None]


def run_suite(
    cell: Cell,
    numpy: TangentKernels,
    tested: Mapping[str, Kernels],
    cases: Sequence[Case] = CASES,
    progress: Progress | None = None,
) -> tuple[Row, ...]:
    """The largest error of each oracle for each array of every tested module.

    Args:
        cell: what the kernels were generated from.
        numpy: its NumPy kernels, whose forward pass the derivative oracles step through.
        tested: the modules to test by backend, ``numpy`` itself among them where it is to be tested.
        cases: what to run.
        progress: called with the title of each case before it runs.

    Raises:
        CheckError: a module's parameters are not the cell's, or a random point leaves the domain of a function.
    """
    rows: list[Row] = []
    for case in cases:
        if progress is not None:
            progress(f"{cell.name}: {case.title}")
        rows += _case_rows(cell, numpy, tested, case)
    return worst(rows)


def not_smooth(cell: Cell) -> tuple[str, ...]:
    """The functions of ``cell`` across whose kinks central differences do not hold, in order of appearance."""
    calls = (node for equation in cell.equations for node in walk(equation.expression) if isinstance(node, Call))
    return tuple(dict.fromkeys(call.function for call in calls if not FUNCTIONS[call.function].smooth))


def _case_rows(cell: Cell, numpy: TangentKernels, tested: Mapping[str, Kernels], case: Case) -> Iterator[Row]:
    """The rows of a case; those that miss their bounds with what rounding alone does to their array."""
    problem = draw(cell, case)
    for backend, kernels in tested.items():
        _require_shapes(cell, problem, backend, kernels)
    exact = run_kernels(numpy, problem, "float64")
    scale = oracles.scale_of_loss(exact, problem)
    alone: dict[str, Rounding] = {}
    for row in _measured_rows(cell, numpy, tested, problem, exact, scale):
        if not row.passed and row.dtype not in alone:
            alone[row.dtype] = rounding(numpy, problem, exact, scale, row.dtype)
        yield row if row.passed else replace(row, rounding=alone[row.dtype].get((row.oracle, row.array), 0.0))


def _measured_rows(
    cell: Cell,
    numpy: TangentKernels,
    tested: Mapping[str, Kernels],
    problem: Problem,
    exact: Result,
    scale: float,
) -> Iterator[Row]:
    case = problem.case
    references = tuple(_references(cell, numpy, problem))
    for dtype in ("float64", "float32") if case.single else ("float64",):
        numpy_result = exact if dtype == "float64" else run_kernels(numpy, problem, dtype)
        for backend, kernels in tested.items():
            result = numpy_result if kernels is numpy else run_kernels(kernels, problem, dtype)
            for reference in (*references, *_matches(backend, dtype, exact, numpy_result)):
                found = oracles.findings(result, reference, scale, dtype)
                yield from _rows(cell, backend, dtype, reference.oracle, case, found)
    if "numpy" in tested and oracles.has_tangent(problem):
        found = oracles.tangent_findings(numpy, problem, oracles.draw_directions(problem))
        yield from _rows(cell, "numpy", "float64", measure.ADJOINT, case, found)


def _references(cell: Cell, numpy: TangentKernels, problem: Problem) -> Iterator[Reference]:
    """What the oracles of the case say."""
    wanted = problem.case.oracles
    directions = oracles.draw_directions(problem)
    if measure.INTERPRETER in wanted:
        yield oracles.by_interpreter(cell, problem)
    if measure.COMPLEX_STEP in wanted:
        yield oracles.by_complex_step(numpy, problem, directions)
    if measure.CENTRAL in wanted and not not_smooth(cell):
        yield oracles.by_central_differences(numpy, problem, directions)
    if oracles.has_tangent(problem):
        yield oracles.by_tangent(numpy, problem, directions)


def _matches(backend: str, dtype: str, exact: Result, numpy_result: Result) -> Iterator[Reference]:
    """Other kernels whose results these must match."""
    if backend != "numpy":
        yield oracles.by_result(measure.BACKENDS, numpy_result)
    if dtype != "float64":
        yield oracles.by_result(measure.PRECISIONS, exact)


def _rows(cell: Cell, backend: str, dtype: str, oracle: str, case: Case, found: Iterable[Finding]) -> Iterator[Row]:
    bound = measure.bound(oracle, dtype)
    for finding in found:
        place = f"{case.title}, {finding.source}"
        yield Row(cell.name, backend, dtype, oracle, finding.array, finding.error, bound, place)


def _require_shapes(cell: Cell, problem: Problem, backend: str, kernels: Kernels) -> None:
    """Refuse a module that was generated from another cell."""
    numbers = {**problem.sizes, ONE: 1}
    others = {name: number for name, number in problem.sizes.items() if name not in (INPUT, HIDDEN)}
    expected = {variable.name: tuple(numbers[size] for size in variable.shape) for variable in cell.parameters}
    shapes = kernels.param_shapes(numbers[INPUT], numbers[HIDDEN], **others)
    actual = {name: tuple(shape) for name, shape in shapes.items()}
    if actual != expected:
        raise CheckError(
            f"the {backend} module of cell {cell.name!r} has parameters {actual} where the equations have {expected}; "
            "generate it again from this cell"
        )
