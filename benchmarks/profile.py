"""Where the time of one point goes: phase by phase, timed inside the generated C file on one thread.

Reads a cell and a point; returns a `Profile`. A phase is a stage of the plan, or other work that the runtime times
(`benchmarks.instrument`); its FLOPs come from the plan, its limit from the measured peak and bandwidth. Leaves out:
a limit for elementwise work.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType

import symrnn
from benchmarks import roofline
from benchmarks.grid import Mode, Point
from benchmarks.instrument import FLAGS, Timers
from benchmarks.matrix_products import BYTES
from benchmarks.participants import Prepared
from benchmarks.participants.ours import with_kernels
from benchmarks.workload import Task, Workload, draw
from symrnn.build.loading import import_text
from symrnn.pipeline import program, render
from symrnn.plan.program import BEFORE, Program, Routine, Stage
from symrnn.targets.c.library import compile_library
from symrnn.targets.c.load_kernels import c_sources
from symrnn.targets.c.toolchain import Options

PRECISION = "f32"
SECONDS = 0.5
RUNS = 5
TURN = 0.05

HOISTED, STEP, LAST, DEFERRED, PRODUCTS = "hoisted", "stage", "after the loop", "deferred", "deferred products and sums"
PACKING, PYTHON = "packing", "Python"


@dataclass(frozen=True)
class Work:
    """The work of a phase in a call: FLOPs of products, and bytes of weights that it must read."""

    flops: float = 0.0
    bytes: float = 0.0


@dataclass(frozen=True)
class TimedPhase:
    """A phase.

    Attributes:
        kind: hoisted, stage, …, Python.
        functions: of the C file, with their calls.
        seconds: in one call.
        work: its products and weights.
        limit: the least seconds for this work; 0 if it has no bound.
    """

    kind: str
    functions: str
    seconds: float
    work: Work
    limit: float


@dataclass(frozen=True)
class Profile:
    """One mode of a point.

    Attributes:
        title: cell, sizes and mode.
        rows: the phases in order; their seconds add up to those of the call.
        seconds: of the call that is split: the one of median time.
        plain: the median time of the same call without timers.
        peak: FLOP/s.
        bandwidth: B/s at the size of all weights.
    """

    title: str
    rows: tuple[TimedPhase, ...]
    seconds: float
    plain: float
    peak: float
    bandwidth: float


def profile(name: str, point: Point, mode: Mode) -> Profile:
    """The phases of a call on one thread.

    Raises:
        BuildError: no compiler is found.
    """
    task = Task(name, point, mode, threads=1)
    problem = draw(task)
    module, timers = _timed(problem)
    timed = with_kernels(module, task, problem)
    plain = with_kernels(symrnn.build(problem.cell, backend="c"), task, problem)
    top, read = roofline.peak(1), roofline.reading(1, _weight_bytes(problem))
    whole, without, at_peak, reading = _in_turn([timed, plain, top, read], timers.read)
    (seconds, phases), (plain_seconds, _) = _median(whole), _median(without)
    peak, bandwidth = top.work / min(map(_seconds, at_peak)), read.work / min(map(_seconds, reading))
    rows = tuple(_rows(phases, problem, point, mode, peak, bandwidth))
    rest = TimedPhase(PYTHON, "checks, arrays, calls", seconds - sum(row.seconds for row in rows), Work(), 0.0)
    sizes = f"T={point.steps} B={point.batch} I={point.input_size} H={point.hidden}"
    return Profile(
        f"{problem.cell.name}, {sizes}, {mode}, 1 thread", (*rows, rest), seconds, plain_seconds, peak, bandwidth
    )


def _timed(problem: Workload) -> tuple[ModuleType, Timers]:
    """The module over a library with timers, and the timers."""
    name = problem.cell.name
    files = render(problem.cell, backends=("c",))
    path = compile_library(c_sources(files, name), name, options=Options(extra=FLAGS))
    module = import_text(files[f"{name}_c.py"], f"{name}_c", path.parent)
    return module, Timers(ctypes.CDLL(str(path)), name, PRECISION)


Phases = Mapping[str, tuple[float, int]]
"""Seconds and calls of each phase."""


def _in_turn(calls: Sequence[Prepared], read: Callable[[], Phases]) -> list[list[tuple[float, Phases]]]:
    """For each call, its seconds and the readings after it, many times. Turns are short, so that a drift affects all alike."""
    found: list[list[tuple[float, Phases]]] = [[] for _ in calls]
    while any(len(times) < RUNS or sum(seconds for seconds, _ in times) < SECONDS for times in found):
        for prepared, times in zip(calls, found, strict=True):
            prepared.call()
            read()
            end = time.perf_counter() + TURN
            while True:
                start = time.perf_counter()
                prepared.call()
                times.append((time.perf_counter() - start, read()))
                if time.perf_counter() >= end:
                    break
    return found


def _median(times: Sequence[tuple[float, Phases]]) -> tuple[float, Phases]:
    """The call of median time: its phases add up to it, while medians of single phases would not."""
    return sorted(times, key=_seconds)[len(times) // 2]


def _seconds(timed: tuple[float, Phases]) -> float:
    return timed[0]


def _weight_bytes(problem: Workload) -> int:
    return BYTES * sum(array.size for array in problem.params.values())


def _rows(
    phases: Phases,
    problem: Workload,
    point: Point,
    mode: Mode,
    peak: float,
    bandwidth: float,
) -> Iterator[TimedPhase]:
    """Stages one by one; other work grouped by kind."""
    planned = program(problem.cell, backend="c")
    stages = dict(_stages(planned, problem, point))
    fused = _fused_names(planned.forward, phases)
    groups: dict[str, list[tuple[str, float, int]]] = {}
    for name, (seconds, calls) in phases.items():
        if not calls:
            continue
        if name in stages:
            kind, work = stages[fused.get(name, name)]
            limit = max(work.flops / peak, work.bytes / bandwidth)
            yield TimedPhase(kind, f"{name} × {calls}", seconds, work, limit)
        else:
            groups.setdefault({"products": PRODUCTS}.get(name, PACKING), []).append((name, seconds, calls))
    products = Work(flops=_product_flops(planned, problem, point) if mode is Mode.TRAINING else 0.0)
    moved = Work(bytes=2.0 * _weight_bytes(problem))
    for kind, members in groups.items():
        work = {PRODUCTS: products, PACKING: moved}.get(kind, Work())
        limit = max(work.flops / peak, work.bytes / bandwidth)
        shown = ", ".join(f"{short} × {calls} {seconds * 1e3:.3g} ms" for short, seconds, calls in members)
        yield TimedPhase(kind, shown, sum(seconds for _, seconds, _ in members), work, limit)


def _fused_names(routine: Routine, phases: Phases) -> dict[str, str]:
    """The stages of the loop that ran fused, because their hoisted values were not hoisted."""
    hoisted = [stage.name for stage in routine.stages_of(BEFORE)]
    if routine.fused is None or any(phases.get(name, (0.0, 0))[1] for name in hoisted):
        return {}
    return {each.loop.name: each.whole.name for each in routine.fused.loop}


def _stages(planned: Program, problem: Workload, point: Point) -> Iterator[tuple[str, tuple[str, Work]]]:
    """Every stage of the plan by name: its kind, and its work in a call."""
    every = point.steps * point.batch
    kinds = {"before": (HOISTED, every), "loop": (STEP, every), "last": (LAST, point.batch), "after": (DEFERRED, every)}
    for function in _functions(planned):
        for phase in (*function.phases, *function.fused_phases):
            if phase.name not in kinds:
                continue
            kind, rows = kinds[phase.name]
            for stage in phase.stages:
                numbers = _numbers(stage, problem)
                reads = point.steps if kind == STEP else 1
                yield stage.name, (kind, Work(2.0 * rows * numbers, float(BYTES * reads * numbers)))


def _functions(planned: Program) -> tuple[Routine, ...]:
    return (planned.forward,) if planned.backward is None else (planned.forward, planned.backward)


def _numbers(stage: Stage, problem: Workload) -> int:
    """Numbers in the matrices of a stage's forms."""
    return sum(problem.params[form.matrix].size for a in stage.accumulators for form in a.forms)


