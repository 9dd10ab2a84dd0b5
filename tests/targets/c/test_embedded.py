"""The C file on small processors: it compiles, links and is right where registers are odd, atomics absent, vectors none."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

import symrnn
from symrnn import Cell, render
from symrnn.check.cases import EVERY, Case
from symrnn.check.deviations import Report
from symrnn.check.kernels import Kernels, TangentKernels
from symrnn.check.suite import run_suite
from symrnn.targets.c.flags import ARITHMETIC, LINK, STANDARD
from tests.targets.c.c_driver import DriverKernels, driver

RUNTIME = Path(__file__).with_name("bare_runtime.c")
EQUATIONS = "z = sigmoid(W @ x + U @ h + b)\nh' = z * h + (1 - z) * tanh(V @ x)"
CASES = (Case(3, 1, 2, 5, EVERY), Case(4, 3, 2, 5, EVERY, ragged=True, reverse=True))
"""Rows alone and several, with lengths, in both precisions, by every oracle."""


@dataclass(frozen=True)
class Target:
    """How a program is made and run for a processor.

    Attributes:
        compiler: its program.
        flags: for it.
        emulator: what runs the program; nothing where this machine does.
        package: where Debian has the compiler.
        size: the whole number that is ``size_t``.
        bare: whether there is no system to start the program.
    """

    compiler: str
    flags: tuple[str, ...]
    emulator: tuple[str, ...] = ()
    package: str = ""
    size: str = "uint32"
    bare: bool = False


_I686 = ("i686-linux-gnu-gcc", "gcc-i686-linux-gnu, libc6-dev-i386-cross")
_ARM = ("arm-none-eabi-gcc", "gcc-arm-none-eabi, libnewlib-arm-none-eabi")
_RISCV = ("riscv64-unknown-elf-gcc", "gcc-riscv64-unknown-elf, picolibc-riscv64-unknown-elf")
_RISCV_MEMORY = (
    "--specs=picolibc.specs",
    "-Wl,--defsym=__flash=0x10000000,--defsym=__flash_size=0x400000",
    "-Wl,--defsym=__ram=0x20000000,--defsym=__ram_size=0x800000",
)
_M0 = ("-mthumb", "-mcpu=cortex-m0")
_M4 = ("-mthumb", "-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard")

TARGETS = {
    "i686 with x87": Target(_I686[0], ("-O2", "-std=gnu11", "-static"), package=_I686[1]),
    "i686 with x87, C11": Target(_I686[0], ("-O2", "-static"), package=_I686[1]),
    "i686 with SSE2 and x87, C11": Target(_I686[0], ("-O1", "-msse2", "-static"), package=_I686[1]),
    "Cortex-M0": Target(_ARM[0], ("-O1", *_M0), ("qemu-arm",), _ARM[1], bare=True),
    "Cortex-M4": Target(_ARM[0], ("-O2", *_M4), ("qemu-arm",), _ARM[1], bare=True),
    "RV32IMC": Target(
        _RISCV[0], ("-O1", "-march=rv32imc", "-mabi=ilp32", *_RISCV_MEMORY), ("qemu-riscv32",), _RISCV[1], bare=True
    ),
    "RV32IMAFC": Target(
        _RISCV[0], ("-O2", "-march=rv32imafc", "-mabi=ilp32f", *_RISCV_MEMORY), ("qemu-riscv32",), _RISCV[1], bare=True
    ),
    "x86-64 with x87": Target("gcc", ("-O2", "-std=gnu11", "-mfpmath=387", "-DSYMRNN_PLAIN"), size="uint64"),
    "x86-64 with x87 or SSE2": Target("gcc", ("-O3", "-mfpmath=both", "-DSYMRNN_PLAIN"), size="uint64"),
}
OFTEN = ("i686 with x87", "Cortex-M0")
"""What always runs: the rest is for CI."""


def required(target: Target) -> None:
    """Skip where a program of the target is missing, with the package that has it."""
    for program, package in ((target.compiler, target.package), *((name, "qemu-user") for name in target.emulator[:1])):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed (Debian: {package or program})")
    if target.compiler == "gcc" and not machine("gcc").startswith("x86_64"):
        pytest.skip("gcc is not for x86-64")


@functools.cache
def machine(compiler: str) -> str:
    return subprocess.run([compiler, "-dumpmachine"], capture_output=True, text=True, check=True).stdout


@functools.cache
def small() -> tuple[Cell, dict[str, str]]:
    cell = Cell.from_equations(EQUATIONS, name="small")
    return cell, render(cell, backends=("c",))


def compiled(target: Target, cell: Cell, files: dict[str, str], main: str, folder: Path) -> tuple[str, ...]:
    """What runs ``main`` with the cell's C file: linked as anybody links, with the C library and libm."""
    for file, text in {**files, "main.c": main}.items():
        folder.joinpath(file).write_text(text)
    sources = [f"{cell.name}.c", "main.c", *([str(RUNTIME), "-nostartfiles"] if target.bare else [])]
    command = [target.compiler, *STANDARD, *ARITHMETIC, *target.flags, *sources, "-o", "main", *LINK]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr}"
    return (*target.emulator, str(folder / "main"))


