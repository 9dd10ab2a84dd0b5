"""A program as it would run on a processor with narrower vectors, compilers and other libraries included.

Reads the name of vectors; returns the environment in which a program, and all that it starts, finds no wider ones: a library
that is loaded before any other (``held.c``) answers what they ask the processor. So ours and every peer can be measured, and
all tests run, in the code that most people's processors run. Caches, pipes and clock stay those of the processor at hand.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from pathlib import Path

from symrnn.build.cache import VARIABLE as CACHE_VARIABLE
from symrnn.build.cache import cache_directory
from symrnn.errors import SymrnnError
from symrnn.targets.c.library import compile_library
from symrnn.targets.c.toolchain import Options

VECTORS = ("avx2",)
"""What a program can be held to."""

VARIABLE = "SYMRNN_HELD"
"""Environment variable that says what a process is held to; ``held.c`` sets it when it is loaded."""

_ARCH_PRCTL, _GET_CPUID, _SET_CPUID = 158, 0x1011, 0x1012
_EXTRA = ("-Wl,-z,initfirst", "-ldl")
"""Arguments for the compiler: its constructor runs before those of all libraries, which may ask the processor in theirs."""
_SEPARATORS = " :\t\n"
"""What ends a path in LD_PRELOAD."""


def environment(vectors: str) -> dict[str, str]:
    """The variables of a program that is held, beside those of this process; none if this process is held already.

    Compiled kernels have a folder of their own in the cache: what is compiled for this machine's processor differs.

    Args:
        vectors: of `VECTORS`.

    Raises:
        SymrnnError: this system does not let a program hide features of the processor from itself, or the library lies in a
            folder whose name cannot be said.
        BuildError: the library cannot be compiled.
    """
    if held_to() == vectors:
        return {}
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise SymrnnError(
            f"only Linux on x86-64 can hold a program to {vectors}; this is {sys.platform} on {platform.machine()}"
        )
    system = ctypes.CDLL(None)
    if system.syscall(
        _ARCH_PRCTL, _SET_CPUID, system.syscall(_ARCH_PRCTL, _GET_CPUID)
    ):  # as it is, where that is possible
        raise SymrnnError(
            "this processor, or the system that lends it, does not let a program hide features of the processor from itself "
            "(cpuid_fault among the flags of /proc/cpuinfo); measure on a processor that has no wider vectors"
        )
    source = Path(__file__).with_name("held.c")
    library = compile_library(
        {source.name: source.read_text(encoding="utf-8")},
        "held",
        options=Options("-O2", march="baseline", extra=_EXTRA),
    )
    if any(each in str(library) for each in _SEPARATORS):
        raise SymrnnError(
            f"{library}: a path with a space or a colon cannot be preloaded; name another folder in {CACHE_VARIABLE}"
        )
    preloaded = [str(library), *filter(None, [os.environ.get("LD_PRELOAD")])]
    tunables = [*filter(None, [os.environ.get("GLIBC_TUNABLES")]), "glibc.cpu.hwcaps=-AVX512F,-AVX512VL"]
    return {
        "LD_PRELOAD": ":".join(preloaded),
        "GLIBC_TUNABLES": ":".join(tunables),  # the C library asks before anything can be preloaded
        CACHE_VARIABLE: str(cache_directory() / f"held-{vectors}"),
    }


def held_to() -> str:
    """What this process is held to; empty if it is not."""
    return os.environ.get(VARIABLE, "")
