"""Fusing: which forms join which sums, and what is left of a hoisted value, in cells of one line and stages by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from symrnn.language.text import to_text
from symrnn.language.tree import Binary, Call, Name, Negate
from symrnn.plan.fuse import NOTHING, fuse
from symrnn.plan.program import BEFORE, LOOP, Absorbed, Accumulator, Form, Fused, Program, Stage, Statement

Written = Callable[..., Program]


def fused_of(program: Program) -> Fused:
    fused = program.forward.fused
    assert fused is not None
    return fused


def said(absorbed: Absorbed) -> tuple[str, list[str], list[str]]:
    """The statement, the forms that join others, the forms with accumulators of their own."""

    def text(name: str, forms: tuple[Form, ...]) -> str:
        return f"{name} = {' + '.join(form.text for form in forms)}"

    statement = absorbed.statement
    joined = [text(name, forms) for name, forms in absorbed.joined]
    return (
        f"{statement.target} = {to_text(statement.expression)}",
        joined,
        [text(a.name, a.forms) for a in absorbed.accumulators],
    )


@pytest.mark.parametrize(
    ("text", "statement", "joined", "own"),
    [
        ("h' = tanh(W @ x + U @ h + b)", "h_x = b", ["h_sum = W @ x"], []),
        ("h' = tanh(U @ h + W @ x + V @ x + b)", "h_x = b", ["h_sum = W @ x + V @ x"], []),
        ("h' = tanh(W @ x + U @ h)", "h_x = -0", ["h_sum = W @ x"], []),
        ("h' = tanh(b - W @ x - U @ h)", "h_x = b", ["h_sum = W @ x"], []),
        ("h' = tanh(-b - W @ x - U @ h)", "h_x = -b", ["h_sum = W @ x"], []),
        ("h' = tanh(W @ x - U @ h + b)", "h_x = h_x_sum + b", [], ["h_x_sum = W @ x"]),
        ("h' = tanh(W @ x - V @ x - U @ h)", "h_x = h_x_sum", ["h_sum = V @ x"], ["h_x_sum = W @ x"]),
        ("h' = tanh(W @ x - V @ x + U @ h - R @ h)", "h_x = -0", ["h_sum = W @ x", "h_sum_2 = V @ x"], []),
        ("h' = tanh(W @ x + b + h * (U @ h))", "h_x = h_x_sum + b", [], ["h_x_sum = W @ x"]),
        ("h' = tanh(W @ x + w * (V @ x) + U @ h)", "h_x = w * V_x", ["h_sum = W @ x"], []),
        ("h' = tanh(W @ x)", "h_x = h_x_sum", [], ["h_x_sum = W @ x"]),
        ("h' = -(W @ x + U @ h + b)", "h_x = b", ["h_sum = W @ x"], []),
    ],
)
def test_forms_join_the_sum_that_they_were_taken_from(
    written: Written, text: str, statement: str, joined: list[str], own: list[str]
) -> None:
    (stage,) = fused_of(written(text)).loop
    (absorbed,) = stage.absorbed
    assert said(absorbed) == (statement, joined, own)


def test_a_gate_of_x_alone_stays_before_the_loop(written: Written) -> None:
    program = written("v = tanh(V @ x)\nh' = tanh(W @ v + v * w + U @ h)")
    fused = fused_of(program)
    assert [[s.target for s in stage.statements] for stage in fused.before] == [["v"]]
    assert fused.before == program.forward.stages_of(BEFORE)[:1]
    (absorbed,) = fused.loop[0].absorbed
    assert said(absorbed) == ("h_x = v * w", ["h_sum = W @ v"], [])


def test_a_stage_loses_what_the_loop_absorbs_and_keeps_the_rest(written: Written) -> None:
    program = written("z = sigmoid(V @ x)\nh' = z * tanh(W @ x + U @ h)")
    (before,) = program.forward.stages_of(BEFORE)
    (left,) = fused_of(program).before
    assert [s.target for s in before.statements] == ["z", "tanh_h_x"]
    assert [s.target for s in left.statements] == ["z"]
    assert (left.name, [a.name for a in left.accumulators]) == ("fused_hoist_1", ["z_sum"])
    assert [write.value for write in left.writes] == ["z"]


def test_a_stage_that_reads_nothing_hoisted_is_the_same_stage(written: Written) -> None:
    program = written("m = tanh(W @ x + U @ h)\nh' = tanh(V @ m)")
    first, second = fused_of(program).loop
    assert first.whole.name == "fused_step_1"
    assert second.whole is second.loop
    assert program.forward.fused_stages == (first.whole,)


FORM, OTHER = Form("W", False, "x"), Form("U", False, "h")
HOISTED = Stage(
    "hoist",
    "hidden",
    (Accumulator("a_x_sum", (FORM,)),),
    (Statement("a_x", Binary("+", Name("a_x_sum"), Name("b")), "1"),),
    (),
)
STEP = Stage(
    "step",
    "hidden",
    (Accumulator("a_sum", (OTHER,)),),
    (Statement("a", Call("tanh", (Binary("+", Name("a_x"), Name("a_sum")),)), "1"),),
    (),
)


def test_the_statement_of_a_fused_stage_is_the_loop_s() -> None:
    fused = fuse([HOISTED], [STEP], ["a_x"])
    assert fused is not None
    assert fused.before == ()
    (stage,) = fused.loop
    assert stage.loop is STEP
    assert stage.whole.accumulators == (Accumulator("a_sum", (FORM, OTHER)),)
    assert stage.whole.statements == (Statement("a_x", Name("b"), "1"), *STEP.statements)


def test_a_value_that_is_subtracted_joins_by_its_own_sign() -> None:
    less = Stage("step", "hidden", STEP.accumulators, (Statement("a", Binary("-", Name("a_sum"), Name("a_x"))),), ())
    fused = fuse([HOISTED], [less], ["a_x"])
    assert fused is not None
    (absorbed,) = fused.loop[0].absorbed
    assert said(absorbed) == ("a_x = a_x_sum + b", [], ["a_x_sum = W @ x"])


def test_a_factor_of_a_product_keeps_its_own_accumulator() -> None:
    product = Binary("+", Binary("*", Name("h"), Name("a_x")), Name("a_sum"))
    fused = fuse([HOISTED], [Stage("step", "hidden", STEP.accumulators, (Statement("a", product),), ())], ["a_x"])
    assert fused is not None
    (absorbed,) = fused.loop[0].absorbed
    assert said(absorbed) == ("a_x = a_x_sum + b", [], ["a_x_sum = W @ x"])
    assert fused.loop[0].whole.accumulators == (*STEP.accumulators, *HOISTED.accumulators)


def test_a_form_within_a_product_of_the_hoisted_sum_keeps_its_own_accumulator() -> None:
    accumulators = (*HOISTED.accumulators, Accumulator("v_sum", (Form("V", False, "x"),)))
    total = Binary("+", Name("a_x_sum"), Binary("*", Name("w"), Name("v_sum")))
    before = Stage("hoist", "hidden", accumulators, (Statement("a_x", total),), ())
    fused = fuse([before], [STEP], ["a_x"])
    assert fused is not None
    (absorbed,) = fused.loop[0].absorbed
    assert said(absorbed) == ("a_x = w * v_sum", ["a_sum = W @ x"], ["v_sum = V @ x"])


def test_a_loop_of_which_nothing_was_hoisted_is_not_fused() -> None:
    assert fuse([HOISTED], [STEP], []) is None


def test_nothing_is_the_number_that_adding_leaves_all_as_it_is() -> None:
    assert to_text(NOTHING) == "-0"
    assert isinstance(NOTHING, Negate)
    assert str(-0.0 + -0.0) == "-0.0"
    assert str(0.0 + -0.0) == "0.0"


def test_what_an_operand_of_a_kept_sum_feeds_lies_together(written: Written) -> None:
    program = written("z = sigmoid(W @ x + U @ h)\nh' = z * tanh(V @ x + z * (Q @ h))")
    (step,) = fused_of(program).loop
    assert step.loop in program.forward.stages_of(LOOP)
    fed = [[form.operand for form in a.forms] for a in step.whole.accumulators]
    assert fed == [["h"], ["x", "h"], ["x"]]
