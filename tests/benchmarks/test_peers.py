"""A whole run on one tiny point; a wrong result stops it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from benchmarks import competition
from benchmarks.cli import main
from benchmarks.competition import BOUND, Competition, Plan, Team, compete, difference
from benchmarks.grid import CELLS, QUICK, Mode, Point, load_cell
from benchmarks.messages import Failed, Ready
from benchmarks.participants import NUMPY, Unsupported
from benchmarks.participants.fused_layers import fused_layer
from benchmarks.participants.limits import without_matrices
from benchmarks.peers import PROCESSES
from benchmarks.race import Contestant, TookTooLong, WorkerDied, WorkerHandle
from benchmarks.workload import Array, Task, draw
from symrnn.errors import CheckError
from symrnn.language.tree import MatVec, walk

pytestmark = pytest.mark.usefixtures("quick_compiler")

TASK = Task("rnn", Point(3, 2, 4), Mode.INFERENCE, 1)


def test_a_run_without_peers_measures_us_and_the_limits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "record.json"
    arguments = ["--cells", "rnn", "--points", "3x2x4,5x3x4xragged", "--threads", "1", "--peers", "none", "--quick"]
    assert main(["peers", *arguments, "--json", str(path)]) == 0
    out = capsys.readouterr().out
    assert "### rnn, 1 thread\n" in out
    assert "lengths uniform in 1..T" in out
    assert out.count("Measured with --quick") == 2, "by the table and by the head"
    data = json.loads(path.read_text(encoding="utf-8"))
    assert [(m["mode"], m["point"]["ragged"]) for m in data["measurements"]] == [
        ("inference", False),
        ("training", False),
        ("inference", True),
        ("training", True),
    ]
    for found in data["measurements"]:
        assert found["times"]["symrnn"]["runs"] >= QUICK.runs
        assert 0 <= found["errors"][NUMPY] <= BOUND
        assert (found["ratio"], found["best_peer"]) == (None, "")
    whole = data["measurements"][0]
    assert whole["flops"] == 2 * 3 * 2 * 4 * (4 + 4)
    assert min(whole["limit"]["peak"], whole["limit"]["bandwidth"], whole["fraction"]) > 0
    assert data["measurements"][2]["padded_ratio"] > 0


class Answers:
    """A worker that answers with given results by participant."""

    name = "ours"

    def __init__(self, results: Mapping[str, Mapping[str, Array]]) -> None:
        self.results = results

    def ask(self, message: Any, limit: float | None = None) -> Ready | Failed:
        if message.who not in self.results:
            return Failed("not here", expected=True)
        return Ready(1, self.results[message.who], 0.0, first_call=0.5)


def prepared(results: Mapping[str, float], asked: tuple[str, ...] = ("torch", "jax")) -> Competition:
    """A measurement where everybody's y is one number."""
    worker = cast(WorkerHandle, Answers({name: {"y": np.array([value])} for name, value in results.items()}))
    team = Team(PROCESSES, dict.fromkeys(PROCESSES, worker))
    plan = Plan(("rnn",), (TASK.point,), (TASK.mode,), (1,), asked, QUICK)
    return compete(plan, team, TASK)


def names(contestants: list[Contestant]) -> list[str]:
    return [found.name for found in contestants]


def test_a_peer_that_agrees_is_timed() -> None:
    entry = prepared({"symrnn": 1.0, "torch": 1.00001, "jax": 1.0})
    assert names(entry.contestants) == ["symrnn", "torch", "jax"]
    assert entry.left_out == {}
    assert entry.errors["torch"] == pytest.approx(1e-5, rel=1e-2)


def test_a_peer_that_differs_where_another_agrees_is_left_out_and_named() -> None:
    entry = prepared({"symrnn": 1.0, "torch": 1.1, "jax": 1.0})
    assert names(entry.contestants) == ["symrnn", "jax"]
    assert "differs" in entry.left_out["torch"]


def test_where_nobody_agrees_with_us_nothing_is_timed() -> None:
    with pytest.raises(CheckError, match=r"rnn 3x2x4, inference.* 0\.091 against torch.* nothing was timed"):
        prepared({"symrnn": 1.0, "torch": 1.1, "numpy": 1.1})


def test_a_result_that_no_library_computes_is_held_to_our_numpy_kernels() -> None:
    entry = prepared({"symrnn": 1.0, "numpy": 1.0})
    assert (entry.errors, entry.left_out) == ({"numpy": 0.0}, {"torch": "not here", "jax": "not here"})
    with pytest.raises(CheckError, match="against numpy"):
        prepared({"symrnn": 1.0, "numpy": 2.0})


