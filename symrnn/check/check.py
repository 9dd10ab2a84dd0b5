"""`check`: cells in, a `Report` out: kernels built for each backend, all cases and oracles run, the algebra proven.

Reads `Cell` records; builds their kernels in memory; returns the report. Leaves out: printing it, and exit codes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import cast

from symrnn.check.cases import CASES, Case, distinct
from symrnn.check.deviations import Deviation, NotRun, Points, Report, worst
from symrnn.check.kernels import Kernels, TangentKernels
from symrnn.check.measure import CENTRAL, EXPANSION
from symrnn.check.numpy_build import this_numpy
from symrnn.check.suite import Subjects, not_smooth, run_cases
from symrnn.derive.compared import DIGITS
from symrnn.derive.derivation import derive
from symrnn.derive.proof import Proof, prove
from symrnn.emit.request import Request
from symrnn.errors import DerivationError
from symrnn.language.cell import Cell
from symrnn.language.cellfile import CellLike, load
from symrnn.pipeline import build_kernels, requested
from symrnn.plan.planner import plan
from symrnn.plan.program import Program
from symrnn.saying import Progress, say_at, silent
from symrnn.targets import registry
from symrnn.targets.description import PRECISIONS

PROOF_SIZES = (1, 2, 3)


def check(
    cells: CellLike | Sequence[CellLike],
    *,
    backends: Sequence[str] | None = None,
    cases: Sequence[Case] = CASES,
    progress: Progress | None = None,
    march: str | None = None,
    sizes: Mapping[str, int] | None = None,
) -> Report:
    """Check the kernels of ``cells`` with every oracle.

    Args:
        cells: what to check, one or several: a `Cell`, the name of a bundled one, or the path of a cell file.
        backends: names of targets; the default is all. The report says why one that cannot run here is left out and,
            by default, why one cannot be loaded.
        cases: shapes to run; the default covers all that kernels are sensitive to.
        progress: called with a line of text before each piece of work.
        march: the processor that C is compiled for, as in `build`.
        sizes: fixed sizes of the kernels, for targets that support them; every case runs with them.

    Raises:
        TargetError: a backend is unknown, or none of them can do what is asked.
        CheckError: a cell cannot be evaluated at random points.
        BuildError: the compiler refuses the generated file; or an environment variable names a compiler that cannot be
            used; or this processor lacks instructions of ``march``.
    """
    asked = registry.usual() if backends is None else tuple(backends)
    broken = registry.broken() if backends is None else {}
    lacking = {name: broken.get(name) or registry.target(name).unavailable() for name in asked}
    lacking = {name: reason for name, reason in lacking.items() if reason}
    deviations: list[Deviation] = []
    not_run: list[NotRun] = []
    points: list[Points] = []
    several = [cells] if isinstance(cells, Cell | str | os.PathLike) else cells
    say = progress or silent
    for cell in map(load, several):
        request = requested(cell, asked, sizes=sizes)
        kernels = _kernels(cell, [name for name in asked if name not in lacking], request, march, say)
        numpy = cast(TangentKernels, kernels[registry.DEFAULT])
        tested = {name: each for name, each in kernels.items() if name in asked}
        chosen = distinct(case.with_sizes(request.sizes) for case in cases if case.tells(cell))
        say(f"{cell.name}: planning")
        plans = _plans(cell, tuple(tested))
        ran = run_cases(Subjects(cell, numpy, tested, plans), chosen, say)
        proven, unproven = _proof_deviations(cell, say)
        deviations += [*ran.deviations, *proven]
        points.append(ran.points)
        not_run += [*_left_out(cell, lacking, tested), *ran.not_run, *unproven]
    return Report(tuple(deviations), tuple(not_run), tuple(points), this_numpy())


def _kernels(
    cell: Cell, backends: Sequence[str], request: Request, march: str | None, say: Progress
) -> dict[str, Kernels]:
    """The kernels of each backend, and those of the default backend, with which others are compared."""
    say(f"{cell.name}: deriving")
    derivation = derive(cell)
    built: dict[str, Kernels] = {}
    for name in dict.fromkeys((registry.DEFAULT, *backends)):
        described = registry.describe(name)
        say(f"{cell.name}: building kernels in {described.title}")
        for_it = march if described.marches else None
        built[name] = cast(Kernels, build_kernels(derivation, name, request, for_it))
    return built


def _plans(cell: Cell, backends: Sequence[str]) -> dict[str, Program]:
    """The plan of each backend. Backends share one if they differ in nothing but the fused loop and the tangent.

    These two change nothing else in a plan.
    """
    policies = {name: registry.target(name).policy for name in backends if registry.describe(name).can.backward}
    wanted = tuple(policies.values())
    fused, tangent = any(policy.fused for policy in wanted), any(policy.tangent for policy in wanted)
    policies = {name: replace(each, fused=fused, tangent=tangent, notes=()) for name, each in policies.items()}
    plans = {policy: plan(derive(cell), policy) for policy in dict.fromkeys(policies.values())}
    return {name: plans[policy] for name, policy in policies.items()}


def _left_out(cell: Cell, lacking: Mapping[str, str], tested: Iterable[str]) -> Iterator[NotRun]:
    for backend, reason in lacking.items():
        yield NotRun(cell.name, f"{registry.title(backend)} kernels", reason, backend)
    for described in map(registry.describe, tested):
        can = described.can
        offers = {"gradients": can.backward, "lengths": can.lengths, "reverse": can.reverse, "streams": can.stream}
        offers |= {dtype: dtype in described.dtypes for dtype in PRECISIONS}
        for what in (what for what, there in offers.items() if not there):
            yield NotRun(cell.name, f"{described.title} {what}", "the backend does not support it")
    if cell.fixed:
        yield NotRun(cell.name, f"gradients of {', '.join(cell.fixed)}", "these parameters are fixed and have none")
    if cell.held_inputs:
        yield NotRun(cell.name, f"gradients of {', '.join(cell.held_inputs)}", "[inputs] says that they have none")
    if kinked := not_smooth(cell):
        yield NotRun(
            cell.name, CENTRAL, f"not smooth across the kinks of {', '.join(kinked)}; the complex step covers it"
        )


def _proof_deviations(cell: Cell, say: Progress) -> tuple[tuple[Deviation, ...], tuple[NotRun, ...]]:
    """The scalar expansion: the worst size for each gradient, how entries were decided over all sizes, and sizes left out.

    Raises:
        DerivationError: at no size can a gradient be compared.
    """
    proofs: list[Proof] = []
    refused: dict[int, DerivationError] = {}
    for units in PROOF_SIZES:
        at = f"{cell.name}: {EXPANSION} at {units} of {PROOF_SIZES[-1]} units"
        say(at)
        try:
            proofs.append(prove(cell, (units,), progress=partial(say_at, say, at)))
        except DerivationError as error:
            refused[units] = error
    if not proofs:
        raise refused[PROOF_SIZES[0]]
    case = f"{_units(p.compared[0].units for p in proofs)}: {_decided(proofs)}"
    deviations = worst(
        Deviation(cell.name, "sympy", "exact", EXPANSION, f"grad {item.array}", item.difference, 10.0**-DIGITS, case)
        for proof in proofs
        for item in proof.compared
    )
    return deviations, tuple(
        NotRun(cell.name, f"{EXPANSION} at {_units([units])}", str(error)) for units, error in refused.items()
    )


def _decided(proofs: Sequence[Proof]) -> str:
    """How entries were decided, and where algebra came to the end of its budget."""
    decided = (
        f"{sum(proof.symbolic for proof in proofs)} entries by algebra and "
        f"{sum(proof.numeric for proof in proofs)} in {DIGITS} digits"
    )
    unexpanded = [units for proof in proofs for units in proof.unexpanded]
    exhausted = [units for proof in proofs for units in proof.exhausted]
    if unexpanded:
        decided += (
            f"; at {_units(unexpanded)} the expansion is beyond its budget, so all entries are compared in numbers"
        )
    if exhausted:
        decided += f"; at {_units(exhausted)} algebra came to the end of its budget"
    return decided


def _units(several: Iterable[int]) -> str:
    """``1 unit``, ``1 and 3 units``, ``1 to 3 units``."""
    found = tuple(several)
    if found == PROOF_SIZES:
        return f"{found[0]} to {found[-1]} units"
    return f"{' and '.join(map(str, found))} unit{'' if found == (1,) else 's'}"
