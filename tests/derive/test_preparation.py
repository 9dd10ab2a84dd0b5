"""The derived adjoint and tangent of prepared parameters, against the complex step, the adjoint identity and their proof."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from symrnn.derive import proof
from symrnn.derive.derivation import derive
from symrnn.derive.preparation import Preparation, preparation_of, pulled, pushed, run_tables
from symrnn.derive.proof import prove
from symrnn.errors import DerivationError
from symrnn.language.cell import Cell
from symrnn.language.system import System
from symrnn.language.tree import Binary, Transpose, integer
from tests.language.test_prepared import drawn
from tests.prepared import PREPARED, Prepares

STEP = 1e-40


def loss(cell: Cell, params: dict[str, Any], weights: dict[str, Any], sizes: dict[str, int]) -> Any:
    values = run_tables(cell.preparation, params, sizes)
    return sum((values[name] * weight).sum() for name, weight in weights.items())


@pytest.mark.parametrize("one", PREPARED, ids=lambda one: one.name)
def test_gradients_and_tangents(one: Prepares) -> None:
    cell = one.cell
    found = preparation_of(cell.preparation)
    sizes, params = drawn(cell)
    random: Any = np.random.default_rng(4)
    values = run_tables(found.forward, params, sizes)
    weights = {name: random.normal(size=values[name].shape) for name in found.seeds}
    back = run_tables(found.adjoint, {**values, **{found.seeds[n]: w for n, w in weights.items()}}, sizes)
    along: dict[str, Any] = {name: random.normal(size=params[name].shape) for name in found.gradients}
    inner = 0.0
    for name, direction in along.items():
        moved = loss(cell, {**params, name: params[name] + 1j * STEP * direction}, weights, sizes).imag / STEP
        mine = (back[found.gradients[name]].reshape(direction.shape) * direction).sum()
        np.testing.assert_allclose(mine, moved, rtol=1e-11, atol=1e-11)
        inner += mine
    tangents = run_tables(found.tangent, {**values, **{found.dots[n]: d for n, d in along.items()}}, sizes)
    np.testing.assert_allclose(
        sum((tangents[found.dots[n]] * w).sum() for n, w in weights.items()), inner, rtol=1e-11, atol=1e-11
    )


@pytest.mark.parametrize("one", PREPARED, ids=lambda one: one.name)
def test_the_proof_covers_every_parameter(one: Prepares) -> None:
    cell = one.cell
    found = prove(cell, (1, 2))
    assert found.ok
    assert {item.array for item in found.compared} >= {variable.name for variable in cell.trainable}


def test_a_wrong_adjoint_is_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    cell = PREPARED[0].cell

    def broken(forward: System) -> Preparation:
        right = preparation_of(forward)
        *others, last = right.adjoint.equations
        doubled = replace(last, expression=Binary("*", integer(2), last.expression))
        return replace(right, adjoint=replace(right.adjoint, equations=(*others, doubled)))

    monkeypatch.setattr(proof, "preparation_of", broken)
    found = prove(cell, (2,))
    assert not found.ok
    assert max(item.difference for item in found.compared if item.array == "W") > 1e-3


def test_a_parameter_of_the_step_too_has_the_sum_of_both_gradients() -> None:
    cell = Cell.from_equations("V = g * W\nh' = V @ x + g * h")
    found = preparation_of(cell.preparation)
    sizes, params = drawn(cell)
    grads = {"V": np.ones((5, 3)), "g": np.full(5, 7.0)}
    whole = pulled(found, params, grads, sizes, ["g", "W"])
    np.testing.assert_allclose(whole["g"], params["W"].sum(axis=1) + 7)
    np.testing.assert_allclose(pushed(found, params, {"g": np.ones(5)}, sizes)["V"], params["W"])


def test_nothing_leads_to_a_fixed_parameter() -> None:
    cell = Cell.from_equations("V = M * W\nh' = V @ x", fixed=["M"])
    found = preparation_of(cell.preparation)
    assert set(found.gradients) == {"W"}
    assert set(found.dots) == {"W", "V"}


def test_listings_show_what_is_prepared() -> None:
    derivation = derive(PREPARED[4].cell)
    assert "Prepared from parameters alone, once: A" in derivation.text("equations")
    assert "Adjoint of what is prepared" in derivation.text("adjoint")
    assert r"\overline{U} &= \overline{A} + " in derivation.latex("adjoint")
    assert [section.key for section in derivation.lecture()][5] == "prepared"
    assert any(isinstance(e.expression, Transpose) for e in derivation.preparation.forward.equations)
    with pytest.raises(DerivationError, match="the step reads A, prepared from parameters, and not 'U' itself"):
        derivation.jacobian("h", "U")
    assert derivation.jacobian("h", "A").terms
