"""The run for cells that nobody has a kernel for: what people use for a cell of their own, with the time of the first call.

Reads cells, points and settings; returns a `Record`. Each participant has a process of its own for each call, and empty caches
of compiled code: so the first call contains all that a library compiles. A first call beyond the limit is stopped. Leaves out:
the tables (`benchmarks.custom_tables`) and the machine's limits (`benchmarks.peers` measures them).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from benchmarks.competition import Plan, assemble, compete, measured
from benchmarks.grid import Point
from benchmarks.machine import describe
from benchmarks.participants import CUSTOM_KNOWN, NUMPY, OURS
from benchmarks.progress import Progress
from benchmarks.race import race
from benchmarks.record import Measurement, Record
from benchmarks.workload import Task, cell_of

CELLS = ("layernorm_lstm", "minimal_gated_unit", "multiplicative_lstm", "peephole_lstm")
POINTS = (Point(100, 1, 64), Point(1000, 1, 64), Point(100, 32, 256))
"""The first two differ in the number of steps alone: what a first call makes of them is what unrolling costs."""

LIMIT = 120.0
"""Seconds."""

PROCESSES = {OURS: (OURS, NUMPY), **{peer: (peer,) for peer in CUSTOM_KNOWN}}


def measure(plan: Plan, finished: Callable[[Record], None], progress: Progress, *, limit: float = LIMIT) -> Record:
    """Measure everything in ``plan``.

    Args:
        plan: what to measure.
        finished: called with a record of each cell when it is complete.
        progress: called with the title of every step.
        limit: the most seconds of a first call.

    Raises:
        CheckError: our result differs from that of the others.
        BuildError: our kernels cannot be built.
    """
    machine = describe()
    measurements: list[Measurement] = []
    versions: dict[str, str] = {}
    left_out: dict[str, str] = {}

    def one(task: Task) -> Measurement:
        threads = f"{task.threads} thread{'s' if task.threads > 1 else ''}"
        progress.step(f"{cell_of(task.cell).name} {task.point.text}, {task.mode}, {threads}")
        with (
            tempfile.TemporaryDirectory(prefix="symrnn-custom-", ignore_cleanup_errors=True) as folder,
            assemble(
                PROCESSES, plan.peers, task.threads, environment=partial(_empty_caches, folder), limit=limit
            ) as team,
        ):
            for worker in team.workers.values():
                versions.update(worker.versions)
            left_out.update(team.left_out)
            entry = compete(plan, team, task)
            race(entry.contestants, plan.settings, progress.show)
            return measured(task, entry, None, entry.first_calls)

    def record(found: Sequence[Measurement]) -> Record:
        return Record(machine, dict(versions), asdict(plan.settings), dict(left_out), tuple(found))

    for threads in plan.threads:
        for cell in plan.cells:
            tasks = [Task(cell, point, mode, threads) for point in plan.points for mode in plan.modes]
            found = [one(task) for task in tasks]
            measurements += found
            finished(record(found))
    return record(measurements)


def _empty_caches(folder: str, name: str) -> dict[str, str]:
    """Where the libraries of a participant keep what they have compiled; JAX keeps nothing unless asked."""
    own = Path(folder, name.replace(" ", "_"))  # PyTorch gives the path to a compiler, which splits it
    return {"SYMRNN_CACHE_DIR": str(own / "symrnn"), "TORCHINDUCTOR_CACHE_DIR": str(own / "torch")}
