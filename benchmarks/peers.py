"""The run against other libraries: for every point, correctness first, then the race, then ratios and limits.

Reads cells, points and settings; returns a `Record`. Leaves out: its tables (`benchmarks.markdown`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from benchmarks.grid import Mode, Point, Settings, available_cores
from benchmarks.machine import describe
from benchmarks.matrix_products import flops, sizes_of, weight_traffic
from benchmarks.messages import Failed, Forget, Prepare, Ready
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
    TORCH_COMPILE,
    TORCH_EAGER,
)
from benchmarks.progress import Progress
from benchmarks.race import Contestant, WorkerDied, WorkerHandle, race
from benchmarks.record import Measurement, Record, Timing
from benchmarks.statistics import Limit, limit, median
from benchmarks.workload import Array, Task, cell_of
from symrnn.check.measure import error
from symrnn.errors import CheckError

LIMITS = (PEAK, BANDWIDTH, ELEMENTWISE, IDLE)
PROCESSES = {
    OURS: (OURS, NUMPY, PADDED, *LIMITS),
    TORCH: (TORCH, TORCH_EAGER, TORCH_COMPILE),
    ONNX: (ONNX,),
    JAX: (JAX,),
}
"""The participants that share a process."""

BOUND = 2e-4
"""The largest error of a result in float32, relative to the largest number of the array: sums of a thousand steps and more."""
FLOOR = 1e-3


@dataclass(frozen=True)
class Plan:
    """What to measure.

    Attributes:
        cells: as `benchmarks.grid.load_cell` takes them.
        points: sizes.
        modes: inference, training.
        threads: numbers of threads.
        peers: other libraries' participants.
        settings: how long to measure.
    """

    cells: tuple[str, ...]
    points: tuple[Point, ...]
    modes: tuple[Mode, ...]
    threads: tuple[int, ...]
    peers: tuple[str, ...]
    settings: Settings


@dataclass
class _Team:
    """The workers of one number of threads, and the participants that cannot take part."""

    workers: dict[str, WorkerHandle] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def worker(self, who: str) -> WorkerHandle | None:
        """The process that holds a participant."""
        return next((w for name, w in self.workers.items() if who in PROCESSES[name]), None)


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
        with _team(plan.peers, threads) as team:
            for worker in team.workers.values():
                versions |= worker.versions
            for cell in plan.cells:
                found = [m for point in plan.points for m in _point(plan, team, cell, point, threads, progress)]
                measurements += found
                finished(found)
            left_out |= team.left_out
    settings = {name: getattr(plan.settings, name) for name in ("runs", "seconds", "limit_seconds", "turn")}
    return Record(machine, versions, settings, left_out, tuple(measurements))


@contextmanager
def _team(peers: Sequence[str], threads: int) -> Iterator[_Team]:
    """Workers on the first ``threads`` cores; all libraries load at once."""
    cores = available_cores()[:threads]
    names = [OURS, *(name for name in PROCESSES if name != OURS and any(peer in PROCESSES[name] for peer in peers))]
    team = _Team()
    try:
        for name in names:
            who = PROCESSES[name] if name == OURS else tuple(peer for peer in PROCESSES[name] if peer in peers)
            team.workers[name] = WorkerHandle(name, who, cores)
        for name in names:
            failed = team.workers[name].hello()
            if failed is not None and name == OURS:
                raise CheckError(f"the benchmarks' own process cannot start: {failed.reason}\n{failed.trace}")
            if failed is not None:
                team.left_out[name] = failed.reason
                team.workers.pop(name).close()
        yield team
    finally:
        for worker in team.workers.values():
            worker.close()


def _point(plan: Plan, team: _Team, cell: str, point: Point, threads: int, progress: Progress) -> Iterator[Measurement]:
    """The measurements of one cell and point, all modes in one race: they share the limits."""
    title = f"{cell_of(cell).name} {point.text}, {threads} thread{'s' if threads > 1 else ''}"
    entries: dict[Mode, _Competition] = {}
    limits: list[Contestant] = []
    for mode in plan.modes:
        progress.step(f"{title}: {mode}")
        task = Task(cell, point, mode, threads)
        entries[mode] = _prepared(plan, team, task)
        if not point.ragged:
            limits += _limits(plan.settings, team, task, first=not limits)
    contestants = [c for entry in entries.values() for c in entry.contestants]
    race([*contestants, *limits], plan.settings, progress.show)
    for mode, entry in entries.items():
        yield _measurement(Task(cell, point, mode, threads), entry, limits)
    for worker in team.workers.values():
        worker.ask(Forget())


@dataclass
class _Competition:
    """The participants of one measurement."""

    contestants: list[Contestant] = field(default_factory=list)
    errors: dict[str, float] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


def _prepared(plan: Plan, team: _Team, task: Task) -> _Competition:
    """Every participant's call, prepared and compared with ours."""
    entry = _Competition()
    ours = _ask(team, OURS, task)
    if isinstance(ours, Failed):
        raise CheckError(f"{_title(task)}: our own call fails: {ours.reason}\n{ours.trace}")
    entry.contestants.append(_contestant(plan.settings, team, OURS, ours))
    theirs: dict[str, Mapping[str, Array]] = {}
    for peer in plan.peers:
        if team.worker(peer) is None:  # the record already says so
            continue
        answer = _ask(team, peer, task)
        if isinstance(answer, Failed):
            entry.left_out[peer] = answer.reason
            continue
        theirs[peer] = answer.result
        entry.contestants.append(_contestant(plan.settings, team, peer, answer))
    _compare(team, task, ours.result, theirs, entry)
    if task.point.ragged:
        padded = _ask(team, PADDED, task)
        if isinstance(padded, Failed):
            raise CheckError(f"{_title(task)}: our own call on the padded batch fails: {padded.reason}\n{padded.trace}")
        entry.contestants.append(_contestant(plan.settings, team, PADDED, padded))
    return entry


