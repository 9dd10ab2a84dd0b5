"""The figures that are kept: each kind of processor has its own, and the page shows all of them."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import results
from benchmarks.grid import Mode, Point
from benchmarks.machine import describe, kind
from benchmarks.record import Measurement, Record, Timing
from benchmarks.results import CUSTOM, PEERS, keep, keep_cell
from benchmarks.statistics import limit
from symrnn.errors import CheckError
from tests.processors import compiler_or_skip


def record(kind: str, cpu: str, ours: float, *, threads: tuple[int, ...] = (1,)) -> Record:
    machine = {
        "cpu": cpu,
        "kind": kind,
        "cores": 2,
        "caches": {},
        "compiler": "cc 1",
        "flags": "-O3",
        "environment": {},
    }
    bound = limit(flops=1e9, peak=1e12, elementwise=0.0, traffic=0.0, bandwidth=1.0)
    times = {"symrnn": Timing(ours, ours, 5), "jax": Timing(0.004, 0.004, 5)}
    first_calls = {"symrnn": 1.0, "jax": 2.0}
    measurements = tuple(
        Measurement("a_cell", Point(10, 32, 256), mode, count, times, 10**9, 10**6, bound, {}, {}, first_calls)
        for count in threads
        for mode in Mode
    )
    settings = {"runs": 5, "seconds": 0.5}
    return Record(machine, {"symrnn": "1"}, settings, {}, measurements, f"A note on {cpu}.")


def test_the_page_is_that_of_the_kept_figures() -> None:
    """If this fails, run ``python -m benchmarks results``."""
    assert results.PAGE.read_text(encoding="utf-8") == results.text()


def test_every_figure_of_the_page_is_there() -> None:
    page = results.PAGE.read_text(encoding="utf-8")
    named = {line.split("(")[1].rstrip(")") for line in page.splitlines() if line.startswith("![")}
    assert named == {path.relative_to(results.PAGE.parent).as_posix() for path in results.FOLDER.glob("*.svg")}


def test_a_kind_of_processor_replaces_its_own_figures_alone(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: nothing to draw with")
    folder, page = tmp_path / "results", tmp_path / "RESULTS.md"
    keep(record("avx512-amd", "wide one", 0.002, threads=(1, 2)), PEERS, folder, page)
    keep(record("avx2-amd", "narrow one", 0.008), PEERS, folder, page)
    keep(record("avx512-amd", "wide one again", 0.001), PEERS, folder, page)
    text = " ".join(page.read_text(encoding="utf-8").split())
    assert "| AVX-512, AMD | beside other libraries | wide one again, 2 cores |" in text
    assert "| AVX2, AMD | beside other libraries | narrow one, 2 cores |" in text
    assert "| AVX2, AMD | cells without a kernel | none was measured |" in text
    assert "| | AVX-512, AMD, 1 thread | AVX2, AMD, 1 thread |" in text
    assert "| geometric mean, inference | 4.00 (4.00) | 0.50 (4.00) |" in text
    assert "| B >= 32, H >= 256, training | 100 %, 100 % | 12 %, 12 % |" in text
    assert "* AVX-512, AMD, 1 thread: none." in text
    assert "* AVX2, AMD, 1 thread: a_cell 10x32x256 inference (0.50, 12 % of its limit), a_cell" in text
    assert "A note on narrow one." in text
    assert "A note on wide one." not in text
    assert sorted(path.name for path in folder.iterdir()) == [
        "avx2-amd-1-thread.svg",
        "avx2-amd-peers.json",
        "avx512-amd-1-thread.svg",
        "avx512-amd-peers.json",
    ]
    assert "date" not in (folder / "avx2-amd-1-thread.svg").read_text(encoding="utf-8")


def test_cells_without_a_kernel_stand_beside_the_others(tmp_path: Path) -> None:
    folder, page = tmp_path / "results", tmp_path / "RESULTS.md"
    keep(record("neon", "an arm", 0.002), CUSTOM, folder, page)
    text = " ".join(page.read_text(encoding="utf-8").split())
    assert "| neon | cells without a kernel | an arm, 2 cores |" in text
    assert "### neon, 1 thread | who | first call, T = 10" in text
    assert "#### a_cell, 1 thread" in text
    assert "ragged points do not count. There are no figures." in text.lower().replace("there are", "There are")


def test_a_cell_replaces_its_own_figures_alone(tmp_path: Path) -> None:
    folder, page = tmp_path / "results", tmp_path / "RESULTS.md"

    def of(cell: str, ours: float, *, versions: str = "1") -> Record:
        found = record("neon", "an arm", ours)
        named = tuple(replace(m, cell=cell) for m in found.measurements)
        return replace(found, measurements=named, versions={"symrnn": versions}, note="")

    def kept() -> list[tuple[str, float]]:
        text = folder.joinpath("neon-custom.json").read_text(encoding="utf-8")
        return [(m.cell, m.ours) for m in Record.from_json(text).measurements]

    keep_cell(replace(of("one", 0.002), note="A note."), CUSTOM, folder, page)
    keep_cell(of("other", 0.003), CUSTOM, folder, page)
    assert kept() == [("one", 0.002)] * 2 + [("other", 0.003)] * 2
    assert "A note." in page.read_text(encoding="utf-8")
    keep_cell(of("one", 0.001), CUSTOM, folder, page)
    assert kept() == [("other", 0.003)] * 2 + [("one", 0.001)] * 2
    keep_cell(of("one", 0.004, versions="2"), CUSTOM, folder, page)
    assert kept() == [("one", 0.004)] * 2


def test_the_kind_is_that_of_the_widest_vectors_and_the_maker(monkeypatch: pytest.MonkeyPatch) -> None:
    compiler = compiler_or_skip()
    assert describe()["kind"] == kind(compiler)
    defined = "#define __SSE2__ 1\n#define __AVX2__ 1\n"

    def answer(code: int, out: str) -> None:
        done = subprocess.CompletedProcess([], code, out, "a reason")
        monkeypatch.setattr("benchmarks.machine.subprocess.run", lambda *given, **options: done)

    def made_by(vendor: str) -> None:
        monkeypatch.setattr("benchmarks.machine._cpu_info", lambda: {"vendor_id": vendor})

    made_by("AuthenticAMD")
    answer(0, defined)
    assert kind(compiler) == "avx2-amd"
    made_by("GenuineIntel")
    answer(0, f"{defined}#define __AVX512F__ 1\n")
    assert kind(compiler) == "avx512-intel"
    made_by("another")
    answer(0, "")
    assert kind(compiler) == "plain"
    answer(1, "")
    with pytest.raises(CheckError, match="a reason"):
        kind(compiler)
