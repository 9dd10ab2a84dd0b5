"""The cost of kernels before they run, and of subnormal numbers: both commands run and print their tables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import compile_cost, subnormal
from benchmarks.cli import main
from benchmarks.compile_cost import CompileCost
from benchmarks.subnormal import Slowed
from symrnn.errors import CheckError
from symrnn.language.cell import Cell
from symrnn.language.functions import FUNCTIONS
from tests.processors import compiler_or_skip

pytestmark = pytest.mark.usefixtures("quick_compiler")


@pytest.fixture
def tiny() -> Cell:
    compiler_or_skip()
    return Cell.from_equations("h' = tanh(W @ x)", name="tiny")


def test_a_cell_is_compiled_for_each_processor(tiny: Cell) -> None:
    (one,) = compile_cost.measure(tiny, runs=1)
    assert (one.cell, one.march) == ("tiny", "native")
    assert one.lines > 1000
    assert one.library > 10_000
    assert one.compile > 0


def test_a_file_that_the_compiler_refuses_is_an_error(tiny: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compile_cost, "render", lambda cell, backends: {"tiny.c": "no C\n", "tiny.h": ""})
    with pytest.raises(CheckError, match=r"the compiler refuses tiny\.c"):
        compile_cost.measure(tiny, runs=1)


def test_the_commands_print_their_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("benchmarks.cli.pin", lambda cores: None)
    monkeypatch.setattr(
        compile_cost, "measure", lambda cell, marches: [CompileCost(cell.name, marches[0], 7000, 0.5, 8, 9000)]
    )
    file = tmp_path / "found.json"
    assert main(["compile", "--cells", "rnn,lstm", "--march", "v3", "--json", str(file)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["cell", "processor", "lines", "of", "C", "emit", "s", "compile", "s", "library", "kB"]
    assert lines[1].split() == ["rnn", "v3", "7000", "0.50", "8.00", "9"]
    assert [each["cell"] for each in json.loads(file.read_text())] == ["rnn", "lstm"]
    monkeypatch.setattr(
        subnormal,
        "measure",
        lambda cell: [Slowed(cell.name, "float32", "infer", (1, 64), ("x",), ratio) for ratio in (1.0, 1.25)],
    )
    assert main(["subnormal", "--cells", "rnn"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split() == ["rnn", "float32", "infer", "1.25", "B=1", "H=64:", "x"]


def test_every_function_of_one_operand_has_a_cell() -> None:
    names = {cell.name.removeprefix("only_") for cell in subnormal.functions()}
    assert names <= set(FUNCTIONS)
    assert {"exp", "tanh", "sigmoid", "softplus"} <= names


def test_subnormal_numbers_are_timed_in_every_array(tiny: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subnormal, "SHAPES", ((2, 5),))
    found = subnormal.measure(tiny, rounds=1)
    assert len(found) == 2 * (2 * 6 - 1)  # precisions; arrays for both calls, but for `dy` in inference
    assert all(row.ratio > 0 for row in found)
