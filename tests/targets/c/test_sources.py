"""The generated C: free of warnings, clean under the sanitizers, within its buffers, on every path of registers."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from symrnn import Cell, load, render
from symrnn.targets.c.flags import RUNTIME
from symrnn.targets.c.names import MACROS
from symrnn.targets.c.toolchain import Options
from tests import processors
from tests.sparing import ONE, sparing
from tests.targets.c.c_harness import harness

CELLS = Path(__file__).resolve().parents[2] / "cells"
ALONG = sorted(str(path) for path in (CELLS / "axes").glob("*.toml"))
"""Cells with stages along axes, whose parts share lines."""
NAMES = (
    "rnn",
    "lstm",
    "gru",
    "gru_reset_after",
    "mingru",
    *sorted(str(path) for path in CELLS.glob("*.toml")),
    *ALONG,
)
WARNINGS = ("-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wpedantic", "-Werror")
ARITHMETIC = ("-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast")
SANITIZERS = ("-O0", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
THREAD_SANITIZER = ("-O0", "-g", "-fsanitize=thread")


def _sources(name: str, folder: Path, sizes: Mapping[str, int] | None = None) -> str:
    cell = load(name)
    for file, text in render(cell, backends=("c",), sizes=sizes).items():
        if file.endswith((".c", ".h")):
            (folder / file).write_text(text)
    return cell.name


def _run(*command: str, folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"


@pytest.mark.parametrize("name", sparing(NAMES, ONE), ids=lambda name: Path(name).stem)
@pytest.mark.parametrize(
    # GCC finds what is not initialised only where it optimises; Clang's warnings are the same at every level.
    ("compiler", "level"),
    [("gcc", "-O1"), pytest.param("clang", "-O0", marks=pytest.mark.long)],
)
def test_compiles_without_a_warning(compiler: str, level: str, name: str, tmp_path: Path) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    stem = _sources(name, tmp_path)
    _run(compiler, *WARNINGS, *ARITHMETIC, level, "-march=native", "-c", f"{stem}.c", folder=tmp_path)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        *(pytest.param(name, (), marks=[] if name in ONE else [pytest.mark.long]) for name in NAMES),
        pytest.param("lstm", ("-DSYMRNN_PLAIN",), marks=pytest.mark.long),
        pytest.param("gru", ("-DSYMRNN_PLAIN",), marks=pytest.mark.long),
    ],
    ids=lambda value: Path(value).stem if isinstance(value, str) else "".join(value) or "vectors",
)
def test_stays_within_its_buffers(name: str, path: tuple[str, ...], tmp_path: Path) -> None:
    _run_harness(name, (*SANITIZERS, *path), tmp_path)


@pytest.mark.parametrize("name", sparing(NAMES, ONE), ids=lambda name: Path(name).stem)
def test_stays_within_its_buffers_with_fixed_sizes(name: str, tmp_path: Path) -> None:
    """Sizes below a vector, or beyond: for every second cell the one, for the others the other."""
    _run_harness(name, SANITIZERS, tmp_path, 5 if NAMES.index(name) % 2 else 19, fixed=True)


@pytest.mark.parametrize("name", sparing(NAMES, ONE), ids=lambda name: Path(name).stem)
def test_parts_do_not_race(name: str, tmp_path: Path) -> None:
    """The harness has few rows, so that parts share the units, and many, so that they share the rows."""
    _run_harness(name, THREAD_SANITIZER, tmp_path)


def _sanitizing(name: str) -> str:
    """The compiler for a cell's harness: GCC for one cell; for the others Clang where it is, which takes half the time."""
    return "gcc" if name in ONE or shutil.which("clang") is None else "clang"


def _run_harness(name: str, options: tuple[str, ...], tmp_path: Path, units: int = 19, *, fixed: bool = False) -> None:
    compiler = _sanitizing(name)
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    cell = load(name)
    sizes = dict.fromkeys(cell.sizes, 5) | {"input": 3, "hidden": units}
    if cell.input_is_hidden:
        sizes["input"] = sizes["hidden"]
    stem = _sources(name, tmp_path, sizes if fixed else {})
    (tmp_path / "main.c").write_text(harness(cell, sizes))
    flags = ("-std=c11", *ARITHMETIC, *options)
    _run(compiler, *flags, f"{stem}.c", "main.c", "-o", "main", "-lm", "-pthread", folder=tmp_path)
    _run("./main", folder=tmp_path)


