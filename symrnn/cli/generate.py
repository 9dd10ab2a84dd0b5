"""The command `generate`: writes a cell's files, or compares them with existing ones, and builds their libraries.

Reads parsed arguments; writes into one directory; returns an exit code and the text to print. A run that builds keeps a
cell's libraries for the requested processors, and removes those of other runs. Leaves out: the
texts (`symrnn.pipeline`), how files are replaced (`symrnn.emit.manifest`), and the libraries (`symrnn.cli.libraries`).
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from symrnn.cli.libraries import Built, Job, TargetLibraries, faults, install, libraries, not_looked_at
from symrnn.cli.shared import (
    DIFFERS,
    DONE,
    Outcome,
    chosen_backends,
    chosen_cells,
    chosen_request,
    note_doubtful,
    progress,
    to_json,
)
from symrnn.derive.derivation import derive
from symrnn.emit import manifest
from symrnn.emit.manifest import Difference
from symrnn.errors import GenerateError
from symrnn.pipeline import rendered

Differences = Mapping[str, Sequence[Difference]]


def generate(arguments: Namespace) -> Outcome:
    """Write, or compare, the files of the named cells.

    Raises:
        SymrnnError: something is wrong with a cell, the directory or a compiler. Nothing was written, unless a compiler
            refused a text: then every text is there, and some libraries may be.
    """
    out = Path(arguments.out)
    if out.is_file():
        raise GenerateError(f"{out} is a file; give --out a directory")
    cells, backends = chosen_cells(arguments), chosen_backends(arguments)
    note_doubtful(cells)
    # Everything is rendered before anything is written: an error in the last cell leaves the directory as it was.
    with progress() as say:
        jobs: list[Job] = []
        for cell in cells:
            say(f"{cell.name}: deriving and printing")
            request = chosen_request(arguments, cell)
            jobs.append(Job(cell, request, rendered(derive(cell), backends, request)))
        differences = {
            job.cell.name: manifest.compare(out, job.texts, cell=job.cell.name, options=job.request.options)
            for job in jobs
        }
        if arguments.check:
            say("comparing with existing files")
            found = {job.cell.name: (*differences[job.cell.name], *faults(arguments, backends, job)) for job in jobs}
            return _compared(arguments, found)
        planned = libraries(arguments, backends, cells)  # before anything is written: it may refuse the compiler
        built: tuple[Built, ...] = ()
        again: Mapping[str, Sequence[str]] = {}
        if not arguments.dry_run:
            for job in jobs:
                manifest.write(out, job.texts, cell=job.cell.name, options=job.request.options)
            again = manifest.outdated(out)
            built = install(out, jobs, planned, say)
    return _written(arguments, differences, planned, built, again)


def _compared(arguments: Namespace, differences: Differences) -> Outcome:
    """The result of `--check`."""
    found = [(name, each) for name, several in differences.items() for each in several]
    code = DIFFERS if found else DONE
    left_out = not_looked_at(arguments)
    if arguments.json:
        listed = [{"cell": name} | asdict(each) for name, each in found]
        return code, to_json({"out": arguments.out, "differences": listed, "libraries_left_out": left_out})
    note = f"libraries not compared: {left_out}\n" if left_out else ""
    if not found:
        return code, f"{arguments.out}: {', '.join(differences)} up to date\n{note}"
    diffs = "".join(each.diff for _, each in found)
    faulty = [
        f"{Path(arguments.out, each.file)} {each.fault}{f' ({each.cause})' if each.cause else ''}" for _, each in found
    ]
    return code, diffs + "\n".join([*faulty, "run the command without --check to bring them up to date"]) + f"\n{note}"


def _written(
    arguments: Namespace,
    differences: Differences,
    planned: Sequence[TargetLibraries],
    built: Sequence[Built],
    again: Mapping[str, Sequence[str]],
) -> Outcome:
    """The files written, and the other cells in the directory that must be generated ``again``."""
    dry = arguments.dry_run
    changed = {name: [each.file for each in several] for name, several in differences.items()}
    if arguments.json:
        summary = {"out": arguments.out, "dry_run": dry, "written": changed, "outdated": again}
        return DONE, to_json(
            summary | {"libraries": {each.target: _described(arguments, each, built) for each in planned}}
        )
    verb = "would write" if dry else "wrote"
    lines = [f"{name}: {f'{verb} ' + ', '.join(names) if names else 'up to date'}" for name, names in changed.items()]
    for each in planned:
        lines += _told(each, built, dry=dry)
    for name, files in again.items():
        lines.append(
            f"{name}: {', '.join(files)} changed since it was generated; generate it again before you compile it"
        )
    return DONE, "\n".join([*lines, f"directory: {arguments.out}"]) + "\n"


def _described(arguments: Namespace, planned: TargetLibraries, built: Sequence[Built]) -> dict[str, object]:
    """A target's libraries in values that JSON takes."""
    files = {
        name: {march: str(Path(arguments.out, file)) for march, file in names.items()}
        for name, names in planned.names.items()
    }
    idle = [each.file for each in built if each.target == planned.target and not each.ran]
    removed = [str(path) for path in planned.others]
    return {"files": files, "removed": removed, "not_run": idle, "tool": planned.tool, "not_built": planned.reason}


def _told(planned: TargetLibraries, built: Sequence[Built], *, dry: bool) -> list[str]:
    """What happened, or would happen, to a target's libraries."""
    what = f"{planned.title} libraries"
    if planned.reason:
        return [f"{what} not built: {planned.reason}"]
    idle = [each.file for each in built if each.target == planned.target and not each.ran]
    run = [file for file in planned.files if file not in idle]
    lines = []
    if run:
        how = "would be built with" if dry else "built and run with"
        lines.append(f"{what}: {', '.join(run)} {how} {planned.tool}")
    if idle:
        lines.append(f"{what} built but not run, because this processor lacks what they need: {', '.join(idle)}")
    if planned.others:
        names = ", ".join(path.name for path in planned.others)
        lines.append(f"{what} from another run {'would be ' if dry else ''}removed: {names}")
    return lines
