"""The kind of machine: processor, cores, caches, compiler, and environment variables that change other libraries.

Reads the system's own description; returns plain values. Leaves out: names of hosts, dates, paths.
"""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path
from typing import Any

from benchmarks.grid import available_cores
from benchmarks.held import held_to
from symrnn.errors import CheckError
from symrnn.targets.c.march import chosen_march
from symrnn.targets.c.tiles import options_for
from symrnn.targets.c.toolchain import Compiler, Options, find_compiler, flags

STEERING = ("OPENBLAS_", "OMP_", "GOMP_", "KMP_", "MKL_", "XLA_", "ORT_", "TORCH_", "SYMRNN_NUM_")
"""Prefixes of environment variables that change what libraries do."""

_VECTORS = {"__AVX512F__": "avx512", "__AVX2__": "avx2", "__SSE2__": "sse2", "__ARM_NEON": "neon"}
"""Macros of compilers, the widest vectors first."""
_MAKERS = {"AuthenticAMD": "amd", "GenuineIntel": "intel"}
"""Makers by what their processors say; with vectors of one width, theirs differ in arithmetic and caches."""

_CPU_INFO = Path("/proc/cpuinfo")
_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")


def describe() -> dict[str, Any]:
    """The machine, for a record.

    Raises:
        BuildError: no compiler is found.
    """
    compiler = find_compiler()
    return {
        "cpu": _cpu() + (f", held to {held_to()}" if held_to() else ""),
        "kind": kind(compiler),
        "architecture": platform.machine(),
        "system": platform.system(),
        "cores": len(available_cores()),
        "caches": _caches(),
        "compiler": compiler.version.splitlines()[0],
        "flags": " ".join(flags(compiler, options_for(chosen_march(None)))),
        "environment": steering(),
    }


def kind(compiler: Compiler) -> str:
    """The widest vectors that the kernels use, and the processor's maker: ``avx512-amd``; figures are kept by it.

    The vectors are this processor's, or those of the one that ``SYMRNN_MARCH`` names. A maker that we do not know is left out.

    Raises:
        CheckError: the compiler does not say what it compiles for.
    """
    chosen = flags(compiler, Options(march=chosen_march(None)))
    command = [*compiler.command, *chosen, "-dM", "-E", "-x", "c", os.devnull]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CheckError(f"{compiler.command[0]} does not say what it compiles for:\n{done.stderr}")
    defined = {words[1] for words in map(str.split, done.stdout.splitlines()) if len(words) > 1}
    vectors = next((name for macro, name in _VECTORS.items() if macro in defined), "plain")
    maker = _MAKERS.get(_cpu_info().get("vendor_id", ""))
    return f"{vectors}-{maker}" if maker else vectors


def steering() -> dict[str, str]:
    """Environment variables that change what libraries do."""
    return {name: os.environ[name] for name in sorted(os.environ) if name.startswith(STEERING)}


def _cpu() -> str:
    found = _cpu_info()
    name = found.get("model name") or found.get("Model")
    # Rented machines hide the model in the name, but not in these numbers.
    numbers = [f"{key.removeprefix('cpu ')} {found[key]}" for key in ("cpu family", "model") if key in found]
    if name:
        return f"{name} ({', '.join(numbers)})" if numbers else name
    return platform.processor() or "unknown"


def _cpu_info() -> dict[str, str]:
    """What Linux says of the last processor; nothing elsewhere."""
    if not _CPU_INFO.is_file():
        return {}
    lines = _CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines()
    return {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}


def _caches() -> dict[str, str]:
    """Size of each cache of a core, by its level and kind."""
    found = {}
    for entry in sorted(_CACHES.glob("index*")) if _CACHES.is_dir() else ():
        level, kind, size = (
            entry.joinpath(name).read_text(encoding="ascii").strip() for name in ("level", "type", "size")
        )
        found[f"L{level} {kind.lower()}"] = size
    return found
