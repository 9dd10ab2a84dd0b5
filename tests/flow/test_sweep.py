"""Sweeps and the command: points, tables, JSON, and a user's mistakes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symrnn
from symrnn.cli import main
from symrnn.errors import FlowError
from symrnn.flow.flow import flow
from symrnn.flow.sweep import Setup, own_sizes, sweep
from tests.flow.conftest import CELLS, FILES, problem_of

Run = Callable[..., tuple[int, str, str]]
SMALL = ("--steps", "6", "--hidden", "4", "--input", "3", "--batch", "2")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        try:
            code: Any = main(["flow", *arguments])
        except SystemExit as stop:
            code = stop.code
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_every_cell_goes_through_a_sweep() -> None:
    found = sweep([symrnn.load(name) for name in CELLS], scales=(0.5,), biases=(1.0,), setup=Setup(5, 2, 3, 4))
    assert found.cells == tuple(symrnn.load(name).name for name in CELLS)
    for point in found.points:
        assert point.scale == 0.5
        assert (point.bias is None) == (not found.holding[point.cell])
        assert np.isfinite(point.flow.log_gradient[0]).all()


def test_a_scale_is_every_singular_value_of_every_recurrent_matrix() -> None:
    (path,) = [path for path in FILES if path.stem == "projection_lstm"]
    setup = Setup(steps=5, hidden=6, sizes={"projection": 3})
    (point,) = sweep([symrnn.load(path)], scales=(1.5,), setup=setup).points
    texts = " ".join(bound.text for bound in point.flow.bounds)
    assert "sigma_max(W_rh)" in texts
    bounds = {(bound.output, bound.input): bound for bound in point.flow.bounds}
    gate = bounds["c'", "h"]
    assert point.flow.sizes == {"1": 1, "hidden": 6, "input": 16, "projection": 3}
    assert np.isfinite(gate.log).all()


def test_a_linear_cell_has_its_scale_as_its_only_singular_value() -> None:
    linear = symrnn.Cell.from_equations("h' = U @ h + W @ x", name="linear")
    setup = Setup(steps=5, hidden=6, spectra=True)
    for point in sweep([linear], scales=(0.5, 2.0), setup=setup).points:
        assert point.flow.spectrum is not None
        assert point.scale is not None
        np.testing.assert_allclose(point.flow.spectrum, np.log(point.scale), atol=1e-12)


def test_the_table_says_what_was_found_and_what_was_ignored(run: Run) -> None:
    options = ("--recurrent-scale", "0.5,1.5", "--forget-bias", "0,3", "--clip-norm", "0.5", "--clip-value", "0.01")
    code, out, err = run("rnn", "lstm", *SMALL, *options)
    assert (code, err) == (0, "")
    rows = [line.split() for line in out.splitlines() if line.startswith(("rnn ", "lstm "))]
    assert [tuple(row[:3]) for row in rows] == [
        ("rnn", "0.5", "-"),
        ("rnn", "1.5", "-"),
        ("lstm", "0.5", "0"),
        ("lstm", "1.5", "0"),
        ("lstm", "0.5", "3"),
        ("lstm", "1.5", "3"),
    ]
    assert "rnn: recurrent matrices W_hh; no bias holds a state, so biases stay as they are" in out
    assert "lstm: recurrent matrices W_hi, W_hf, W_ho, W_hg; b_f holds c" in out
    assert out.count("by norm 0.5:") == 6
    assert out.count("by value 0.01:") == 6


def test_json_has_every_array(run: Run) -> None:
    code, out, _ = run("lstm", *SMALL, "--spectra", "--json", "--clip-norm", "1")
    assert code == 0
    (found,) = json.loads(out)["runs"]
    assert (found["cell"], found["scale"], found["bias"]) == ("lstm", None, None)
    assert np.shape(found["log_gradient"]) == (7, 2)
    assert np.shape(found["spectrum"]) == (6, 2, 8)
    assert found["log_gradients"]["c"][-1] == [None, None]  # the loss reads h alone
    assert found["paths"][0]["text"] == "diag(f)"
    assert found["clipping"][0]["how"] == "norm"


def test_the_same_seed_is_the_same_output_and_another_is_not(run: Run) -> None:
    first, again = (run("gru", *SMALL, "--recurrent-scale", "1", "--seed", "4")[1] for _ in range(2))
    assert first == again
    assert run("gru", *SMALL, "--recurrent-scale", "1", "--seed", "5")[1] != first


def test_a_cell_file_that_is_not_bundled(run: Run, tmp_path: Path) -> None:
    tmp_path.joinpath("mine.toml").write_text(
        'name = "mine"\nequations = """\nu = sigmoid(U_u @ h + b_u)\nh\' = (1 - u) * h + u * tanh(W @ x)\n"""\n',
        encoding="utf-8",
    )
    code, out, _ = run("mine.toml", *SMALL, "--forget-bias", "4")
    assert code == 0
    assert "mine: recurrent matrices U_u; b_u holds h" in out


