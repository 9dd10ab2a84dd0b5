"""The text of a plan: every part of it is there, in the order in which it runs."""

from __future__ import annotations

import re
from collections.abc import Callable

from symrnn.language.text import to_text
from symrnn.plan.program import Kind, Program, Routine, Stage

Planned = Callable[[str], Program]
Written = Callable[..., Program]


def section(text: str, title: str) -> str:
    """The lines from the one that is ``title`` to the next empty one."""
    return (text + "\n").split(f"\n{title}\n", 1)[1].split("\n\n", 1)[0] + "\n"


def paragraph(text: str, stage: Stage) -> str:
    """What is said of ``stage``."""
    after = text.split(f"    stage {stage.name}: ", 1)[1]
    return re.split(r"\n {0,4}\S", after, maxsplit=1)[0]


def test_sections_stand_in_the_order_in_which_they_run(planned: Planned) -> None:
    heads = [line for line in str(planned("gru")).splitlines() if line and not line.startswith(" ")]
    assert heads[0] == "gru: the plan"
    assert heads[2:] == ["forward", "backward", "tape"]
    phases = [line.split()[0] for line in section(str(planned("gru")), "backward").splitlines() if line[:3].strip()]
    assert phases == ["cost:", "loop,", "after", "deferred,", "deferred", "deferred", "buffers"]


def test_the_loop_says_which_way_it_runs(planned: Planned) -> None:
    text = str(planned("rnn"))
    assert "loop, for each step: B rows at a time, t = 0 … T-1" in section(text, "forward")
    assert "loop, for each step: B rows at a time, t = T-1 … 0" in section(text, "backward")


def test_fused_stages_say_what_they_do_in_another_way(program: Program) -> None:
    text = str(program)
    fused = program.forward.fused
    assert fused is not None
    for stage in fused.loop:
        if not stage.absorbed:
            assert f"    stage {stage.loop.name} as it is\n" in text
            continue
        said = paragraph(text, stage.whole)
        for each in stage.absorbed:
            assert f"({each.statement.label}) {each.statement.target} = {to_text(each.statement.expression)}" in said
            for name, forms in each.joined:
                assert f"accumulate {name} = {' + '.join(form.text for form in forms)} + …\n" in said
            for accumulator in each.accumulators:
                assert (
                    f"accumulate {accumulator.name} = {' + '.join(form.text for form in accumulator.forms)}\n" in said
                )
        assert not [s.target for s in stage.loop.statements if f" {s.target} = " in said]


def test_every_stage_says_all_that_it_does(program: Program) -> None:
    text = str(program)
    shown: list[Routine] = [f for f in (program.forward, program.backward) if f is not None]
    for function in shown:
        places = [text.index(f"    stage {stage.name}: ") for stage in function.plain_stages]
        assert places == sorted(places)
        for stage in function.plain_stages:
            said = paragraph(text, stage)
            for accumulator in stage.accumulators:
                assert f"accumulate {accumulator.name} = " in said
                assert all(form.text in said for form in accumulator.forms)
            for statement in stage.statements:
                assert f"({statement.label}) {statement.target} = {to_text(statement.expression)}" in said
            for write in stage.writes:
                (line,) = [
                    line
                    for line in said.splitlines()
                    if re.match(rf" *store (.*, )?{re.escape(write.value)}(,.*)? -> .*{write.place.array}", line)
                    and (f"keeps {write.idle}" in line if write.idle else "keeps" not in line)
                ]
                assert ("gradient" in line) is (write.place.kind in (Kind.INPUT_GRADIENT, Kind.STATE_GRADIENT))


def test_every_deferred_gradient_and_buffer_is_shown(program: Program) -> None:
    assert program.backward is not None
    text = section(str(program), "backward")
    for product in program.backward.products:
        (line,) = (line for line in text.splitlines() if f"] outer {product.right} -> " in line)
        assert all(left in line and f"d{parameter}" in line for parameter, left in product.entries)
        assert all(f"({label})" in line for label in product.labels)
    for item in program.backward.sums:
        assert re.search(rf"sum {item.value} +-> d{item.parameter} +\({item.label}\)", text)
    for buffer in program.backward.buffers:
        (line,) = re.findall(rf"^    {buffer.name} .*$", text, re.MULTILINE)
        assert all(re.search(rf"\b{column.value}\b", line) for column in buffer.columns)


def test_the_tape_says_why(program: Program) -> None:
    text = section(str(program), "tape")
    for name, reason in program.saved:
        assert re.search(rf"^  {name} +stored +{re.escape(reason)}$", text, re.MULTILINE)
    for name, reason in program.recomputed:
        assert re.search(rf"^  {name} +computed again +{re.escape(reason)}$", text, re.MULTILINE)


def test_every_term_of_the_legend_is_used(planned: Planned) -> None:
    legend, rest = str(planned("lstm")).split("\nforward\n")
    terms = re.findall(r"^  (\S+(?: \S+)?)  ", legend, re.MULTILINE)
    assert terms[0] == "hoisted"
    assert len(terms) == 9
    assert not [term for term in terms if term not in rest]


def test_costs_and_sizes_are_those_of_the_cell(planned: Planned) -> None:
    text = str(planned("projection_lstm"))
    assert "of size input, hidden, projection or 1." in text
    assert "cost: T*B*(4*input*hidden + 5*hidden*projection)" in section(text, "forward")
    assert "stage step_2: projection units, cost hidden*projection\n" in text
    assert "numbers: T*B*(6*hidden) stored, and the states, (T + 1)*B*(hidden + projection)" in section(text, "tape")


def test_a_stage_of_scalars_and_one_row_are_called_so(written: Written) -> None:
    text = str(written("m = mean(b)\nh' = m * tanh(U @ h)"))
    assert re.search(r"once per parameter set: one row\n    stage once_1: one scalar per row\n", text)
    assert re.search(r"\n    once +1 row +m: 1\n", text)


def test_places_are_named_as_a_reader_knows_them(planned: Planned) -> None:
    text = str(planned("lstm"))
    assert "store h' -> next h; a finished row keeps h\n" in text
    assert "store h' -> y\n" in text
    assert "store i, f, o, g, tanh_c -> saved (tape)\n" in text
    assert "store carry_c_next -> carry of c; a finished row keeps dc_out\n" in text
    assert "store dc_initial -> gradient of the initial c\n" in text
    assert "store dx -> gradient of x\n" in text
    assert "\n    saved    T*B rows (tape)  i, f, o, g, tanh_c: hidden\n" in text


def test_inference_alone_has_no_backward_function_and_no_tape(written: Written) -> None:
    text = str(written("h' = tanh(U @ h + W @ x)", with_backward=False))
    assert "\nforward\n" in text
    assert "\nbackward\n" not in text
    assert "\ntape\n" not in text


def test_lines_end_where_their_text_does(program: Program) -> None:
    text = str(program)
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert text.splitlines() == [line.rstrip() for line in text.splitlines()]
