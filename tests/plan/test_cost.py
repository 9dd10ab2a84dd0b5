"""Costs: polynomials in the sizes, against counts that are made by hand or by numbers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from symrnn.plan.cost import product_cost, routine_cost, stage_cost, state_cost, tape_cost
from symrnn.plan.program import Program
from symrnn.plan.size import Count

Planned = Callable[[str], Program]


@pytest.mark.parametrize(
    ("name", "forward", "backward", "stored", "states"),
    [
        ("rnn", "input*hidden + hidden**2", "2*input*hidden + 2*hidden**2", "0", "hidden"),
        ("lstm", "4*input*hidden + 4*hidden**2", "8*input*hidden + 8*hidden**2", "5*hidden", "2*hidden"),
        ("gru", "3*input*hidden + 3*hidden**2", "6*input*hidden + 6*hidden**2", "4*hidden", "hidden"),
        (
            "projection_lstm",
            "4*input*hidden + 5*hidden*projection",
            "8*input*hidden + 10*hidden*projection",
            "6*hidden",
            "hidden + projection",
        ),
    ],
)
def test_costs_of_known_cells(
    planned: Planned, name: str, forward: str, backward: str, stored: str, states: str
) -> None:
    program = planned(name)
    assert program.backward is not None
    assert str(routine_cost(program.forward)) == forward
    assert str(routine_cost(program.backward)) == backward
    assert str(tape_cost(program.forward)) == stored
    assert str(state_cost(program.forward)) == states


def test_a_backward_pass_takes_twice_its_forward_pass(program: Program) -> None:
    """Each matrix is multiplied once more with an adjoint, and once to make its gradient."""
    assert program.backward is not None
    forward, backward = routine_cost(program.forward), routine_cost(program.backward)
    assert str(forward + forward) == str(backward)


def test_the_fused_loop_costs_the_same(program: Program) -> None:
    fused = program.forward.fused
    assert fused is not None
    total = Count()
    for stage in (*fused.before, *(each.whole for each in fused.loop)):
        total += stage_cost(stage, program.forward)
    assert total == routine_cost(program.forward)


def test_a_product_costs_its_outer_products(planned: Planned) -> None:
    function = planned("gru").backward
    assert function is not None
    assert {p.right: str(product_cost(p, function)) for p in function.products} == {
        "x": "3*input*hidden",
        "h": "2*hidden**2",
        "r_h": "hidden**2",
    }
