"""Phases of a call: found in the generated text, adding up to the whole, with the FLOPs of the plan."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest

from benchmarks import profile
from benchmarks.cli import main
from benchmarks.grid import Mode, Point, load_cell
from benchmarks.instrument import instrument
from benchmarks.profile import LAST, PACKING, PRODUCTS, PYTHON, STEP
from benchmarks.structure import flops, sizes_of
from symrnn.errors import CheckError
from symrnn.targets.c.library import compile_library
from tests.sparing import sparing

pytestmark = pytest.mark.usefixtures("quick_compiler")

TEXT = """#include <string.h>
static void leaf_f32(int a)
{
    (void)a;
}

static int status_f32(int a)
{
    leaf_f32(a);
    return a;
}

static void other_f32(int a)
{
    leaf_f32(a);
}

int cell_f32_infer(int a)
{
    other_f32(a);
    return status_f32(a);
}
"""


def test_what_an_entry_point_calls_is_timed_where_it_returns_nothing() -> None:
    found = instrument(TEXT, "f32")
    assert found.phases == ("leaf_f32", "other_f32")
    assert found.entries == {"leaf_f32": ("cell_f32_infer",), "other_f32": ("cell_f32_infer",)}
    definition = found.text.index("static void leaf_f32(int a)")
    assert found.text.index("#define leaf_f32(...)") > definition
    assert "static double symrnn_seconds[2];" in found.text


def test_a_phase_that_another_calls_is_part_of_it() -> None:
    found = instrument(TEXT, "f32")
    library = ctypes.CDLL(str(compile_library({"cell.c": found.text}, "cell")))
    library.cell_f32_infer(0)
    read = found.read(library)
    assert {name: calls for name, (_, calls) in read.items()} == {"leaf_f32": 1, "other_f32": 1}
    assert all(seconds >= 0 for seconds, _ in read.values())
    assert found.read(library) == {"leaf_f32": (0.0, 0), "other_f32": (0.0, 0)}


def test_a_file_without_phases_is_refused() -> None:
    with pytest.raises(CheckError, match="none is timed"):
        instrument(TEXT, "f64")


@pytest.mark.parametrize("cell", sparing(["rnn", "gru", "layernorm_lstm"], ("rnn",)))
@pytest.mark.parametrize("point", [Point(6, 2, 8, input=5), Point(4, 32, 8)], ids=["hoisted", "fused"])
def test_phases_add_up_to_the_call_and_their_work_to_its_flops(
    cell: str, point: Point, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profile, "SECONDS", 0.02)
    monkeypatch.setattr(profile, "TURN", 0.01)
    for mode in Mode:
        found = profile.profile(cell, point, mode)
        assert sum(row.seconds for row in found.rows) == pytest.approx(found.seconds)
        assert all(row.seconds >= 0 for row in found.rows)
        kinds = {row.kind for row in found.rows}
        assert {STEP, PYTHON} <= kinds
        assert ({PACKING, PRODUCTS} <= kinds) == (mode is Mode.TRAINING)
        whole = flops(
            load_cell(cell), sizes_of(load_cell(cell), point.input_size, point.hidden), point.steps, point.batch, mode
        )
        assert sum(row.work.flops for row in found.rows if row.kind != LAST) == whole


def test_the_command_prints_both_modes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(profile, "SECONDS", 0.02)
    monkeypatch.setattr("benchmarks.cli.pin", lambda cores: None)
    assert main(["profile", "rnn", "5", "1", "3", "4"]) == 0
    out = capsys.readouterr().out
    assert "rnn, T=5 B=1 I=3 H=4, inference, 1 thread" in out
    assert "rnn, T=5 B=1 I=3 H=4, training, 1 thread" in out
    assert "checks, arrays, calls" in out
