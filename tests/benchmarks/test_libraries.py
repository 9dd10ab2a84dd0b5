"""Fused layers of other libraries compute what the NumPy kernels compute, ragged rows and gradients included."""

from __future__ import annotations

import importlib

import pytest

from benchmarks.competition import difference
from benchmarks.grid import CELLS, Mode, Point
from benchmarks.participants import FUNCTIONS, NUMPY, Prepared, Unsupported
from benchmarks.workload import Array, Task

FUSED = {"torch": {"rnn", "lstm", "gru_reset_after"}, "onnxruntime": set(CELLS) - {"layernorm_lstm"}}


def results(who: str, task: Task) -> dict[str, Array]:
    module, function = FUNCTIONS[who]
    found = getattr(importlib.import_module(f"benchmarks.participants.{module}"), function)(task)
    assert isinstance(found, Prepared)
    assert found.labelled is not None
    return dict(found.labelled(found.call()))


@pytest.mark.parametrize("ragged", [False, True], ids=["whole", "ragged"])
@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("library", FUSED)
def test_results_are_those_of_the_numpy_kernels(library: str, cell: str, mode: Mode, ragged: bool) -> None:
    pytest.importorskip(library, reason=f"{library} is not installed: nothing to compare with")
    task = Task(cell, Point(5, 3, 8, ragged=ragged), mode, threads=1)
    if cell not in FUSED[library] or (library == "onnxruntime" and mode is Mode.TRAINING):
        with pytest.raises(Unsupported):
            results(library, task)
        return
    assert difference(results(NUMPY, task), results(library, task)) <= 5e-6
