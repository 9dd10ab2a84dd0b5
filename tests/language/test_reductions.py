"""Reductions: one row and its spelling make a new one, with adjoint, tangent and Jacobian by the rule of the row."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

import symrnn
from symrnn.check import interpreter
from symrnn.check.cases import CASES, EVERY, Case
from symrnn.check.kernels import TangentKernels
from symrnn.check.suite import not_smooth, run_suite
from symrnn.derive.adjoint import adjoint
from symrnn.derive.evaluate import floats, run
from symrnn.derive.proof import prove
from symrnn.derive.tangent import tangent
from symrnn.language import parser
from symrnn.language.functions import PUBLIC
from symrnn.language.identifiers import Allocator
from symrnn.language.reductions import REDUCTIONS, Reduced
from symrnn.language.system import ONE, System
from symrnn.language.text import to_text
from symrnn.language.tree import Binary, Call, Expression, Reduce, integer, walk
from symrnn.plan.expand import written_out
from symrnn.targets.numpy import functions as numpy
from tests.processors import require_backend

pytestmark = pytest.mark.usefixtures("quick_compiler")

TEXT = "s = mean(h)\nm = peak(U @ h + b)\nh' = tanh(W @ x + m * h - sum(h * h) + s)"


def shares(at: Reduced) -> Expression:
    """Units that tie for the largest share its derivative."""
    below = at.named("below", Call("positive", (Binary("-", at.value, at.operand),)), at.size)
    tied = at.named("tied", Binary("-", integer(1), below), at.size)
    return Binary("/", tied, at.named("ties", Reduce("sum", tied), ONE))


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> symrnn.Cell:
    """A cell with a reduction that is a row in the table, a spelling of NumPy and an entry of the interpreter."""
    monkeypatch.setitem(REDUCTIONS, "peak", replace(REDUCTIONS["max"], name="peak", rule=shares))
    monkeypatch.setattr(parser, "PUBLIC", (*PUBLIC, "peak"))
    monkeypatch.setitem(cast(Any, numpy.REDUCTIONS), "peak", numpy.NumPyReduction("np.max", "np.maximum.reduce"))
    monkeypatch.setitem(cast(Any, interpreter.REDUCTIONS), "peak", max)
    return symrnn.Cell.from_equations(TEXT, name="peaked")


def reduced(system: System) -> list[str]:
    """Every reduction in a derived system, each a whole right side."""
    found = [e for e in system.equations if any(isinstance(node, Reduce) for node in walk(e.expression))]
    assert all(isinstance(equation.expression, Reduce) for equation in found)
    return [to_text(equation.expression) for equation in found]


def test_derivatives_follow_from_the_rule(cell: symrnn.Cell) -> None:
    # b broadcasts nothing; dm and ds are sums, since m and s were broadcast.
    backward = reduced(adjoint(cell.normal))
    assert [text for text in backward if "tied" in text] == ["sum(m_tied)"]
    forward = [text for text in reduced(tangent(cell.normal)) if "dot" in text or "tied" in text]
    assert "mean(h_dot)" in forward
    assert {"sum(m_tied)", "sum(m_dot_in)"} <= set(forward)


def test_it_is_proven(cell: symrnn.Cell) -> None:
    assert prove(cell, (1, 2)).ok


def test_a_wrong_rule_is_found(cell: symrnn.Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(REDUCTIONS, "peak", replace(REDUCTIONS["peak"], rule=lambda at: integer(1)))
    assert not prove(cell, (2,)).ok


def test_kernels_with_it_are_right(cell: symrnn.Cell) -> None:
    assert not_smooth(cell) == ("peak",)
    kernels = cast(TangentKernels, symrnn.build(cell))
    rows = run_suite(cell, kernels, {"numpy": kernels}, [CASES[0], Case(6, 2, 3, 5, EVERY)])
    assert rows
    assert not [row for row in rows if not row.passed]


def test_its_jacobian_is_that_of_small_steps(cell: symrnn.Cell) -> None:
    rng = np.random.default_rng(5)
    sizes = {"input": 3, "hidden": 4, ONE: 1}
    inputs = [variable for variable in cell.variables if variable.name in cell.inputs]
    point = {v.name: rng.standard_normal([sizes[size] for size in v.shape]) for v in inputs}

    def after(change: Any) -> Any:
        return run(cell.equations, cell.by_name, {**point, "h": point["h"] + change}, sizes, floats())["h'"]

    jacobian = symrnn.derive(cell).jacobian("h", "h")
    assert "positive" in str(jacobian)
    columns = [(after(unit) - after(-unit)) / 2e-6 for unit in 1e-6 * np.eye(4)]
    np.testing.assert_allclose(jacobian.evaluate(point), np.stack(columns, axis=1), rtol=1e-6, atol=1e-8)


def test_the_largest_unit_is_proven() -> None:
    assert prove(symrnn.Cell.from_equations(TEXT.replace("peak", "max"), name="peaked")).ok


LARGEST = symrnn.Cell.from_equations("h' = b * max(x)", name="largest")

TIES = (
    ([2.0], [1.0]),
    ([1.0, 3.0, 2.0], [0.0, 1.0, 0.0]),
    ([3.0, 1.0, 3.0], [0.5, 0.0, 0.5]),
    ([-2.0, -2.0, -2.0], [1 / 3, 1 / 3, 1 / 3]),
    ([0.0, -0.0, -1.0], [0.5, 0.5, 0.0]),
)
"""Units, and the share that each has in the derivative of the largest of them."""


@pytest.mark.parametrize(("units", "expected"), TIES)
@pytest.mark.parametrize("backend", ["numpy", "c", "torch"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_ties_share_the_derivative_equally(units: list[float], expected: list[float], backend: str, dtype: str) -> None:
    require_backend(backend)
    kernels = symrnn.build(LARGEST, backend=backend)
    params = {"b": arrays(np.ones(1, dtype), backend)}
    y, _, tape = kernels.forward(params, arrays(np.array(units, dtype).reshape(1, 1, -1), backend))
    assert float(y[0, 0, 0]) == max(units)
    grads = kernels.backward(params, tape, arrays(np.ones((1, 1, 1), dtype), backend))
    np.testing.assert_allclose(grads.x[0, 0], expected, rtol=1e-6)


def arrays(array: Any, backend: str) -> Any:
    """``array``, as a tensor where the kernels take these."""
    return (
        pytest.importorskip("torch", reason="PyTorch is not installed").from_numpy(array)
        if backend == "torch"
        else array
    )


def test_what_is_compared_with_its_maximum_is_stored_and_never_computed_again() -> None:
    # In C, a product that is added may be rounded once or twice, depending on what is computed beside it.
    program = symrnn.program(symrnn.Cell.from_equations("a = u * h + v * x\nh' = max(a) - a**2"))
    assert ("a", "compared with its max") in program.saved


def test_not_a_number_stays() -> None:
    kernels = symrnn.build(LARGEST, backend="c")
    for size in (1, 5, 16, 33):
        for place in {0, size // 2, size - 1}:
            x = np.linspace(-1, 1, size, dtype=np.float32).reshape(1, 1, size)
            x[0, 0, place] = np.nan
            assert np.isnan(kernels.infer({"b": np.ones(1, np.float32)}, x)[0]).all()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65])
def test_the_largest_unit_in_c_at_every_place(size: int) -> None:
    kernels = symrnn.build(LARGEST, backend="c")
    for dtype in ("float32", "float64"):
        x = -2 - np.arange(size * size, dtype=dtype).reshape(1, size, size) % 7
        x[0, np.arange(size), np.arange(size)] = -0.5
        y, _ = kernels.infer({"b": np.ones(1, dtype)}, x)
        np.testing.assert_array_equal(y, np.full((1, size, 1), -0.5))


@pytest.mark.parametrize("backend", ["numpy", "c", "torch"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shift", [0.0, 1e4, -1e4])
def test_a_sum_of_exponentials_neither_overflows_nor_vanishes(backend: str, dtype: str, shift: float) -> None:
    require_backend(backend)
    kernels = symrnn.build(symrnn.Cell.from_equations("h' = b * logsumexp(x)", name="partition"), backend=backend)
    units = np.array([-0.5, 1.25, 0.75, 2.0, -3.0], dtype)
    params = {"b": arrays(np.ones(1, dtype), backend)}
    y, _, tape = kernels.forward(params, arrays((units + dtype_of(dtype)(shift)).reshape(1, 1, -1), backend))
    powers = np.exp(units.astype("float64"))
    np.testing.assert_allclose(y[0, 0, 0], np.log(powers.sum()) + shift, rtol=float(4 * np.finfo(dtype).eps))
    grads = kernels.backward(params, tape, arrays(np.ones((1, 1, 1), dtype), backend))
    # The derivative is an exponential of a difference: it has the error of a number as large as the shift.
    bound = float(8 * np.finfo(dtype).eps) * max(1, abs(shift))
    np.testing.assert_allclose(grads.x[0, 0], powers / powers.sum(), rtol=bound)


def dtype_of(name: str) -> Any:
    return {"float32": np.float32, "float64": np.float64}[name]


def test_a_plan_and_its_targets_know_what_it_is_made_of() -> None:
    program = symrnn.program(symrnn.Cell.from_equations("l = logsumexp(W @ x + U @ h)\nh' = tanh(h - l)"))
    kinds = {
        node.kind
        for r in program.routines
        for e in r.system.equations
        for node in walk(e.expression)
        if isinstance(node, Reduce)
    }
    assert kinds == {"max", "sum"}
    assert [name for name, _ in program.saved] == ["l_part", "l"]


def test_nothing_is_written_out_where_nothing_is_made_of_others() -> None:
    system = symrnn.load("lstm").normal
    assert written_out(system, Allocator()) is system
