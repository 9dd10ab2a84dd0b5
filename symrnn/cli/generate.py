"""The command `generate`: a cell's files written, or compared with those that are there; its C libraries built.

Reads parsed arguments; writes into one directory; returns an exit code and the text to print. A run leaves a cell's
libraries for the processors that it was asked for, and no others: those would be of another source. Leaves out: the texts
(`symrnn.pipeline`), how files are replaced (`symrnn.emit.manifest`), and the compiler (`symrnn.build`).
"""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from symrnn.cli.shared import (
    DIFFERS,
    DONE,
    Outcome,
    chosen_backends,
    chosen_cells,
    chosen_dtypes,
    chosen_sizes,
    note_lookalikes,
    progress,
    to_json,
)
from symrnn.emit import manifest
from symrnn.emit.fixed import fixed_sizes, options
from symrnn.emit.manifest import Difference, Fault
from symrnn.errors import GenerateError
from symrnn.language.cell import Cell
from symrnn.pipeline import render
from symrnn.targets.c.abi import expected_digest
from symrnn.targets.c.flags import MARCH_NATIVE
from symrnn.targets.c.library import (
    install_library,
    is_from,
    library_name,
    other_libraries,
    remove_libraries,
    runs_here,
)
from symrnn.targets.c.march import chosen_march
from symrnn.targets.c.toolchain import Options, compiler_or_reason, find_compiler, flags
from symrnn.targets.kernels import FEW_UNITS, c_sources, load_kernels, try_out

Files = Mapping[str, Mapping[str, str]]
Differences = Mapping[str, Sequence[Difference]]


@dataclass(frozen=True)
class Libraries:
    """What becomes of the C libraries.

    Attributes:
        names: file names, by cell and processor.
        others: those in the directory for other processors, which go.
        compiler: what builds them.
        reason: why there are none; empty where there are.
    """

    names: Mapping[str, Mapping[str, str]]
    others: Sequence[Path]
    compiler: str
    reason: str


def generate(arguments: Namespace) -> Outcome:
    """Write, or compare, the files of the cells that were named.

    Raises:
        SymrnnError: a cell, the directory or the compiler is not as it must be; then nothing was written.
    """
    out = Path(arguments.out)
    if out.is_file():
        raise GenerateError(f"{out} is a file; --out takes a directory")
    cells, backends = chosen_cells(arguments), chosen_backends(arguments)
    note_lookalikes(cells)
    # Everything is rendered before anything is written: an error in the last cell leaves the directory as it was.
    with progress() as say:
        files: dict[str, dict[str, str]] = {}
        sizes: dict[str, dict[str, int]] = {}
        for cell in cells:
            say(f"{cell.name}: deriving and printing")
            sizes[cell.name] = fixed_sizes(cell, chosen_sizes(arguments))
            files[cell.name] = render(
                cell, backends=backends, backward=not arguments.no_backward, sizes=sizes[cell.name]
            )
        differences = {
            name: manifest.compare(out, texts, cell=name, options=_options(arguments, sizes[name]))
            for name, texts in files.items()
        }
        if arguments.check:
            say("comparing with what is there")
            reason = _why_not_looked_at(arguments)
            faults = {cell.name: () if reason else _faults_of_libraries(arguments, cell, files) for cell in cells}
            return _compared(arguments, {name: (*found, *faults[name]) for name, found in differences.items()}, reason)
        libraries = _libraries(arguments, cells)  # before anything is written: it may refuse the compiler
        idle: tuple[str, ...] = ()
        if not arguments.dry_run:
            for name, texts in files.items():
                manifest.write(out, texts, cell=name, options=_options(arguments, sizes[name]))
            if libraries.names:
                idle = _build(arguments, cells, files, libraries, sizes, say)
    return _written(arguments, differences, libraries, idle)


def _options(arguments: Namespace, sizes: Mapping[str, int]) -> str:
    return options(sizes, backward=not arguments.no_backward)


def _libraries(arguments: Namespace, cells: Sequence[Cell]) -> Libraries:
    """Which libraries are to be built, and by what.

    Raises:
        BuildError: the environment names a compiler that cannot be used. Where it names none and there is none, that is
            no error: everything but the C kernels works without.
    """
    if "c" not in chosen_backends(arguments):
        return Libraries({}, (), "", "for NumPy alone there is nothing to build")
    if arguments.no_build:
        return Libraries({}, (), "", "--no-build leaves that to you")
    marches = _marches(arguments)
    compiler = find_compiler() if arguments.march else compiler_or_reason()
    if isinstance(compiler, str):
        return Libraries({}, (), "", compiler)
    for march in marches:
        flags(compiler, Options(march=march))  # which refuses what the compiler cannot do
    names = {cell.name: {march: library_name(cell.name, march) for march in marches} for cell in cells}
    others = [path for cell in cells for path in other_libraries(cell.name, Path(arguments.out), marches)]
    return Libraries(names, others, " ".join(compiler.command), "")


def _marches(arguments: Namespace) -> tuple[str, ...]:
    """The processors to build for."""
    return tuple(map(chosen_march, arguments.march or (None,)))


def _listed(libraries: Libraries) -> list[str]:
    return [file for names in libraries.names.values() for file in names.values()]


