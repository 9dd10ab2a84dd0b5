"""What C and Python state both: each constant and each field is the same on the two sides, as a compiler sees them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

import symrnn
from symrnn import Cell
from symrnn.targets.c.interface import DTYPES, MOST_PARTS, STATUSES, WORKER_BYTES, dims_fields, statuses
from tests.processors import compiler_or_skip

pytestmark = pytest.mark.usefixtures("quick_compiler")

EQUATIONS = "p = P @ h\nh' = tanh(W @ x + V @ p)"


@pytest.fixture(scope="module", params=[{}, {"hidden": 5}], ids=["any", "fixed"])
def sizes(request: pytest.FixtureRequest) -> dict[str, int]:
    return dict(request.param)


@pytest.fixture(scope="module")
def cell() -> Cell:
    return Cell.from_equations(EQUATIONS, name="small", sizes={"p": "projection"})


def holds(conditions: list[str], cell: Cell, sizes: dict[str, int], folder: Path) -> None:
    """Compile the header with ``conditions`` that must be true."""
    compiler = compiler_or_skip()
    header = symrnn.render(cell, backends=("c",), sizes=sizes)["small.h"]
    folder.joinpath("small.h").write_text(header)
    lines = [f'_Static_assert({condition}, "C and Python differ");' for condition in conditions]
    folder.joinpath("check.c").write_text("\n".join(['#include "small.h"', *lines]) + "\n")
    command = [*compiler.command, "-std=c11", "-c", "check.c", "-o", "check.o"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_status_codes_and_limits_are_those_of_the_header(cell: Cell, sizes: dict[str, int], tmp_path: Path) -> None:
    conditions = [f"SMALL_{status.name} == {status.code}" for status in statuses(bool(sizes))]
    conditions += [f"SMALL_MOST_PARTS == {MOST_PARTS}", f"sizeof(small_worker) <= {WORKER_BYTES}"]
    holds(conditions, cell, sizes, tmp_path)
    header = tmp_path.joinpath("small.h").read_text()
    assert [status.name for status in STATUSES if f"SMALL_{status.name} =" in header] == [
        status.name for status in statuses(bool(sizes))
    ]
    assert len({status.code for status in STATUSES}) == len(STATUSES)


def test_the_structure_of_sizes_is_laid_out_alike(cell: Cell, sizes: dict[str, int], tmp_path: Path) -> None:
    kernels: Any = built(cell, sizes)
    fields = dims_fields(cell.sizes)
    assert [field.name for field in fields] == ["steps", "rows", *cell.sizes, "lengths", "reverse"]
    names = [f"size_{field.name}" if field.kind == "size" else field.name for field in fields]
    assert [name for name, _ in kernels._Dims._fields_] == names
    conditions = [
        f"offsetof(small_dims, {field.name}) == {getattr(kernels._Dims, name).offset}"
        for field, name in zip(fields, names, strict=True)
    ]
    conditions += [
        f"sizeof(((small_dims *)0)->{field.name}) == {getattr(kernels._Dims, name).size}"
        for field, name in zip(fields, names, strict=True)
    ]
    holds(conditions, cell, sizes, tmp_path)


def test_a_module_states_the_table(cell: Cell, sizes: dict[str, int]) -> None:
    kernels: Any = built(cell, sizes)
    assert {s.code: s.message for s in statuses(bool(sizes)) if s.code} == kernels._STATUS
    assert all(s.message and s.note for s in STATUSES if s.code)
    assert (kernels._MOST_PARTS, kernels._WORKER_BYTES) == (MOST_PARTS, WORKER_BYTES)
    assert kernels._PRECISIONS == DTYPES
    assert tuple(DTYPES) == kernels.DTYPES
    assert sizes == kernels.FIXED


def built(cell: Cell, sizes: Any) -> Any:
    compiler_or_skip()
    return symrnn.build(cell, "c", **sizes)
