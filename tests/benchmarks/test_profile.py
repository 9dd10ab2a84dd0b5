"""Phases of a call: found in the generated text, adding up to the whole, with the FLOPs of the plan."""

from __future__ import annotations

import ctypes
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from benchmarks import profile
from benchmarks.cli import main
from benchmarks.grid import Mode, Point, load_cell
from benchmarks.instrument import FLAGS, Timers
from benchmarks.matrix_products import flops, sizes_of
from benchmarks.profile import LAST, PACKING, PRODUCTS, PYTHON, STEP
from symrnn import render
from symrnn.build.loading import import_text
from symrnn.targets.c.library import compile_library
from symrnn.targets.c.load_kernels import c_sources
from symrnn.targets.c.toolchain import Options
from tests.sparing import sparing

pytestmark = pytest.mark.usefixtures("quick_compiler")


@pytest.fixture
def kernels(tmp_path: Path) -> tuple[ModuleType, Timers]:
    """Kernels with timers, and the timers."""
    files = render("rnn", backends=("c",))
    library = compile_library(c_sources(files, "rnn"), "rnn", options=Options("-O0", extra=FLAGS))
    return import_text(files["rnn_c.py"], "rnn_c", library.parent), Timers(ctypes.CDLL(str(library)), "rnn", "f32")


def test_each_region_is_timed_until_it_is_read(kernels: tuple[ModuleType, Timers]) -> None:
    module, timers = kernels
    module.step(module.pack(module.init_params(2, 3)), np.ones((1, 2), np.float32))
    read = timers.read()
    assert {name: calls for name, (_, calls) in read.items()} == {"packing": 2, "step_1": 1}
    assert all(seconds >= 0 for seconds, _ in read.values())
    assert timers.read() == {"packing": (0.0, 0), "step_1": (0.0, 0)}


def test_a_library_has_no_timers_unless_it_is_asked_for_them() -> None:
    files = render("rnn", backends=("c",))
    library = ctypes.CDLL(str(compile_library(c_sources(files, "rnn"), "rnn", options=Options("-O0"))))
    with pytest.raises(AttributeError, match="profile"):
        Timers(library, "rnn", "f32").read()


@pytest.mark.parametrize("cell", sparing(["rnn", "gru", "layernorm_lstm"], ("rnn",)))
@pytest.mark.parametrize("point", [Point(6, 2, 8, input=5), Point(4, 32, 8)], ids=["hoisted", "fused"])
def test_regions_add_up_to_the_call_and_their_work_to_its_flops(
    cell: str, point: Point, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profile, "SECONDS", 0.02)
    monkeypatch.setattr(profile, "TURN", 0.01)
    for mode in Mode:
        found = profile.profile(cell, point, mode)
        assert sum(region.seconds for region in found.regions) == pytest.approx(found.seconds)
        assert all(region.seconds >= 0 for region in found.regions)
        kinds = {region.kind for region in found.regions}
        assert {STEP, PYTHON} <= kinds
        assert ({PACKING, PRODUCTS} <= kinds) == (mode is Mode.TRAINING)
        whole = flops(
            load_cell(cell), sizes_of(load_cell(cell), point.input_size, point.hidden), point.steps, point.batch, mode
        )
        assert sum(region.work.flops for region in found.regions if region.kind != LAST) == whole


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