def _build(
    arguments: Namespace,
    cells: Sequence[Cell],
    files: Files,
    libraries: Libraries,
    sizes: Mapping[str, Mapping[str, int]],
    say: Callable[[str], None],
) -> tuple[str, ...]:
    """Compile every library, as many at once as there are processors, and run those that fit this one.

    Returns:
        The file names of those that could not be run here.
    """
    out = Path(arguments.out)

    def install(cell: Cell, march: str) -> Path:
        options = Options(march=march)
        return install_library(c_sources(files[cell.name], cell.name), cell.name, out, options=options)

    wanted = [(cell, march) for cell in cells for march in libraries.names[cell.name]]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        running = [pool.submit(install, cell, march) for cell, march in wanted]
        built: list[Path] = []
        for name, compiling in zip(_listed(libraries), running, strict=True):
            say(f"compiling {name}: {len(built)} of {len(running)} libraries done")
            built.append(compiling.result())
    remove_libraries(libraries.others)
    idle = []
    for (cell, march), library in zip(wanted, built, strict=True):
        if march != MARCH_NATIVE and not runs_here(library, cell.name):
            idle.append(library.name)
            continue
        say(f"running {library.name}")
        kernels = load_kernels(files[cell.name], cell.name, "c", options=Options(march=march))
        for dtype in chosen_dtypes(arguments):
            given = {size: sizes[cell.name].get(size, FEW_UNITS) for size in cell.sizes}
            try_out(kernels, given, dtype, backward=not arguments.no_backward)
    return tuple(idle)


def _why_not_looked_at(arguments: Namespace) -> str:
    """Why `--check` leaves libraries out; empty where it does not."""
    if "c" not in chosen_backends(arguments):
        return "for NumPy alone there are none"
    return "--no-build leaves them to you" if arguments.no_build else ""


def _faults_of_libraries(arguments: Namespace, cell: Cell, files: Files) -> tuple[Difference, ...]:
    """Libraries that the command would build and that are missing or of another source.

    Without --march, those in the directory are looked at, for whichever processors they are; there must be one where
    there is a compiler.

    Raises:
        BuildError: one cannot be read.
    """
    out = Path(arguments.out)
    there = [path.name for path in other_libraries(cell.name, out, ())]
    default = there or [library_name(cell.name, march) for march in _marches(arguments) if _has_compiler()]
    wanted = [library_name(cell.name, march) for march in _marches(arguments)] if arguments.march else default
    found = []
    for name in wanted:
        if not (out / name).is_file():
            found.append(Difference(name, Fault.MISSING))
        elif not is_from(out / name, expected_digest(files[cell.name][f"{cell.name}_c.py"])):
            found.append(Difference(name, Fault.STALE))
    return tuple(found)


def _has_compiler() -> bool:
    return not isinstance(compiler_or_reason(), str)


def _compared(arguments: Namespace, differences: Differences, left_out: str) -> Outcome:
    """What `--check` found; ``left_out`` says why libraries were not looked at, where they were not."""
    found = [(name, each) for name, several in differences.items() for each in several]
    code = DIFFERS if found else DONE
    if arguments.json:
        listed = [{"cell": name} | asdict(each) for name, each in found]
        return code, to_json({"out": arguments.out, "differences": listed, "libraries_left_out": left_out})
    note = f"C libraries not looked at: {left_out}\n" if left_out and arguments.no_build else ""
    if not found:
        return code, f"{arguments.out}: {', '.join(differences)} up to date\n{note}"
    diffs = "".join(each.diff for _, each in found)
    faults = [
        f"{Path(arguments.out, each.file)} {each.fault}{f' ({each.cause})' if each.cause else ''}" for _, each in found
    ]
    return code, diffs + "\n".join([*faults, "the same command without --check brings them up to date"]) + f"\n{note}"


def _written(arguments: Namespace, differences: Differences, libraries: Libraries, idle: Sequence[str]) -> Outcome:
    dry = arguments.dry_run
    changed = {name: [each.file for each in several] for name, several in differences.items()}
    if arguments.json:
        built = {
            name: {march: str(Path(arguments.out, file)) for march, file in names.items()}
            for name, names in libraries.names.items()
        }
        summary = {"out": arguments.out, "dry_run": dry, "written": changed, "libraries": built}
        removed = {"removed": [str(path) for path in libraries.others], "not_run": list(idle)}
        return DONE, to_json(summary | removed | {"compiler": libraries.compiler, "not_built": libraries.reason})
    verb = "would write" if dry else "wrote"
    lines = [f"{name}: {f'{verb} ' + ', '.join(names) if names else 'up to date'}" for name, names in changed.items()]
    if libraries.reason:
        lines.append(f"C libraries not built: {libraries.reason}")
    else:
        lines += _told(libraries, idle, dry=dry)
    return DONE, "\n".join([*lines, f"directory: {arguments.out}"]) + "\n"


def _told(libraries: Libraries, idle: Sequence[str], *, dry: bool) -> list[str]:
    """What became, or would become, of the libraries."""
    run = [file for file in _listed(libraries) if file not in idle]
    lines = []
    if run:
        how = "would be built with" if dry else "built, and run, with"
        lines.append(f"C libraries: {', '.join(run)} {how} {libraries.compiler}")
    if idle:
        lines.append(f"C libraries built, but not run, for this processor lacks what they need: {', '.join(idle)}")
    if libraries.others:
        names = ", ".join(path.name for path in libraries.others)
        lines.append(f"C libraries of another run {'would be ' if dry else ''}removed: {names}")
    return lines