def _compare(
    team: _Team, task: Task, ours: Mapping[str, Array], theirs: Mapping[str, Mapping[str, Array]], entry: _Competition
) -> None:
    """Compare our result with those of the others, or with our NumPy kernels if no other computes it.

    A library that differs from us is left out if another one agrees with us. If nobody agrees, the error is ours.
    """
    results = dict(theirs)
    entry.errors |= {name: difference(ours, result) for name, result in results.items()}
    if not any(found <= BOUND for found in entry.errors.values()):
        answer = _ask(team, NUMPY, task)
        if isinstance(answer, Failed):
            raise CheckError(f"{_title(task)}: our NumPy kernels fail: {answer.reason}\n{answer.trace}")
        entry.errors[NUMPY] = difference(ours, answer.result)
    wrong = {name: value for name, value in entry.errors.items() if not value <= BOUND}
    if len(wrong) == len(entry.errors):
        found = ", ".join(f"{value:.2g} against {name}" for name, value in wrong.items())
        raise CheckError(
            f"{_title(task)}: our result has errors of {found}; at most {BOUND:g} is allowed, so nothing was timed"
        )
    for name, value in wrong.items():
        entry.left_out[name] = f"its result differs from ours and the others' by {value:.2g}"
        entry.contestants = [contestant for contestant in entry.contestants if contestant.name != name]


def difference(ours: Mapping[str, Array], theirs: Mapping[str, Array]) -> float:
    """The largest error of any array that both have; all of theirs must be among ours, and none of ours missing."""
    if set(ours) != set(theirs):
        return float("inf")
    return max(error(ours[label], theirs[label], FLOOR) for label in sorted(ours))


def _limits(settings: Settings, team: _Team, task: Task, *, first: bool) -> list[Contestant]:
    """Peak and bandwidth once for a point, elementwise work for each mode; names carry the mode."""
    found = []
    for who in LIMITS if first else (ELEMENTWISE, IDLE):
        answer = _ask(team, who, task)
        if isinstance(answer, Failed):
            raise CheckError(f"{_title(task)}: the limit's {who} cannot be measured: {answer.reason}\n{answer.trace}")
        name = f"{who} {task.mode}" if who in (ELEMENTWISE, IDLE) else who
        worker = team.workers[OURS]
        found.append(Contestant(name, worker, answer, settings.runs, settings.limit_seconds))
    return found


def _ask(team: _Team, who: str, task: Task) -> Ready | Failed:
    """Prepare a call of a participant that has a worker; a library whose process dies is left out from then on."""
    worker = team.worker(who)
    assert worker is not None
    try:
        answer = worker.ask(Prepare(who, task))
    except WorkerDied as died:
        if worker.name == OURS:
            raise
        team.left_out[worker.name] = f"{died} at {_title(task)}"
        del team.workers[worker.name]
        return Failed(str(died), expected=False)
    assert isinstance(answer, Ready | Failed)
    return answer


def _contestant(settings: Settings, team: _Team, who: str, ready: Ready) -> Contestant:
    worker = team.worker(who)
    assert worker is not None
    return Contestant(who, worker, ready, settings.runs, settings.seconds)


def _measurement(task: Task, entry: _Competition, limits: Sequence[Contestant]) -> Measurement:
    cell = cell_of(task.cell)
    point = task.point
    sizes = sizes_of(cell, point.input_size, point.hidden)
    operations = flops(cell, sizes, point.steps, point.batch, task.mode)
    traffic = weight_traffic(cell, sizes, point.steps, task.mode)
    return Measurement(
        cell=cell.name,
        point=point,
        mode=task.mode,
        threads=task.threads,
        times={c.name: Timing(median(c.times), min(c.times), len(c.times)) for c in entry.contestants},
        flops=operations,
        weight_bytes=traffic,
        limit=_limit(task.mode, operations, traffic, limits) if limits else None,
        errors=entry.errors,
        left_out=entry.left_out,
    )


def _limit(mode: Mode, operations: int, traffic: int, limits: Sequence[Contestant]) -> Limit:
    times = {c.name: median(c.times) for c in limits}
    least = {c.name: min(c.times) for c in limits}
    work = {c.name: c.ready.work for c in limits}
    return limit(
        flops=operations,
        # A peak is the best time seen: other work on the machine does not count.
        peak=work[PEAK] / least[PEAK],
        elementwise=times[f"{ELEMENTWISE} {mode}"] - times[f"{IDLE} {mode}"],
        traffic=traffic,
        bandwidth=work[BANDWIDTH] / least[BANDWIDTH],
    )


def _title(task: Task) -> str:
    return f"{cell_of(task.cell).name} {task.point.text}, {task.mode}, {task.threads} threads"
