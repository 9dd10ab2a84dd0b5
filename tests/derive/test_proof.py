"""The proof: every cell is proven, mostly by algebra, and a derivation that is wrong anywhere is not."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
import sympy

import symrnn
from symrnn.derive import polynomial, proof
from symrnn.derive.adjoint import adjoint
from symrnn.derive.compared import DIGITS
from symrnn.derive.proof import Proof, prove
from symrnn.errors import DerivationError
from symrnn.language.axes import Numbers
from symrnn.language.cell import Cell
from symrnn.language.functions import FUNCTIONS
from symrnn.language.system import Equation, System
from symrnn.language.tree import Binary, MatVec, Name, Negate, Number, Outer, Power, integer, rebuild, transform, walk
from tests.families import FIRST_CELLS
from tests.sparing import sparing

LARGE = {"dt_rnn", "lstm_fgr", "lstm_ordered", "nas", "ode_rnn"}
"""Those that come near the budget of the expansion."""


@pytest.mark.parametrize("name", FIRST_CELLS)
def test_every_entry_is_proven_at_sizes_1_to_3(name: str) -> None:
    """Every other cell is proven where it is checked: `tests.checked`."""
    cell = symrnn.load(name)
    found = prove(cell)
    assert found.ok
    assert {item.array for item in found.compared} == {name for name in cell.inputs if cell.by_name[name].gradient}
    assert {item.units for item in found.compared} == {1, 2, 3}
    assert found.numeric == 0
    for item in found.compared:
        sizes = Numbers({**dict.fromkeys(cell.sizes, item.units), "1": 1})
        width = sum(sizes[cell.size(output)] for output in cell.outputs)
        for size in cell.by_name[item.array].shape:
            width *= sizes[size]
        assert item.entries == width
        assert 0 <= item.symbolic <= item.entries


def mutated(cell: Cell, monkeypatch: pytest.MonkeyPatch, change: Any, units: int = 2) -> Proof:
    """The proof of a derivation whose adjoint went through ``change``."""
    monkeypatch.setattr(proof, "adjoint", lambda system: change(adjoint(system)))
    return prove(cell, (units,))


def wrong_at(place: int, change: Any) -> Any:
    def changed(system: System) -> System:
        equations = list(system.equations)
        equation = equations[place]
        equations[place] = Equation(equation.label, equation.target, change(equation.expression), equation.origin)
        return replace(system, equations=tuple(equations))

    return changed


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru", "gru_reset_after"])
def test_a_wrong_sign_in_any_adjoint_equation_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cell = symrnn.load(name)
    for place, equation in enumerate(adjoint(cell.normal).equations):
        if isinstance(equation.expression, Outer):
            continue
        assert not mutated(cell, monkeypatch, wrong_at(place, Negate), 1).ok, equation


def test_subtle_faults_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    cell = symrnn.load("gru")

    def squares_gone(node: Any) -> Any:
        return transform(node, lambda part: part.base if isinstance(part, Power) else part)

    def transposed(node: Any) -> Any:
        return transform(node, lambda p: replace(p, transposed=False) if isinstance(p, MatVec) else p)

    def swapped(node: Any) -> Any:
        return Outer(node.right, node.left) if isinstance(node, Outer) else node

    def first_term_only(node: Any) -> Any:
        return node.left if isinstance(node, Binary) and node.op == "+" else node

    for fault in (squares_gone, transposed, swapped, first_term_only):
        equations = adjoint(cell.normal).equations
        places = [place for place, e in enumerate(equations) if fault(e.expression) != e.expression]
        assert places
        for place in places:
            # At one unit a matrix would be its own transpose.
            assert not mutated(cell, monkeypatch, wrong_at(place, fault)).ok, (fault, equations[place])


@pytest.mark.parametrize(
    ("function", "partial"),
    [
        ("sigmoid", lambda s, a: s * (1 + s)),
        ("tanh", lambda t, a: 1 - t),
        ("relu", lambda y, a: sympy.Integer(1)),
        ("softsign", lambda y, a: (1 - y) ** 2),
    ],
)
def test_a_wrong_row_of_the_function_table_is_caught(
    function: str, partial: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = symrnn.Cell.from_equations(f"h' = {function}(W @ x + U @ h) + b")
    assert prove(cell, (2,)).ok
    monkeypatch.setattr(FUNCTIONS[function].symbol, "fdiff", lambda self, argindex=1: partial(self, *self.args))
    sympy.core.cache.clear_cache()
    try:
        found = prove(cell, (2,))
    finally:
        monkeypatch.undo()
        sympy.core.cache.clear_cache()
    assert not found.ok
    assert max(item.difference for item in found.compared) > 1e-3


def test_an_error_beyond_double_precision_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def slightly(node: Any) -> Any:
        return Binary("*", Binary("+", integer(1), Power(integer(10), Fraction(-40))), node)

    cell = symrnn.load("rnn")
    worst = max(item.difference for item in mutated(cell, monkeypatch, wrong_at(0, slightly)).compared)
    assert 10.0**-DIGITS < worst < 1e-35


def test_a_value_that_the_normal_form_gets_wrong_is_caught() -> None:
    cell = symrnn.load("gru")

    def wrong(equation: Equation) -> Equation:
        if equation.target != "r_h":
            return equation
        return replace(equation, expression=rebuild(equation.expression, (Name("z"), Name("h"))))

    faulty = replace(cell, normal=replace(cell.normal, equations=tuple(map(wrong, cell.normal.equations))))
    assert any(a != b for a, b in zip(faulty.normal.equations, cell.normal.equations, strict=True))
    assert not prove(faulty, (2,)).ok


def test_what_algebra_cannot_decide_is_compared_in_numbers() -> None:
    cell = symrnn.Cell.from_equations("h' = softsign(W @ x + U @ h)")
    found = prove(cell, (2,))
    assert found.ok
    assert found.numeric > 0
    assert 0 < max(item.difference for item in found.compared) < 1e-55


def test_a_long_chain_is_proven_without_growing() -> None:
    lines = [f"y{k + 1} = y{k} * y{k} + 0.1 * y{k}" for k in range(30)]
    cell = symrnn.Cell.from_equations("\n".join(["y0 = x + h", *lines, "h' = tanh(y30)"]))
    assert prove(cell, (1, 2)).ok


FACTORS = " * ".join(f"(a{k} * x + b{k} * h)" for k in range(36))
NASTY = {
    "36 products": f"h' = {FACTORS}",
    "36 products in a function": f"h' = tanh({FACTORS})",
    "36 products below a quotient": f"h' = x / (1 + {FACTORS})",
    "30 kinks, one in the other": "h' = " + "relu(a * x + b * " * 30 + "h" + ")" * 30,
    "24 kinks, one in the other": "h' = " + "abs(minimum(a * x, b - " * 12 + "h" + "))" * 12,
    "24 functions with pieces": "h' = " + " * ".join(f"softsign(a{k} * x + b{k} * h)" for k in range(24)),
}
"""Cells whose scalar expansion SymPy would differentiate for minutes."""


@pytest.mark.parametrize("name", sparing(NASTY, ("36 products", "30 kinks, one in the other")))
def test_beyond_its_budget_nothing_is_expanded_and_numbers_decide(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        pytest.fail("SymPy was asked to differentiate an expansion that is beyond the budget")

    monkeypatch.setattr(proof, "_by_symbol", refuse)
    found = prove(symrnn.Cell.from_equations(NASTY[name]), (2,))
    assert found.ok
    assert found.unexpanded == (2,)
    assert found.symbolic == 0
    assert found.numeric == sum(item.entries for item in found.compared) > 0
    assert max(item.difference for item in found.compared) < 1e-55


def test_a_wrong_gradient_beyond_the_budget_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    cell = symrnn.Cell.from_equations("h' = " + " * ".join(f"(a{k} + tanh(W{k} @ x + h))" for k in range(12)))
    places = range(0, len(adjoint(cell.normal).equations), 7)
    monkeypatch.setattr(proof, "MOST_EXPANSION", 100)
    for place in places:
        found = mutated(
            cell, monkeypatch, wrong_at(place, lambda node: node if isinstance(node, Outer) else Negate(node))
        )
        wrong = not isinstance(adjoint(cell.normal).equations[place].expression, Outer)
        assert found.unexpanded == (2,)
        assert found.ok != wrong, place


def test_algebra_and_numbers_find_the_same(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "MOST_EXPANSION", 0)
    found = prove(cell, (2,))
    assert found.ok
    assert found.unexpanded == (2,)
    assert max(item.difference for item in found.compared) < 1e-55


def test_cells_that_people_write_are_far_from_the_budget(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "MOST_EXPANSION", proof.MOST_EXPANSION // 3)
    comparison = proof._Comparison(cell, cell.normal, 3, 0)
    assert comparison.expands == (cell.name not in LARGE)


def test_algebra_that_comes_to_the_end_of_its_budget_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polynomial, "MOST_WORK", 5000)
    found = prove(symrnn.load("lstm"), (1, 2))
    assert found.ok
    assert found.exhausted == (2,)
    assert found.numeric > 0
    assert not prove(symrnn.load("rnn"), (1,)).exhausted


@pytest.mark.parametrize(
    ("text", "init"),
    [
        ("h' = tanh(W @ x + relu(log(n)))\nn' = n + exp(V @ x)", {}),
        ("h' = tanh(W @ x + h) * relu(log(s)) + abs(sqrt(t))", {"s": "2", "t": "0.001"}),
        ("h' = tanh(W @ x + h) + (h * h + n)**0.5\nn' = n + maximum(n**1.5, 2)", {}),
        ("h' = tanh(x + h) * abs(log(-s))", {"s": "-2"}),
    ],
)
def test_points_are_where_a_cell_is_defined(text: str, init: dict[str, str]) -> None:
    found = prove(symrnn.Cell.from_equations(text, name="positive", init=init), (1, 2))
    assert found.ok


def test_the_result_depends_on_nothing_but_the_cell() -> None:
    cell = symrnn.Cell.from_equations("h' = softsign(W @ x + U @ h)")
    assert prove(cell, (2,)) == prove(cell, (2,))
    assert prove(cell, (2,)) != prove(cell, (2,), seed=1)


def test_a_gradient_that_is_not_finite_is_an_error() -> None:
    cell = symrnn.Cell.from_equations("h' = tanh(h) + x / (h - mean(h))", name="centred")
    with pytest.raises(
        DerivationError, match=r"cell 'centred': .* is not finite at a random point where each size is 1, .*; keep"
    ):
        prove(cell, (1,))
    assert prove(cell, (2,)).ok


def test_a_proof_of_nothing_is_none() -> None:
    assert not Proof("cell", ()).ok


def test_numbers_stand_in_equations_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth is 1/10 on both sides: 50 digits would show a rounded one."""
    cell = symrnn.Cell.from_equations("h' = 0.1 * h + x * tau", constants={"tau": "0.3"})
    assert prove(cell, (1,)).ok
    assert any(isinstance(n, Number) for e in cell.equations for n in walk(e.expression))
