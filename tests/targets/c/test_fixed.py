"""Kernels for sizes that are fixed when they are generated: right by the oracles, for these sizes alone, without queries."""

from __future__ import annotations

import ctypes
import re
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import numpy as np
import pytest

import symrnn
from symrnn.check.cases import EVERY, Case
from symrnn.check.check import check
from symrnn.check.deviations import Report
from symrnn.check.kernels import Kernels, TangentKernels
from symrnn.check.suite import run_suite
from symrnn.cli import main
from symrnn.emit.fixed import fixed_sizes
from symrnn.errors import GenerateError, TargetError
from symrnn.language.cell import Cell
from symrnn.pipeline import program
from symrnn.targets.c.flags import LIBRARY, LINK
from symrnn.targets.c.row import Overwrite, overwrite, row_stages
from symrnn.targets.c.toolchain import Options, find_compiler, flags
from tests.processors import compiler_or_skip, load, load_at, require_compiler, require_processor
from tests.sparing import ONE, sparing

CELLS = Path(__file__).resolve().parents[2] / "cells"
NAMES = ("rnn", "lstm", "gru", "gru_reset_after", *sorted(str(path) for path in CELLS.glob("*.toml")))
CASES = (
    Case(1, 1, 5, 7, EVERY),
    Case(9, 1, 5, 7, EVERY, at_rest=True),
    Case(5, 3, 5, 7, EVERY, ragged=True, reverse=True),
)
"""A step alone, a stream from rest, and a batch."""
MARCHES = ("v4", "v3", "baseline")
FIXED = {"gru": 33, str(CELLS / "projection_lstm.toml"): 20}
"""Cells, and the number of units that they are generated for."""
STATUS_FIXED = 5
QUICK = Options("-O0")
"""For what is about values, and not about the compiler's own choices."""


def quickly(cell: Cell | str, **sizes: int) -> ModuleType:
    """The kernels that `symrnn.build` gives, compiled without care for their speed."""
    cell = symrnn.load(cell)
    return load(symrnn.render(cell, backends=("c",), sizes=sizes), cell.name, QUICK)


@pytest.fixture(autouse=True)
def _compiler() -> None:
    compiler_or_skip()


@pytest.mark.long
@pytest.mark.parametrize("units", [8, 16, 32, 64])
def test_the_oracles_pass_at_the_sizes_of_a_stream(units: int) -> None:
    report = check("lstm", backends=("c",), cases=CASES, sizes={"hidden": units, "input": 1})
    assert report.passed, report.table()
    assert {f"H={units}" in deviation.case for deviation in report.deviations if deviation.backend == "c"} == {True}


@pytest.mark.parametrize("name", sparing(NAMES, ONE), ids=lambda name: Path(name).stem)
@pytest.mark.parametrize("units", [5, 19])
def test_every_cell_passes_with_sizes_below_a_vector_and_beyond(name: str, units: int) -> None:
    cell = symrnn.load(name)
    sizes = {"hidden": units, "input": units if cell.input_is_hidden else 2}
    sizes |= dict.fromkeys((size for size in cell.sizes if size not in sizes), 3)
    numpy = cast(TangentKernels, symrnn.build(cell))
    kernels = cast(Kernels, quickly(cell, **sizes))
    cases = tuple(case.with_sizes(fixed_sizes(cell, sizes)) for case in CASES)
    report = Report(run_suite(cell, numpy, {"c": kernels}, cases))
    assert report.passed, report.table()


@pytest.mark.parametrize("level", ["native", "plain"])
@pytest.mark.parametrize("name", sparing(["rnn", "lstm", "gru"], ONE))
def test_a_step_of_one_row_is_that_of_a_batch(name: str, level: str) -> None:
    """One row goes another way than two; every tail, one tile, two, and several."""
    cell = symrnn.load(name)
    kernels = load_at(level, symrnn.render(cell, backends=("c",)), name)
    for units in (1, 7, 8, 16, 17, 32, 40, 64, 65, 129, 150):
        packed = kernels.pack(kernels.init_params(3, units, seed=units))
        x = np.random.default_rng(units).normal(size=(4, 1, 3)).astype(np.float32)
        alone, both = None, None
        for x_t in x:
            y, alone = kernels.step(packed, x_t, alone)
            y_2, both = kernels.step(packed, np.repeat(x_t, 2, axis=0), both)
            np.testing.assert_allclose(np.repeat(y, 2, axis=0), y_2, atol=2e-6)
            for state, array in alone.items():
                np.testing.assert_allclose(np.repeat(array, 2, axis=0), both[state], atol=2e-6)


