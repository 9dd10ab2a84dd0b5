"""Sums and terms, live statements, stacked forms, and the cuts between stages."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from symrnn.language.cell import Cell
from symrnn.language.identifiers import Allocator
from symrnn.language.text import to_text
from symrnn.language.tree import Binary, Expression, MatVec, Name, Negate
from symrnn.plan.lower import LATER, live, stages, sum_of, terms_of
from symrnn.plan.program import BEFORE, Program, Stage, Statement, reductions
from symrnn.plan.storage import vector_sizes

Planned = Callable[[str], Program]

A, B, C = Name("a"), Name("b"), Name("c")


def staged(
    text: str, declared: Mapping[str, str] | None = None, keeps: Mapping[str, str] | None = None
) -> tuple[Stage, ...]:
    """The stages of all equations of a cell, nothing hoisted."""
    system = Cell.from_equations(text, sizes=declared).normal
    statements = [Statement(e.target, e.expression, e.label) for e in system.equations]
    return stages(statements, "s", vector_sizes(system), Allocator(["h", "x"]), keeps or {})


def targets(found: tuple[Stage, ...]) -> list[list[str]]:
    return [[statement.target for statement in stage.statements] for stage in found]


@pytest.mark.parametrize(
    ("node", "terms"),
    [
        (A, "+a"),
        (Negate(A), "-a"),
        (Binary("+", A, B), "+a +b"),
        (Binary("-", A, Binary("-", B, C)), "+a -b +c"),
        (Negate(Binary("+", A, Negate(B))), "-a +b"),
        (Binary("-", Binary("*", A, B), C), "+a * b -c"),
    ],
)
def test_terms_of_a_sum_carry_their_signs(node: Expression, terms: str) -> None:
    assert " ".join("-+"[sign] + to_text(term) for sign, term in terms_of(node)) == terms


@pytest.mark.parametrize(
    ("signs", "text"), [("+", "a"), ("-", "-a"), ("++", "a + b"), ("-+", "-a + b"), ("+-+", "a - b + c")]
)
def test_a_sum_of_terms_is_read_back(signs: str, text: str) -> None:
    terms: list[tuple[bool, Expression]] = [(sign == "+", name) for sign, name in zip(signs, (A, B, C), strict=False)]
    assert to_text(sum_of(terms)) == text
    assert terms_of(sum_of(terms)) == terms


def test_live_keeps_what_the_roots_depend_on_in_order() -> None:
    statements = [Statement("a", A), Statement("b", Name("x")), Statement("c", Name("b")), Statement("d", Name("c"))]
    assert [s.target for s in live(statements, ["c"])] == ["b", "c"]
    assert live(statements, []) == []


def test_forms_of_one_sum_share_an_accumulator_and_signs_have_their_own() -> None:
    (stage,) = staged("h' = tanh(W @ x - V @ h + U @ h - b)")
    assert [[form.text for form in a.forms] for a in stage.accumulators] == [["W @ x", "U @ h"], ["V @ h"]]
    plus, minus = (a.name for a in stage.accumulators)
    assert to_text(stage.statements[0].expression) == f"tanh({plus} - {minus} - b)"


def test_forms_that_are_factors_have_accumulators_of_their_own() -> None:
    (stage,) = staged("h' = tanh((U @ h) * (V @ h) + W @ x)")
    assert [[form.text for form in a.forms] for a in stage.accumulators] == [["U @ h"], ["V @ h"], ["W @ x"]]


def test_a_transpose_stays_one() -> None:
    (stage,) = staged("h' = tanh(U.T @ h)")
    ((form,),) = (a.forms for a in stage.accumulators)
    assert (form.matrix, form.transposed, form.operand, form.later) == ("U", True, "h", False)


def test_an_operand_of_another_step_is_marked() -> None:
    statement = Statement("a", MatVec("U", True, Name("delta" + LATER)))
    (stage,) = stages([statement], "s", {"a": "hidden"}, Allocator())
    ((form,),) = (a.forms for a in stage.accumulators)
    assert (form.operand, form.later, form.text) == ("delta", True, "U.T @ delta[t+1]")


def test_a_form_of_something_computed_starts_a_stage() -> None:
    assert targets(staged("r = tanh(U @ h)\nh' = V @ r")) == [["r"], ["h'"]]


def test_arithmetic_on_something_computed_does_not() -> None:
    assert targets(staged("r = tanh(U @ h)\nh' = r * h")) == [["r", "h'"]]


def test_a_reduction_of_something_computed_starts_a_stage_and_its_use_another() -> None:
    found = staged("r = tanh(U @ h)\nm = mean(r)\nh' = r - m")
    assert targets(found) == [["r"], ["m"], ["h'"]]
    assert [stage.size for stage in found] == ["hidden", "1", "hidden"]
    assert reductions(found[1]) == ("r",)


def test_stages_of_another_size_stand_apart() -> None:
    found = staged("r = tanh(U @ h)\np = tanh(V @ h)\nh' = r + Q @ p", {"p": "inner"})
    assert [(stage.size, [s.target for s in stage.statements]) for stage in found] == [
        ("hidden", ["r"]),
        ("inner", ["p"]),
        ("hidden", ["h'"]),
    ]


def test_arithmetic_on_what_is_given_waits_for_the_stage_that_reads_it() -> None:
    assert targets(staged("q = 1 - h\nr = tanh(U @ h)\nh' = q + V @ r")) == [["r"], ["q", "h'"]]
    # A chain of such arithmetic moves as one, to its first reader.
    assert targets(staged("p = 1 - h\nq = p * p\nr = tanh(U @ h)\nn = V @ r + q\nh' = W @ n + q")) == [
        ["r"],
        ["p", "q", "n"],
        ["h'"],
    ]


def test_forms_and_what_a_form_reads_stay_where_they_are() -> None:
    assert targets(staged("q = 1 - h\nr = tanh(U @ h)\nh' = V @ r + W @ q")) == [["q", "r"], ["h'"]]
    text = "q = 1 - h\nr = tanh(U @ h)\ns = tanh(V @ r)\nh' = W @ q + R @ s"
    assert targets(staged(text)) == [["q", "r"], ["s"], ["h'"]]
    assert targets(staged("q = U @ h\nr = tanh(U @ h)\nh' = q + V @ r")) == [["q", "r"], ["h'"]]


def test_what_a_finished_row_keeps_is_there_when_it_is_kept() -> None:
    text = "q = 1 - h\nr = tanh(U @ h)\nc' = h\nh' = q + V @ r + c'"
    assert targets(staged(text)) == [["r"], ["q", "c'", "h'"]]
    text = "q = 1 - h\nr = tanh(U @ h)\nc' = 0.5 * r\nh' = q + V @ r + c'"
    assert targets(staged(text)) == [["r", "c'"], ["q", "h'"]]
    assert targets(staged(text, keeps={"c'": "q"})) == [["q", "r", "c'"], ["h'"]]


@pytest.mark.parametrize(
    ("name", "forward", "backward"),
    [("rnn", 1, 1), ("lstm", 1, 1), ("gru", 2, 2), ("gru_reset_after", 1, 1), ("projection_lstm", 2, 2)],
)
def test_stages_of_a_step(planned: Planned, name: str, forward: int, backward: int) -> None:
    program = planned(name)
    assert program.backward is not None
    assert (len(program.forward.loop.stages), len(program.backward.loop.stages)) == (forward, backward)


def test_layer_norm_takes_five_stages_of_units_and_four_of_scalars(planned: Planned) -> None:
    sizes = [stage.size for stage in planned("layernorm_lstm").forward.loop.stages]
    assert sizes == ["hidden", "1", "hidden", "1", "hidden", "1", "hidden", "1", "hidden"]


def test_gates_of_one_operand_are_accumulated_in_one_stage(planned: Planned) -> None:
    program = planned("lstm")
    for stage in (*program.forward.stages_of(BEFORE), *program.forward.loop.stages):
        assert len(stage.accumulators) == 4
        assert len(stage.operands) == 1


def test_no_stage_waits_for_itself(program: Program) -> None:
    for function in program.routines:
        for stage in function.stages:
            now = [form.operand for a in stage.accumulators for form in a.forms if not form.later]
            assert not set(stage.local) & {*now, *reductions(stage)}