def test_several_biases_hold(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "two.toml"
    file.write_text(
        'name = "two"\nequations = "z = sigmoid(W @ x + U @ h + b_z)\\ns = sigmoid(V @ x + b_s)\\n'
        "h' = z * h + s * h + tanh(P @ x)\"\n"
    )
    assert main(["flow", str(file), "--steps", "3", "--hidden", "4", "--input", "2"]) == 0
    assert "b_z, b_s hold h" in capsys.readouterr().out


def test_a_plot_is_written(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: nothing to draw with")
    assert run("rnn", *SMALL, "--plot", "flow.svg")[0] == 0
    assert "<svg" in tmp_path.joinpath("flow.svg").read_text(encoding="utf-8")


def test_a_plot_without_matplotlib_is_an_error_before_anything_runs(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    code, out, err = run("rnn", *SMALL, "--plot", "flow.svg")
    assert (code, out) == (2, "")
    assert "--plot needs matplotlib" in err
    assert "symrnn[plot]" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("rnn", "--steps", "0"), "expected a whole number above zero; found '0'"),
        (("rnn", "--recurrent-scale", "1,x"), "expected numbers, with commas between them"),
        (("rnn", "--forget-bias", "1,nan"), "expected numbers, with commas between them"),
        (("rnn", "--clip-norm", "0"), "expected a number above zero"),
        (("rnn", "--size", "projection"), "expected NAME=N"),
        (("rnn", "--size", "projection=3"), "no cell has a size 'projection'"),
        (("rnn", "--plot", "flow.gif"), "expected a file that ends in .svg, .png, .pdf"),
        (("rnm",), "did you mean `rnn`?"),
    ],
)
def test_mistakes_exit_2(run: Run, arguments: tuple[str, ...], words: str) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"x": np.ones((3, 4))}, r"x: expected \(T, B, input\)"),
        ({"x": np.ones((0, 1, 4))}, "at least one step and one row"),
        ({"x": np.ones((3, 2, 3))}, "input is 4 by params"),
        ({"x": np.ones((3, 2, 4), complex)}, "expected real numbers"),
        ({"params": {}}, "'W_xh' is missing"),
        ({"state": {"c": np.ones((2, 5))}}, "state: unknown name 'c'"),
        ({"state": {"h": np.ones((3, 5))}}, r"state\['h'\]: expected shape \(2, 5\)"),
        ({"dy": np.ones((4, 2, 5))}, "dy: expected shape"),
        ({"dy": np.full((2, 5), np.inf)}, "expected finite numbers"),
        ({"dstate": {"g": np.ones((2, 5))}}, "dstate: unknown name 'g'"),
        ({"dstate": {"h": np.ones(5)}}, r"dstate\['h'\]: expected shape"),
        ({"distances": [1, 10]}, "distances: expected whole numbers from 0 to 9"),
        ({"distances": [0.5]}, "distances: expected whole numbers"),
    ],
)
def test_wrong_arrays_are_named(change: dict[str, Any], words: str) -> None:
    problem = problem_of("rnn")
    given: dict[str, Any] = {"params": problem.params, "x": problem.x} | change
    with pytest.raises(FlowError, match=words):
        flow(problem.derivation, **given)


