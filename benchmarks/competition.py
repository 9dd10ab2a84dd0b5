"""One measurement's participants: the processes that hold them, and their calls, prepared and compared before any is timed.

Reads a task and the names of participants; returns a `Competition`, whose calls `benchmarks.race` times. Leaves out: which
tasks there are, and what is made of the times (`benchmarks.peers`, `benchmarks.custom`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from benchmarks.grid import Mode, Point, Settings, available_cores
from benchmarks.matrix_products import flops, sizes_of, weight_traffic
from benchmarks.messages import Failed, Prepare, Ready
from benchmarks.participants import NUMPY, OURS, PADDED
from benchmarks.race import Contestant, TookTooLong, WorkerDied, WorkerHandle
from benchmarks.record import Measurement, Timing
from benchmarks.statistics import Limit, median
from benchmarks.workload import Array, Task, cell_of
from symrnn.check.measure import error
from symrnn.errors import CheckError

BOUND = 2e-4
"""The largest error of a result in float32, relative to the largest number of the array: sums of a thousand steps and more."""
FLOOR = 1e-3

TOO_LONG = "its first call takes more than"
"""The beginning of the reason why a participant was stopped at the limit."""


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
class Team:
    """The workers of one number of threads.

    Attributes:
        processes: the participants that share a process, by its name.
        workers: by the name of the process.
        left_out: processes that cannot take part, and why.
        limit: the most seconds of a participant's first call, which contains what it compiles.
    """

    processes: Mapping[str, tuple[str, ...]]
    workers: dict[str, WorkerHandle] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    limit: float | None = None

    def worker(self, who: str) -> WorkerHandle | None:
        """The process that holds a participant."""
        return next((w for name, w in self.workers.items() if who in self.processes[name]), None)


@contextmanager
def assemble(
    processes: Mapping[str, tuple[str, ...]],
    peers: Sequence[str],
    threads: int,
    *,
    environment: Callable[[str], Mapping[str, str]] = lambda name: {},
    limit: float | None = None,
) -> Iterator[Team]:
    """Workers on the first ``threads`` cores; all libraries load at once.

    Args:
        processes: as `Team.processes`.
        peers: other libraries' participants.
        threads: the number of cores.
        environment: variables of a worker, by its name, beside those of this process.
        limit: as `Team.limit`.

    Raises:
        CheckError: our own process cannot start.
    """
    cores = available_cores()[:threads]
    names = [OURS, *(name for name in processes if name != OURS and any(peer in processes[name] for peer in peers))]
    team = Team(processes, limit=limit)
    try:
        for name in names:
            who = processes[name] if name == OURS else tuple(peer for peer in processes[name] if peer in peers)
            team.workers[name] = WorkerHandle(name, who, cores, environment(name))
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


@dataclass
class Competition:
    """The participants of one measurement.

    Attributes:
        contestants: those that are timed.
        errors: of our result against each reference.
        left_out: the others, and why.
        first_calls: seconds from the task to the first result, by participant.
    """

    contestants: list[Contestant] = field(default_factory=list)
    errors: dict[str, float] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    first_calls: dict[str, float] = field(default_factory=dict)


def compete(plan: Plan, team: Team, task: Task) -> Competition:
    """Every participant's call, prepared and compared with ours.

    Raises:
        CheckError: our call fails, or its result is wrong.
    """
    entry = Competition()
    ours = ask(team, OURS, task)
    if isinstance(ours, Failed):
        raise CheckError(f"{title_of(task)}: our own call fails: {ours.reason}\n{ours.trace}")
    entry.contestants.append(_contestant(plan.settings, team, OURS, ours))
    entry.first_calls[OURS] = ours.first_call
    theirs: dict[str, Mapping[str, Array]] = {}
    for peer in plan.peers:
        if team.worker(peer) is None:  # the record already says so
            continue
        answer = ask(team, peer, task)
        if isinstance(answer, Failed):
            entry.left_out[peer] = answer.reason
            continue
        theirs[peer] = answer.result
        entry.first_calls[peer] = answer.first_call
        entry.contestants.append(_contestant(plan.settings, team, peer, answer))
    _compare(team, task, ours.result, theirs, entry)
    if task.point.ragged:
        padded = ask(team, PADDED, task)
        if isinstance(padded, Failed):
            raise CheckError(
                f"{title_of(task)}: our own call on the padded batch fails: {padded.reason}\n{padded.trace}"
            )
        entry.contestants.append(_contestant(plan.settings, team, PADDED, padded))
    return entry


def _compare(
    team: Team, task: Task, ours: Mapping[str, Array], theirs: Mapping[str, Mapping[str, Array]], entry: Competition
) -> None:
    """Compare our result with those of the others, or with our NumPy kernels if no other computes it.

    A library that differs from us is left out if another one agrees with us. If nobody agrees, the error is ours.
    """
    results = dict(theirs)
    entry.errors |= {name: difference(ours, result) for name, result in results.items()}
    if not any(found <= BOUND for found in entry.errors.values()):
        answer = ask(team, NUMPY, task)
        if isinstance(answer, Failed):
            raise CheckError(f"{title_of(task)}: our NumPy kernels fail: {answer.reason}\n{answer.trace}")
        entry.errors[NUMPY] = difference(ours, answer.result)
    wrong = {name: value for name, value in entry.errors.items() if not value <= BOUND}
    if len(wrong) == len(entry.errors):
        found = ", ".join(f"{value:.2g} against {name}" for name, value in wrong.items())
        raise CheckError(
            f"{title_of(task)}: our result has errors of {found}; at most {BOUND:g} is allowed, so nothing was timed"
        )
    for name, value in wrong.items():
        entry.left_out[name] = f"its result differs from ours and the others' by {value:.2g}"
        entry.contestants = [contestant for contestant in entry.contestants if contestant.name != name]


def difference(ours: Mapping[str, Array], theirs: Mapping[str, Array]) -> float:
    """The largest error of any array that both have; all of theirs must be among ours, and none of ours missing."""
    if set(ours) != set(theirs):
        return float("inf")
    return max(error(ours[label], theirs[label], FLOOR) for label in sorted(ours))


def ask(team: Team, who: str, task: Task) -> Ready | Failed:
    """Prepare a call of a participant that has a worker; a library whose process dies is left out from then on."""
    worker = team.worker(who)
    assert worker is not None
    try:
        answer = worker.ask(Prepare(who, task), team.limit)
    except TookTooLong:
        assert team.limit is not None
        del team.workers[worker.name]
        return Failed(f"{TOO_LONG} {team.limit:g} s", expected=True)
    except WorkerDied as died:
        if worker.name == OURS:
            raise
        team.left_out[worker.name] = f"{died} at {title_of(task)}"
        del team.workers[worker.name]
        return Failed(str(died), expected=False)
    assert isinstance(answer, Ready | Failed)
    return answer


def _contestant(settings: Settings, team: Team, who: str, ready: Ready) -> Contestant:
    worker = team.worker(who)
    assert worker is not None
    return Contestant(who, worker, ready, settings.runs, settings.seconds)


def measured(
    task: Task, entry: Competition, limit: Limit | None, first_calls: Mapping[str, float] | None = None
) -> Measurement:
    """What the race of ``entry`` found.

    Args:
        task: what was measured.
        entry: with its times.
        limit: of the machine, if it was measured.
        first_calls: as `Measurement.first_calls`.
    """
    operations, traffic = work_of(task)
    return Measurement(
        cell=cell_of(task.cell).name,
        point=task.point,
        mode=task.mode,
        threads=task.threads,
        times={c.name: Timing(median(c.times), min(c.times), len(c.times)) for c in entry.contestants},
        flops=operations,
        weight_bytes=traffic,
        limit=limit,
        errors=entry.errors,
        left_out=entry.left_out,
        first_calls=first_calls or {},
    )


def work_of(task: Task) -> tuple[int, int]:
    """The FLOPs of a call's matrix products, and the bytes of weights that it must read."""
    cell, point = cell_of(task.cell), task.point
    sizes = sizes_of(cell, point.input_size, point.hidden)
    return (
        flops(cell, sizes, point.steps, point.batch, task.mode),
        weight_traffic(cell, sizes, point.steps, task.mode),
    )


def title_of(task: Task) -> str:
    """The task, for messages."""
    return f"{cell_of(task.cell).name} {task.point.text}, {task.mode}, {task.threads} threads"
