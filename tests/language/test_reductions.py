"""Reductions: one row and its spelling make a new one, with adjoint, tangent and Jacobian by the rule of the row."""

from __future__ import annotations

from functools import reduce
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
from symrnn.language.reductions import REDUCTIONS, Reduced, Reduction, Scalars
from symrnn.language.system import ONE, System
from symrnn.language.text import to_text
from symrnn.language.tree import Binary, Call, Expression, Reduce, integer, walk
from symrnn.targets.numpy import functions as numpy

TEXT = "s = mean(h)\nm = max(U @ h + b)\nh' = tanh(W @ x + m * h - sum(h * h) + s)"


def largest(vector: Any, scalars: Scalars) -> Any:
    units = [vector[..., place : place + 1] for place in range(vector.shape[-1])]
    return reduce(scalars.functions["maximum"], units)


def shares(at: Reduced) -> Expression:
    """Units that tie for the largest share its derivative."""
    below = at.named("below", Call("positive", (Binary("-", at.value, at.operand),)), at.size)
    tied = at.named("tied", Binary("-", integer(1), below), at.size)
    return Binary("/", tied, at.named("ties", Reduce("sum", tied), ONE))


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> symrnn.Cell:
    """A cell with a reduction that is a row in the table, a spelling of NumPy and an entry of the interpreter."""
    monkeypatch.setitem(REDUCTIONS, "max", Reduction("max", largest, r"\max", smooth=False, rule=shares))
    monkeypatch.setattr(parser, "PUBLIC", (*PUBLIC, "max"))
    monkeypatch.setitem(cast(Any, numpy.REDUCTIONS), "max", numpy.NumPyReduction("np.max", "np.maximum.reduce"))
    monkeypatch.setitem(cast(Any, interpreter.REDUCTIONS), "max", max)
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
    wrong = Reduction("max", largest, r"\max", smooth=False, rule=lambda at: integer(1))
    monkeypatch.setitem(REDUCTIONS, "max", wrong)
    assert not prove(cell, (2,)).ok


def test_kernels_with_it_are_right(cell: symrnn.Cell) -> None:
    assert not_smooth(cell) == ("max",)
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
