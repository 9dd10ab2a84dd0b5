"""The run against other libraries: for every point, correctness first, then the race, then ratios and limits.

Reads cells, points and settings; returns a `Record`. Leaves out: its tables (`benchmarks.markdown`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict

from benchmarks.competition import Competition, Plan, Team, ask, assemble, compete, measured, title_of, work_of
from benchmarks.grid import Mode, Point, Settings
from benchmarks.machine import describe
from benchmarks.messages import Failed, Forget
from benchmarks.participants import (
    BANDWIDTH,
    ELEMENTWISE,
    IDLE,
    JAX,
    NUMPY,
    ONNX,
    OURS,
    PADDED,
    PEAK,
    TORCH,
    TORCH_EAGER,
    TORCH_STEP,
)
from benchmarks.progress import Progress
from benchmarks.race import Contestant, race
from benchmarks.record import Measurement, Record
from benchmarks.statistics import Limit, limit, median
from benchmarks.workload import Task, cell_of
from symrnn.errors import CheckError

LIMITS = (PEAK, BANDWIDTH, ELEMENTWISE, IDLE)
PROCESSES = {
    OURS: (OURS, NUMPY, PADDED, *LIMITS),
    TORCH: (TORCH, TORCH_EAGER, TORCH_STEP),
    ONNX: (ONNX,),
    JAX: (JAX,),
}
"""The participants that share a process."""


def measure(plan: Plan, finished: Callable[[Sequence[Measurement]], None], progress: Progress) -> Record:
    """Measure everything in ``plan``.

    Args:
        plan: what to measure.
        finished: called with the measurements of each cell when they are complete.
        progress: called with the title of every step.

    Raises:
        CheckError: our result differs from that of the others.
        BuildError: our kernels cannot be built.
    """
    machine = describe()
    measurements: list[Measurement] = []
    versions: dict[str, str] = {}
    left_out: dict[str, str] = {}
    for threads in plan.threads:
        with assemble(PROCESSES, plan.peers, threads) as team:
            for worker in team.workers.values():
                versions |= worker.versions
            for cell in plan.cells:
                found = [m for point in plan.points for m in _point(plan, team, cell, point, threads, progress)]
                measurements += found
                finished(found)
            left_out |= team.left_out
    return Record(machine, versions, asdict(plan.settings), left_out, tuple(measurements))


def _point(plan: Plan, team: Team, cell: str, point: Point, threads: int, progress: Progress) -> Iterator[Measurement]:
    """The measurements of one cell and point, all modes in one race: they share the limits."""
    title = f"{cell_of(cell).name} {point.text}, {threads} thread{'s' if threads > 1 else ''}"
    entries: dict[Mode, Competition] = {}
    limits: list[Contestant] = []
    for mode in plan.modes:
        progress.step(f"{title}: {mode}")
        task = Task(cell, point, mode, threads)
        entries[mode] = compete(plan, team, task)
        if not point.ragged:
            limits += _limits(plan.settings, team, task, first=not limits)
    contestants = [c for entry in entries.values() for c in entry.contestants]
    race([*contestants, *limits], plan.settings, progress.show)
    for mode, entry in entries.items():
        task = Task(cell, point, mode, threads)
        yield measured(task, entry, _limit(task, limits) if limits else None)
    for worker in team.workers.values():
        worker.ask(Forget())


def _limits(settings: Settings, team: Team, task: Task, *, first: bool) -> list[Contestant]:
    """Peak and bandwidth once for a point, elementwise work for each mode; names carry the mode."""
    found = []
    for who in LIMITS if first else (ELEMENTWISE, IDLE):
        answer = ask(team, who, task)
        if isinstance(answer, Failed):
            raise CheckError(f"{title_of(task)}: the limit's {who} cannot be measured: {answer.reason}\n{answer.trace}")
        name = f"{who} {task.mode}" if who in (ELEMENTWISE, IDLE) else who
        worker = team.workers[OURS]
        found.append(Contestant(name, worker, answer, settings.runs, settings.limit_seconds))
    return found


def _limit(task: Task, limits: Sequence[Contestant]) -> Limit:
    operations, traffic = work_of(task)
    times = {c.name: median(c.times) for c in limits}
    least = {c.name: min(c.times) for c in limits}
    work = {c.name: c.ready.work for c in limits}
    return limit(
        flops=operations,
        # A peak is the best time seen: other work on the machine does not count.
        peak=work[PEAK] / least[PEAK],
        elementwise=times[f"{ELEMENTWISE} {task.mode}"] - times[f"{IDLE} {task.mode}"],
        traffic=traffic,
        bandwidth=work[BANDWIDTH] / least[BANDWIDTH],
    )
