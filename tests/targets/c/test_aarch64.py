"""The C file on AArch64: cross-compiled, run by an emulator, held to every oracle and kept within its buffers."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import cast

import pytest

import symrnn
from symrnn import load, render
from symrnn.check.cases import CASES
from symrnn.check.deviations import Report
from symrnn.check.kernels import Kernels, TangentKernels
from symrnn.check.suite import run_suite
from symrnn.targets.c.flags import ARITHMETIC, LINK, MARCH_BASELINE, STANDARD, TARGETS
from tests.families import FIRST_CELLS
from tests.sparing import ONE, sparing
from tests.targets.c.c_driver import DriverKernels, driver
from tests.targets.c.c_harness import harness

COMPILER, EMULATOR = "aarch64-linux-gnu-gcc", "qemu-aarch64"
FILES = Path(__file__).resolve().parents[2] / "cells"
CELLS = (*FIRST_CELLS, *(str(FILES / f"{name}.toml") for name in ("layernorm_lstm", "max_exp", "projection_lstm")))
FLAGS = (*STANDARD, TARGETS["aarch64"][MARCH_BASELINE][0], *ARITHMETIC)

# The emulator is slow: every kind of case, but none that is long.
CHOSEN = tuple(case for case in CASES if case.steps <= 5 and not case.others)

needs_tools = pytest.mark.skipif(
    not (shutil.which(COMPILER) and shutil.which(EMULATOR)),
    reason=f"{COMPILER} or {EMULATOR} is not installed (Debian: gcc-aarch64-linux-gnu, libc6-dev-arm64-cross, qemu-user)",
)


def compiled(name: str, main: str, folder: Path, *options: str) -> tuple[str, ...]:
    """What runs ``main`` with the cell's C file."""
    cell = load(name)
    for file, text in render(cell, backends=("c",)).items():
        folder.joinpath(file).write_text(text)
    folder.joinpath("main.c").write_text(main)
    command = [COMPILER, *FLAGS, *options, f"{cell.name}.c", "main.c", "-static", "-o", "main", *LINK]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return (EMULATOR, str(folder / "main"))


@needs_tools
@pytest.mark.long
@pytest.mark.parametrize("name", CELLS, ids=lambda name: Path(name).stem)
def test_every_oracle_holds(name: str, tmp_path: Path) -> None:
    cell = load(name)
    command = compiled(name, driver(cell), tmp_path, "-O1")
    numpy = cast(TangentKernels, symrnn.build(cell, backend="numpy"))
    kernels = cast(Kernels, DriverKernels(cell, command))
    report = Report(run_suite(cell, numpy, {"c": kernels}, CHOSEN), ())
    assert {(deviation.backend, deviation.dtype) for deviation in report.deviations} == {
        ("c", "float64"),
        ("c", "float32"),
    }
    assert report.passed, report.table()


@needs_tools
def test_a_processor_without_an_extension_is_told(tmp_path: Path) -> None:
    main = '#include "rnn.h"\nint main(void) { return rnn_cpu_supported(); }\n'
    command = compiled("rnn", main, tmp_path, "-O1", "-march=armv8.2-a+sve")
    answers = [
        subprocess.run([EMULATOR, "-cpu", cpu, command[-1]], check=False).returncode for cpu in ("cortex-a57", "max")
    ]
    assert answers == [0, 1]


@needs_tools
@pytest.mark.parametrize("name", sparing(["gru", CELLS[-1]], ONE), ids=lambda name: Path(name).stem)
def test_parts_stay_within_their_buffers_and_give_the_same_bits(name: str, tmp_path: Path) -> None:
    cell = load(name)
    sizes = {"input": 3, "hidden": 19, **dict.fromkeys(cell.sizes[2:], 5)}
    command = compiled(name, harness(cell, sizes), tmp_path, "-O1", "-pthread")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
