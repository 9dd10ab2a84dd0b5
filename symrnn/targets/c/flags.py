"""How a generated C file is compiled: the one table of flags, for the text of generated files and for the build.

Reads and returns flags and names of files. Leaves out: which compiler there is, and what it accepts
(`symrnn.targets.c.toolchain`).
"""

from __future__ import annotations

from collections.abc import Iterable

STANDARD = ("-std=c11",)
OPTIMISE = "-O3"
NATIVE = "-march=native"
ARITHMETIC = ("-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast")
"""Assumptions about arithmetic: nobody reads errno or traps, and a product with a sum may be rounded once."""
LIBRARY = ("-fPIC", "-shared")
LINK = ("-lm",)

MARCH_NATIVE, MARCH_BASELINE = "native", "baseline"
MARCHES = (MARCH_NATIVE, "v4", "v3", "v2", MARCH_BASELINE)
"""Processors that a library may be compiled for, best first: this machine's, the levels of x86-64 as the psABI has them,
and the plain processor of the architecture. A generated module loads the first library that exists and fits."""
MARCH_VARIABLE = "SYMRNN_MARCH"
"""Environment variable that names the default one of `MARCHES` to build and load."""
TARGETS = {
    "x86-64": {
        "v4": ("-march=x86-64-v4", "-march=x86_64_v4"),
        "v3": ("-march=x86-64-v3", "-march=x86_64_v3"),
        "v2": ("-march=x86-64-v2", "-march=x86_64_v2"),
        MARCH_BASELINE: ("-march=x86-64", "-march=x86_64"),
    },
    "aarch64": {MARCH_BASELINE: ("-march=armv8-a", "-mcpu=generic")},
}
"""By architecture, the flag for each of its processors, in the spellings of different compilers. On other
architectures, code for any processor is the compilers' default."""
ARCHITECTURES = {"x86_64": "x86-64", "amd64": "x86-64", "aarch64": "aarch64", "arm64": "aarch64"}
"""Names that systems have for the architectures of `TARGETS`, in lower case."""

BANNED = ("-ffast-math", "-Ofast", "-funsafe-math-optimizations", "-mdaz-ftz")
"""Never given to a compiler or linker: loading such a library makes the whole process flush subnormal numbers."""

SUFFIXES = {"darwin": ".dylib", "win32": ".dll"}
"""Endings of a shared library by ``sys.platform``."""
OTHER_SUFFIX = ".so"

RUNTIME = (
    "symrnn.h",
    "symrnn_team.h",
    "symrnn_vector.h",
    "symrnn_functions.h",
    "symrnn_stage.h",
    "symrnn_time.h",
    "symrnn_entries.h",
)
"""The files of the runtime, which the sources of all cells include, in the order in which they include them."""
PREPARING = "symrnn_prepare.h"
"""The file of the runtime that only cells with prepared parameters include."""

HOW_TO_GET_ONE = "`apt install gcc` (Debian), `xcode-select --install` (macOS) or `pip install ziglang` (anywhere)"
"""Ways to get a C compiler, for messages."""


def library_stem(name: str, march: str) -> str:
    """A library's file name without its ending.

    >>> library_stem("elman", "native"), library_stem("elman", "v3")
    ('elman', 'elman.v3')
    """
    return name if march in ("", MARCH_NATIVE) else f"{name}.{march}"


def banned_among(flags: Iterable[str]) -> str:
    """The first banned flag in ``flags``, or an empty text.

    >>> banned_among(("-O2", "-Wl,-z,now", "-Ofast"))
    '-Ofast'
    """
    return next((flag for flag in flags if flag in BANNED), "")
