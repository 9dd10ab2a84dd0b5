"""What the runtime's C states for itself is what the tables of Python say: codes, limits, the layout of packed weights."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from symrnn import Cell
from symrnn.pipeline import program, requested
from symrnn.targets.c.c_cell import c_cell
from symrnn.targets.c.files import c_files, runtime_files
from symrnn.targets.c.flags import LINK
from symrnn.targets.c.interface import BLOCK_NUMBERS, MOST_PARTS, STATUSES, TAG_WORDS
from symrnn.targets.c.policy import TILE_FILL
from symrnn.targets.c.room import packed_numbers
from tests.processors import compiler_or_skip

SIZES = {"input": 3, "hidden": 19, "projection": 5}
EQUATIONS = """
    p = P @ h
    s = exp(d)
    a = sigmoid(W_a @ x + V_a @ p + b)
    h' = tanh(W @ x + V @ (a * p) + c * s)
"""
"""Panels of one and of two forms, of several operands; vectors; a value that is computed from parameters alone."""


def text() -> str:
    return runtime_files()["symrnn.h"].text


def test_status_codes_are_those_of_the_table() -> None:
    stated = {name: int(code) for name, code in re.findall(r"^    SYMRNN_(\w+) = (\d+)", text(), re.MULTILINE)}
    assert stated == {status.name: status.code for status in STATUSES} | {"MOST_PARTS": MOST_PARTS}


@pytest.mark.parametrize(("name", "number"), [("ALIGNMENT", BLOCK_NUMBERS), ("TAG_WORDS", TAG_WORDS)])
def test_numbers_are_those_of_the_table(name: str, number: int) -> None:
    assert re.findall(rf"^#define {name} (.*)$", text(), re.MULTILINE) == [str(number)]


def test_tiles_are_full_where_the_policy_says_so() -> None:
    share, whole = TILE_FILL
    assert f"return {whole} * rows >= {share} * FULL_ROWS * " in text()


@pytest.mark.parametrize("width", [0, 16], ids="{} bytes".format)
def test_packed_weights_take_as_many_numbers_as_python_counts(width: int, tmp_path: Path) -> None:
    cell = Cell.from_equations(EQUATIONS, name="small", sizes={"p": "projection"})
    asked, planned = requested(cell, ("c",), sizes=SIZES), program(cell, backend="c")
    for file, source in c_files(planned, asked).sources.items():
        (tmp_path / file).write_text(source.text)
    small = c_cell(planned, asked)
    fields = ", ".join(f".{name} = {number}" for name, number in SIZES.items())
    wrong = " || ".join(
        f"small_{p.name}_packed_size(&dims, &size) || size != {packed_numbers(small, p, max(1, 8 * width // p.bits))}"
        for p in small.precisions
    )
    body = f"size_t size; const small_dims dims = {{.steps = 1, .rows = 1, {fields}}}; return {wrong};"
    (tmp_path / "main.c").write_text(f'#include "small.h"\nint main(void) {{ {body} }}\n')
    compiler = compiler_or_skip().command
    command = [*compiler, "-std=c11", f"-DSYMRNN_VECTOR_BYTES={width}", "main.c", "small.c", "-o", "main", *LINK]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    if width and "SYMRNN_VECTOR_BYTES is 0" in done.stderr:
        pytest.skip(f"this processor has no vectors of {width} bytes")
    assert done.returncode == 0, done.stderr
    assert subprocess.run([tmp_path / "main"], check=False).returncode == 0
