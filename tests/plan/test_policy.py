"""Policies: the planner plans only what the policy wants, and the plan names no target."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import symrnn
from symrnn.plan.planner import plan
from symrnn.plan.policy import Policy
from symrnn.plan.program import Program

Planned = Callable[[str], Program]

PLAN = sorted((Path(symrnn.__file__).parent / "plan").glob("*.py"))
WORDS = "numpy|c kernels?|python|latex|jinja2?|cuda|torch|jax|tiles?|threads?|registers?|lanes?|panels?|cache lines?"


def planned_by(policy: Policy, cell: str = "lstm") -> Program:
    return plan(symrnn.derive(symrnn.load(cell)), policy)


@pytest.mark.parametrize("path", PLAN, ids=lambda path: path.name)
def test_the_plan_names_no_language_no_tile_and_no_thread(path: Path) -> None:
    found = re.findall(rf"\b(?:{WORDS})\b", path.read_text(encoding="utf-8"), re.IGNORECASE)
    # The definition of what a plan means is itself written with NumPy.
    allowed = {"numpy"} if path.name in ("execute.py", "batch.py") else set()
    assert [word for word in found if word.lower() not in allowed] == []


def test_unless_told_otherwise_everything_is_planned() -> None:
    program = planned_by(Policy())
    assert [routine.name for routine in program.routines] == ["forward", "backward", "tangent"]
    assert program.forward.fused is not None


def test_what_is_not_wanted_is_not_planned() -> None:
    whole = planned_by(Policy())
    no_tangent = planned_by(Policy(tangent=False))
    assert (no_tangent.tangent, no_tangent.routines) == (None, (whole.forward, whole.backward))
    hoisted = planned_by(Policy(fused=False))
    assert hoisted.forward == replace(whole.forward, fused=None)
    assert hoisted.backward == whole.backward
    assert "fused" not in str(hoisted)
    inference = planned_by(Policy(backward=False))
    assert inference.backward is None
    assert inference.saved == inference.recomputed == ()
    assert not [buffer for buffer in inference.forward.buffers if buffer.taped]


def test_what_is_cheap_is_computed_again() -> None:
    assert ("tanh_c", "tanh costs more than a load") in planned_by(Policy()).saved
    cheap = planned_by(Policy(cheap=frozenset({"tanh"})))
    assert ("tanh_c", "arithmetic on c'") in cheap.recomputed
    assert "tanh_c" not in [name for name, _ in cheap.saved]
    assert cheap.backward is not None
    assert "tanh_c" in [s.target for stage in cheap.backward.loop.stages for s in stage.statements]


def test_notes_close_the_legend() -> None:
    text = str(planned_by(Policy(notes=(("meeting", "parts wait for one another"),))))
    assert "\n  meeting       parts wait for one another\n\nforward\n" in text