def hold_oracles(cell: Cell, command: tuple[str, ...], size: str) -> None:
    """Every oracle, in both precisions."""
    numpy = cast(TangentKernels, symrnn.build(cell, backend="numpy"))
    kernels = cast(Kernels, DriverKernels(cell, command, size))
    report = Report(run_suite(cell, numpy, {"c": kernels}, CASES), ())
    assert {(deviation.backend, deviation.dtype) for deviation in report.deviations} == {
        ("c", "float64"),
        ("c", "float32"),
    }
    assert report.passed, report.table()


@pytest.mark.parametrize("name", [pytest.param(n, marks=[] if n in OFTEN else pytest.mark.long) for n in TARGETS])
def test_every_oracle_holds(name: str, tmp_path: Path) -> None:
    target = TARGETS[name]
    required(target)
    cell, files = small()
    hold_oracles(cell, compiled(target, cell, files, driver(cell), tmp_path), target.size)


@pytest.mark.long
@pytest.mark.parametrize("target", ["i686 with x87", "Cortex-M4", "RV32IMC"])
@pytest.mark.parametrize("name", ["lstm", "gru", str(Path(__file__).parents[2] / "cells" / "max_exp.toml")])
def test_every_oracle_holds_for_other_cells(name: str, target: str, tmp_path: Path) -> None:
    required(TARGETS[target])
    cell = symrnn.load(name)
    command = compiled(TARGETS[target], cell, render(cell, backends=("c",)), driver(cell), tmp_path)
    hold_oracles(cell, command, TARGETS[target].size)


# ---- a processor without atomic instructions ----

_PARTS = """
#include "small.h"
static float numbers[6][4096];
int main(void)
{
    const small_dims dims = {.steps = 2, .rows = 4, .input = 1, .hidden = 2};
    const small_f32_params params = {numbers[0], numbers[0], numbers[0], numbers[0]};
    small_barrier barrier = {0};
    size_t parts = 0;
    if (small_f32_useful_parts(&dims, 64, 1, &parts) || parts < 1)
        return 1;
    for (size_t part = 0; part < 2; ++part) /* these need not meet */
        if (small_f32_pack(&dims, &params, numbers[1], NULL, part, 2))
            return 2;
    if (small_f32_infer(&dims, numbers[1], numbers[0], NULL, numbers[2], NULL, numbers[3], 0, 1, NULL))
        return 3;
    if (small_f32_infer(&dims, numbers[1], numbers[0], NULL, numbers[2], NULL, numbers[3], 0, 2, NULL) != EXPECTED)
        return 4;
    if (EXPECTED == SMALL_ATOMICS && parts != 1)
        return 5;
    if (EXPECTED == SMALL_ATOMICS
        && small_f32_infer(&dims, numbers[1], numbers[0], NULL, numbers[2], NULL, numbers[3], 0, 2, &barrier) != EXPECTED)
        return 6;
    return 0;
}
"""
_NO_ATOMICS = ("-U__GCC_ATOMIC_INT_LOCK_FREE", "-D__GCC_ATOMIC_INT_LOCK_FREE=1")


@pytest.mark.parametrize(
    ("flags", "expected"), [(_NO_ATOMICS, "SMALL_ATOMICS"), ((), "SMALL_PARTS")], ids=["without", "with"]
)
def test_parts_do_not_meet_without_atomic_instructions(flags: tuple[str, ...], expected: str, tmp_path: Path) -> None:
    target = Target("gcc", ("-O0", f"-DEXPECTED={expected}", *flags))
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    cell, files = small()
    command = compiled(target, cell, files, _PARTS, tmp_path)
    assert subprocess.run(command, check=False).returncode == 0


@pytest.mark.long
@pytest.mark.parametrize("name", ["Cortex-M0", "RV32IMC"])
def test_small_processors_have_none(name: str, tmp_path: Path) -> None:
    required(TARGETS[name])
    cell, files = small()
    main = _PARTS.replace("EXPECTED", "SMALL_ATOMICS")
    assert subprocess.run(compiled(TARGETS[name], cell, files, main, tmp_path), check=False).returncode == 0


# ---- the choice of vector registers ----

