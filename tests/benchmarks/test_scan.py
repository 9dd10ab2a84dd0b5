"""Any cell as a scan of JAX or a loop of PyTorch computes what the NumPy kernels compute, gradients included."""

from __future__ import annotations

import importlib
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import sympy

from benchmarks.competition import difference
from benchmarks.custom import CELLS as CUSTOM
from benchmarks.dialects import JAX, TORCH, Dialect
from benchmarks.grid import CELLS, Mode, Point, load_cell
from benchmarks.matrix_products import sizes_of
from benchmarks.participants import FUNCTIONS, NUMPY, Prepared
from benchmarks.scan import array_program
from benchmarks.workload import Array, Task
from symrnn.language.cell import Cell
from symrnn.language.functions import FUNCTIONS as LANGUAGE
from symrnn.language.functions import PUBLIC
from symrnn.language.reductions import REDUCTIONS
from symrnn.language.vectors import VECTORS

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


def results(found: Prepared) -> dict[str, Array]:
    assert found.labelled is not None
    return dict(found.labelled(found.call()))


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("cell", NAMES, ids=lambda name: Path(name).stem)
@pytest.mark.parametrize(("who", "library"), [("jax", "jax"), ("torch eager", "torch")])
def test_results_are_those_of_the_numpy_kernels(who: str, library: str, cell: str, mode: Mode) -> None:
    forced = load_cell(cell).input_is_hidden
    task = Task(cell, Point(5, 3, 7, input=7 if forced else 4), mode, threads=1)
    theirs, ours = results(prepared(who, library, task)), results(prepared(NUMPY, "numpy", task))
    assert difference(ours, theirs) <= BOUND


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")  # by PyTorch, of its own code
@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("cell", CUSTOM)
@pytest.mark.parametrize("who", ["torch compiled step", "torch compiled loop", "torch compiled scan"])
def test_what_is_compiled_computes_the_same(who: str, cell: str, mode: Mode, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed: nothing to run the text with")
    # Traced, but not compiled: a compiler would take many seconds for each.
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    task = Task(cell, Point(4, 2, 5, input=3), mode, threads=1)
    assert difference(results(prepared(NUMPY, "numpy", task)), results(prepared(who, "torch", task))) <= BOUND


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated")  # by PyTorch, of its own code
def test_a_scan_of_torch_is_compiled_for_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))
    cell = tmp_path / "tiny.toml"
    cell.write_text("name = 'tiny'\nequations = \"h' = tanh(W @ x + U @ h)\"\n", encoding="utf-8")
    task = Task(str(cell), Point(3, 2, 4), Mode.TRAINING, threads=1)
    theirs = results(prepared("torch compiled scan", "torch", task))
    assert difference(results(prepared(NUMPY, "numpy", task)), theirs) <= BOUND


@pytest.mark.parametrize("dialect", [JAX, TORCH], ids=["jax", "torch"])
def test_every_function_of_the_language_has_a_text(dialect: Dialect) -> None:
    assert set(dialect.functions) == set(PUBLIC) - set(REDUCTIONS) - set(VECTORS)
    assert set(dialect.reductions) == set(REDUCTIONS)
    assert set(dialect.vectors) == set(PUBLIC) & set(VECTORS)


def text_of(equations: str, *, shared_sums: bool) -> str:
    cell = Cell.from_equations(equations)
    return array_program(cell, sizes_of(cell, 3, 2), shared_sums=shared_sums).text


def test_what_depends_on_the_input_alone_is_computed_before_the_loop() -> None:
    text = text_of("r = exp(V @ x)\nh' = tanh(r * h + W @ x + b)", shared_sums=False)
    step, layer = text.split("def layer")
    assert "r = _np.exp(_V_x)" in layer
    assert "_hoisted_1 = _W_x + b" in layer
    assert "@" not in step


def test_a_sum_is_shared_with_the_product_that_it_is_added_to() -> None:
    equations = "z = sigmoid(W_z @ x + U_z @ h + b_z)\nr = tanh(W_r @ x + U_r @ h + b_r)\nh' = z * h + r"
    text = text_of(equations, shared_sums=True)
    assert "_early_h = _of_x[..., 0:4] + _np.concatenate([b_z, b_r], -1)" in text
    assert "_sums_h = _early_h + _of_h" in text
    assert text.count("@") == 2
    assert "_early_h" not in text_of(equations, shared_sums=False)


def test_gradients_of_a_matrix_in_several_stacks_add_up() -> None:
    cell = Cell.from_equations("e = tanh(U @ h + W @ x)\nh' = e + U.T @ e")
    program = array_program(cell, sizes_of(cell, 2, 2))
    u, w = np.arange(4.0).reshape(2, 2), np.ones((2, 2))
    packed = program.pack({"U": u, "W": w})
    gradients = program.unpack(packed, {"U": (2, 2), "W": (2, 2)})
    np.testing.assert_array_equal(gradients["U"], 2 * u)
    np.testing.assert_array_equal(gradients["W"], w)


POINTS = (-3.25, -1.5, -0.5, 0.0, 0.5, 1.5, 7.0)


@pytest.mark.parametrize("function", sorted(set(PUBLIC) - set(REDUCTIONS) - set(VECTORS)))
@pytest.mark.parametrize("library", ["jax", "torch"])
def test_texts_of_functions_compute_what_the_language_says(library: str, function: str) -> None:
    pytest.importorskip(library, reason=f"{library} is not installed: nothing to run the text with")
    dialect, array = (JAX, "_np.asarray") if library == "jax" else (TORCH, "_np.as_tensor")
    row = LANGUAGE[function]
    points = [point for point in POINTS if function not in ("log", "log1p", "sqrt", "rsqrt") or point > 0]
    second, third = 0.25, -0.75
    given = [f"{array}(_points)", repr(second), repr(third)][: row.arity]
    space: dict[str, object] = {"_points": np.array(points, np.float32)}
    exec(dialect.header, space)
    found = np.asarray(eval(dialect.call(function, given), space))
    expected = [float(row.meaning(*map(sympy.Rational, [point, second, third][: row.arity]))) for point in points]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
