"""The records: what a stage reads, and how a form is written."""

from __future__ import annotations

import pytest

from symrnn.errors import PlanError
from symrnn.language.tree import Binary, Name, Reduce
from symrnn.plan.program import (
    Accumulator,
    Buffer,
    Column,
    Direction,
    Extent,
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
from symrnn.plan.routine import PHASES

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


def test_a_buffer_knows_its_width_and_where_columns_start() -> None:
    columns = (Column("a", "hidden"), Column("m", "1"), Column("p", "input"), Column("b", "hidden"))
    buffer = Buffer("saved", Extent.SEQUENCE, columns)
    assert str(buffer.width) == "input + 2*hidden + 1"
    assert [str(buffer.start(column.value)) for column in columns] == [
        "0",
        "hidden",
        "hidden + 1",
        "input + hidden + 1",
    ]
    with pytest.raises(PlanError, match="buffer saved has no column of q; it has a, m, p, b"):
        buffer.start("q")


def test_reductions_are_found() -> None:
    mean = Reduce("mean", Name("v"))
    assert reduced(mean) == "v"
    assert reduced(Name("v")) == ""
    assert reductions(Stage("s", "1", (), (Statement("m", mean), Statement("n", Name("m"))), ())) == ("v",)


def test_functions_have_their_phases_and_stages_in_order(program: Program) -> None:
    assert [f.name for f in program.routines] == ["forward", "backward", "tangent"]
    assert [f.direction for f in program.routines] == [Direction.FORWARD, Direction.BACKWARD, Direction.FORWARD]
    for function in program.routines:
        known = [phase.name for phase in PHASES]
        phases = [phase.name for phase in function.phases]
        assert phases == [name for name in known if name in phases]
        assert [phase.name for phase in function.phases if phase.direction] == ["loop"]
        names = [stage.name for stage in function.stages]
        own = [stage.name for phase in function.phases for stage in phase.stages]
        assert names[: len(own)] == own
        assert all(name.startswith("fused_") for name in names[len(own) :])
        for buffer in function.buffers:
            assert function.buffer(buffer.name) is buffer
