"""Parameters in generated modules: how they start, what is given, domains, and fixed ones that have no gradient."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symrnn
from symrnn.emit.surface import INITIALISERS_FILE
from symrnn.emit.templates import template_directory
from symrnn.language.cell import Cell
from tests.processors import compiler_or_skip, require_backend

pytestmark = pytest.mark.usefixtures("quick_compiler")

MEMORY = symrnn.load(Path(__file__).parents[1] / "given_memory.toml")
FIXED = ("A", "B", "g", "V")
BACKENDS = ("numpy", "c", "torch")

STARTS: dict[str, Any] = {
    "W": {"kind": "uniform", "low": 2, "high": 2.5},
    "U": {"kind": "orthogonal", "blocks": 3},
    "T": "normal",
    "P": "positive",
    "N": "nonzero",
    "a": {"kind": "normal", "std": 0.001},
    "b": "log_uniform",
    "c": {"kind": "log_uniform", "low": 10, "high": 1000},
    "d": "unit",
    "e": "positive",
    "f": "nonzero",
    "g": "zeros",
    "k": "ones",
    "I": "identity",
    "q": -0.25,
}
STARTED = Cell.from_equations(
    "h' = W @ x + U @ x + T @ h + P @ h + N @ x + I @ h + a + b + c + d + e + f + g + k + q",
    name="started",
    init=STARTS,
    domain={"P": "positive", "b": "positive", "d": "unit", "f": "nonzero"},
)


def kernels(cell: Cell, backend: str, **options: Any) -> Any:
    require_backend(backend)
    return symrnn.build(cell, backend, **options)


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_start_gives_its_numbers(backend: str) -> None:
    found = kernels(STARTED, backend).init_params(300, 600, seed=1)
    p = {name: np.asarray(array, np.float64) for name, array in found.items()}

    def within(name: str, low: float, high: float) -> bool:
        return bool(low <= p[name].min() < low + (high - low) / 10 and high - (high - low) / 10 < p[name].max() <= high)

    assert within("W", 2, 2.5)
    for rows in np.split(p["U"], 3):
        np.testing.assert_allclose(rows @ rows.T, np.eye(200), atol=1e-5)
    assert abs(p["T"].std() * np.sqrt(600) - 1) < 0.01
    assert within("P", 0.5 / np.sqrt(600), 1.5 / np.sqrt(600))
    assert within("N", -1.5 / np.sqrt(300), 1.5 / np.sqrt(300))
    assert np.abs(p["N"]).min() >= 0.4999 / np.sqrt(300)
    assert 0.0008 < p["a"].std() < 0.0012
    assert within("b", 1e-3, 1e-1)
    assert 8e-3 < np.median(p["b"]) < 1.3e-2  # the middle of the logarithms
    assert 80 < np.median(p["c"]) < 130
    assert 10 <= p["c"].min() < 12
    assert 900 < p["c"].max() <= 1000
    assert within("d", 0.1, 0.9)
    assert within("e", 0.5, 1.5)
    assert within("f", -1.5, 1.5)
    assert np.abs(p["f"]).min() >= 0.4999
    assert not p["g"].any()
    assert (p["k"] == 1).all()
    assert (p["q"] == -0.25).all()
    assert np.array_equal(p["I"], np.eye(600))


def test_backends_start_alike() -> None:
    started = [kernels(STARTED, each).init_params(3, 6, seed=4) for each in BACKENDS]
    for name in started[0]:
        assert all(np.array_equal(np.asarray(each[name]), started[0][name]) for each in started)


def test_a_module_has_the_functions_of_its_own_starts_alone() -> None:
    text = symrnn.pipeline.render(MEMORY, backends=("numpy",))["given_memory_numpy.py"]
    assert re.findall(r"^def (_draw_\w+)\(", text, re.MULTILINE) == [
        "_draw_uniform",
        "_draw_orthogonal",
        "_draw_rotation",
        "_draw_normal",
        "_draw_log_uniform",
        "_draw_nonzero",
        "_draw_scale",
    ]


def test_no_other_part_of_a_module_has_names_like_theirs() -> None:
    folder = template_directory()
    names = re.findall(r"^def (\w+)\(", (folder / INITIALISERS_FILE).read_text(encoding="utf-8"), re.MULTILINE)
    assert all(name.startswith("_draw_") for name in names)
    others = [path for path in folder.rglob("*.py") if path != folder / INITIALISERS_FILE]
    assert not [path.name for path in others if "_draw_" in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("backend", BACKENDS)
def test_blocks_must_divide_the_rows(backend: str) -> None:
    with pytest.raises(ValueError, match="U: orthogonal: 8 rows do not make 3 equal blocks"):
        kernels(STARTED, backend).init_params(3, 8)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_is_given_is_taken_and_changes_nothing_else(backend: str) -> None:
    k = kernels(MEMORY, backend)
    given: dict[str, Any] = {"A": np.arange(16, dtype=np.float32).reshape(4, 4), "s": [1, 2, 3, 4.5]}
    plain, found = k.init_params(3, 5, 4, seed=2), k.init_params(3, 5, 4, seed=2, given=given)
    assert found["A"].dtype == plain["A"].dtype
    for name, array in found.items():
        assert np.array_equal(np.asarray(array), np.asarray(given.get(name, plain[name])))
    given["A"][0, 0] = 99
    assert float(found["A"][0, 0]) == 0


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"Q": 1}, ValueError, "given: unknown name 'Q'; expected e_x"),
        ({"A": np.ones((4, 3))}, ValueError, r"given\['A'\]: expected shape \(4, 4\), found \(4, 3\)"),
        ({"A": "eye"}, TypeError, r"given\['A'\]: expected real numbers"),
        ({"A": 1j * np.ones((4, 4))}, TypeError, r"given\['A'\]: expected real numbers, found an array of complex128"),
        (["A"], TypeError, "given: expected a mapping of names to numbers, found list"),
        ({"s": [1, 2, 0, 1]}, ValueError, "s: a number is outside the domain of this parameter, above 0"),
        ({"s": [1, 2, 1e-60, 1]}, ValueError, "s: a number is outside"),
        ({"s": [1, 2, np.nan, 1]}, ValueError, "s: a number is outside"),
        ({"p": [0.5] * 4 + [1]}, ValueError, "p: a number is outside .*, above 0 and below 1"),
        ({"n": [-1, 1, 2, 0, 3]}, ValueError, "n: a number is outside .*, other than 0"),
    ],
)
def test_what_does_not_fit_is_refused(backend: str, given: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        kernels(MEMORY, backend).init_params(3, 5, 4, given=given)


def freed() -> Cell:
    """The memory with a gradient for every parameter."""
    return Cell.from_equations(MEMORY.text, name="freed", sizes={"m": "memory"})


@pytest.mark.parametrize("checkpoint", [None, 2])
@pytest.mark.parametrize("backend", ["numpy", "c"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_gradients_are_those_of_a_cell_without_fixed_parameters(backend: str, dtype: str, checkpoint: Any) -> None:
    k, other, rng = kernels(MEMORY, backend), kernels(freed(), backend), np.random.default_rng(0)
    params = k.init_params(3, 5, 4, dtype=dtype)
    x = rng.standard_normal((7, 6, 3)).astype(dtype)
    results = []
    for each in (k, other):
        y, final, tape = each.forward(params, x, checkpoint=checkpoint)
        results.append(each.backward(params, tape, np.ones_like(y), {name: final[name] for name in final}))
        again = each.backward(params, tape, np.ones_like(y), {name: final[name] for name in final}, out=results[-1])
        assert again is results[-1]
    found, expected = results
    assert list(found.params) == [name for name in params if name not in FIXED]
    assert set(expected.params) == set(params)
    bound = 1e-12 if dtype == "float64" else 2e-5
    for name, array in found.params.items():
        np.testing.assert_allclose(array, expected.params[name], rtol=bound, atol=bound * 10)
    np.testing.assert_allclose(found.x, expected.x, rtol=bound, atol=bound * 10)
    for name in found.state:
        np.testing.assert_allclose(found.state[name], expected.state[name], rtol=bound, atol=bound * 10)


def test_a_tangent_of_a_fixed_parameter_is_an_error() -> None:
    k = kernels(MEMORY, "numpy")
    params, x = k.init_params(3, 5, 4), np.ones((2, 1, 3), np.float32)
    with pytest.raises(ValueError, match="dparams: 'V' is fixed, so it has no tangent; leave it out"):
        k.jvp(params, x, None, {"V": params["V"]}, None, None)
    with pytest.raises(ValueError, match="dparams: unknown name 'Q'"):
        k.jvp(params, x, None, {"Q": params["V"]}, None, None)
    dy, _ = k.jvp(params, x, None, {"s": params["s"]}, None, None)
    assert np.isfinite(dy).all()


def test_the_header_has_no_place_for_their_gradients() -> None:
    header = symrnn.pipeline.render(MEMORY, backends=("c",))["given_memory.h"]
    of = {
        kind: re.findall(r"\*(\w+);", text)
        for kind, text in re.findall(r"typedef struct given_memory_f32_(\w+) \{(.*?)\}", header, re.DOTALL)
    }
    assert of["params"] == [v.name for v in MEMORY.parameters]
    assert of["grads"] == [v.name for v in MEMORY.trainable]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_cell_may_have_fixed_parameters_alone(backend: str) -> None:
    cell = Cell.from_equations("h' = tanh(W @ x + U @ h)", name="reservoir", fixed=("W", "U"))
    k, other = kernels(cell, backend), kernels(Cell.from_equations(cell.text, name="trained"), "numpy")
    params = k.init_params(3, 5, seed=0)
    x = np.random.default_rng(0).standard_normal((4, 2, 3)).astype(np.float32)
    results = []
    for each, given in ((k, params), (other, {name: np.asarray(value) for name, value in params.items()})):
        y, _, tape = each.forward(given, x)
        results.append(each.backward(given, tape, np.ones(y.shape, np.float32)))
    assert results[0].params == {}
    np.testing.assert_allclose(np.asarray(results[0].x), results[1].x, rtol=1e-5, atol=1e-6)


def test_the_c_files_compile_without_warnings(tmp_path: Path) -> None:
    compiler = compiler_or_skip()
    strict = ("-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wpedantic", "-Werror", "-fsyntax-only")
    reservoir = Cell.from_equations("h' = tanh(W @ x + U @ h)", name="reservoir", fixed=("W", "U"))
    for cell in (MEMORY, reservoir):
        for name, text in symrnn.pipeline.render(cell, backends=("c",)).items():
            (tmp_path / name).write_text(text)
        command = [*compiler.command, *strict, f"{cell.name}.c"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
