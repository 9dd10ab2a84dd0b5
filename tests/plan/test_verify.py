"""The verifier: each rule fails on a plan broken by hand, and names the stage and the value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from symrnn.errors import PlanError
from symrnn.language.tree import Name, Reduce
from symrnn.plan.program import (
    Absorbed,
    Accumulator,
    Buffer,
    Column,
    Extent,
    Form,
    Fused,
    Kind,
    Place,
    Product,
    Program,
    Routine,
    Stage,
    Statement,
    Sum,
    Write,
)
from symrnn.plan.verify import verify, verify_order

Planned = Callable[[str], Program]
Change = Callable[[Stage], Stage]


def within(function: Routine, name: str, change: Change) -> Routine:
    """``function`` with its stage ``name`` changed."""
    assert any(stage.name == name for stage in function.plain_stages)
    return replace(
        function,
        phases=tuple(
            replace(phase, stages=tuple(change(stage) if stage.name == name else stage for stage in phase.stages))
            for phase in function.phases
        ),
        fused=None,
    )


def looping(function: Routine, *stages: Stage) -> Routine:
    """``function`` with other stages in its loop."""
    phases = tuple(replace(phase, stages=stages) if phase.direction else phase for phase in function.phases)
    return replace(function, phases=phases, fused=None)


def absorbing(fused: Fused, change: Callable[[Absorbed], Absorbed]) -> Fused:
    """``fused`` with the first value that its first stage absorbs changed."""
    first, *rest = fused.loop
    absorbed = (change(first.absorbed[0]), *first.absorbed[1:])
    return replace(fused, loop=(replace(first, absorbed=absorbed), *rest))


def added(statement: Statement) -> Change:
    return lambda stage: replace(stage, statements=(*stage.statements, statement))


def fed(form: Form) -> Change:
    return lambda stage: replace(stage, accumulators=(*stage.accumulators, Accumulator("extra_sum", (form,))))


def writing(write: Write) -> Change:
    return lambda stage: replace(stage, writes=(*stage.writes, write))


def without(value: str, kind: Kind) -> Change:
    return lambda stage: replace(
        stage, writes=tuple(w for w in stage.writes if (w.value, w.place.kind) != (value, kind))
    )


def idle(value: str, text: str) -> Change:
    return lambda stage: replace(
        stage, writes=tuple(replace(w, idle=text) if w.value == value else w for w in stage.writes)
    )


def sized(function: Routine, **sizes: str) -> Routine:
    return replace(function, sizes={**function.sizes, **sizes})


@pytest.fixture(scope="module")
def gru(planned: Planned) -> Program:
    return planned("gru")


def test_every_plan_passes(program: Program) -> None:
    verify(program.forward)
    assert program.tangent is not None
    verify(program.tangent)
    assert program.backward is not None
    verify(program.backward, program.forward)


BUFFER = Place(Kind.BUFFER, "saved")
FORWARD: dict[str, tuple[str, Change, str]] = {
    "read before it is stored": ("step_1", added(Statement("e", Name("h_tilde"))), "step_1: h_tilde is read before"),
    "a state read while hoisting": ("hoist_1", added(Statement("e", Name("h"))), "hoist_1: h in state h has no row"),
    "a next state read too early": ("step_1", added(Statement("e", Name("h'"))), "step_1: h' is read before it is sto"),
    "a form of its own stage": ("step_1", fed(Form("W_hh", False, "r_h")), "step_1: r_h is computed in the stage"),
    "a form of what comes later": ("step_1", fed(Form("W_hh", False, "h_tilde")), "step_1: h_tilde is read before"),
    "a form of another size": ("step_1", fed(Form("W_xz", False, "h")), "step_1: W_xz @ h does not give hidden"),
    "a transposed form of another size": ("step_1", fed(Form("W_xz", True, "h")), "W_xz.T @ h does not give hidden"),
    "a later form while hoisting": (
        "hoist_1",
        fed(Form("W_hh", False, "h", True)),
        "h of another step is read outside",
    ),
    "a later form of no buffer": ("step_1", fed(Form("W_hh", False, "h", True)), "h of another step is read but not"),
    "a statement out of order": (
        "step_1",
        lambda stage: replace(stage, statements=stage.statements[::-1]),
        "step_1: r_h reads r before it is computed",
    ),
    "units of another size": (
        "step_1",
        added(Statement("e", Name("x"))),
        "step_1: x has input units in a stage of hid",
    ),
    "a target of another size": ("step_1", added(Statement("x", Name("z"))), "step_1: x is computed in a stage of hid"),
    "stored but not computed": ("step_1", writing(Write("h", BUFFER)), "step_1: h is stored but not computed"),
    "stored in another buffer": (
        "step_1",
        writing(Write("z", Place(Kind.BUFFER, "hoisted"))),
        "z is stored in hoisted",
    ),
    "a carry of a forward function": ("hoist_1", writing(Write("z_x", Place(Kind.CARRY, "h"), "z_x")), "stores z_x in"),
    "the output of a hoisted stage": ("hoist_1", writing(Write("z_x", Place(Kind.OUTPUT, "y"))), "phase before stores"),
    "a state that moves when idle": ("step_2", idle("h'", ""), "step_2: h' of a row beyond its length must keep"),
    "a value that is not zero when idle": (
        "step_1",
        idle("z", "r"),
        "step_1: z of a row beyond its length must be zero",
    ),
    "a state that is not stored": ("step_2", without("h'", Kind.NEXT), "forward: a step does not store h exactly once"),
    "an output that is not stored": ("step_2", without("h'", Kind.OUTPUT), "forward: a step does not store its output"),
}


@pytest.mark.parametrize(("stage", "change", "message"), FORWARD.values(), ids=FORWARD)
def test_a_broken_forward_function_is_refused(gru: Program, stage: str, change: Change, message: str) -> None:
    function = sized(gru.forward, e="hidden", extra_sum="hidden")
    verify(function)
    with pytest.raises(PlanError) as caught:
        verify(within(function, stage, change))
    assert str(caught.value).startswith("forward")
    assert message in str(caught.value)


BACKWARD: dict[str, tuple[str, Change, str]] = {
    "a step's value after the loop": (
        "deferred_1",
        lambda stage: replace(stage, size="hidden", accumulators=(), statements=(Statement("e", Name("held_h")),)),
        "deferred_1: held_h in buffer back has no row for each row of phase after",
    ),
    "a carry after the loop": (
        "deferred_1",
        lambda stage: replace(stage, size="hidden", accumulators=(), statements=(Statement("e", Name("carry_h")),)),
        "deferred_1: carry_h in carry h has no row for each row of phase after",
    ),
    "what the tape does not hold": ("back_1", added(Statement("e", Name("z_x"))), "back_1: z_x is read before it is"),
    "a gradient in the loop": (
        "back_2",
        writing(Write("dr", Place(Kind.INPUT_GRADIENT, "x"))),
        "phase loop stores dr in inp",
    ),
    "a carry that is zero when idle": ("back_2", idle("carry_h_next", ""), "carry_h_next of a row beyond its length"),
    "a delta that stands still": ("back_1", idle("delta_z", "delta_z"), "delta_z of a row beyond its length must be"),
    "a carry that is not stored": (
        "back_2",
        without("carry_h_next", Kind.CARRY),
        "backward: a step does not store h ex",
    ),
    "an initial gradient that is not stored": (
        "initial_1",
        without("dh_initial", Kind.STATE_GRADIENT),
        "backward: the gradient of the initial h is not stored",
    ),
    "a later form of a step's value": (
        "back_1",
        fed(Form("W_hh", True, "held_h", True)),
        "back_1: held_h of another step is read but not stored for every step",
    ),
}


@pytest.mark.parametrize(("stage", "change", "message"), BACKWARD.values(), ids=BACKWARD)
def test_a_broken_backward_function_is_refused(gru: Program, stage: str, change: Change, message: str) -> None:
    assert gru.backward is not None
    function = sized(gru.backward, e="hidden", extra_sum="hidden", carry_h="hidden")
    verify(function, gru.forward)
    with pytest.raises(PlanError) as caught:
        verify(within(function, stage, change), gru.forward)
    assert str(caught.value).startswith("backward")
    assert message in str(caught.value)


def test_a_carry_is_not_read_after_it_has_moved(gru: Program) -> None:
    function = gru.backward
    assert function is not None
    late = Stage("back_3", "hidden", (), (Statement("e", Name("carry_h")),), ())
    broken = sized(looping(function, *function.loop.stages, late), e="hidden")
    with pytest.raises(PlanError, match="back_3: carry_h is read after an earlier stage has replaced it"):
        verify(broken, gru.forward)


@pytest.mark.parametrize("name", ["carry_h", "held_h", "z_x", "W_hh", "nothing"])
def test_deferred_work_reads_what_every_step_has_stored(gru: Program, name: str) -> None:
    function = gru.backward
    assert function is not None
    message = f"backward: a deferred gradient reads {name}, which is not stored for every step"
    with pytest.raises(PlanError, match=message):
        verify(replace(function, sums=(Sum("b_z", name, "b1"),)), gru.forward)
    with pytest.raises(PlanError, match=message):
        verify(replace(function, products=(Product(name, (("W_hz", "delta_z"),), ()),)), gru.forward)
    with pytest.raises(PlanError, match=message):
        verify(replace(function, products=(Product("h", (("W_hz", name),), ()),)), gru.forward)


def test_a_value_is_stored_once(gru: Program) -> None:
    again = replace(gru.forward.loop.stages[0], name="again")
    with pytest.raises(PlanError, match="forward: z is stored twice"):
        verify(looping(gru.forward, *gru.forward.loop.stages, again))


def test_a_gradient_has_the_shape_of_its_parameter(planned: Planned) -> None:
    program = planned("projection_lstm")
    function = program.backward
    assert function is not None
    with pytest.raises(PlanError, match=r"gradient of b_i has shape \('projection',\), not \('hidden',\)"):
        verify(replace(function, sums=(Sum("b_i", "dh_out", ""),)), program.forward)
    with pytest.raises(
        PlanError, match=r"gradient of W_xi has shape \('projection', 'input'\), not \('hidden', 'input'"
    ):
        verify(replace(function, products=(Product("x", (("W_xi", "dh_out"),), ()),)), program.forward)


def test_what_a_row_beyond_its_length_keeps_has_the_size_of_the_stage(gru: Program) -> None:
    (stage,) = (stage for stage in gru.forward.loop.stages if any(write.idle for write in stage.writes))
    keeping = tuple(replace(write, idle="x" if write.idle else "") for write in stage.writes)
    broken = within(gru.forward, stage.name, lambda each: replace(each, writes=keeping))
    with pytest.raises(PlanError, match="a row beyond its length keeps x, which has input units, not hidden"):
        verify(broken)


def test_a_value_has_one_column_of_its_size(gru: Program) -> None:
    twice = Buffer("more", Extent.STEP, (Column("z", "hidden"),))
    with pytest.raises(PlanError, match="forward: z has two columns"):
        verify(replace(gru.forward, buffers=(*gru.forward.buffers, twice)))
    other = Buffer("more", Extent.STEP, (Column("e", "input"),))
    with pytest.raises(PlanError, match="forward: the column of e has the wrong size, input"):
        verify(sized(replace(gru.forward, buffers=(*gru.forward.buffers, other)), e="hidden"))


def test_a_scalar_is_no_vector_and_a_reduction_reads_one(planned: Planned) -> None:
    function = sized(planned("layernorm_lstm").forward, e="1")
    verify(within(function, "step_2", added(Statement("e", Reduce("sum", Name("a_i"))))))
    with pytest.raises(PlanError, match="step_2: a_i has hidden units in a stage of 1"):
        verify(within(function, "step_2", added(Statement("e", Name("a_i")))))
    with pytest.raises(PlanError, match="step_1: m_i is read before it is stored"):
        verify(within(function, "step_1", added(Statement("e", Reduce("sum", Name("m_i"))))))


def test_stages_have_names_of_their_own(gru: Program) -> None:
    loop = tuple(replace(stage, name="step") for stage in gru.forward.loop.stages)
    with pytest.raises(PlanError, match="forward: two stages are named step"):
        verify(looping(gru.forward, *loop))


def test_the_fused_loop_is_verified_too(gru: Program) -> None:
    fused = gru.forward.fused
    assert fused is not None
    with pytest.raises(PlanError, match="forward: the fused loop does not run the stages of the loop"):
        verify(replace(gru.forward, fused=replace(fused, loop=fused.loop[:1])))
    early = Statement("z_x", Name("h_tilde"), "1")
    with pytest.raises(PlanError, match="forward, stage fused_step_1: h_tilde is read before it is stored"):
        verify(replace(gru.forward, fused=absorbing(fused, lambda each: replace(each, statement=early))))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda each: replace(each, joined=()), r"absorbs z_x with , not W_xz @ x"),
        (
            lambda each: replace(each, joined=(("held_sum", each.joined[0][1]),)),
            "forms of z_x join held_sum, which the loop does not accumulate",
        ),
        (lambda each: replace(each, statement=Statement("e", Name("b_z"))), "absorbs e, which nothing before the loop"),
        (
            lambda each: replace(each, statement=Statement("h_tilde_x", Name("b_z"))),
            "absorbs h_tilde_x, but step_2 reads it",
        ),
    ],
    ids=["forms that are lost", "forms that go astray", "a value of nowhere", "a value of another stage"],
)
def test_a_fused_loop_that_absorbs_wrongly_is_refused(
    gru: Program, change: Callable[[Absorbed], Absorbed], message: str
) -> None:
    fused = gru.forward.fused
    assert fused is not None
    with pytest.raises(PlanError, match=f"forward, stage fused_step_1: {message}"):
        verify(replace(gru.forward, fused=absorbing(fused, change)))


def test_statements_are_in_order() -> None:
    statements = [Statement("a", Name("x")), Statement("b", Name("a"))]
    assert verify_order(statements, {"x"}) == {"x", "a", "b"}
    with pytest.raises(PlanError, match="statement of b: reads a, which nothing before it assigns"):
        verify_order(statements[::-1], {"x"})
    with pytest.raises(PlanError, match="statement of a: the name is assigned twice"):
        verify_order([*statements, statements[0]], {"x"})
