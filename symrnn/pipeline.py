"""The whole way, from a cell file to kernels that run, on one screen.

    language   cell file           → `Cell`         equations parsed, sizes inferred, normalised   (`load`)
    derive     `Cell`              → `Derivation`   Jacobians, adjoint, tangent, LaTeX             (`derive`)
    plan       `Derivation`        → `Program`      phases, fused stages, tape, storage            (`plan`)
    emit       `Program`           → texts          NumPy module, C source and header, document    (`render`)
    build      texts               → module         compiled where they are C, and imported        (`build`)
    flow       `Derivation`, point → `Flow`         what becomes of gradients through time (`symrnn.flow.record`)
    report     all of these        → pages          for a browser, one for each cell (`symrnn.report.site`)
    check      modules             → `Report`       the oracles (`symrnn.check.run`)
    diagnose   a person's function → `Diagnosis`    its mistakes, in the derived equations (`symrnn.diagnose.run`)

Each function below reads one stage's value and returns the next one's. Leaves out: everything that a stage does.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from symrnn.derive.document import document
from symrnn.derive.lecture import Section
from symrnn.derive.record import Derivation, derive
from symrnn.emit.costs import cost_section
from symrnn.emit.digest import digest
from symrnn.emit.fixed import fixed_sizes, options
from symrnn.emit.manifest import write
from symrnn.emit.surface import DTYPE, DTYPES
from symrnn.errors import BuildError, GenerateError
from symrnn.language.cellfile import CellLike, load
from symrnn.plan.planner import plan
from symrnn.plan.program import Program
from symrnn.targets.c.files import c_files
from symrnn.targets.c.march import chosen_march
from symrnn.targets.c.module import c_module
from symrnn.targets.c.policy import POLICY as C_POLICY
from symrnn.targets.c.toolchain import Options
from symrnn.targets.kernels import load_kernels
from symrnn.targets.numpy.module import numpy_module
from symrnn.targets.numpy.policy import POLICY as NUMPY_POLICY

BACKENDS = ("numpy", "c")
"""What `render` and `build` can emit."""

_POLICIES = {"numpy": NUMPY_POLICY, "c": C_POLICY}

_UNKNOWN = "0" * 32


def program(cell: CellLike, *, backend: str = BACKENDS[0], backward: bool = True) -> Program:
    """The plan of ``cell``: what its kernels do, phase by phase; its text is what ``show --part plan`` prints.

    Args:
        cell: a `Cell`, the name of a bundled one, or the path of a cell file.
        backend: whose kernels; each has a `Policy` of its own.
        backward: False for inference alone: nothing is taped.
    """
    return plan(derive(cell), replace(_POLICIES[backend], backward=backward))


def lecture(derivation: Derivation, planned: Program) -> tuple[Section, ...]:
    """The derivation as a lecture, and after it what running it costs."""
    sections = derivation.lecture()
    body = [section for section in sections if not section.appendix]
    return (*body, cost_section(planned, derivation.notation), *sections[len(body) :])


def render(
    cell: CellLike,
    *,
    backends: Sequence[str] = BACKENDS,
    backward: bool = True,
    dtype: str = DTYPE,
    sizes: Mapping[str, int] | None = None,
) -> dict[str, str]:
    """The generated files of ``cell``: file name to text.

    Args:
        cell: a `Cell`, the name of a bundled one, or the path of a cell file.
        backends: ``numpy`` gives ``<cell>_numpy.py``; ``c`` gives ``<cell>.h``, ``<cell>.c`` and ``<cell>_c.py``. Both
            come with the derivation, ``<cell>.tex``.
        backward: False for inference alone.
        dtype: what ``init_params`` of the modules makes unless told otherwise.
        sizes: numbers for size names of the cell, ``input`` and ``hidden`` among them: kernels in C for these alone,
            which the compiler then knows. Other sizes stay open; NumPy modules take any.

    Raises:
        GenerateError: a backend is not one of `BACKENDS`, its kernels do not run in ``dtype``, or the cell has no such size.
    """
    derivation = derive(cell)
    planned, files = _planned_kernels(derivation, backends, dtype, sizes or {}, backward=backward)
    files[f"{derivation.cell.name}.tex"] = document(derivation.cell, lecture(derivation, planned))
    return files


def render_kernels(
    cell: CellLike,
    *,
    backends: Sequence[str] = BACKENDS,
    backward: bool = True,
    dtype: str = DTYPE,
    sizes: Mapping[str, int] | None = None,
) -> dict[str, str]:
    """The same without the derivation, which no kernel reads: what `build` imports."""
    return _planned_kernels(derive(cell), backends, dtype, sizes or {}, backward=backward)[1]


def _planned_kernels(
    derivation: Derivation, backends: Sequence[str], dtype: str, sizes: Mapping[str, int], *, backward: bool
) -> tuple[Program, dict[str, str]]:
    """The plan, and the kernels' files."""
    for backend in backends:
        if backend not in BACKENDS:
            raise GenerateError(f"backend {backend!r}: there is none of that name; expected {' or '.join(BACKENDS)}")
        if dtype not in DTYPES[backend]:
            known = ", ".join(DTYPES[backend])
            raise GenerateError(f"dtype {dtype!r}: the kernels of backend {backend} run in {known}; name one of them")
    cell = derivation.cell
    fixed = fixed_sizes(cell, sizes)
    # Without any backend, the document alone is wanted.
    plans = {each: plan(derivation, replace(_POLICIES[each], backward=backward)) for each in backends or BACKENDS[:1]}
    files: dict[str, str] = {}
    if "numpy" in backends:
        files[f"{cell.name}_numpy.py"] = numpy_module(plans["numpy"], dtype).text
    if "c" in backends:
        planned = plans["c"]
        texts = c_files(planned, _UNKNOWN, fixed)
        # The digest covers the sources themselves, so it takes its place after they are written.
        found = digest(*texts.values())
        files |= {name: text.replace(_UNKNOWN, found) for name, text in texts.items()}
        files[f"{cell.name}_c.py"] = c_module(planned, found, dtype, fixed)
    return next(iter(plans.values())), files


