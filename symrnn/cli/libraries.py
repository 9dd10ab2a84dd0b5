"""The libraries of `generate`: chooses, builds and runs them, and finds those that are out of date.

Reads parsed arguments and the texts of cells; writes into one directory; returns records. Leaves out: how a target builds
(`symrnn.targets.target.Builder`), and what the user sees (`symrnn.cli.generate`).
"""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from symrnn.build.trial import FEW_UNITS, try_out
from symrnn.emit.manifest import Difference, Fault
from symrnn.emit.request import Request
from symrnn.emit.source import Source
from symrnn.errors import BuildError
from symrnn.language.cell import Cell
from symrnn.pipeline import texts
from symrnn.targets import registry
from symrnn.targets.description import PRECISIONS
from symrnn.targets.target import Builder, Target


@dataclass(frozen=True)
class Job:
    """A cell, the request for its files, and the files by name."""

    cell: Cell
    request: Request
    files: Mapping[str, Source]

    @property
    def texts(self) -> dict[str, str]:
        """The files without their source maps."""
        return texts(self.files)


@dataclass(frozen=True)
class TargetLibraries:
    """The libraries of a target to build and to remove.

    Attributes:
        target: its name.
        title: its name for people.
        names: file names, by cell and processor.
        others: those in the directory for other processors, which are removed.
        tool: the command that builds them.
        reason: why there are none; empty if there are some.
    """

    target: str
    title: str
    names: Mapping[str, Mapping[str, str]]
    others: tuple[Path, ...] = ()
    tool: str = ""
    reason: str = ""

    @property
    def files(self) -> tuple[str, ...]:
        """The names of all files."""
        return tuple(file for names in self.names.values() for file in names.values())


@dataclass(frozen=True)
class Built:
    """A built library: its target, its file, and whether this processor can run it."""

    target: str
    file: str
    ran: bool


def libraries(arguments: Namespace, backends: Sequence[str], cells: Sequence[Cell]) -> tuple[TargetLibraries, ...]:
    """The libraries to build, and their tool, for each target that builds some.

    Raises:
        BuildError: the environment names a tool that cannot be used, or --march is given and no tool is found. Without
            --march a missing tool is not an error, since other kernels work without it.
    """
    return tuple(_libraries(arguments, target, builder, cells) for target, builder in _builders(backends))


def _builders(backends: Iterable[str]) -> list[tuple[Target, Builder]]:
    found = [(target, target.builder) for target in map(registry.target, backends)]
    return [(target, builder) for target, builder in found if builder is not None]


def _libraries(arguments: Namespace, target: Target, builder: Builder, cells: Sequence[Cell]) -> TargetLibraries:
    name, title = target.description.name, target.description.title
    if arguments.no_build:
        return TargetLibraries(name, title, {}, reason="--no-build leaves that to you")
    if reason := target.unavailable():
        if arguments.march:
            raise BuildError(reason)
        return TargetLibraries(name, title, {}, reason=reason)
    marches = builder.marches(arguments.march)
    names = {cell.name: {march: builder.library(cell.name, march) for march in marches} for cell in cells}
    others = tuple(path for cell in cells for path in builder.others(cell.name, Path(arguments.out), marches))
    return TargetLibraries(name, title, names, others, builder.tool())


def install(
    out: Path, jobs: Sequence[Job], planned: Sequence[TargetLibraries], say: Callable[[str], None]
) -> tuple[Built, ...]:
    """Build every library, as many at once as there are processors, and run those that fit this one.

    Libraries of another run are removed when all are built.

    Raises:
        BuildError: some cannot be built; the message names each. After the first, or Ctrl-C, no other starts.
    """
    wanted = [
        _Wanted(job, each.target, march, file)
        for each in planned
        for job in jobs
        for march, file in each.names.get(job.cell.name, {}).items()
    ]
    _build(out, wanted, say)
    for each in planned:
        _remove(each.others)
    return tuple(_tried(out, each, say) for each in wanted)


@dataclass(frozen=True)
class _Wanted:
    """A library to build: its cell, target, processor and file."""

    job: Job
    target: str
    march: str
    file: str

    @property
    def builder(self) -> Builder:
        ((_, found),) = _builders([self.target])
        return found

    def install(self, out: Path) -> None:
        self.builder.install(self.job.texts, self.job.cell.name, out, self.march)


def _build(out: Path, wanted: Sequence[_Wanted], say: Callable[[str], None]) -> None:
    pool = ThreadPoolExecutor(os.cpu_count())
    running = {pool.submit(each.install, out): each.file for each in wanted}
    ended = as_completed(running)
    try:
        for done in range(len(running)):
            if left := [file for building, file in running.items() if not building.done()]:
                say(f"compiling {left[0]}: {done} of {len(running)} libraries done")
            if next(ended).exception():
                break
    finally:
        pool.shutdown(cancel_futures=True)
    errors = [error for building in running if not building.cancelled() and (error := building.exception())]
    for error in errors:
        if len(errors) == 1 or not isinstance(error, BuildError):
            raise error
    if errors:
        raise BuildError("\n".join(map(str, errors))) from errors[0]


def _tried(out: Path, wanted: _Wanted, say: Callable[[str], None]) -> Built:
    """Run a library if this processor can."""
    job, target, file = wanted.job, wanted.target, wanted.file
    if not wanted.builder.runs_here(out / file, job.cell.name, wanted.march):
        return Built(target, file, ran=False)
    say(f"running {file}")
    kernels = registry.target(target).load(job.texts, job.cell.name, wanted.march)
    sizes = {size: job.request.sizes.get(size, FEW_UNITS) for size in job.cell.sizes}
    inputs = {name: job.cell.size(name) for name in job.cell.given}
    for dtype in job.request.dtypes or PRECISIONS:
        if dtype in registry.describe(target).dtypes:
            try_out(kernels, sizes, inputs, dtype, backward=job.request.backward)
    return Built(target, file, ran=True)


def _remove(paths: Iterable[Path]) -> None:
    """Remove libraries of another run.

    Raises:
        BuildError: one cannot be removed.
    """
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise BuildError(f"{path} is from another run and cannot be removed: {error}; remove it by hand") from error


def not_looked_at(arguments: Namespace) -> str:
    """Why `--check` leaves libraries out; empty if it does not."""
    return "--no-build leaves them out" if arguments.no_build else ""


def faults(arguments: Namespace, backends: Sequence[str], job: Job) -> tuple[Difference, ...]:
    """Libraries that the command would build, and that are missing or of another source.

    Without --march, it looks at all libraries in the directory. One is expected if a tool
    is found.

    Raises:
        BuildError: one cannot be read.
    """
    if not_looked_at(arguments):
        return ()
    found = []
    for target, builder in _builders(backends):
        for name in _wanted(arguments, target, builder, job.cell.name):
            library = Path(arguments.out, name)
            if not library.is_file():
                found.append(Difference(name, Fault.MISSING))
            elif not builder.is_from(library, job.files, job.cell.name):
                found.append(Difference(name, Fault.STALE))
    return tuple(found)


def _wanted(arguments: Namespace, target: Target, builder: Builder, cell: str) -> list[str]:
    """The names of the expected libraries."""
    there = [path.name for path in builder.others(cell, Path(arguments.out), ())]
    if arguments.march or not (there or target.unavailable()):
        return [builder.library(cell, march) for march in builder.marches(arguments.march)]
    return there
