"""The whole way, from a cell file to kernels that run, on one screen.

    language   cell file           → `Cell`         equations parsed, sizes inferred, normalised   (`load`)
    derive     `Cell`              → `Derivation`   Jacobians, adjoint, tangent, LaTeX             (`derive`)
    plan       `Derivation`        → `Program`      phases, fused stages, tape, storage            (`plan`)
    emit       `Program`           → texts          what each target makes of it, and the document (`render`)
    build      texts               → module         compiled where that must be, and imported      (`build`)
    flow       `Derivation`, point → `Flow`         what becomes of gradients through time (`symrnn.flow.flow`)
    report     all of these        → pages          for a browser, one for each cell (`symrnn.report.site`)
    check      modules             → `Report`       the oracles (`symrnn.check.check`)
    diagnose   a person's function → `Diagnosis`    its mistakes, in the derived equations (`symrnn.diagnose.diagnose`)

Each function below reads one package's record and returns the next one's. Leaves out: everything that a package does.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from symrnn.costs import cost_section
from symrnn.derive.derivation import Derivation, derive
from symrnn.derive.document import document
from symrnn.derive.lecture_section import Section
from symrnn.emit.fixed import fixed_sizes
from symrnn.emit.manifest import outdated, write
from symrnn.emit.request import DTYPE, Request
from symrnn.emit.source import Source
from symrnn.errors import BuildError, GenerateError, TargetError
from symrnn.language.cell import Cell
from symrnn.language.cellfile import CellLike, load
from symrnn.language.tree import Call, Reduce, VectorCall, walk
from symrnn.plan.planner import plan
from symrnn.plan.program import Program
from symrnn.targets import registry
from symrnn.targets.description import Description
from symrnn.targets.target import Target

Sources = Mapping[str, Mapping[str, Source]]
"""The files of a cell by target, each a name and its text with the source map."""


def program(cell: CellLike, *, backend: str = registry.DEFAULT, backward: bool = True) -> Program:
    """The plan of ``cell``: what its kernels do, phase by phase; its text is what ``show --part plan`` prints.

    Args:
        cell: a `Cell`, the name of a bundled one, or the path of a cell file.
        backend: the target that the plan is for; plans differ by target.
        backward: False for inference alone: nothing is taped.

    Raises:
        TargetError: ``backend`` is unknown.
    """
    return programs(derive(cell), (backend,), backward=backward)[backend]


def programs(derivation: Derivation, backends: Sequence[str], *, backward: bool = True) -> dict[str, Program]:
    """The plans by target; targets with equal policies share one plan."""
    wanted = {name: registry.target(name).policy for name in backends}
    policies = {name: replace(policy, backward=backward and policy.backward) for name, policy in wanted.items()}
    plans = {policy: plan(derivation, policy) for policy in dict.fromkeys(policies.values())}
    return {name: plans[policy] for name, policy in policies.items()}


def lecture(derivation: Derivation, planned: Program) -> tuple[Section, ...]:
    """The derivation as a lecture, with a section on the cost of running it."""
    sections = derivation.lecture()
    body = [section for section in sections if not section.appendix]
    return (*body, cost_section(planned, derivation.notation), *sections[len(body) :])


def requested(
    cell: Cell,
    backends: Sequence[str],
    *,
    backward: bool = True,
    dtype: str | None = None,
    dtypes: Sequence[str] = (),
    sizes: Mapping[str, int] | None = None,
    single_file: bool = False,
) -> Request:
    """The checked request for the files of ``cell``; the arguments are those of `render`.

    Raises:
        TargetError: a backend is unknown, or none of them can do what is asked.
        GenerateError: a kernel does not run in a precision, or the cell has no such size.
    """
    chosen = tuple(map(registry.describe, backends))
    for described in chosen:
        for each in (*([dtype] if dtype else []), *dtypes):
            if each not in described.dtypes:
                known = ", ".join(described.dtypes)
                raise GenerateError(
                    f"dtype {each!r}: the kernels of backend {described.name} run in {known}; name one of them"
                )
    dtype = dtype or (dtypes[0] if dtypes and DTYPE not in dtypes else DTYPE)
    if dtypes and dtype not in dtypes:
        raise GenerateError(f"dtype {dtype!r}: only {', '.join(dtypes)} is emitted; name one of these, or emit it too")
    fixed = fixed_sizes(cell, sizes or {})
    _require(chosen, next(iter(fixed), ""), "fixed_sizes", "fix sizes")
    _require(chosen, "dtypes" if dtypes else "", "one_precision", "emit one precision alone")
    _require(chosen, "single_file" if single_file else "", "single_file", "join several files into one")
    everything = any(set(described.dtypes) <= set(dtypes) for described in chosen if described.can.one_precision)
    return Request(dtype, () if everything else tuple(dtypes), fixed, single_file, backward)


def _require(chosen: Sequence[Description], asked: str, capability: str, what: str) -> None:
    """Refuse an option that no chosen target supports. If one supports it, the others ignore it."""
    if asked and chosen and not any(getattr(described.can, capability) for described in chosen):
        able = tuple(each.name for each in registry.descriptions() if getattr(each.can, capability))
        who = f"only backend {registry.listed(able)}" if able else "no backend"
        raise TargetError(f"{asked}: {who} can {what}; leave it out")


def _request_for(described: Description, request: Request) -> Request:
    """``request`` without the options that the target does not support."""
    can = described.can
    return replace(
        request,
        dtype=request.dtype if request.dtype in described.dtypes else described.dtypes[0],
        dtypes=request.dtypes if can.one_precision else (),
        sizes=request.sizes if can.fixed_sizes else {},
        single_file=request.single_file and can.single_file,
        backward=request.backward and can.backward,
    )


def sources(planned: Mapping[str, Program], request: Request) -> Sources:
    """The kernels' files by target, with their source maps, from each target's program.

    Raises:
        GenerateError: a target does not spell a function, a reduction or a vector function of the cell.
    """
    found = {}
    for name, each in planned.items():
        target = registry.target(name)
        _require_spellings(target, each)
        found[name] = target.files(each, _request_for(target.description, request))
    return found


def _require_spellings(target: Target, planned: Program) -> None:
    """Refuse a cell that calls what the target has no text for, before anything is printed."""
    calls: dict[tuple[str, str], bool] = {}
    for system in (*(routine.system for routine in planned.routines), *planned.preparation.systems):
        for node in (node for equation in system.equations for node in walk(equation.expression)):
            match node:
                case Call(name):
                    calls["function", name] = name in target.functions
                case Reduce(kind):
                    calls["reduction", kind] = kind in target.reductions
                case VectorCall(kind):
                    calls["vector function", kind] = kind in target.vectors
    for (what, name), spelt in calls.items():
        if not spelt:
            raise GenerateError(
                f"{planned.cell.name}: backend {target.description.name} has no spelling of the {what} {name}; "
                f"add it to the {what}s of {target.description.home}, or leave the backend out"
            )


def joined(found: Sources) -> dict[str, Source]:
    """The files of all targets by name.

    Raises:
        GenerateError: two targets have different texts of one name.
    """
    every: dict[str, Source] = {}
    writers: dict[str, str] = {}
    for target, files in found.items():
        for name, source in files.items():
            if every.setdefault(name, source).text != source.text:
                raise GenerateError(
                    f"{name}: backends {writers[name]} and {target} both write a file of that name; choose one of them"
                )
            writers.setdefault(name, target)
    return every


def render(
    cell: CellLike,
    *,
    backends: Sequence[str] | None = None,
    backward: bool = True,
    dtype: str | None = None,
    dtypes: Sequence[str] = (),
    sizes: Mapping[str, int] | None = None,
    single_file: bool = False,
) -> dict[str, str]:
    """The generated files of ``cell``: file name to text.

    Args:
        cell: a `Cell`, the name of a bundled one, or the path of a cell file.
        backends: names of targets; the default is all that can be loaded. ``numpy`` gives ``<cell>_numpy.py``; ``c`` gives
            ``<cell>.h``, ``<cell>.c`` and ``<cell>_c.py``. All come with the derivation, ``<cell>.tex``.
        backward: False for inference alone.
        dtype: the default precision of ``init_params``; float32 where it is emitted.
        dtypes: the precisions to emit, for targets that can emit one alone; all unless given.
        sizes: numbers for size names of the cell, ``input`` and ``hidden`` among them: kernels for these alone, by targets
            that can. Other sizes stay open; NumPy modules take any.
        single_file: joins what is equal in all cells into the cell's own file, by targets that keep it apart.

    Raises:
        TargetError: a backend is unknown, or none of them can do what is asked.
        GenerateError: kernels do not run in ``dtype``, or the cell has no such size.
    """
    cell = load(cell)
    names = registry.working() if backends is None else tuple(backends)
    request = requested(
        cell, names, backward=backward, dtype=dtype, dtypes=dtypes, sizes=sizes, single_file=single_file
    )
    return texts(rendered(derive(cell), names, request))


def texts(files: Mapping[str, Source]) -> dict[str, str]:
    """Files without their source maps: name to text."""
    return {name: source.text for name, source in files.items()}


def rendered(derivation: Derivation, backends: Sequence[str], request: Request) -> dict[str, Source]:
    """The generated files of a derivation by name, for a request that was checked."""
    # The document gives the cost of the default backend's kernels, whatever backends are requested.
    planned = programs(derivation, (registry.DEFAULT, *backends), backward=request.backward)
    files = joined(sources({name: planned[name] for name in backends}, request))
    sections = lecture(derivation, planned[registry.DEFAULT])
    files[f"{derivation.cell.name}.tex"] = Source(document(derivation.cell, sections))
    return files


def generate(
    cell: CellLike,
    out: str | os.PathLike[str] = "generated",
    *,
    backends: Sequence[str] | None = None,
    backward: bool = True,
    dtypes: Sequence[str] = (),
    single_file: bool = False,
    **sizes: int,
) -> tuple[Path, ...]:
    """Write the generated files of ``cell`` to the directory ``out``, each replaced in one step; returns their paths.

    A warning names each other cell in ``out`` that shares a file with this one and was generated with an older text of it.

    Args:
        cell: a `Cell`, the name of a bundled one, or the path of a cell file.
        out: made if it does not exist.
        backends: as in `render`.
        backward: as in `render`.
        dtypes: as in `render`.
        single_file: as in `render`.
        sizes: as in `render`: ``hidden=32, input=1``.

    Raises:
        TargetError: a backend is unknown, or none of them can do what is asked.
        GenerateError: ``out`` cannot be written to, or the cell has no such size.
    """
    cell = load(cell)
    names = registry.working() if backends is None else tuple(backends)
    request = requested(cell, names, backward=backward, dtypes=dtypes, sizes=sizes, single_file=single_file)
    files = texts(rendered(derive(cell), names, request))
    paths = write(Path(out), files, cell=cell.name, options=request.options)
    for name, changed in outdated(Path(out)).items():
        what = f"{', '.join(changed)} changed since {name} was generated"
        warnings.warn(f"{out}: {what}; generate it again before you compile it", RuntimeWarning, stacklevel=2)
    return paths


def build(
    cell: CellLike,
    backend: str = registry.DEFAULT,
    dtype: str | None = None,
    *,
    backward: bool = True,
    march: str | None = None,
    dtypes: Sequence[str] = (),
    single_file: bool = False,
    **sizes: int,
) -> ModuleType:
    """The kernels of ``cell``, from the files that `generate` writes: compiled if need be, and imported.

    Args:
        cell: a `Cell`, the name of a bundled one, or the path of a cell file.
        backend: the name of a target: ``numpy``, ``c``, or one that another package brings.
        dtype: the default precision of ``init_params``: the module's ``DTYPE``, one of its ``DTYPES``. Every
            module computes in the precision of its input.
        backward: False for inference alone.
        march: the processor that C is compiled for: ``native``, ``baseline``, on x86-64 also ``v2``, ``v3`` or ``v4``.
            The default is the environment variable ``SYMRNN_MARCH``, else ``native``.
        dtypes: as in `render`.
        single_file: as in `render`.
        sizes: numbers to fix sizes to, as in `render`: ``hidden=32, input=1``.

    Raises:
        TargetError: ``backend`` is unknown, or cannot do what is asked.
        BuildError: no C compiler is found, or it refuses the source; or ``march`` is unknown, or this processor lacks
            its instructions; or ``march`` is given for kernels that are not compiled.
        GenerateError: the kernels do not run in ``dtype``, or the sizes cannot be fixed.
    """
    cell = load(cell)
    described = registry.describe(backend)
    if march and not described.marches:
        able = registry.listed(tuple(each.name for each in registry.descriptions() if each.marches))
        raise BuildError(
            f"march {march!r}: {described.title} kernels are not compiled; leave it out, or ask for backend {able}"
        )
    request = requested(
        cell, (backend,), backward=backward, dtype=dtype, dtypes=dtypes, sizes=sizes, single_file=single_file
    )
    return build_kernels(derive(cell), backend, request, march)


def build_kernels(derivation: Derivation, backend: str, request: Request, march: str | None = None) -> ModuleType:
    """The kernels of a derivation, for a request that was checked."""
    planned = programs(derivation, (backend,), backward=request.backward)
    files = texts(joined(sources(planned, request)))
    return registry.target(backend).load(files, derivation.cell.name, march)
