"""The records: what a stage reads, and how a form is written."""

from __future__ import annotations

from symrnn.language.tree import Binary, Name, Reduce
from symrnn.plan.program import (
    Accumulator,
    Form,
    Kind,
    Place,
    Program,
    Stage,
    Statement,
    Write,
    reduced,
    reductions,
)

STAGE = Stage(
    "s",
    "hidden",
    (
        Accumulator("a_sum", (Form("W", False, "x"), Form("U", True, "h"))),
        Accumulator("b_sum", (Form("V", False, "x"),)),
    ),
    (
        Statement("a", Binary("+", Name("a_sum"), Name("bias"))),
        Statement("b", Binary("*", Name("a"), Name("b_sum"))),
    ),
    (
        Write("b", Place(Kind.NEXT, "h"), "h"),
        Write("b", Place(Kind.OUTPUT, "y")),
        Write("given", Place(Kind.CARRY, "c"), "a"),
    ),
)


def test_a_stage_reads_what_is_not_its_own_idle_values_included() -> None:
    assert STAGE.local == ("a_sum", "b_sum", "a", "b")
    assert STAGE.reads == ("bias", "h", "given")


def test_operands_are_listed_once_in_order() -> None:
    assert STAGE.operands == ("x", "h")


def test_a_form_reads_as_in_a_cell_file() -> None:
    assert Form("W", False, "x").text == "W @ x"
    assert Form("W", True, "delta", later=True).text == "W.T @ delta[t+1]"


def test_reductions_are_found() -> None:
    mean = Reduce("mean", Name("v"))
    assert reduced(mean) == "v"
    assert reduced(Name("v")) == ""
    assert reductions(Stage("s", "1", (), (Statement("m", mean), Statement("n", Name("m"))), ())) == ("v",)


def test_functions_have_their_phases_and_stages_in_order(program: Program) -> None:
    assert [f.name for f in program.routines] == ["forward", "backward", "tangent"]
    for function in program.routines:
        assert [name for name, _ in function.phases] == ["once", "before", "loop", "last", "after"]
        names = [stage.name for stage in function.stages]
        own = [stage.name for _, stages in function.phases for stage in stages]
        fused = function.fused and [stage.name for stage in (*function.fused.before, *function.fused.loop)]
        assert names == [*own, *(fused or [])]
        for buffer in function.buffers:
            assert function.buffer(buffer.name) is buffer
