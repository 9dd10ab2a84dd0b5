"""`check`: cells in, a `Report` out: kernels built for each backend, all cases and oracles run, the algebra proven.

Reads `Cell` records; builds their kernels in memory; returns the report. Leaves out: printing it, and exit codes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from symrnn.build.kernels import load_kernels
from symrnn.build.march import chosen_march
from symrnn.build.toolchain import Options, compiler_or_reason
from symrnn.check.cases import CASES, Case, distinct
from symrnn.check.kernels import Kernels, TangentKernels
from symrnn.check.measure import CENTRAL, EXPANSION
from symrnn.check.report import C_KERNELS, NotRun, Report, Row, worst
from symrnn.check.suite import Progress, not_smooth, run_suite
from symrnn.derive.proof import DIGITS, prove
from symrnn.emit.fixed import fixed_sizes
from symrnn.errors import CheckError
from symrnn.language.cell import Cell
from symrnn.language.cellfile import CellLike, load
from symrnn.pipeline import build, render

BACKENDS = ("numpy", "c")
PROOF_SIZES = (1, 2, 3)


def check(
    cells: CellLike | Sequence[CellLike],
    *,
    backends: Sequence[str] = BACKENDS,
    cases: Sequence[Case] = CASES,
    progress: Progress | None = None,
    march: str | None = None,
    sizes: Mapping[str, int] | None = None,
) -> Report:
    """Hold the kernels of ``cells`` to every oracle.

    Args:
        cells: what to check, one or several: a `Cell`, the name of a bundled one, or the path of a cell file.
        backends: ``numpy``, ``c`` or both; C is left out, and the report says why, where no compiler is found.
        cases: shapes to run; the default covers all that kernels are sensitive to.
        progress: called with a line of text before each piece of work.
        march: the processor that C is compiled for, as in `build`.
        sizes: checks kernels in C that are generated for these sizes alone; every case runs with them.

    Raises:
        CheckError: a backend has another name, or a cell cannot be evaluated at random points.
        BuildError: the compiler that was found refuses the generated file, or that which a variable names is unusable;
            or this processor lacks what ``march`` has.
    """
    unknown = [backend for backend in backends if backend not in BACKENDS]
    if unknown:
        raise CheckError(f"backend {unknown[0]!r} is not known; choose from {', '.join(BACKENDS)}")
    compiler = compiler_or_reason() if "c" in backends else ""
    lacking = compiler if isinstance(compiler, str) else ""
    rows: list[Row] = []
    not_run: list[NotRun] = []
    several = [cells] if isinstance(cells, Cell | str | os.PathLike) else cells
    for cell in map(load, several):
        say = progress or _silent
        fixed = fixed_sizes(cell, sizes or {})
        say(f"{cell.name}: building kernels")
        numpy = cast(TangentKernels, build(cell, backend="numpy"))
        tested: dict[str, Kernels] = {"numpy": numpy} if "numpy" in backends else {}
        if "c" in backends and not lacking:
            options = Options(march=chosen_march(march))
            texts = render(cell, backends=("c",), sizes=fixed)
            tested["c"] = cast(Kernels, load_kernels(texts, cell.name, "c", options=options))
        chosen = distinct(case.with_sizes(fixed) for case in cases if case.tells(cell))
        rows += run_suite(cell, numpy, tested, chosen, progress)
        say(f"{cell.name}: {EXPANSION}")
        rows += _proof_rows(cell)
        not_run += _left_out(cell, lacking)
    return Report(tuple(rows), tuple(not_run))


def _silent(_: str) -> None:
    """Say nothing."""


def _left_out(cell: Cell, lacking: str) -> Iterator[NotRun]:
    if lacking:
        yield NotRun(cell.name, C_KERNELS, lacking)
    if kinked := not_smooth(cell):
        yield NotRun(
            cell.name, CENTRAL, f"not smooth across the kinks of {', '.join(kinked)}; the complex step holds it"
        )


def _proof_rows(cell: Cell) -> tuple[Row, ...]:
    """The scalar expansion: the worst size for each gradient, and how entries were decided over all of them."""
    proof = prove(cell, PROOF_SIZES)
    decided = f"{proof.symbolic} entries by algebra and {proof.numeric} in {DIGITS} digits"
    case = f"{PROOF_SIZES[0]} to {PROOF_SIZES[-1]} units: {decided}"
    return worst(
        Row(cell.name, "sympy", "exact", EXPANSION, f"grad {item.array}", item.difference, 10.0**-DIGITS, case)
        for item in proof.compared
    )