def test_a_run_that_explodes_is_told_from_a_gradient_that_does() -> None:
    cell = symrnn.Cell.from_equations("h' = U @ h + W @ x")
    params = {"U": 4.0 * np.eye(2), "W": np.ones((2, 1))}
    with pytest.raises(FlowError, match=r"h is not finite after 51\d steps: the run itself explodes"):
        flow(cell, params, np.ones((600, 1, 1)))


@pytest.mark.slow
def test_a_thousand_steps_of_256_units_are_finite() -> None:
    params = symrnn.build("lstm").init_params(256, 256, dtype="float64")
    x = np.random.default_rng(0).normal(size=(1000, 1, 256))
    found = flow("lstm", params, x)
    assert np.isfinite(found.log_gradient).all()


@pytest.mark.parametrize(("hidden", "each"), [(64, (8, 4)), (16, (4, 2)), (63, (7, 3)), (2, (1, 1))])
def test_axes_of_one_value_share_the_units_of_a_state(hidden: int, each: tuple[int, int]) -> None:
    two = symrnn.Cell.from_equations("S' = S * g + (V @ x) * (K @ x)", sizes={"S": ["v", "k"], "V": ["v", "input"]})
    assert own_sizes(two, Setup(hidden=hidden)) == {"v": each[0], "k": each[0]}
    three = symrnn.Cell.from_equations("S' = S * g + W @ x", sizes={"S": ["n", "v", "k"], "g": ["n"]})
    assert own_sizes(three, Setup(hidden=hidden)) == dict.fromkeys("nvk", each[1])
    assert own_sizes(three, Setup(hidden=hidden, sizes={"v": 9}))["v"] == 9
    alone = symrnn.Cell.from_equations("h' = P @ p\np' = W @ x + U @ h", sizes={"p": "narrow"})
    assert own_sizes(alone, Setup(hidden=hidden)) == {"narrow": hidden}
    (point,) = sweep([three], setup=Setup(steps=3, hidden=hidden)).points
    assert point.flow.sizes["n"] == each[1]


def test_matrices_that_no_scale_applies_to_are_named(run: Run) -> None:
    text = 'name = "mine"\nequations = "h\' = tanh(W @ x + (U - U.T) @ h + P @ h + R @ h)"\ndomain.P = "positive"\n'
    Path("mine.toml").write_text(text, encoding="utf-8")
    code, out, _ = run("mine.toml", *SMALL, "--recurrent-scale", "0.5,2")
    assert code == 0
    assert "mine: recurrent matrices R; no bias" in out
    assert (
        "mine: no scale applies to these recurrent matrices, which stay as the cell starts: U_prepared, prepared from U; "
        "P, positive by its domain\n"
    ) in out
    values = json.loads(run("mine.toml", *SMALL, "--recurrent-scale", "0.5", "--json")[1])
    assert values["recurrent"] == {"mine": ["R"]}
    assert values["unscaled"] == {"mine": {"U_prepared": "prepared from U", "P": "positive by its domain"}}


def test_the_table_names_sizes_of_the_cells_own(run: Run) -> None:
    text = "name = \"mine\"\nequations = \"S' = W @ x + S\"\nsizes.S = ['v', 'k']\n"
    Path("mine.toml").write_text(text, encoding="utf-8")
    out = run("mine.toml", *SMALL, "--size", "k=3")[1]
    assert out.endswith("mine: sizes v=2, k=3\n")
    assert "sizes" not in run("rnn", *SMALL)[1]
