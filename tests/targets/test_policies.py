"""The policies of targets fit the function table, and backends with equal policies share a plan."""

from __future__ import annotations

from dataclasses import replace

import pytest

import symrnn
from symrnn.language.functions import FUNCTIONS
from symrnn.pipeline import programs
from symrnn.targets import registry
from symrnn.targets.target import Target


@pytest.mark.parametrize("name", registry.names())
def test_what_is_cheap_is_in_the_function_table(name: str) -> None:
    assert registry.target(name).policy.cheap <= set(FUNCTIONS)


@pytest.mark.parametrize("name", registry.names())
def test_a_target_wants_what_its_kernels_offer(name: str) -> None:
    policy, can = registry.target(name).policy, registry.describe(name).can
    assert (policy.backward, policy.tangent) == (can.backward, can.tangent)


def test_each_backend_has_the_plan_that_it_wants() -> None:
    planned = programs(symrnn.derive(symrnn.load("gru")), ("numpy", "c"))
    assert planned["numpy"].forward.fused is None
    assert planned["numpy"].tangent is not None
    assert planned["c"].forward.fused is not None
    assert planned["c"].tangent is None
    assert planned["numpy"].saved == planned["c"].saved


def test_kernels_of_inference_have_no_backward_routine() -> None:
    planned = programs(symrnn.derive(symrnn.load("gru")), registry.names(), backward=False)
    assert {program.backward for program in planned.values()} == {None}


def test_backends_that_want_the_same_share_a_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    class Alike:
        """A target with the policy of another."""

        policy = replace(registry.target("c").policy)

    found = registry.target

    def target(name: str) -> Target | Alike:
        return Alike() if name == "alike" else found(name)

    monkeypatch.setattr(registry, "target", target)
    planned = programs(symrnn.derive(symrnn.load("rnn")), ("c", "alike", "numpy"))
    assert planned["c"] is planned["alike"]
    assert planned["c"] is not planned["numpy"]
