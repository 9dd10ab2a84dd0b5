"""The tape: what is stored is needed, and what is computed again takes arithmetic alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from symrnn.language.text import to_text
from symrnn.language.tree import Call, MatVec, Reduce, names, walk
from symrnn.plan.program import AFTER, Program, reductions

Planned = Callable[[str], Program]
Written = Callable[..., Program]


def reads(program: Program) -> set[str]:
    """Every value that the backward function reads."""
    function = program.backward
    assert function is not None
    found = {name for stage in function.stages for name in (*stage.reads, *stage.operands, *reductions(stage))}
    found |= {name for p in function.products for name in (p.right, *(left for _, left in p.entries))}
    return found | {item.value for item in function.sums}


def test_each_stored_value_is_read_by_the_backward_function(program: Program) -> None:
    assert {name for name, _ in program.saved} <= reads(program)


def test_the_tape_is_the_taped_columns(program: Program) -> None:
    columns = [c.value for buffer in program.forward.buffers if buffer.taped for c in buffer.columns]
    assert sorted(columns) == sorted(name for name, _ in program.saved)


def test_what_the_tape_does_not_hold_is_not_read(program: Program) -> None:
    function = program.backward
    assert function is not None
    inner = {e.target for e in program.cell.normal.equations if not e.target.endswith("'")}
    own = {s.target for stage in function.stages for s in stage.statements}
    once = {c.value for b in program.forward.buffers if b.name == "once" for c in b.columns}
    assert reads(program) & inner <= {name for name, _ in program.saved} | own | once


def test_what_is_computed_again_is_arithmetic_on_what_is_there(program: Program) -> None:
    definition = program.cell.normal.definition
    there = {name for name, _ in (*program.saved, *program.recomputed)}
    for name, reason in program.recomputed:
        expression = definition[name].expression
        assert reason.startswith("arithmetic on ")
        for node in walk(expression):
            assert not isinstance(node, MatVec | Reduce)
            assert not (isinstance(node, Call) and node.function not in program.policy.cheap)
        inner = {read for read in names(expression) if read in definition and not read.endswith("'")}
        assert inner <= there


def test_values_of_the_bundled_cells(planned: Planned) -> None:
    assert [name for name, _ in planned("rnn").saved] == []
    assert [name for name, _ in planned("lstm").saved] == ["i", "f", "o", "g", "tanh_c"]
    assert [name for name, _ in planned("gru").saved] == ["z", "r", "r_h", "h_tilde"]


@pytest.mark.parametrize(
    ("text", "name", "reason"),
    [
        ("z = sigmoid(W @ x)\nh' = z * h", "z", "needs a matrix product"),
        ("z = tanh(W @ x)\nq = exp(z)\nh' = q * h", "q", "exp costs more than a load"),
        ("z = tanh(W @ x)\nq = z * z\nh' = tanh(U @ q) * h", "q", "operand of a deferred product"),
        ("z = tanh(W @ x)\nm = mean(z)\nh' = m * h * z", "m", "a scalar per row"),
        ("z = W @ x\nq = 1 + z\nh' = q * h", "q", "z is not stored"),
    ],
)
def test_the_reason_to_store(written: Written, text: str, name: str, reason: str) -> None:
    assert dict(written(text).saved)[name] == reason


def test_cheap_arithmetic_is_done_again_in_the_loop_and_after_it(written: Written) -> None:
    program = written("z = sigmoid(W @ x + U @ h)\nq = 1 - z\nh' = z * h + b * q")
    assert dict(program.recomputed) == {"q": "arithmetic on z"}
    assert program.backward is not None
    after = [s.target for stage in program.backward.stages_of(AFTER) for s in stage.statements]
    assert "q" in after
    assert "q" not in [c.value for b in program.backward.buffers for c in b.columns]


def test_what_is_computed_again_in_and_after_the_loop_has_two_names_and_no_place(written: Written) -> None:
    program = written("h' = tanh(W @ x) * hard_sigmoid(h)")
    function = program.backward
    assert function is not None
    loop = {s.target: to_text(s.expression) for stage in function.loop.stages for s in stage.statements}
    after = {s.target: to_text(s.expression) for stage in function.stages_of(AFTER) for s in stage.statements}
    assert loop["hard_sigmoid_h"] == after["hard_sigmoid_h_2"] == "hard_sigmoid(h)"
    assert after["dtanh_h"] == "dh_out * hard_sigmoid_h_2"
    assert [c.value for b in function.buffers for c in b.columns] == ["delta_tanh_h", "dh_out"]


def test_values_of_parameters_alone_are_packed_not_taped(written: Written) -> None:
    program = written("a = exp(b)\nh' = a * tanh(U @ h)")
    assert "a" not in dict(program.saved)
    (once,) = (buffer for buffer in program.forward.buffers if buffer.name == "once")
    assert [column.value for column in once.columns] == ["a"]
    assert not once.taped


def test_inference_alone_tapes_nothing(written: Written) -> None:
    program = written("z = sigmoid(W @ x + U @ h)\nh' = z * h", with_backward=False)
    assert (program.saved, program.recomputed, program.backward) == ((), (), None)
    assert not any(buffer.taped for buffer in program.forward.buffers)
