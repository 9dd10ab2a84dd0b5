"""Where the time of one point goes: region by region, timed inside the generated C file on one thread.

Reads a cell and a point; returns a `Profile`. A region is a stage of the plan, or other work that the runtime times
(`benchmarks.instrument`); its FLOPs come from the plan, its limit from the measured peak and bandwidth. Leaves out:
a limit for elementwise work.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
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
from symrnn.targets.c.march import chosen_march
from symrnn.targets.c.tiles import options_for

PRECISION = "f32"
SECONDS = 0.5
RUNS = 5
TURN = 0.05

HOISTED, STEP, LAST, DEFERRED, PRODUCTS = "hoisted", "stage", "after the loop", "deferred", "deferred products and sums"
PACKING, PYTHON = "packing", "Python"


@dataclass(frozen=True)
class Work:
    """The work of a region in a call: FLOPs of products, and bytes of weights that it must read."""

    flops: float = 0.0
    bytes: float = 0.0


@dataclass(frozen=True)
class TimedRegion:
    """A region.

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
        regions: the regions in order; their seconds add up to those of the call.
        seconds: of the call that is split: the one of median time.
        plain: the median time of the same call without timers.
        peak: FLOP/s.
        bandwidth: B/s at the size of all weights.
    """

    title: str
    regions: tuple[TimedRegion, ...]
    seconds: float
    plain: float
    peak: float
    bandwidth: float


def profile(name: str, point: Point, mode: Mode) -> Profile:
    """The regions of a call on one thread.

    Raises:
        BuildError: no compiler is found.
    """
    task = Task(name, point, mode, threads=1)
    workload = draw(task)
    module, timers = _timed(workload)
    timed = with_kernels(module, task, workload)
    plain = with_kernels(symrnn.build(workload.cell, backend="c"), task, workload)
    top, read = roofline.peak(1), roofline.reading(1, _weight_bytes(workload))
    whole, without, at_peak, reading = _in_turn([timed, plain, top, read], timers.read)
    (seconds, readings), (plain_seconds, _) = _median(whole), _median(without)
    peak, bandwidth = top.work / min(map(_seconds, at_peak)), read.work / min(map(_seconds, reading))
    regions = tuple(_regions(readings, workload, point, mode, peak, bandwidth))
    rest = TimedRegion(
        PYTHON, "checks, arrays, calls", seconds - sum(region.seconds for region in regions), Work(), 0.0
    )
    sizes = f"T={point.steps} B={point.batch} I={point.input_size} H={point.hidden}"
    return Profile(
        f"{workload.cell.name}, {sizes}, {mode}, 1 thread", (*regions, rest), seconds, plain_seconds, peak, bandwidth
    )


def _timed(workload: Workload) -> tuple[ModuleType, Timers]:
    """The module over a library with timers, and the timers."""
    name = workload.cell.name
    files = render(workload.cell, backends=("c",))
    chosen = options_for(chosen_march(None))
    path = compile_library(c_sources(files, name), name, options=replace(chosen, extra=(*chosen.extra, *FLAGS)))
    module = import_text(files[f"{name}_c.py"], f"{name}_c", path.parent)
    return module, Timers(ctypes.CDLL(str(path)), name, PRECISION)


Readings = Mapping[str, tuple[float, int]]
"""Seconds and calls of each region."""


def _in_turn(calls: Sequence[Prepared], read: Callable[[], Readings]) -> list[list[tuple[float, Readings]]]:
    """For each call, its seconds and the readings after it, many times. Turns are short, so that a drift affects all alike."""
    found: list[list[tuple[float, Readings]]] = [[] for _ in calls]
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


def _median(times: Sequence[tuple[float, Readings]]) -> tuple[float, Readings]:
    """The call of median time: its regions add up to it, while medians of single regions would not."""
    return sorted(times, key=_seconds)[len(times) // 2]


def _seconds(timed: tuple[float, Readings]) -> float:
    return timed[0]


def _weight_bytes(workload: Workload) -> int:
    return BYTES * sum(array.size for array in workload.params.values())


def _regions(
    readings: Readings,
    workload: Workload,
    point: Point,
    mode: Mode,
    peak: float,
    bandwidth: float,
) -> Iterator[TimedRegion]:
    """Stages one by one; other work grouped by kind."""
    planned = program(workload.cell, backend="c")
    stages = dict(_stages(planned, workload, point))
    fused = _fused_names(planned.forward, readings)
    groups: dict[str, list[tuple[str, float, int]]] = {}
    for name, (seconds, calls) in readings.items():
        if not calls:
            continue
        if name in stages:
            kind, work = stages[fused.get(name, name)]
            limit = max(work.flops / peak, work.bytes / bandwidth)
            yield TimedRegion(kind, f"{name} × {calls}", seconds, work, limit)
        else:
            groups.setdefault({"products": PRODUCTS}.get(name, PACKING), []).append((name, seconds, calls))
    products = Work(flops=_product_flops(planned, workload, point) if mode is Mode.TRAINING else 0.0)
    moved = Work(bytes=2.0 * _weight_bytes(workload))
    for kind, members in groups.items():
        work = {PRODUCTS: products, PACKING: moved}.get(kind, Work())
        limit = max(work.flops / peak, work.bytes / bandwidth)
        shown = ", ".join(f"{short} × {calls} {seconds * 1e3:.3g} ms" for short, seconds, calls in members)
        yield TimedRegion(kind, shown, sum(seconds for _, seconds, _ in members), work, limit)


def _fused_names(routine: Routine, readings: Readings) -> dict[str, str]:
    """The stages of the loop that ran fused, because their hoisted values were not hoisted."""
    hoisted = [stage.name for stage in routine.stages_of(BEFORE)]
    if routine.fused is None or any(readings.get(name, (0.0, 0))[1] for name in hoisted):
        return {}
    return {each.loop.name: each.whole.name for each in routine.fused.loop}


def _stages(planned: Program, workload: Workload, point: Point) -> Iterator[tuple[str, tuple[str, Work]]]:
    """Every stage of the plan by name: its kind, and its work in a call."""
    every = point.steps * point.batch
    kinds = {"before": (HOISTED, every), "loop": (STEP, every), "last": (LAST, point.batch), "after": (DEFERRED, every)}
    for function in _functions(planned):
        for phase in (*function.phases, *function.fused_phases):
            if phase.name not in kinds:
                continue
            kind, rows = kinds[phase.name]
            for stage in phase.stages:
                numbers = _numbers(stage, workload)
                reads = point.steps if kind == STEP else 1
                yield stage.name, (kind, Work(2.0 * rows * numbers, float(BYTES * reads * numbers)))


def _functions(planned: Program) -> tuple[Routine, ...]:
    return (planned.forward,) if planned.backward is None else (planned.forward, planned.backward)


def _numbers(stage: Stage, workload: Workload) -> int:
    """Numbers in the matrices of a stage's forms."""
    return sum(workload.params[form.matrix].size for a in stage.accumulators for form in a.forms)