def _product_flops(planned: Program, problem: Workload, point: Point) -> float:
    """FLOPs of the deferred products."""
    assert planned.backward is not None
    entries = [parameter for product in planned.backward.products for parameter, _ in product.entries]
    return 2.0 * point.steps * point.batch * sum(problem.params[parameter].size for parameter in entries)


def table(found: Profile) -> str:
    """The profile as a table."""
    lines = [
        found.title,
        f"{found.seconds * 1e3:.4g} ms with timers, {found.plain * 1e3:.4g} ms without; "
        f"peak {found.peak / 1e9:.0f} GFLOP/s, reading {found.bandwidth / 1e9:.0f} GB/s at the weights' size",
        "",
        f"{'phase':<27} {'ms':>9} {'share':>6} {'GFLOP/s':>8} {'GB/s':>7} {'of limit':>8}  functions",
    ]
    for row in found.rows:
        flops = f"{row.work.flops / row.seconds / 1e9:.1f}" if row.work.flops and row.seconds > 0 else ""
        rate = f"{row.work.bytes / row.seconds / 1e9:.1f}" if row.work.bytes and row.seconds > 0 else ""
        limit = f"{100 * row.limit / row.seconds:.0f} %" if row.limit and row.seconds > 0 else ""
        share = f"{100 * row.seconds / found.seconds:.1f} %"
        lines.append(
            f"{row.kind:<27} {row.seconds * 1e3:9.4f} {share:>6} {flops:>8} {rate:>7} {limit:>8}  {row.functions}"
        )
    return "\n".join(lines) + "\n"
