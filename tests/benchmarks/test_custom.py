"""Cells without a kernel: a whole run on one tiny point, and its tables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import custom, custom_tables
from benchmarks.cli import main
from benchmarks.competition import TOO_LONG
from benchmarks.grid import Mode, Point, load_cell
from benchmarks.machine import describe
from benchmarks.record import Measurement, Record, Timing


def measurement(mode: Mode, steps: int, left_out: str = "", **times: float) -> Measurement:
    named = {name.replace("_", " "): Timing(seconds, seconds, 5) for name, seconds in times.items()}
    first_calls = {name: 1000 * timing.median for name, timing in named.items()}
    reasons = {"torch compiled loop": left_out} if left_out else {}
    return Measurement("a_cell", Point(steps, 2, 8), mode, 1, named, 10**9, 10**6, None, {}, reasons, first_calls)


MEASURED = (
    measurement(Mode.INFERENCE, 10, symrnn=0.002, torch_eager=0.004, torch_compiled_loop=0.006),
    measurement(Mode.TRAINING, 10, f"{TOO_LONG} 120 s", symrnn=0.002, torch_eager=0.016),
    measurement(Mode.TRAINING, 1000, "a reason", symrnn=0.002, torch_eager=0.004),
)


def test_every_participant_has_a_row_with_its_first_call() -> None:
    text = " ".join(custom_tables.cell_table(MEASURED).split())
    assert text.startswith("### a_cell, 1 thread | T, B, I=H")
    assert "| 10, 2, 8 | inference | symrnn | 2.00 s | 2 ms | |" in text
    assert "| 10, 2, 8 | inference | torch compiled loop | 6.00 s | 6 ms | 3.00 |" in text
    assert "| 10, 2, 8 | training | torch eager | 16 s | 16 ms | 8.00 |" in text
    assert "| 10, 2, 8 | training | torch compiled loop | > 120 s | | |" in text
    assert "* torch compiled loop, training at T = 1000, B = 2: a reason" in text
    assert TOO_LONG not in text


def test_the_summary_shows_first_calls_by_steps_and_means() -> None:
    text = " ".join(custom_tables.summary(Record({}, {}, {}, {}, MEASURED), 1).split())
    assert "first call, T = 10 | first call, T = 1000" in text
    assert "| symrnn | 2.00 s | 2.00 s | 1.00 | 1.00 | 3 of 3 |" in text
    assert "| torch eager | 4.00 s to 16 s | 4.00 s | 2.00 | 4.00 | 3 of 3 |" in text
    assert "| torch compiled loop | 6.00 s to > 120 s | | 3.00 | | 1 of 3 |" in text


def test_a_cell_that_nobody_fuses_is_there_under_each_name() -> None:
    assert [load_cell(name).name for name in custom.CELLS] == list(custom.CELLS)


@pytest.mark.usefixtures("quick_compiler")
def test_a_run_measures_first_calls_with_empty_caches(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "record.json"
    cell = tmp_path / "tiny.toml"
    cell.write_text("name = 'tiny'\nequations = \"h' = tanh(W @ x + U @ h)\"\n", encoding="utf-8")
    full = tmp_path / "full"
    monkeypatch.setenv("SYMRNN_CACHE_DIR", str(full))
    describe()  # of the machine, among which the tile that everyday kernels are compiled for
    before = sorted(full.rglob("*"))
    arguments = ["--cells", str(cell), "--points", "3x2x4", "--peers", "none", "--modes", "inference", "--quick"]
    assert main(["custom", *arguments, "--json", str(path)]) == 0
    assert sorted(full.rglob("*")) == before, "the cache of everyday use was asked for a cell"
    out = capsys.readouterr().out
    assert "### tiny, 1 thread\n" in out
    assert "### All cells, 1 thread\n" in out
    (found,) = Record.from_json(path.read_text(encoding="utf-8")).measurements
    assert found.first_calls["symrnn"] > found.ours
    assert json.loads(path.read_text(encoding="utf-8"))["measurements"][0]["errors"]["numpy"] <= 1e-5
