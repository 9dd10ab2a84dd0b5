"""What a test may run on this machine: what was compiled for another processor ends a process that lacks its instructions.

Reads a march of `symrnn.targets.c.flags.MARCHES` or flags of ``/proc/cpuinfo``; skips the test, with the reason, where the
compiler does not know the processor, or this one lacks what the other has. Every test that runs code of another level
asks here. Leaves out: what the tests hold about the code.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

from symrnn.errors import BuildError
from symrnn.targets.c.flags import MARCH_NATIVE, MARCH_VARIABLE
from symrnn.targets.c.library import compile_library
from symrnn.targets.c.load_kernels import c_sources, load_kernels
from symrnn.targets.c.march import chosen_march, known_marches
from symrnn.targets.c.toolchain import Compiler, Options, find_compiler, flags

LEVELS = {
    "native": Options(),
    "v4": Options("-O1", march="v4"),
    "v3": Options("-O2", march="v3", extra=("-mtune=znver3",)),
    "baseline": Options("-O1", march="baseline"),
    "plain": Options("-O1", march="baseline", extra=("-DSYMRNN_PLAIN",)),
}
"""Every width of vectors, compiled once for all tests, as quickly as serves them.

Native is what users run, at their level of optimisation. Tuned for a Zen, GCC keeps a product apart from the sum that it
goes to where it sees a single chain of them, from ``-O2`` on.
"""

_V2 = ("cx16", "lahf_lm", "popcnt", "sse4_1", "sse4_2", "ssse3")
_V3 = (*_V2, "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave")
FEATURES = {"v2": _V2, "v3": _V3, "v4": (*_V3, "avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl")}
"""What each level of x86-64 has, as ``/proc/cpuinfo`` names it."""


@cache
def _here() -> frozenset[str]:
    """The flags of this machine's processors; none where the system does not tell, so that only the baseline runs."""
    file = Path("/proc/cpuinfo")
    if platform.machine().lower() not in ("x86_64", "amd64") or not file.is_file():
        return frozenset()
    return frozenset(file.read_text(encoding="utf-8", errors="replace").split())


def missing(features: Iterable[str]) -> tuple[str, ...]:
    """Those of ``features`` that this processor lacks."""
    return tuple(feature for feature in features if feature not in _here())


def compiler_or_skip() -> Compiler:
    """The C compiler; the test is skipped, with what `find_compiler` says, where there is none."""
    try:
        return find_compiler()
    except BuildError as error:
        pytest.skip(str(error))


def require_backend(name: str) -> None:
    """Skip the test, with the reason, where this machine lacks what a backend runs on. Its own faults are no reason."""
    if name == "torch":
        pytest.importorskip("torch", reason="PyTorch is not installed")
    if name == "c":
        compiler_or_skip()


def require_compiler(options: Options) -> Options:
    """``options``; the test is skipped where no compiler here compiles for them."""
    if options.march and options.march not in known_marches():
        pytest.skip(f"this architecture has no {options.march}")
    try:
        flags(compiler_or_skip(), options)
    except BuildError as error:
        pytest.skip(str(error))
    return options


def require_processor(march: str) -> None:
    """Skip the test where this processor does not run what is compiled for ``march``."""
    lacks = missing(FEATURES.get(march, ()))
    if lacks:
        pytest.skip(f"compiled, and not run: this processor lacks what {march} has ({', '.join(lacks)})")


def load_at(level: str, files: Mapping[str, str], cell: str) -> ModuleType:
    """The C kernels of a cell at one of `LEVELS`: compiled on every machine, and loaded where the processor runs them."""
    options = require_compiler(LEVELS[level])
    compile_library(c_sources(files, cell), cell, options=options)
    require_processor(options.march)
    return load(files, cell, options)


def load(files: Mapping[str, str], cell: str, options: Options) -> ModuleType:
    """The C kernels of a cell, whatever processor the environment names.

    Native is what it names, so that a machine plays another one; a level is that level all the same.
    """
    if options.march == MARCH_NATIVE:
        return load_kernels(files, cell, replace(options, march=chosen_march(None)))
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(MARCH_VARIABLE, raising=False)
        return load_kernels(files, cell, options)
