"""The kind of machine: processor, cores, caches, compiler, and environment variables that change other libraries.

Reads the system's own description; returns plain values. Leaves out: names of hosts, dates, paths.
"""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

from benchmarks.grid import available_cores
from symrnn.targets.c.flags import MARCH_NATIVE
from symrnn.targets.c.tiles import options_for
from symrnn.targets.c.toolchain import find_compiler, flags

STEERING = ("OPENBLAS_", "OMP_", "GOMP_", "KMP_", "MKL_", "XLA_", "ORT_", "TORCH_", "SYMRNN_NUM_")
"""Prefixes of environment variables that change what libraries do."""

_CPU_INFO = Path("/proc/cpuinfo")
_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")


def describe() -> dict[str, Any]:
    """The machine, for a record.

    Raises:
        BuildError: no compiler is found.
    """
    compiler = find_compiler()
    return {
        "cpu": _cpu(),
        "architecture": platform.machine(),
        "system": platform.system(),
        "cores": len(available_cores()),
        "caches": _caches(),
        "compiler": compiler.version.splitlines()[0],
        "flags": " ".join(flags(compiler, options_for(MARCH_NATIVE))),
        "environment": steering(),
    }


def steering() -> dict[str, str]:
    """Environment variables that change what libraries do."""
    return {name: os.environ[name] for name in sorted(os.environ) if name.startswith(STEERING)}


def _cpu() -> str:
    if _CPU_INFO.is_file():
        for line in _CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() in ("model name", "Model"):
                return value.strip()
    return platform.processor() or "unknown"


def _caches() -> dict[str, str]:
    """Size of each cache of a core, by its level and kind."""
    found = {}
    for entry in sorted(_CACHES.glob("index*")) if _CACHES.is_dir() else ():
        level, kind, size = (
            entry.joinpath(name).read_text(encoding="ascii").strip() for name in ("level", "type", "size")
        )
        found[f"L{level} {kind.lower()}"] = size
    return found