_CLANG = "clang"
CHOICES = {
    "x86-64": (("gcc", _CLANG), (), 16),
    "x86-64-v3": (("gcc", _CLANG), ("-march=x86-64-v3",), 32),
    "x86-64-v4": (("gcc", _CLANG), ("-march=x86-64-v4",), 64),
    "x86-64, plain": (("gcc", _CLANG), ("-march=x86-64-v3", "-DSYMRNN_PLAIN"), 0),
    "i686": (("i686-linux-gnu-gcc",), (), 0),
    "i686 with SSE": (("i686-linux-gnu-gcc",), ("-msse",), 0),
    "i686 with SSE2": (("i686-linux-gnu-gcc",), ("-msse2",), 16),
    "Cortex-M0": (("arm-none-eabi-gcc",), _M0, 0),
    "Cortex-M4": (("arm-none-eabi-gcc",), _M4, 0),
    "Cortex-M55": (("arm-none-eabi-gcc",), ("-mthumb", "-mcpu=cortex-m55", "-mfloat-abi=hard"), 0),
    "Cortex-A9": (("arm-none-eabi-gcc",), ("-mcpu=cortex-a9", "-mfpu=neon", "-mfloat-abi=hard"), 0),
    "ARMv7 by Clang": ((_CLANG,), ("--target=armv7a-none-eabi", "-mfpu=neon"), 0),
    "RV32IMC": (("riscv64-unknown-elf-gcc",), ("-march=rv32imc", "-mabi=ilp32"), 0),
    "RV64GC by Clang": ((_CLANG,), ("--target=riscv64", "-march=rv64gc"), 0),
    "AArch64": (("aarch64-linux-gnu-gcc",), (), 16),
    "AArch64 by Clang": ((_CLANG,), ("--target=aarch64-linux-gnu",), 16),
    "AArch64 without them": (("aarch64-linux-gnu-gcc",), ("-mgeneral-regs-only",), 0),
    "WebAssembly": ((_CLANG,), ("--target=wasm32",), 0),
    "WebAssembly with SIMD": ((_CLANG,), ("--target=wasm32", "-msimd128"), 16),
    "POWER": ((_CLANG,), ("--target=powerpc64le-linux-gnu",), 16),
    "PowerPC with AltiVec alone": ((_CLANG,), ("--target=powerpc-linux-gnu", "-maltivec"), 0),
    "z13": ((_CLANG,), ("--target=s390x-linux-gnu", "-march=z13"), 0),
    "z14": ((_CLANG,), ("--target=s390x-linux-gnu", "-march=z14"), 16),
    "MIPS": ((_CLANG,), ("--target=mips64el-linux-gnu",), 0),
    "MIPS with MSA": ((_CLANG,), ("--target=mips64el-linux-gnu", "-mmsa"), 16),
}
"""Compilers that know a processor, how it is told them, and the bytes of its vectors that have float and double."""


def stubs(folder: Path) -> tuple[str, ...]:
    """Flags that put empty headers in the place of a system's, for the preprocessor alone."""
    headers = folder / "stubs"
    headers.mkdir(exist_ok=True)
    for name in ("math", "string", "stdint", "stddef", "cpuid", "sched", "immintrin", "emmintrin", "arm_neon"):
        headers.joinpath(f"{name}.h").touch()
    headers.joinpath("float.h").write_text("#define FLT_MANT_DIG 24\n#define DBL_MANT_DIG 53\n")
    return ("-nostdinc", f"-I{headers}")