def test_other_sizes_are_refused_by_python_and_by_c() -> None:
    kernels = quickly("lstm", hidden=8, input=1)
    general = symrnn.build("lstm", "c")
    assert kernels.FIXED == {"input": 1, "hidden": 8}
    told = r"hidden: 9; the kernels of this module are for 8 alone; generate or build them without fixed sizes"
    with pytest.raises(ValueError, match=told):
        kernels.init_params(1, 9)
    params = general.init_params(1, 9)
    for call in (kernels.pack, kernels.stream, lambda p: kernels.infer(p, np.ones((2, 1, 1), np.float32))):
        with pytest.raises(ValueError, match="hidden: 9; the kernels"):
            call(params)
    library = ctypes.CDLL(str(Path(str(kernels.__file__)).with_name(kernels.LIBRARY)))
    size = ctypes.c_size_t()
    for hidden, expected in ((8, 0), (9, STATUS_FIXED)):
        dims = kernels._dims({"input": 1, "hidden": hidden}, 1, 1)
        assert library.lstm_f32_packed_size(ctypes.byref(dims), ctypes.byref(size)) == expected
        assert library.lstm_f64_step(ctypes.byref(dims), *[None] * 5) == (1 if expected == 0 else expected)


def test_sizes_that_stay_open_are_open() -> None:
    kernels, general = quickly("gru", hidden=8), symrnn.build("gru", "c")
    for inputs in (1, 3):
        params = general.init_params(inputs, 8)
        x = np.ones((1, inputs), np.float32)
        np.testing.assert_allclose(kernels.step(params, x)[0], general.step(params, x)[0], atol=1e-6)


def test_the_input_is_held_where_no_parameter_tells_it() -> None:
    cell = Cell.from_equations("h' = tanh(U @ h + b)", name="autonomous")
    kernels = quickly(cell, input=2, hidden=3)
    params = kernels.init_params(2, 3)
    with pytest.raises(ValueError, match="input: 5; the kernels"):
        kernels.step(params, np.ones((1, 5), np.float32))


def test_sizes_are_those_of_the_cell() -> None:
    lstm, tied = symrnn.load("lstm"), Cell.from_equations("h' = tanh(x + U @ h)", name="tied")
    with pytest.raises(GenerateError, match="the cell lstm has no size 'width'; its sizes are input, hidden"):
        fixed_sizes(lstm, {"width": 3})
    numbers: tuple[Any, ...] = (0, 65537, True, "8")
    for number in numbers:
        with pytest.raises(GenerateError, match="expected a whole number from 1 to 65536"):
            fixed_sizes(lstm, {"hidden": number})
    assert fixed_sizes(lstm, {"hidden": 8, "input": 1}) == {"input": 1, "hidden": 8}
    assert fixed_sizes(tied, {"hidden": 8}) == fixed_sizes(tied, {"input": 8}) == {"input": 8, "hidden": 8}
    with pytest.raises(GenerateError, match="input: 3; the equations of tied force it to equal hidden, 8"):
        fixed_sizes(tied, {"input": 3, "hidden": 8})
    with pytest.raises(GenerateError, match="the cell lstm has no size 'units'; its sizes are input, hidden"):
        symrnn.build("lstm", units=8)
    with pytest.raises(TargetError, match="hidden: only backend c can fix sizes; leave it out"):
        symrnn.build("lstm", "numpy", hidden=8)


@pytest.mark.parametrize("march", MARCHES)
def test_the_memory_that_the_header_names_is_enough(march: str, tmp_path: Path) -> None:
    options = require_compiler(Options("-O0", march=march, extra=("-Wall", "-Wextra", "-Werror")))
    compiler = find_compiler()
    chosen = [flag for flag in flags(compiler, options) if flag not in LIBRARY]
    for name, units in FIXED.items():
        cell = symrnn.load(name)
        sizes = {"input": 3, "hidden": units} | dict.fromkeys(cell.sizes[2:], 5)
        for file, text in symrnn.render(cell, backends=("c",), sizes=sizes).items():
            (tmp_path / file).write_text(text)
        (tmp_path / "main.c").write_text(_sizes_program(cell, sizes))
        command = [*compiler.command, *chosen, f"{cell.name}.c", "main.c", "-o", cell.name, *LINK]
        subprocess.run(command, cwd=tmp_path, check=True)
    require_processor(march)
    for name in FIXED:
        assert subprocess.run([tmp_path / Path(name).stem], check=False).returncode == 0


