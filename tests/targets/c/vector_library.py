"""The vector text of the emitted C as libraries, one for each kind of registers that this machine runs.

Reads the template and the function table; returns loaded libraries in which `run` finds every function over arrays.
Leaves out: what the tests hold about them.
"""

from __future__ import annotations

import ctypes
import dataclasses
import shutil
import subprocess
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from symrnn.build.cache import entry_key, library_in_cache
from symrnn.language.functions import FUNCTIONS, PRIMITIVE
from symrnn.targets.c.files import runtime_files
from symrnn.targets.c.precision import PRECISIONS as TABLE
from tests.processors import FEATURES, missing

Array = np.ndarray[Any, Any]

HERE = Path(__file__).parent
PRECISIONS = tuple(p.name for p in TABLE)
COMPILER = shutil.which("gcc") or shutil.which("cc") or shutil.which("clang")
STRICT = ("-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wpedantic", "-Werror")
SPEED = ("-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast")

REAL: dict[str, Any] = {"f32": np.float32, "f64": np.float64}
SMALLEST = {"f32": -149, "f64": -1074}
UNARY = [f"v_{name}" for name in ("exp", "expm1", "log", "log1p", "tanh", "sigmoid", "sqrt", "sin", "cos", "abs")]
UNARY += [f"f_{name}" for name in PRIMITIVE if FUNCTIONS[name].arity == 1]
BINARY = [f"f_{name}" for name in PRIMITIVE if FUNCTIONS[name].arity == 2]
TERNARY = [f"f_{name}" for name in PRIMITIVE if FUNCTIONS[name].arity == 3]


@dataclasses.dataclass(frozen=True)
class Target:
    """How the text is compiled, and what a processor must have to run it.

    Attributes:
        title: what documentation calls it.
        flags: for the compiler.
        features: names in ``/proc/cpuinfo``; empty for what any processor runs that the compiler aims at.
    """

    title: str
    flags: tuple[str, ...]
    features: tuple[str, ...] = ()


TARGETS = {
    "native": Target("this machine", ("-O3", "-march=native")),
    "unfused": Target("this machine, unfused", ("-O2", "-march=native", "-ffp-contract=off")),
    "avx512": Target("AVX-512", ("-O3", "-march=x86-64-v4"), FEATURES["v4"]),
    "avx2": Target("AVX2", ("-O3", "-march=x86-64-v3"), FEATURES["v3"]),
    "sse2": Target("SSE2", ("-O3", "-march=x86-64"), ("sse2",)),
    "plain": Target("plain C11", ("-O2", "-DSYMRNN_PLAIN")),
    "plain-native": Target("plain C11, fused", ("-O3", "-march=native", "-DSYMRNN_PLAIN")),
}


def runs(target: str) -> bool:
    """Whether this machine runs what is compiled for ``target``."""
    return not missing(TARGETS[target].features)


def compile_c(directory: Path, arguments: Iterable[str]) -> None:
    """Run the compiler in ``directory``; its messages are the failure."""
    assert COMPILER is not None
    command = [COMPILER, *STRICT, *SPEED, *arguments, "-lm"]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr}"


def write_text(directory: Path) -> None:
    """Write the runtime, and ``vector_text.h``: it in both precisions, and the lists of functions that the harness expands."""

    def names(word: str, those: list[str]) -> str:
        rows = [f"X({name}, {p.name}, {p.real})" for p in TABLE for name in those]
        return f"#define {word}(X) {' '.join(rows)}\n"

    for name, source in runtime_files().items():
        (directory / name).write_text(source.text)
    (directory / "vector_text.h").write_text(
        both_precisions() + names("UNARY", UNARY) + names("BINARY", BINARY) + names("TERNARY", TERNARY)
    )


def both_precisions() -> str:
    """The runtime in both precisions, for a cell of the smallest limits."""
    limits = ("SUMS", "OPERANDS", "STAGES", "ARRAYS", "RIGHTS")
    text = "".join(f"#define MOST_{limit} 8\n" for limit in limits)
    text += '#define GIVES_DX 1\n#include "symrnn.h"\n'
    for p in TABLE:
        lanes = f"enum {{ LANES_{p.name} = LANES }};"
        text += (
            f'#undef REAL\n#define REAL {p.bits}\n#include "symrnn_vector.h"\n#include "symrnn_functions.h"\n{lanes}\n'
        )
    return text


def build(directory: Path, target: str) -> ctypes.CDLL:
    """The harness over the text that `write_text` left in ``directory``, compiled for ``target`` and loaded."""
    sources = {path.name: path.read_text() for path in sorted(directory.glob("*.h"))}
    return load({"vector_harness.c": (HERE / "vector_harness.c").read_text()} | sources, TARGETS[target].flags)


def load(sources: dict[str, str], flags: tuple[str, ...]) -> ctypes.CDLL:
    """The library of one C file and its headers, from the cache: every process and module of tests compiles it but once."""
    assert COMPILER is not None
    name, full = next(iter(sources)), (*flags, "-shared", "-fPIC")

    def make(folder: Path) -> Path:
        for file, text in sources.items():
            (folder / file).write_text(text)
        compile_c(folder, [*full, name, "-o", "made.so"])
        return folder / "made.so"

    key = entry_key(sources, (*STRICT, *SPEED, *full), (COMPILER,), compiler_version())
    return ctypes.CDLL(str(library_in_cache(key, "made.so", make)))


@cache
def compiler_version() -> str:
    """What the compiler says about itself."""
    return subprocess.run([str(COMPILER), "--version"], capture_output=True, text=True, check=True).stdout


def run(library: ctypes.CDLL, name: str, *arguments: Array) -> Array:
    """``name`` over arrays of one precision."""
    precision = "f32" if arguments[0].dtype == np.float32 else "f64"
    arrays = [np.ascontiguousarray(argument) for argument in arguments]
    y = np.empty_like(arrays[0])
    pointers = [ctypes.c_void_p(array.ctypes.data) for array in (*arrays, y)]
    library[f"run_{name}_{precision}"](*pointers, ctypes.c_size_t(y.size))
    return y
