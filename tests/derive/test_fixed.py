"""Fixed parameters in the derivation: the same derivatives of all else, nothing derived for them, and errors that say so."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symrnn
from symrnn.derive.derivation import Derivation, derive
from symrnn.derive.draws import Draw, entry, near_start, positive, signed
from symrnn.derive.evaluate import floats, run
from symrnn.derive.proof import prove
from symrnn.errors import DerivationError
from symrnn.language.cell import Cell
from symrnn.language.starts import DOMAINS
from symrnn.language.system import ONE, Role
from symrnn.language.tree import names

MEMORY = symrnn.load(Path(__file__).parents[1] / "given_memory.toml")
CELLS = (
    MEMORY,
    Cell.from_equations("h' = tanh(W @ x + U @ h + b)", name="all", fixed=("W", "U", "b")),
    Cell.from_equations("h' = tanh(W @ x + U.T @ (r * h) + b)", name="some", fixed=("U", "r")),
    Cell.from_equations("c' = tanh(b) + mean(exp(b))\nh' = W @ x + c' * h + c", name="held_state", fixed=("b",)),
    Cell.from_equations("k = maximum(a, b)\nh' = k * h + W @ (k * a) + sum(V @ k) * x", name="held", fixed=("a", "b")),
    Cell.from_equations("c' = mean(b)\nh' = c * tanh(W @ x) + h", name="sum", sizes={"c": 1}, fixed=("b",)),
    Cell.from_equations("h' = s * tanh(W @ x) + h", name="scalar", sizes={"s": 1}, fixed=("s",)),
)


def freed(cell: Cell) -> Cell:
    """The same cell, in which every parameter has a gradient."""

    def moving(system: Any) -> Any:
        return replace(system, variables=tuple(replace(v, gradient=True) for v in system.variables))

    found: Cell = replace(moving(cell), normal=moving(cell.normal))
    return found


def point_of(cell: Cell) -> tuple[dict[str, Any], dict[str, int]]:
    draw, sizes = np.random.default_rng(5), {ONE: 1, **{size: 3 + place for place, size in enumerate(cell.sizes)}}
    shapes = {name: [sizes[size] for size in cell.by_name[name].shape] for name in cell.inputs}
    return {name: draw.uniform(0.2, 0.9, shape) for name, shape in shapes.items()}, sizes


def gradients(derivation: Derivation, point: dict[str, Any], sizes: dict[str, int]) -> dict[str, Any]:
    cell, backward, draw = derivation.cell, derivation.adjoint, np.random.default_rng(7)
    given = run(cell.normal.equations, cell.normal.by_name, point, sizes, floats())
    seeds = {name: draw.uniform(-1, 1, sizes[cell.size(name)]) for name in cell.outputs}
    for variable in backward.of_role(Role.ADJOINT):
        if variable.name in backward.inputs:
            given[variable.name] = seeds[variable.of]
    after = run(backward.equations, backward.by_name, given, sizes, floats())
    return {backward.by_name[name].of: after[name] for name in backward.outputs}


@pytest.mark.parametrize("given", CELLS, ids=lambda cell: cell.name)
def test_all_else_has_the_gradient_that_it_had(given: Cell) -> None:
    point, sizes = point_of(given)
    found = gradients(derive(given), point, sizes)
    expected = gradients(derive(freed(given)), point, sizes)
    assert set(found) == set(expected) - set(given.fixed)
    for name, array in found.items():
        np.testing.assert_allclose(array, expected[name], rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("given", CELLS, ids=lambda cell: cell.name)
def test_nothing_is_derived_for_them(given: Cell) -> None:
    derivation = derive(given)
    held = given.normal.held
    assert set(given.fixed) <= held
    for system in (derivation.adjoint, derivation.tangent):
        of = {v.of for v in system.variables if v.of}
        assert not of & (held - set(given.outputs))
        needed = set(system.outputs)
        for equation in reversed(system.equations):
            assert equation.target in needed, f"{equation.target} leads nowhere"
            needed |= set(names(equation.expression))


@pytest.mark.parametrize("given", CELLS, ids=lambda cell: cell.name)
def test_the_tangent_is_that_of_a_direction_without_them(given: Cell) -> None:
    point, sizes = point_of(given)
    draw = np.random.default_rng(9)
    along = {name: draw.uniform(-1, 1, array.shape) * (name not in given.fixed) for name, array in point.items()}
    results = []
    for each in (given, freed(given)):
        system = derive(each).tangent
        of = {v.name: v.of for v in system.variables if v.of}
        values = {name: along[of[name]] if name in of else point[name] for name in system.inputs}
        after = run(system.equations, system.by_name, values, sizes, floats())
        results.append({of[name]: after[name] for name in system.outputs if name in of})
    assert results[0].keys() == results[1].keys() == set(given.outputs)
    for name, array in results[0].items():
        np.testing.assert_allclose(array, results[1][name], rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("given", CELLS, ids=lambda cell: cell.name)
def test_the_proof_compares_all_else(given: Cell) -> None:
    proof = prove(given, sizes=(1, 2))
    assert proof.ok
    assert {item.array for item in proof.compared} == set(given.inputs) - set(given.fixed)


@pytest.mark.parametrize("draw", [signed, near_start, positive])
@pytest.mark.parametrize("domain", DOMAINS)
def test_the_proof_draws_numbers_of_the_domain(domain: str, draw: Draw) -> None:
    rng = random.Random(0)
    for start in ("uniform", domain, "0.9", "0.001"):
        numbers = [float(entry(draw, rng, start, domain, "")) for _ in range(3000)]
        assert all(DOMAINS[domain].holds(number, number) for number in numbers)
        assert len(set(numbers)) > 300


def test_the_proof_holds_where_only_the_domain_gives_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("symrnn.derive.proof.MOST_EXPANSION", 0)
    text = "h' = log(p) * h + log(1 - u) * (W @ x) + log(-h * x)"
    domain = {"p": "positive", "u": "unit"}
    with pytest.raises(DerivationError, match="is not real at a random point"):
        prove(Cell.from_equations(text, domain=domain), sizes=(3,))
    proof = prove(Cell.from_equations(text.replace("log(-h * x)", "log(p * (1 - u))"), domain=domain), sizes=(3,))
    assert proof.ok
    assert proof.numeric == sum(item.entries for item in proof.compared)


def test_to_ask_for_their_jacobian_is_an_error() -> None:
    derivation = derive(MEMORY)
    message = (
        "cell 'given_memory': 'A' is fixed, so it has no gradient and no Jacobian; to differentiate by it, take it out"
    )
    with pytest.raises(DerivationError, match=message):
        derivation.jacobian("m", "A")
    assert derivation.jacobian("h", "W_x").terms
    assert {each.input for each in derivation.jacobians(Role.PARAMETER)} == {v.name for v in MEMORY.trainable}
    assert [each.parameter for each in derivation.recurrences.gradients] == [v.name for v in MEMORY.trainable]


def test_the_document_says_it() -> None:
    text = derive(MEMORY).document()
    assert "The parameters $A$, $B$, $g$ and $V$ are fixed: given, and without gradient." in text
    assert "Every number of $s$ is above 0." in text
    assert "Every number of $p$ is above 0 and below 1. Every number of $n$ is other than 0." in text
    assert r"\partial L / \partial A" not in text
    one = derive(CELLS[-1]).document()
    assert "The parameter $s$ is fixed: given, and without gradient." in one
    assert "fixed" not in derive("lstm").document()


@pytest.mark.parametrize("given", CELLS, ids=lambda cell: cell.name)
def test_every_listing_prints(given: Cell) -> None:
    derivation = derive(given)
    for listing in ("equations", "jacobian", "adjoint", "bptt", "tape"):
        assert derivation.text(listing)
        assert derivation.latex(listing) is not None
    assert derivation.graph()
    assert derivation.adjoint_graph()
