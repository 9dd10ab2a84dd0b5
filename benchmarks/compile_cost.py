"""The cost of a cell's kernels before they run: seconds to derive and print them, and to compile them.

Reads cells and processors to compile for; returns a `CompileCost` record for each pair, and a table of them. The seconds of a
compiler are processor time, so other work on the machine counts little. Each figure is the least of several runs. Leaves out:
the cache of libraries, which saves all this after the first time.
"""

from __future__ import annotations

import resource
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from symrnn.errors import CheckError
from symrnn.language.cell import Cell
from symrnn.pipeline import render
from symrnn.targets.c.flags import LINK
from symrnn.targets.c.load_kernels import c_sources
from symrnn.targets.c.toolchain import Options, find_compiler, flags

RUNS = 3
MARCHES = ("native",)


@dataclass(frozen=True)
class CompileCost:
    """The cost of one cell for one processor.

    Attributes:
        cell: its name.
        march: the processor that it is compiled for.
        lines: of C, float and double together.
        emit: seconds from the cell to the texts of its C files.
        compile: seconds of the compiler, for both precisions.
        library: bytes.
    """

    cell: str
    march: str
    lines: int
    emit: float
    compile: float
    library: int


def measure(cell: Cell, marches: Sequence[str] = MARCHES, *, runs: int = RUNS) -> tuple[CompileCost, ...]:
    """The cost of ``cell`` for each of ``marches``.

    Raises:
        BuildError: no compiler is found, or it does not know the processor.
        CheckError: the compiler refuses the file.
    """
    began = time.process_time()
    files = render(cell, backends=("c",))
    emit = time.process_time() - began
    sources = c_sources(files, cell.name)
    lines = sum(text.count("\n") for text in sources.values())
    found = []
    for march in marches:
        seconds, size = _compile(sources, Options(march=march), runs)
        found.append(CompileCost(cell.name, march, lines, emit, seconds, size))
    return tuple(found)


def table(rows: Sequence[CompileCost]) -> str:
    """One line for each record."""
    head = f"{'cell':<20}{'processor':<11}{'lines of C':>11}{'emit s':>8}{'compile s':>11}{'library kB':>12}"
    body = [
        f"{r.cell:<20}{r.march:<11}{r.lines:>11}{r.emit:>8.2f}{r.compile:>11.2f}{r.library / 1e3:>12.0f}" for r in rows
    ]
    return "\n".join([head, *body]) + "\n"


def _compile(sources: Mapping[str, str], options: Options, runs: int) -> tuple[float, int]:
    """The least seconds of the compiler in ``runs`` runs, and the bytes of the library."""
    compiler = find_compiler()
    files = [name for name in sources if name.endswith(".c")]
    command = [*compiler.command, *flags(compiler, options), *files, "-o", "library", *LINK]
    seconds = []
    with tempfile.TemporaryDirectory(prefix="symrnn-compile-") as folder:
        for name, text in sources.items():
            Path(folder, name).write_text(text, encoding="utf-8")
        for _ in range(runs):
            before = _children()
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            if done.returncode:
                raise CheckError(f"the compiler refuses {files[0]}:\n{done.stderr}")
            seconds.append(_children() - before)
        return min(seconds), Path(folder, "library").stat().st_size


def _children() -> float:
    """Processor time of this process's children, in seconds."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