@pytest.mark.parametrize("name", CHOICES)
def test_vectors_are_those_of_the_target(name: str, tmp_path: Path) -> None:
    compilers, flags, expected = CHOICES[name]
    found = [c for c in compilers if shutil.which(c) and not (c == "gcc" and not machine(c).startswith("x86_64"))]
    if not found:
        pytest.skip(f"{' or '.join(compilers)} is not installed, or for another processor")
    for file, text in small()[1].items():
        tmp_path.joinpath(file).write_text(text)
    for compiler in found:
        own = ("--target=x86_64-linux-gnu",) if compiler == _CLANG and name.startswith("x86-64") else ()
        command = [compiler, *own, *flags, *stubs(tmp_path)]
        done = subprocess.run(
            [*command, "-dM", "-E", "small.c"], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        macros: dict[str, str] = dict(re.findall(r"^#define (\w+) (\w+)$", done.stdout, re.MULTILINE))
        value = macros["SYMRNN_VECTOR_BYTES"]
        assert int(macros.get(value, value)) == expected, f"{compiler} {' '.join(flags)}"


@pytest.mark.parametrize("compiler", ["gcc", _CLANG])
@pytest.mark.parametrize(
    ("flags", "fits"),
    [
        (("-DSYMRNN_VECTOR_BYTES=0",), True),
        (("-DSYMRNN_VECTOR_BYTES=16",), True),
        (("-DSYMRNN_VECTOR_BYTES=32",), False),
        (("-DSYMRNN_VECTOR_BYTES=64",), False),
        (("-DSYMRNN_VECTOR_BYTES",), False),
        (("-DSYMRNN_VECTOR_BYTES=24", "-mavx"), False),
        (("-DSYMRNN_VECTOR_BYTES=16", "-march=x86-64-v3"), True),
        (("-DSYMRNN_VECTOR_BYTES=32", "-mavx"), True),
        (("-DSYMRNN_VECTOR_BYTES=64", "-march=x86-64-v3"), False),
        (("-DSYMRNN_VECTOR_BYTES=16", "-march=x86-64-v4"), True),
        (("-DSYMRNN_VECTOR_BYTES=32", "-march=x86-64-v4"), True),
        (("-DSYMRNN_VECTOR_BYTES=32", "-mavx512f"), True),
        (("-DSYMRNN_VECTOR_BYTES=64", "-mavx512f"), True),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_vectors_may_be_named(compiler: str, flags: tuple[str, ...], fits: bool, tmp_path: Path) -> None:
    """A supported processor compiles without a warning; any other gives one sentence."""
    if shutil.which(compiler) is None or not machine(compiler).startswith("x86_64"):
        pytest.skip(f"{compiler} for x86-64 is not installed")
    for file, text in small()[1].items():
        tmp_path.joinpath(file).write_text(text)
    warnings = ("-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wpedantic", "-Werror")
    command = [compiler, *STANDARD, *warnings, *flags, "-fsyntax-only", "small.c"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == fits, done.stderr
    if not fits:
        (error,) = [line for line in done.stderr.splitlines() if "error:" in line]
        assert "SYMRNN_VECTOR_BYTES is 0, 16, 32 or 64, and no more than this target has" in error


@pytest.mark.parametrize(
    ("compiler", "flags"),
    [
        ("i686-linux-gnu-gcc", ("-O1",)),
        ("i686-linux-gnu-gcc", ("-O1", "-msse2")),
        ("i686-linux-gnu-gcc", ("-O1", "-msse2", "-mfpmath=both")),
        ("i686-linux-gnu-gcc", ("-O1", "-mavx2", "-mfma")),
        ("gcc", ("-mfpmath=387",)),
        ("gcc", ("-mfpmath=387", "-march=x86-64-v3")),
    ],
    ids=str,
)
def test_it_compiles_where_constants_have_more_digits(compiler: str, flags: tuple[str, ...], tmp_path: Path) -> None:
    """C11 in earnest gives a literal the digits of the registers, which no vector has."""
    if shutil.which(compiler) is None or (compiler == "gcc" and not machine("gcc").startswith("x86_64")):
        pytest.skip(f"{compiler} is not installed, or for another processor")
    for file, text in small()[1].items():
        tmp_path.joinpath(file).write_text(text)
    warnings = ("-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wpedantic", "-Werror")
    command = [compiler, *STANDARD, *warnings, *flags, "-fsyntax-only", "small.c"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("flag", "told"),
    [
        ("-fsingle-precision-constant", "compile without -fsingle-precision-constant"),
        ("-DDBL_MANT_DIG=24", "float and double must be IEEE 754's of 32 and 64 bits"),
    ],
)
def test_what_no_guard_helps_against_is_refused(flag: str, told: str, tmp_path: Path) -> None:
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    for file, text in small()[1].items():
        tmp_path.joinpath(file).write_text(text.replace("#include <float.h>\n", "") if "DBL" in flag else text)
    command = ["gcc", *STANDARD, flag, "-DFLT_MANT_DIG=24" if "DBL" in flag else "-O0", "-fsyntax-only", "small.c"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode
    assert told in done.stderr


@pytest.mark.long
def test_the_commands_of_the_documentation_compile(tmp_path: Path) -> None:
    document = (Path(__file__).parents[3] / "docs" / "c.md").read_text(encoding="utf-8")
    commands = [line.split() for line in document.splitlines() if line.startswith((_ARM[0], _RISCV[0]))]
    assert len(commands) == 3
    (tmp_path / "kernels").mkdir()
    for file, text in render("rnn", backends=("c",)).items():
        (tmp_path / "kernels" / file).write_text(text)
    for command in commands:
        if shutil.which(command[0]) is None:
            pytest.skip(f"{command[0]} is not installed (Debian: {_ARM[1]}, {_RISCV[1]})")
        subprocess.run(command, cwd=tmp_path, check=True)