def _sizes_program(cell: Cell, sizes: dict[str, int]) -> str:
    """A program that fails where a query asks for more than the header's macro."""
    lines = [f'#include <stdio.h>\n#include "{cell.name}.h"\nint main(void) {{ size_t size;']
    designators = ", ".join(f".{name} = {number}" for name, number in sizes.items())
    lines.append(f"const {cell.name}_dims dims = {{.steps = 1, .rows = 1, {designators}}};")
    for p in ("f32", "f64"):
        stem, upper = f"{cell.name}_{p}", f"{cell.name}_{p}".upper()
        for query, macro in (
            (f"{stem}_packed_size(&dims", "PACKED"),
            (f"{stem}_infer_workspace_size(&dims, 1", "WORKSPACE"),
        ):
            lines.append(f"if ({query}, &size) || size > {upper}_{macro}) return 1;")
            lines.append(f"if ({upper}_{macro} > 4 * size + 4096) return 2;")
    return "\n".join([*lines, "return 0; }"]) + "\n"


def test_a_state_is_overwritten_where_nothing_reads_it_later() -> None:
    """By what the step of the cell does with each state, in place always, for two tiles at most, or never."""
    always, two, never = Overwrite.ALWAYS, Overwrite.TWO_TILES, Overwrite.NEVER
    for name, expected in {"lstm": {"c": always, "h": two}, "gru": {"h": always}, "rnn": {"h": two}}.items():
        stages = row_stages(program(name, backend="c").forward)
        assert {state: overwrite(state, stages) for state in expected} == expected
    late = program(Cell.from_equations("a' = tanh(W @ x)\nh' = U @ a' + V @ a", name="late"), backend="c")
    assert overwrite("a", row_stages(late.forward)) == never


def test_a_state_that_is_read_after_it_was_written_is_right() -> None:
    cell = Cell.from_equations("a' = tanh(W @ x + 0.5 * a)\nb' = U @ a' + V @ a\nh' = R @ b' + a * b", name="late")
    numpy = cast(TangentKernels, symrnn.build(cell))
    report = Report(run_suite(cell, numpy, {"c": cast(Kernels, quickly(cell))}, CASES))
    assert report.passed, report.table()


def test_files_say_for_which_sizes_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path)
    arguments = ["generate", "gru", "--no-build", "--out", out]
    sized = [*arguments, "--hidden", "8", "--input", "1"]
    assert main(sized) == 0
    for file in ("gru.c", "gru.h", "gru_c.py"):
        text = re.sub(r"\s+", " ", (tmp_path / file).read_text())
        assert "python -m symrnn generate gru --input 1 --hidden 8" in text
        assert "with input = 1 and hidden = 8 alone" in text
    assert main([*sized, "--check"]) == 0
    assert main([*arguments, "--check"]) == 1
    told = capsys.readouterr().out
    assert "gru.c was generated with other options (--input 1 --hidden 8 then, no options now)\n" in told
    assert "@@" not in told, "other options explain it"
    assert '"options": "--input 1 --hidden 8"' in (tmp_path / "manifest.json").read_text()
    assert main(arguments) == 0
    assert "options" not in (tmp_path / "manifest.json").read_text()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--hidden", "8", "--size", "hidden=9"], "hidden is given twice"),
        (["--backend", "numpy", "--hidden", "8"], "hidden: only backend c can fix sizes; leave it out"),
        (["--size", "projection=8"], "the cell lstm has no size 'projection'"),
    ],
)
def test_sizes_on_the_command_line(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", "lstm", "--dry-run", *arguments]) == 2
    assert told in capsys.readouterr().err


def test_any_size_of_the_cell_may_be_fixed(tmp_path: Path) -> None:
    file = str(CELLS / "projection_lstm.toml")
    assert (
        main(["generate", file, "--no-build", "--backend", "c", "--out", str(tmp_path), "--size", "projection=3"]) == 0
    )
    assert "--size projection=3" in re.sub(r"\s+", " ", (tmp_path / "projection_lstm.h").read_text())
