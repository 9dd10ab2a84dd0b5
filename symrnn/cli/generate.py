"""The command `generate`: a cell's files written, or compared with those that are there; its C library built.

Reads parsed arguments; writes into one directory; returns an exit code and the text to print. Leaves out: the texts
(`symrnn.pipeline`), how files are replaced (`symrnn.emit.manifest`), and the compiler (`symrnn.build`).
"""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from symrnn.build.kernels import FEW_UNITS, c_sources, load_kernels, try_out
from symrnn.build.library import install_library
from symrnn.build.toolchain import compiler_or_reason, library_suffix
from symrnn.cli.shared import (
    DIFFERS,
    DONE,
    Outcome,
    chosen_backends,
    chosen_cells,
    chosen_dtypes,
    chosen_sizes,
    progress,
    to_json,
)
from symrnn.emit import manifest
from symrnn.emit.fixed import fixed_sizes, options
from symrnn.emit.manifest import Difference
from symrnn.errors import GenerateError
from symrnn.language.cell import Cell
from symrnn.pipeline import render

Files = Mapping[str, Mapping[str, str]]
Differences = Mapping[str, Sequence[Difference]]


@dataclass(frozen=True)
class Libraries:
    """What becomes of the C libraries.

    Attributes:
        names: file names, by cell.
        compiler: what builds them.
        reason: why there are none; empty where there are.
    """

    names: Mapping[str, str]
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
            name: manifest.compare(out, texts, cell=name, options=options(sizes[name])) for name, texts in files.items()
        }
        if arguments.check:
            return _compared(arguments, differences)
        libraries = _libraries(arguments, cells)  # before anything is written: it may refuse the compiler
        if not arguments.dry_run:
            for name, texts in files.items():
                manifest.write(out, texts, cell=name, options=options(sizes[name]))
        if libraries.names and not arguments.dry_run:
            say(f"compiling and running {', '.join(libraries.names.values())}")
            _build(arguments, cells, files, sizes)
    return _written(arguments, differences, libraries)


def _libraries(arguments: Namespace, cells: Sequence[Cell]) -> Libraries:
    """Which libraries are to be built, and by what.

    Raises:
        BuildError: the environment names a compiler that cannot be used. Where it names none and there is none, that is
            no error: everything but the C kernels works without.
    """
    if "c" not in chosen_backends(arguments):
        return Libraries({}, "", "for NumPy alone there is nothing to build")
    if arguments.no_build:
        return Libraries({}, "", "--no-build leaves that to you")
    compiler = compiler_or_reason()
    if isinstance(compiler, str):
        return Libraries({}, "", compiler)
    return Libraries({cell.name: cell.name + library_suffix() for cell in cells}, " ".join(compiler.command), "")


def _build(arguments: Namespace, cells: Sequence[Cell], files: Files, sizes: Mapping[str, Mapping[str, int]]) -> None:
    """Compile every cell's library, as many at once as there are processors, and run it."""

    def install(cell: Cell) -> None:
        install_library(c_sources(files[cell.name], cell.name), cell.name, Path(arguments.out))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        tuple(pool.map(install, cells))
    for cell in cells:
        kernels = load_kernels(files[cell.name], cell.name, "c")
        for dtype in chosen_dtypes(arguments):
            given = {size: sizes[cell.name].get(size, FEW_UNITS) for size in cell.sizes}
            try_out(kernels, given, dtype, backward=not arguments.no_backward)


def _compared(arguments: Namespace, differences: Differences) -> Outcome:
    found = [(name, each) for name, several in differences.items() for each in several]
    code = DIFFERS if found else DONE
    if arguments.json:
        return code, to_json(
            {"out": arguments.out, "differences": [{"cell": name} | asdict(each) for name, each in found]}
        )
    if not found:
        return code, f"{arguments.out}: {', '.join(differences)} up to date\n"
    diffs = "".join(each.diff for _, each in found)
    faults = [f"{Path(arguments.out, each.file)} {each.fault}" for _, each in found]
    return code, diffs + "\n".join([*faults, "the same command without --check brings them up to date"]) + "\n"


def _written(arguments: Namespace, differences: Differences, libraries: Libraries) -> Outcome:
    dry = arguments.dry_run
    changed = {name: [each.file for each in several] for name, several in differences.items()}
    if arguments.json:
        built = {name: str(Path(arguments.out, file)) for name, file in libraries.names.items()}
        summary = {"out": arguments.out, "dry_run": dry, "written": changed, "libraries": built}
        return DONE, to_json(summary | {"compiler": libraries.compiler, "not_built": libraries.reason})
    verb = "would write" if dry else "wrote"
    lines = [f"{name}: {f'{verb} ' + ', '.join(names) if names else 'up to date'}" for name, names in changed.items()]
    if libraries.reason:
        lines.append(f"C libraries not built: {libraries.reason}")
    else:
        how = "would be built with" if dry else "built, and run, with"
        lines.append(f"C libraries: {', '.join(libraries.names.values())} {how} {libraries.compiler}")
    return DONE, "\n".join([*lines, f"directory: {arguments.out}"]) + "\n"
