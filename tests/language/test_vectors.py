"""Vector functions: adjoint, tangent and Jacobian by the one line of their row, through every target and oracle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest

import symrnn
from symrnn.check.cases import CASES, EVERY, Case
from symrnn.check.kernels import TangentKernels
from symrnn.check.suite import run_suite
from symrnn.derive.adjoint import adjoint
from symrnn.derive.evaluate import floats, run
from symrnn.derive.proof import prove
from symrnn.derive.tangent import tangent
from symrnn.errors import GenerateError
from symrnn.flow.bounds import bounds_of
from symrnn.flow.paths import step_paths
from symrnn.flow.trajectory import run_steps
from symrnn.language.normalise import expression_size
from symrnn.language.system import ONE, System
from symrnn.language.text import to_text
from symrnn.language.tree import Name, Reduce, VectorCall, walk
from symrnn.language.vectors import VECTORS
from symrnn.plan.planner import plan
from symrnn.plan.policy import Policy
from symrnn.targets import registry

pytestmark = pytest.mark.usefixtures("quick_compiler")

TEXTS = {
    "softmax": "a = softmax(A @ x + B @ h)\nb = softmax(softmax(tanh(h + a)) + u * c)\n"
    "c' = 0.5 * c + b * softmax(u) + P @ softmax(x)\nh' = tanh(a * h + W @ x + Q @ b - softmax(v * h))",
    "cumsum": "a = 0.2 * cumsum(A @ x + B @ h)\nb = cumsum(0.1 * cumsum(tanh(h + a)) + u * c)\n"
    "c' = 0.5 * c + 0.1 * b * cumsum(u) + P @ cumsum(x)\nh' = tanh(a * h + W @ x + 0.1 * Q @ b - 0.2 * h * cumsum(h))",
}
"""A cell for each public vector function: of sums of forms, of parameters, of the input, of other vector functions."""


def cell_of(kind: str) -> symrnn.Cell:
    return symrnn.Cell.from_equations(TEXTS[kind], name=f"with_{kind}")


@pytest.fixture(params=TEXTS)
def cell(request: pytest.FixtureRequest) -> symrnn.Cell:
    return cell_of(request.param)


def test_every_public_function_has_a_cell() -> None:
    assert list(TEXTS) == [name for name, row in VECTORS.items() if row.public]


def calls(system: System) -> list[str]:
    """Every vector function and reduction of a system, each a whole right side of a name."""
    kinds = (VectorCall, Reduce)
    found = [e for e in system.equations if any(isinstance(node, kinds) for node in walk(e.expression))]
    for equation in found:
        assert isinstance(equation.expression, kinds)
        assert isinstance(equation.expression.operand, Name)
    return [to_text(equation.expression) for equation in found]


def test_it_is_a_whole_right_side_of_a_name(cell: symrnn.Cell) -> None:
    for system in (cell.normal, adjoint(cell.normal), tangent(cell.normal)):
        assert calls(system)


def test_equal_ones_are_computed_once() -> None:
    cell = symrnn.Cell.from_equations("h' = softmax(h) * x + tanh(softmax(h))")
    assert [to_text(e.expression) for e in cell.normal.equations if isinstance(e.expression, VectorCall)] == [
        "softmax(h)"
    ]


def test_its_size_is_that_of_its_operand() -> None:
    assert expression_size(VectorCall("softmax", Name("x")), {"x": ("input",)}) == "input"
    cell = symrnn.Cell.from_equations("p' = softmax(p + x)\nh' = tanh(W @ p' + U @ h)")
    assert cell.by_name["p"].shape == ("input",)


def test_it_is_proven(cell: symrnn.Cell) -> None:
    assert prove(cell, (1, 2)).ok


def test_kernels_are_right(cell: symrnn.Cell) -> None:
    kernels = cast(TangentKernels, symrnn.build(cell))
    tested = {"numpy": kernels, "c": symrnn.build(cell, backend="c")}
    plans = {"numpy": plan(symrnn.derive(cell), Policy())}
    cases = [CASES[0], Case(6, 2, 3, 5, EVERY), Case(5, 3, 4, 7, EVERY, ragged=True, reverse=True), Case(3, 17, 5, 33)]
    rows = run_suite(cell, kernels, cast(Any, tested), cases, plans=plans)
    assert rows
    assert not [row for row in rows if not row.passed]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("rows", "units"), [(1, 1), (1, 65), (2, 37), (5, 130)])
def test_results_do_not_depend_on_the_number_of_threads(cell: symrnn.Cell, dtype: str, rows: int, units: int) -> None:
    kernels = symrnn.build(cell, backend="c", dtype=dtype)
    rng = np.random.default_rng(7)
    sizes = (units, units) if cell.input_is_hidden else (9, units)
    params = kernels.init_params(*sizes, seed=3, dtype=dtype)
    x = rng.standard_normal((4, rows, sizes[0])).astype(dtype)
    results = []
    for threads in (1, 2, 3):
        y, state, tape = kernels.forward(params, x, threads=threads)
        grads = kernels.backward(params, tape, np.ones_like(y), threads=threads)
        results.append([y, *state.values(), grads.x, *grads.params.values(), *grads.state.values()])
    for other in results[1:]:
        for one, two in zip(results[0], other, strict=True):
            assert one.tobytes() == two.tobytes()


@pytest.mark.parametrize("kind", TEXTS)
def test_its_jacobian_is_that_of_small_steps(kind: str) -> None:
    cell = symrnn.Cell.from_equations(f"a = {kind}(U @ h + b)\nh' = tanh(W @ x + a * h)")
    rng = np.random.default_rng(5)
    sizes = {"input": 3, "hidden": 4, ONE: 1}
    inputs = [variable for variable in cell.variables if variable.name in cell.inputs]
    point = {v.name: rng.standard_normal([sizes[size] for size in v.shape]) for v in inputs}

    def after(change: Any) -> Any:
        return run(cell.equations, cell.by_name, {**point, "h": point["h"] + change}, sizes, floats())["h'"]

    columns = [(after(unit) - after(-unit)) / 2e-6 for unit in 1e-6 * np.eye(4)]
    jacobian = symrnn.derive(cell).jacobian("h", "h")
    np.testing.assert_allclose(jacobian.evaluate(point), np.stack(columns, axis=1), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("kind", TEXTS)
def test_gradients_through_time_follow_its_paths(kind: str) -> None:
    cell = symrnn.Cell.from_equations(f"h' = tanh(W @ x + {kind}(U @ h) * h)")
    rng = np.random.default_rng(4)
    params = {"W": rng.standard_normal((4, 3)), "U": rng.standard_normal((4, 4))}
    x, state = rng.standard_normal((3, 2, 3)), {"h": rng.standard_normal((2, 4))}
    derivation = symrnn.derive(cell)
    trajectory = run_steps(derivation.cell, params, x, state)
    paths = step_paths(derivation, trajectory)
    (bound,) = (each for each in bounds_of(paths) if (each.output, each.input) == ("h'", "h"))
    jacobian = derivation.jacobian("h", "h")
    vector = rng.standard_normal((3, 2, 4))
    pushed, pulled = paths.push(vector), paths.pull(vector)
    for t, row in np.ndindex(3, 2):
        values = params | {"x": x[t, row], "h": trajectory.values["h"][t, row]}
        step = jacobian.evaluate(values)
        np.testing.assert_allclose(pushed[t, row], step @ vector[t, row], rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(pulled[t, row], step.T @ vector[t, row], rtol=1e-12, atol=1e-13)
        assert bound.log[t, row] >= np.log(np.linalg.norm(step, 2))


def backends(*names: str) -> Callable[[Any], Any]:
    return pytest.mark.parametrize("backend", names)


def given(array: Any, backend: str) -> Any:
    """``array``, as a tensor where the kernels take these."""
    return (
        pytest.importorskip("torch", reason="PyTorch is not installed").from_numpy(array)
        if backend == "torch"
        else array
    )


@backends("numpy", "c", "torch")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shift", [0.0, 1e4, -1e4])
def test_softmax_neither_overflows_nor_vanishes(backend: str, dtype: str, shift: float) -> None:
    kernels = symrnn.build(symrnn.Cell.from_equations("h' = P @ softmax(x)", name="shares"), backend=backend)
    units = np.array([-0.5, 1.25, 0.75, 2.0, -3.0], dtype)
    params = {"P": given(np.eye(5, dtype=dtype), backend)}
    x = (units + np.asarray(shift, dtype)).reshape(1, 1, -1)
    y, _, tape = kernels.forward(params, given(x, backend))
    powers = np.exp(units.astype("float64"))
    share = powers / powers.sum()
    # What is left of a unit beside a large shift has the error of a number as large.
    bound = float(16 * np.finfo(dtype).eps) * max(1, abs(shift))
    np.testing.assert_allclose(np.asarray(y)[0, 0], share, rtol=bound)
    dy = np.array([1, -2, 3, 0.5, 4], dtype).reshape(1, 1, -1)
    grads = kernels.backward(params, tape, given(dy, backend))
    expected = share * (dy[0, 0] - (dy[0, 0] * share).sum())
    np.testing.assert_allclose(np.asarray(grads.x)[0, 0], expected, rtol=bound, atol=bound)


@backends("numpy", "c", "torch")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [1, 2, 7, 8, 9, 16, 17, 33, 64, 65, 100])
def test_sums_up_to_each_unit_and_their_gradient(backend: str, dtype: str, size: int) -> None:
    kernels = symrnn.build(symrnn.Cell.from_equations("h' = u * cumsum(x)", name="sums"), backend=backend)
    # Whole numbers, whose sums are exact in any order.
    rng = np.random.default_rng(size)
    x, dy = (rng.integers(-9, 10, (3, 2, size)).astype(dtype) for _ in range(2))
    params = {"u": given(np.ones(size, dtype), backend)}
    y, _, tape = kernels.forward(params, given(x, backend))
    np.testing.assert_array_equal(np.asarray(y), x.cumsum(-1))
    grads = kernels.backward(params, tape, given(dy, backend))
    np.testing.assert_array_equal(np.asarray(grads.x), dy[..., ::-1].cumsum(-1)[..., ::-1])


def test_the_gradient_of_sums_is_the_sum_from_the_end() -> None:
    cell = symrnn.Cell.from_equations("h' = cumsum(h) * u")
    assert "revcumsum(" in " ".join(calls(adjoint(cell.normal)))
    assert str(symrnn.derive(cell).jacobian("h", "h").text()) == "J[h', h] = diag(u) @ tril(ones)"
    # Of that of the adjoint, the sum up to each unit again.
    again = calls(adjoint(adjoint(cell.normal)))
    assert "cumsum(" in " ".join(again).replace("revcumsum(", "")


@pytest.mark.parametrize("target", ["numpy", "c"])
def test_one_without_a_spelling_is_refused_by_name(target: str, lack: Callable[[Any, str], None]) -> None:
    lack(registry.target(target).vectors, "revcumsum")
    with pytest.raises(
        GenerateError, match=f"^sums: backend {target} has no spelling of the vector function revcumsum; add it"
    ):
        symrnn.render(symrnn.Cell.from_equations("h' = cumsum(h) * u", name="sums"), backends=(target,))


def test_a_unit_that_a_stage_reads_twice_is_loaded_beside_the_whole() -> None:
    text = symrnn.render(symrnn.Cell.from_equations("a = u * h\nh' = cumsum(a) * a", name="both"), backends=("c",))
    assert "ACROSS(cumsum_at," in text["both.c"]
