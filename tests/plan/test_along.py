"""Plans of cells with named axes: what is kept for all steps has few numbers, and one pass makes what one stage can."""

from __future__ import annotations

import pytest

from symrnn.language.axes import has_axes
from symrnn.language.cell import Cell
from symrnn.pipeline import program
from symrnn.plan.program import AFTER, Extent, Routine, Stage
from symrnn.plan.vocabulary import over_axes, reduced

MEMORY = """
v = V @ x
k = K @ x
q = Q @ x
a = sigmoid(sum(w * x))
S' = a * S + b * (v - sum(S * k, key)) * k
y = sum(S' * q, key)
"""
"""A matrix as a state: its gradient is reduced over either axis, and over both."""


def backward(equations: str, output: str, **sizes: list[str]) -> Routine:
    cell = Cell.from_equations(equations, sizes={name: tuple(size) for name, size in sizes.items()}, output=(output,))
    routine = program(cell).backward
    assert routine is not None
    return routine


@pytest.fixture(scope="module")
def memory() -> Routine:
    matrices = {"V": ["value", "input"], "K": ["key", "input"], "Q": ["key", "input"]}
    return backward(MEMORY, "y", S=["value", "key"], b=["value"], **matrices)


def along(routine: Routine) -> list[Stage]:
    return [stage for stage in routine.loop.stages if stage.along]


def kept(routine: Routine) -> list[str]:
    """The values with several axes that are stored for all steps."""
    buffers = [buffer for buffer in routine.buffers if buffer.extent is Extent.SEQUENCE]
    return [column.value for buffer in buffers for column in buffer.columns if has_axes(column.size)]


def test_no_value_with_several_axes_is_kept_for_all_steps(memory: Routine) -> None:
    assert kept(memory) == []
    assert not [stage.name for stage in memory.stages_of(AFTER) if stage.along]


def test_a_parameter_with_several_axes_has_rows_of_its_gradient_for_all_steps() -> None:
    routine = backward("k = K @ x\nS' = a * S + x * k\ny = sum(S', key)", "y", S=["input", "key"], a=["input", "key"])
    assert kept(routine) == [item.value for item in routine.sums if item.parameter == "a"] != []


def test_a_reduction_over_all_axes_stores_none_of_its_operand(memory: Routine) -> None:
    whole = [
        s
        for stage in along(memory)
        for s in stage.statements
        if over_axes(s.expression) and memory.sizes[s.target] == "1"
    ]
    stored = {write.value for stage in along(memory) for write in stage.writes}
    assert whole
    assert stored.isdisjoint(reduced(statement.expression) for statement in whole)


def test_a_reduction_stays_with_an_operand_that_another_reduction_holds_back() -> None:
    """Of `dS` comes a sum that the carry waits for, and one that nothing does; both are taken where `dS` is made."""
    text = "S' = tanh(logsumexp(S) + p)\ny = sum(S, value)"
    routine = backward(text, "y", S=["value", "key"], p=["1"])
    assert any(over_axes(s.expression) for stage in along(routine) for s in stage.statements)


def test_a_reduction_joins_the_next_stage_along_its_axes(memory: Routine) -> None:
    """One that gives `k` waits for a value that no other waits for; what the carry waits for comes later still."""
    assert [len([s for s in stage.statements if over_axes(s.expression)]) for stage in along(memory)] == [3, 2]