def _product_flops(planned: Program, workload: Workload, point: Point) -> float:
    """FLOPs of the deferred products."""
    assert planned.backward is not None
    entries = [parameter for product in planned.backward.products for parameter, _ in product.entries]
    return 2.0 * point.steps * point.batch * sum(workload.params[parameter].size for parameter in entries)


def table(found: Profile) -> str:
    """The profile as a table."""
    lines = [
        found.title,
        f"{found.seconds * 1e3:.4g} ms with timers, {found.plain * 1e3:.4g} ms without; "
        f"peak {found.peak / 1e9:.0f} GFLOP/s, reading {found.bandwidth / 1e9:.0f} GB/s at the weights' size",
        "",
        f"{'region':<27} {'ms':>9} {'share':>6} {'GFLOP/s':>8} {'GB/s':>7} {'of limit':>8}  functions",
    ]
    for region in found.regions:
        flops = f"{region.work.flops / region.seconds / 1e9:.1f}" if region.work.flops and region.seconds > 0 else ""
        rate = f"{region.work.bytes / region.seconds / 1e9:.1f}" if region.work.bytes and region.seconds > 0 else ""
        limit = f"{100 * region.limit / region.seconds:.0f} %" if region.limit and region.seconds > 0 else ""
        share = f"{100 * region.seconds / found.seconds:.1f} %"
        lines.append(
            f"{region.kind:<27} {region.seconds * 1e3:9.4f} {share:>6} {flops:>8} {rate:>7} {limit:>8}  {region.functions}"
        )
    return "\n".join(lines) + "\n"
