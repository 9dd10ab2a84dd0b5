"""What is prepared, in plans: its text, and the verifier's refusals."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from symrnn.derive.derivation import derive
from symrnn.derive.preparation import preparation_of
from symrnn.errors import PlanError
from symrnn.language.tree import Name
from symrnn.plan.planner import plan
from symrnn.plan.prepare import prepared_text, verify_prepared
from symrnn.targets.numpy.policy import POLICY
from tests.prepared import PREPARED

CELL = PREPARED[0].cell


def test_a_plan_shows_it_once_forward_and_once_backward() -> None:
    text = str(plan(derive(CELL), POLICY))
    assert "prepare: once, when parameters are packed\n  (1a)  V_part = W**2" in text
    assert "prepare, backward: once, after the deferred products" in text
    assert "backward" not in prepared_text(preparation_of(CELL.preparation), backward=False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda equations: equations[1:], "reads V_part, which nothing before it assigns"),
        (lambda equations: (*equations, equations[0]), "V_part is assigned twice"),
        (lambda equations: equations[:-1], "V is returned and never assigned"),
        (
            lambda equations: (*equations[:-1], replace(equations[-1], target="V", expression=Name("g"))),
            None,
        ),
        (
            lambda equations: (replace(equations[0], expression=Name("V")), *equations[1:]),
            "reads V, which nothing before it assigns",
        ),
        (
            lambda equations: (*equations[:2], replace(equations[2], expression=Name("W")), equations[3]),
            "sqrt_sum_V_part is hidden x 1, and `W` does not fit",
        ),
    ],
)
def test_the_verifier_stops_what_is_out_of_order_or_of_another_size(change: Any, message: str | None) -> None:
    right = preparation_of(CELL.preparation)
    wrong = replace(right, forward=replace(right.forward, equations=change(right.forward.equations)))
    if message is None:
        verify_prepared(wrong, CELL.step_parameters)
        return
    with pytest.raises(PlanError, match=message):
        verify_prepared(wrong, CELL.step_parameters)


def test_the_step_must_read_what_is_prepared() -> None:
    with pytest.raises(PlanError, match="V is computed, and no step reads it"):
        verify_prepared(preparation_of(CELL.preparation), CELL.parameters)
