"""Derived numbers as tables and as JSON."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import markdown, plot
from benchmarks.grid import QUICK, Mode, Point
from benchmarks.progress import Progress
from benchmarks.record import FORMAT, Measurement, Record, Timing
from benchmarks.statistics import limit
from symrnn.errors import CheckError

MACHINE: dict[str, Any] = {
    "cpu": "a processor",
    "cores": 2,
    "caches": {"L1 data": "32K"},
    "compiler": "cc 1",
    "flags": "-O3",
    "environment": {"OMP_PROC_BIND": "true"},
}


def measurement(mode: Mode = Mode.INFERENCE, *, ragged: bool = False, **times: float) -> Measurement:
    named = {name.replace("_", " "): Timing(seconds, seconds, 5) for name, seconds in times.items()}
    found = limit(flops=1e9, peak=1e12, elementwise=0.0, traffic=0.0, bandwidth=1.0)
    point = Point(10, 2, 8, ragged=ragged)
    left_out = {} if "jax" in times else {"jax": "a reason"}
    return Measurement(
        "a_cell", point, mode, 1, named, 10**9, 10**6, None if ragged else found, {"torch": 1e-7}, left_out
    )


def record(*measurements: Measurement) -> Record:
    return Record(MACHINE, {"symrnn": "1"}, {"runs": 5, "seconds": 0.5}, {"onnxruntime": "not here"}, measurements)


def test_the_ratio_is_that_of_the_best_peer() -> None:
    found = measurement(symrnn=0.002, torch=0.008, jax=0.004)
    assert (found.best_peer, found.ratio, found.fraction, found.rate) == ("jax", 2.0, 0.5, 5e11)


def test_without_a_peer_there_is_no_ratio() -> None:
    found = measurement(symrnn=0.002)
    assert (found.best_peer, found.ratio) == ("", None)
    assert record(found).summaries() == ()
    assert "no ratios" in markdown.summary(record(found))


def test_the_padded_batch_is_no_peer() -> None:
    found = measurement(ragged=True, symrnn=0.002, symrnn_padded=0.001, torch=0.006)
    assert (found.best_peer, found.ratio, found.padded_ratio) == ("torch", 3.0, 0.5)
    assert (found.limit, found.fraction) == (None, None)


def test_a_summary_holds_the_mean_and_the_least_and_leaves_ragged_points_out() -> None:
    found = record(
        measurement(symrnn=1.0, torch=2.0),
        measurement(symrnn=1.0, torch=0.5),
        measurement(ragged=True, symrnn=1.0, torch=100.0),
        measurement(Mode.TRAINING, symrnn=1.0, torch=3.0),
    )
    inference, training = found.summaries()
    assert inference.geometric_mean == pytest.approx(1.0)
    assert (inference.minimum, inference.points) == (0.5, 2)
    assert training.geometric_mean == pytest.approx(3.0)
    assert (training.mode, training.at) == (Mode.TRAINING, "a_cell 10x2x8")


def test_tables_show_times_ratios_limits_and_reasons() -> None:
    whole, ragged = measurement(symrnn=0.002, torch=0.003), measurement(ragged=True, symrnn=0.002, symrnn_padded=0.004)
    text = " ".join(markdown.cell_table([whole, ragged]).split())
    assert "| 10, 2, 8 | inference | 2 ms | 3 ms | 1.50 | 50 % | compute | 500.0 |" in text
    assert "| 10, 2, 8 | inference | 2 ms | 4 ms | 2.00 | |" in text
    assert "* jax, inference, inference of ragged rows: a reason" in text


def test_the_head_names_the_machine_and_who_is_left_out() -> None:
    text = markdown.head(record())
    for words in ("a processor, 2 cores", "L1 data 32K", "symrnn 1", "onnxruntime: not here", "OMP_PROC_BIND=true"):
        assert words in text


def test_only_quick_times_are_marked() -> None:
    full = record(measurement(symrnn=0.002))
    quick = replace(full, settings={**full.settings, "seconds": QUICK.seconds})
    assert "--quick" not in markdown.head(full) + markdown.cell_table(full.measurements)
    assert markdown.head(quick).startswith("Measured with --quick: this shows that everything runs")
    assert "* Measured with --quick" in markdown.cell_table(quick.measurements, quick=True)


def test_one_core_is_one() -> None:
    found = record()
    alone = replace(found, machine={**found.machine, "cores": 1})
    assert "a processor, 1 core; " in markdown.head(alone)


def test_json_holds_what_was_measured_and_what_follows() -> None:
    data = json.loads(record(measurement(symrnn=0.002, torch=0.008)).to_json())
    assert set(data) == {"format", "machine", "versions", "settings", "left_out", "note", "measurements", "summaries"}
    (found,) = data["measurements"]
    assert found["point"] == {"steps": 10, "batch": 2, "hidden": 8, "ragged": False, "input": 0}
    assert found["times"]["torch"] == {"median": 0.008, "least": 0.008, "runs": 5}
    assert (found["mode"], found["ratio"], found["best_peer"], found["fraction"]) == ("inference", 4.0, "torch", 0.5)
    assert found["limit"]["seconds"] == 0.001
    assert data["summaries"][0]["geometric_mean"] == pytest.approx(4.0)


def test_json_is_read_again() -> None:
    found = record(measurement(symrnn=0.002, torch=0.008), measurement(Mode.TRAINING, ragged=True, symrnn=1.0))
    noted = replace(found, note="a note", measurements=(replace(found.measurements[0], first_calls={"symrnn": 3.0}),))
    for each in (found, noted):
        assert Record.from_json(each.to_json()) == each


def test_another_format_is_refused() -> None:
    text = record().to_json().replace(f'"format": {FORMAT}', '"format": 1')
    with pytest.raises(CheckError, match="format 1, and 2 is expected"):
        Record.from_json(text)


def test_a_figure_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: nothing to draw with")
    path = tmp_path / "figure.png"
    plot.draw(record(measurement(symrnn=0.002, torch=0.008), measurement(Mode.TRAINING, symrnn=1.0)), path)
    assert path.read_bytes().startswith(b"\x89PNG")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_drawn_on_a_terminal_alone() -> None:
    for stream in (io.StringIO(), Terminal()):
        progress = Progress(2, stream)
        progress.step("half of it")
        progress.clear()
        assert ("half of it" in stream.getvalue()) == stream.isatty()
        assert ("[###############..............." in stream.getvalue()) == stream.isatty()
