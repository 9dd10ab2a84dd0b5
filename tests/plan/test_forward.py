"""What leaves the loop of a forward function, and what stays."""

from __future__ import annotations

import pytest

from symrnn.language.cell import Cell
from symrnn.language.identifiers import Allocator
from symrnn.language.text import to_text
from symrnn.language.tree import MatVec, Name, names, walk
from symrnn.plan.forward import Known, Split, classify, split
from symrnn.plan.program import BEFORE, Program, Statement
from symrnn.plan.storage import vector_sizes


def phases_of(text: str) -> Split:
    system = Cell.from_equations(text).normal
    taken = [variable.name.removesuffix("'") for variable in system.variables]
    return split(system, vector_sizes(system), Allocator(taken))


def lines(statements: tuple[Statement, ...]) -> list[str]:
    return [f"{statement.target} = {to_text(statement.expression)}" for statement in statements]


def test_each_value_is_known_with_the_latest_thing_it_reads() -> None:
    system = Cell.from_equations("a = exp(b)\nv = W @ x + a\nn = tanh(U @ h)\nh' = n * v").normal
    phase = classify(system)
    assert {name: phase[name] for name in ("b", "a", "x", "v", "h", "n")} == {
        "b": Known.ONCE,
        "a": Known.ONCE,
        "x": Known.BEFORE,
        "v": Known.BEFORE,
        "h": Known.LOOP,
        "n": Known.LOOP,
    }


def test_a_value_of_parameters_that_a_matrix_reads_has_rows_like_any_operand() -> None:
    system = Cell.from_equations("a = exp(b)\nv = W @ a\nh' = tanh(U @ h + v)").normal
    phase = classify(system)
    assert phase["a"] is Known.BEFORE
    assert phase["v"] is Known.BEFORE


def test_a_next_state_stays_in_the_loop_whatever_it_reads() -> None:
    phases = phases_of("c' = tanh(W @ x)\nh' = U @ h + c'")
    assert "c'" in [statement.target for statement in phases.loop]


def test_the_part_of_a_sum_that_reads_no_state_is_hoisted_with_its_bias() -> None:
    phases = phases_of("h' = tanh(W @ x + U @ h + b)")
    assert lines(phases.before) == ["h_x = W @ x + b"]
    assert lines(phases.loop) == ["h' = tanh(h_x + U @ h)"]


def test_signs_stay_with_their_terms() -> None:
    phases = phases_of("h' = tanh(b - W @ x - U @ h)")
    assert lines(phases.before) == ["h_x = b - W @ x"]
    assert lines(phases.loop) == ["h' = tanh(h_x - U @ h)"]


@pytest.mark.parametrize(
    "text", ["h' = tanh(U @ h + b)", "h' = tanh(U @ h + w * v)", "h' = tanh(b - U @ h + (1 - x) * w)"]
)
def test_a_sum_without_a_form_of_x_is_left_alone(text: str) -> None:
    phases = phases_of(text)
    assert phases.before == ()
    assert lines(phases.loop) == [text]


def test_a_form_that_is_a_factor_is_hoisted_too() -> None:
    phases = phases_of("h' = h * (W @ x) + U @ h")
    assert lines(phases.before) == ["W_x = W @ x"]
    assert lines(phases.loop) == ["h' = h * W_x + U @ h"]


def test_values_taken_out_of_sums_are_told_apart_from_equations() -> None:
    phases = phases_of("v = tanh(V @ x)\nh' = tanh(W @ v + U @ h + b)")
    assert lines(phases.before) == ["v = tanh(V @ x)", "h_x = W @ v + b"]
    assert phases.hoisted == ("h_x",)


def test_no_form_in_any_loop_reads_x(program: Program) -> None:
    early = {"x"} | {s.target for stage in program.forward.stages_of(BEFORE) for s in stage.statements}
    forms = [form for stage in program.forward.loop.stages for a in stage.accumulators for form in a.forms]
    assert forms
    assert not [form.text for form in forms if form.operand in early]


def test_every_phase_reads_only_what_is_known_by_then(program: Program) -> None:
    system = program.cell.normal
    phases = split(system, vector_sizes(system), Allocator())
    phase = classify(system)
    for kind, statements in zip(Known, (phases.once, phases.before, phases.loop), strict=True):
        for statement in statements:
            assert max(phase.get(name, Known.BEFORE) for name in names(statement.expression)) <= kind


def test_hoisting_moves_terms_and_loses_none(program: Program) -> None:
    system = program.cell.normal
    phases = split(system, vector_sizes(system), Allocator())
    taken = [n for s in (*phases.once, *phases.before, *phases.loop) for n in walk(s.expression)]
    given = [n for e in system.equations for n in walk(e.expression)]
    assert sorted(to_text(n) for n in taken if isinstance(n, MatVec)) == sorted(
        to_text(n) for n in given if isinstance(n, MatVec)
    )
    hoisted = {s.target for s in phases.before} - {e.target for e in system.equations}
    own = [n.name for n in taken if isinstance(n, Name) and n.name not in hoisted]
    assert sorted(own) == sorted(n.name for n in given if isinstance(n, Name))
