"""How a generated C file is compiled: the one table of flags, for the text of generated files and for the build.

Reads and returns flags. Leaves out: which compiler there is, and what it accepts (`symrnn.build.toolchain`).
"""

from __future__ import annotations

from collections.abc import Iterable

STANDARD = ("-std=c11",)
OPTIMISE = "-O3"
NATIVE = "-march=native"
ARITHMETIC = ("-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast")
"""What may be assumed about arithmetic: nobody reads errno or traps, and a product with a sum may be rounded once."""
LIBRARY = ("-fPIC", "-shared")
LINK = ("-lm",)

BANNED = ("-ffast-math", "-Ofast", "-funsafe-math-optimizations", "-mdaz-ftz")
"""Never given to a compiler or linker: loading such a library makes the whole process flush subnormal numbers."""

SUFFIXES = {"darwin": ".dylib", "win32": ".dll"}
"""Endings of a shared library by ``sys.platform``."""
OTHER_SUFFIX = ".so"

HOW_TO_GET_ONE = "`apt install gcc` (Debian), `xcode-select --install` (macOS) or `pip install ziglang` (anywhere)"
"""Where a C compiler comes from, for messages."""


def banned_among(flags: Iterable[str]) -> str:
    """The first banned flag in ``flags``, or an empty text.

    >>> banned_among(("-O2", "-Wl,-z,now", "-Ofast"))
    '-Ofast'
    """
    return next((flag for flag in flags if flag in BANNED), "")