def test_a_result_that_is_not_finite_is_never_right() -> None:
    with pytest.raises(CheckError, match=r"inf against torch"):
        prepared({"symrnn": float("nan"), "torch": float("nan"), "numpy": float("nan")})


def test_a_library_whose_process_dies_is_left_out_from_then_on(monkeypatch: pytest.MonkeyPatch) -> None:
    dead = Answers({})
    dead.name = "jax"
    ours = cast(WorkerHandle, Answers({"symrnn": {"y": np.ones(1)}, "torch": {"y": np.ones(1)}}))
    team = Team(PROCESSES, {"symrnn": ours, "torch": ours, "jax": cast(WorkerHandle, dead)})

    def die(message: object, limit: float | None) -> None:
        raise WorkerDied("the process of jax ended with status -9")

    monkeypatch.setattr(dead, "ask", die)
    plan = Plan(("rnn",), (TASK.point,), (TASK.mode,), (1,), ("torch", "jax"), QUICK)
    entry = compete(plan, team, TASK)
    assert names(entry.contestants) == ["symrnn", "torch"]
    assert team.left_out == {"jax": "the process of jax ended with status -9 at rnn 3x2x4, inference, 1 threads"}
    assert "jax" not in team.workers
    assert names(compete(plan, team, TASK).contestants) == ["symrnn", "torch"]


def test_a_first_call_beyond_the_limit_is_left_out_with_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Answers({})
    slow.name = "jax"
    ours = cast(WorkerHandle, Answers({"symrnn": {"y": np.ones(1)}, "torch": {"y": np.ones(1)}}))
    team = Team(PROCESSES, {"symrnn": ours, "torch": ours, "jax": cast(WorkerHandle, slow)}, limit=1.5)

    def take_long(message: object, limit: float | None) -> None:
        assert limit == 1.5
        raise TookTooLong("no answer")

    monkeypatch.setattr(slow, "ask", take_long)
    entry = compete(Plan(("rnn",), (TASK.point,), (TASK.mode,), (1,), ("torch", "jax"), QUICK), team, TASK)
    assert names(entry.contestants) == ["symrnn", "torch"]
    assert entry.left_out == {"jax": f"{competition.TOO_LONG} 1.5 s"}
    assert "jax" not in team.workers
    assert set(entry.first_calls) == {"symrnn", "torch"}


def test_results_with_other_labels_differ() -> None:
    assert difference({"y": np.ones(1)}, {"z": np.ones(1)}) == float("inf")
    assert difference({"y": np.ones(1)}, {"y": np.ones(1)}) == 0.0


@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_without_matrices_keeps_its_elementwise_work(cell: str) -> None:
    whole, bare = load_cell(cell), without_matrices(load_cell(cell))
    assert not any(isinstance(node, MatVec) for e in bare.equations for node in walk(e.expression))
    assert [e.target for e in bare.equations] == [e.target for e in whole.equations]
    vectors = {v.name for v in whole.parameters if len(v.shape) == 1}
    assert {v.name for v in bare.parameters} == vectors


@pytest.mark.parametrize("library", ["torch", "onnx"])
@pytest.mark.parametrize("cell", CELLS)
def test_a_layout_holds_every_parameter_once(cell: str, library: str) -> None:
    try:
        found = fused_layer(cell, library)
    except Unsupported:
        assert (cell, library) in {
            ("gru", "torch"),
            ("peephole_lstm", "torch"),
            ("layernorm_lstm", "torch"),
            ("layernorm_lstm", "onnx"),
        }
        return
    blocks = [block for stack in found.stacks.values() for block in stack if block != "0"]
    assert sorted(blocks) == sorted(v.name for v in load_cell(cell).parameters)
    assert sorted(found.states) == sorted(load_cell(cell).states)


def test_arrays_are_the_same_for_everybody_and_ragged_rows_have_lengths() -> None:
    ragged = replace(TASK, point=replace(TASK.point, batch=200, ragged=True))
    first, second = draw(ragged), draw(ragged)
    np.testing.assert_array_equal(first.x, second.x)
    assert first.lengths is not None
    assert set(first.lengths) == {1, 2, 3}
    assert draw(TASK).lengths is None
    for name, array in first.params.items():
        assert np.all(array != 0), name
        assert array.dtype == np.float32