def generate(
    cell: CellLike,
    out: str | os.PathLike[str] = "generated",
    *,
    backends: Sequence[str] = BACKENDS,
    backward: bool = True,
    **sizes: int,
) -> tuple[Path, ...]:
    """Write the generated files of ``cell`` to the directory ``out``, each replaced in one step; returns their paths.

    Args:
        cell: a `Cell`, the name of a bundled one, or the path of a cell file.
        out: made if it does not exist.
        backends: as in `render`.
        backward: as in `render`.
        sizes: as in `render`: ``hidden=32, input=1``.

    Raises:
        GenerateError: ``out`` cannot be written to, a backend is unknown, or the cell has no such size.
    """
    cell = load(cell)
    files = render(cell, backends=backends, backward=backward, sizes=sizes)
    return write(Path(out), files, cell=cell.name, options=options(fixed_sizes(cell, sizes), backward=backward))


def build(
    cell: CellLike,
    backend: str = "numpy",
    dtype: str = DTYPE,
    *,
    backward: bool = True,
    march: str | None = None,
    **sizes: int,
) -> ModuleType:
    """The kernels of ``cell``, from the files that `generate` writes: compiled if need be, and imported.

    Args:
        cell: a `Cell`, the name of a bundled one, or the path of a cell file.
        backend: ``numpy`` or ``c``.
        dtype: what ``init_params`` makes unless told otherwise: the module's ``DTYPE``, one of its ``DTYPES``. Every
            module computes in the precision of its input.
        backward: False for inference alone.
        march: the processor that C is compiled for: ``native``, ``baseline``, on x86-64 also ``v2``, ``v3`` or ``v4``.
            Unless given, what the environment variable ``SYMRNN_MARCH`` names, else ``native``.
        sizes: for ``c``, sizes that the kernels are for alone, as in `render`: ``hidden=32, input=1``.

    Raises:
        BuildError: there is no C compiler, or it refuses the source; or there is no such processor, or this one lacks
            what it has; or ``march`` is given for NumPy.
        GenerateError: ``backend`` is unknown, the kernels do not run in ``dtype``, or the sizes cannot be fixed.
    """
    cell = load(cell)
    if march and backend == "numpy":
        raise BuildError(f"march {march!r}: NumPy kernels are not compiled; leave it out, or ask for backend 'c'")
    fixed_sizes(cell, sizes)  # which names the sizes that there are
    if sizes and backend != "c":
        raise GenerateError(
            f"{next(iter(sizes))}: sizes are fixed for backend c; kernels of backend {backend} take any"
        )
    options = Options(march=chosen_march(march)) if backend == "c" else None
    files = render_kernels(cell, backends=(backend,), backward=backward, dtype=dtype, sizes=sizes)
    return load_kernels(files, cell.name, backend, options=options)