def test_names_of_the_templates_are_free_for_the_author(tmp_path: Path) -> None:
    """Bias ``once`` and matrix ``SPINS`` meet a field and a macro; `c` depends on parameters alone."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    biases = ("once", "CHUNK", "TILE_ROWS", "SIZE_MAX", "HUGE_VAL", "forward_at_f32", "row", "origin", "i")
    text = f"""
        c = exp({" + ".join(biases)})
        a = sigmoid(SPINS @ x + START_NS @ h)
        h' = tanh(a * h + W @ x) * c
    """
    for file, source in render(Cell.from_equations(text, name="names"), backends=("c",)).items():
        (tmp_path / file).write_text(source)
    _run("gcc", *WARNINGS, *ARITHMETIC, "-O0", "-march=native", "-c", "names.c", folder=tmp_path)


@pytest.mark.parametrize("fixed", [False, True])
def test_names_of_macros_are_free_for_the_author(fixed: bool, tmp_path: Path) -> None:
    """Those of the cell's own header, and those of the headers that it includes."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    text = """
        linux = W_FIXED_hidden @ x + W_H
        INT8_MAX = FP_NAN @ h + bit_AVX + W_BLOCK + SCHED_OTHER
        h' = tanh(linux * INT8_MAX) + HUGE_VALF * M_PI
    """
    sizes = {"hidden": 20, "input": 3} if fixed else None
    for file, source in render(Cell.from_equations(text, name="w"), backends=("c",), sizes=sizes).items():
        (tmp_path / file).write_text(source)
    _run("gcc", *WARNINGS[1:], "-std=gnu11", *ARITHMETIC, "-O0", "-march=native", "-c", "w.c", folder=tmp_path)


@pytest.mark.parametrize("name", NAMES, ids=lambda name: Path(name).stem)
def test_every_macro_is_known_to_the_allocator_of_names(name: str) -> None:
    cell = load(name)
    files = render(cell, backends=("c",))
    for file in (f"{cell.name}.c", *RUNTIME):
        # A macro with arguments replaces a name in front of a parenthesis alone.
        defined = set(re.findall(r"^ *# *define (\w+)(?!\w|\()", files[file], re.MULTILINE))
        assert defined <= set(MACROS), defined - set(MACROS)


def test_header_is_cplusplus(tmp_path: Path) -> None:
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    stem = _sources("lstm", tmp_path)
    (tmp_path / "use.cpp").write_text(f'#include "{stem}.h"\nint main() {{ return {stem}_abi() == nullptr; }}\n')
    _run("g++", "-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-c", "use.cpp", folder=tmp_path)


def test_a_cell_file_is_short_and_has_each_statement_once() -> None:
    source = render("lstm", backends=("c",))["lstm.c"]
    assert len(source.splitlines()) < 500
    for label in ("(5)", "(6a)", "(6)", "(b2)", "(b10)"):
        assert source.count(f"; /* {label} */") == 1, label


def test_a_single_file_and_one_precision_give_the_same_bits() -> None:
    x = np.random.default_rng(5).standard_normal((5, 3, 4))
    for dtype in ("float32", "float64"):
        found = []
        for files in (
            render("gru", backends=("c",)),
            render("gru", backends=("c",), single_file=True),
            render("gru", backends=("c",), dtypes=(dtype,), dtype=dtype),
        ):
            kernels = processors.load(files, "gru", Options("-O1"))
            params = kernels.init_params(4, 7, seed=1, dtype=dtype)
            y, _, tape = kernels.forward(params, x.astype(dtype))
            grads = kernels.backward(params, tape, np.ones_like(y))
            found.append(b"".join(np.asarray(a).tobytes() for a in (y, grads.x, *grads.params.values())))
        assert found[0] == found[1] == found[2], dtype
