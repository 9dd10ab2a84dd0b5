"""The passes together: every cell gets a program, and the fused loop is the same computation."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

import symrnn
from symrnn.errors import PlanError
from symrnn.language.text import to_text
from symrnn.plan import planner
from symrnn.plan.fuse import NOTHING
from symrnn.plan.policy import Policy
from symrnn.plan.program import AFTER, BEFORE, LAST, ONCE, Kind, Program, Stage

Planned = Callable[[str], Program]
Written = Callable[..., Program]

WORD = re.compile(r"\w+(?:\.T)?'?|[-+*/@()]")

UNUSUAL = {
    "no input": "h' = tanh(U @ h + b)",
    "no recurrence": "h' = tanh(W @ x)",
    "no parameter": "h' = 0.5 * h + mean(x)",
    "a state that stands still": "h' = h",
    "states that swap": "h' = c\nc' = 0.5 * h + W @ x",
    "a state that no equation reads": "h' = tanh(W @ x)\nc' = tanh(V @ x + U @ h)",
    "states that read one another's next values": "a' = tanh(W @ x + A @ a)\nb' = B @ a'\nh' = tanh(D @ b' + C @ a' + h)",
    "a factor that is zero": "h' = tanh(W @ x) + 0 * b",
    "parameters alone": "a = exp(b)\nm = mean(a)\nh' = tanh(U @ h + V @ a) * b / m",
    "two matrices on one operand": "h' = tanh(U @ h) * sigmoid(V @ h) + U @ h",
    "one matrix twice": "h' = tanh(U @ h + U @ h + W @ x - W @ x)",
    "a matrix and its transpose": "h' = tanh(W @ x + U @ h + U.T @ tanh(U @ h))",
    "a reduction of x": "n = x / sqrt(mean(x**2) + 0.1)\nh' = tanh(U @ h + W @ n)",
    "arithmetic inside a hoisted sum": "v = x * w\nh' = tanh(v + W @ x + U @ h)",
    "nothing but forms": "h' = U @ h - W @ x",
}


@pytest.mark.parametrize("text", UNUSUAL.values(), ids=UNUSUAL)
@pytest.mark.parametrize("with_backward", [True, False])
def test_unusual_cells_have_plans_that_pass_the_verifier(written: Written, text: str, with_backward: bool) -> None:
    program = written(text, with_backward=with_backward)
    assert (program.backward is not None) is with_backward
    assert str(program)


def reversed_loop(passed: Callable[..., Any]) -> Callable[..., Any]:
    """The pass with its loop in the wrong order."""

    def broken(*arguments: Any, **named: Any) -> Any:
        result = passed(*arguments, **named)
        return replace(result, loop=result.loop[::-1])

    return broken


@pytest.mark.parametrize(
    ("name", "fault", "message"),
    [
        ("split", reversed_loop, "statement of h': reads"),
        ("backward", reversed_loop, "statement of carry_c_next: reads"),
        ("forward_writes", lambda _: lambda *_: {}, "forward, stage step_1: i_x is read"),
        ("backward_writes", lambda _: lambda *_: {}, "backward, stage deferred_1: delta_i is read"),
    ],
)
def test_a_pass_that_errs_is_stopped(
    monkeypatch: pytest.MonkeyPatch, name: str, fault: Callable[..., Any], message: str
) -> None:
    derivation = symrnn.derive(symrnn.load("lstm"))
    monkeypatch.setattr(planner, name, fault(getattr(planner, name)))
    with pytest.raises(PlanError, match=f"^{message}"):
        planner.plan(derivation, Policy())


def test_sizes_other_than_hidden_reach_the_stages(planned: Planned) -> None:
    program = planned("projection_lstm")
    assert [stage.size for stage in program.forward.loop.stages] == ["hidden", "projection"]
    assert program.backward is not None
    assert [stage.size for stage in program.backward.loop.stages] == ["projection", "hidden"]
    assert program.backward.sizes["dh_out"] == "projection"


def test_scalar_states_and_parameters(written: Written) -> None:
    program = written("n' = 0.5 * n + s * mean(tanh(W @ x + n))\nh' = tanh(U @ h + n')", {"n": "1", "s": "1"})
    (stage,) = (st for st in program.forward.loop.stages if "n'" in st.local)
    assert stage.size == "1"
    assert program.backward is not None
    assert "s" in [item.parameter for item in program.backward.sums]


def test_every_equation_is_computed_once_under_its_label(program: Program) -> None:
    system = program.cell.normal
    forward = program.forward
    stages = (*forward.stages_of(ONCE), *forward.stages_of(BEFORE), *forward.loop.stages)
    found = Counter(s.target for stage in stages for s in stage.statements)
    assert not [target for target, count in found.items() if count > 1]
    label = {s.target: s.label for stage in stages for s in stage.statements}
    assert {e.target: e.label for e in system.equations}.items() <= label.items()


def test_every_statement_carries_the_label_of_an_equation(program: Program) -> None:
    labels = {e.label for e in program.cell.normal.equations}
    assert program.backward is not None
    labels |= {e.label for e in program.backward.system.equations}
    for function in (program.forward, program.backward):
        assert {s.label for stage in function.stages for s in stage.statements} <= labels


def test_only_the_adjoint_of_a_state_that_no_equation_reads_has_none(written: Written) -> None:
    program = written("h' = tanh(W @ x)\nc' = tanh(V @ x + U @ h)")
    assert program.backward is not None
    bare = [s.target for stage in program.backward.stages for s in stage.statements if not s.label]
    assert bare == ["dc_out", "carry_c_next", "dc_initial"]
    assert "()" not in str(program)


def tokens(stages: tuple[Stage, ...], names: set[str]) -> dict[str, list[str]]:
    """What each of ``names`` is computed from: its expression with sums and hoisted parts written out, as words."""
    parts: dict[str, str] = {}
    for stage in stages:
        parts |= {a.name: f"( {' + '.join(form.text for form in a.forms)} )" for a in stage.accumulators}
        parts |= {s.target: f"( {to_text(s.expression)} )" for s in stage.statements}
    for name in [name for name, text in parts.items() if text == f"( {to_text(NOTHING)} )"]:
        parts = {target: text.replace(f" {name} + ", " ") for target, text in parts.items()}
    found = {}
    for name in names:
        words = WORD.findall(parts[name])
        while any(word in parts and word not in names for word in words):
            words = [
                w for word in words for w in (WORD.findall(parts[word]) if word in parts.keys() - names else [word])
            ]
        found[name] = sorted(word for word in words if word not in "()")
    return found


def written_by(stages: tuple[Stage, ...]) -> Counter[tuple[str, str, str]]:
    return Counter((w.value, str(w.place), w.idle) for stage in stages for w in stage.writes)


def test_the_fused_loop_computes_and_writes_the_same(program: Program) -> None:
    forward = program.forward
    assert forward.fused is not None
    hoisted = (*forward.stages_of(BEFORE), *forward.loop.stages)
    fused = (*forward.fused.before, *(stage.whole for stage in forward.fused.loop))
    names = {e.target for e in forward.system.equations} & {s.target for stage in fused for s in stage.statements}
    assert tokens(hoisted, names) == tokens(fused, names)
    labels = {s.target: s.label for stage in fused for s in stage.statements}
    assert labels == {s.target: s.label for stage in hoisted for s in stage.statements}
    partial = {s.target for stage in hoisted for s in stage.statements} - names
    assert written_by(fused) == Counter(
        {write: count for write, count in written_by(hoisted).items() if write[0] not in partial}
    )


def test_the_fused_loop_runs_the_statements_of_the_loop(program: Program) -> None:
    fused = program.forward.fused
    assert fused is not None
    for loop, stage in zip(program.forward.loop.stages, fused.loop, strict=True):
        ends = stage.whole.statements[len(stage.absorbed) :]
        assert (ends, stage.whole.size, stage.whole.writes) == (loop.statements, loop.size, loop.writes)
        assert [a.name for a in stage.whole.accumulators][: len(loop.accumulators)] == [
            a.name for a in loop.accumulators
        ]


def test_there_is_no_fused_loop_where_nothing_is_hoisted_from_a_sum(written: Written) -> None:
    assert written("h' = tanh(U @ h + b)").forward.fused is None
    assert written("n = tanh(W @ x)\nh' = n * h").forward.fused is None
    assert written("h' = tanh(U @ h + W @ x)").forward.fused is not None


def test_names_that_the_plan_invents_avoid_the_author_s(written: Written) -> None:
    program = written("h_x = tanh(W @ x)\nh_sum = U @ h\ncarry_h = V @ x + h_sum\nh' = tanh(R @ h_x + h_sum + carry_h)")
    own = {v.name for v in program.cell.normal.variables}
    for function in program.routines:
        for stage in function.stages:
            assert not {a.name for a in stage.accumulators} & own
    assert program.backward is not None
    assert "carry_h" not in [carry for _, carry in program.backward.states]


def test_the_tangent_runs_like_a_forward_function(program: Program) -> None:
    tangent = program.tangent
    assert tangent is not None
    assert [state for state, _ in tangent.states] == [
        v.removesuffix("'") for v in tangent.system.outputs if v[-1] == "'"
    ]
    assert (tangent.stages_of(LAST), tangent.stages_of(AFTER), tangent.products, tangent.sums) == ((), (), (), ())
    outputs = [w.value for stage in tangent.loop.stages for w in stage.writes if w.place.kind is Kind.OUTPUT]
    assert [tangent.system.by_name[name].of for name in outputs] == list(program.cell.output_values)


def test_plans_are_the_same_each_time(planned: Planned) -> None:
    again = planner.plan(symrnn.derive(symrnn.load("gru")), planned("gru").policy)
    assert again == planned("gru")
    assert str(again) == str(planned("gru"))
