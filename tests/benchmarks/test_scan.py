"""Any cell as a scan of JAX or a loop of PyTorch computes what the NumPy kernels compute, gradients included."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from benchmarks.grid import CELLS, Mode, Point, load_cell
from benchmarks.participants import FUNCTIONS, NUMPY, Prepared
from benchmarks.peers import difference
from benchmarks.problem import Task

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "tests/cells").glob("*.toml"))
NAMES = [*CELLS, *(str(path) for path in FILES)]
BOUND = 5e-5


def prepared(who: str, library: str, task: Task) -> Prepared:
    pytest.importorskip(library, reason=f"{library} is not installed: nothing to run the text with")
    module, function = FUNCTIONS[who]
    found = getattr(importlib.import_module(f"benchmarks.participants.{module}"), function)(task)
    assert isinstance(found, Prepared)
    return found


def results(found: Prepared) -> dict[str, object]:
    assert found.labelled is not None
    return dict(found.labelled(found.call()))


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("cell", NAMES, ids=lambda name: Path(name).stem)
@pytest.mark.parametrize(("who", "library"), [("jax", "jax"), ("torch eager", "torch")])
def test_results_are_those_of_the_numpy_kernels(who: str, library: str, cell: str, mode: Mode) -> None:
    forced = load_cell(cell).input_is_hidden
    task = Task(cell, Point(5, 3, 7, input=7 if forced else 4), mode, threads=1)
    theirs, ours = results(prepared(who, library, task)), results(prepared(NUMPY, "numpy", task))
    assert difference(ours, theirs) <= BOUND  # type: ignore[arg-type]
