"""The rotated loop, and what it leaves to be done for all steps at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import symrnn
from symrnn.language.text import to_text
from symrnn.language.tree import Outer, names, walk
from symrnn.pipeline import program
from symrnn.plan.program import AFTER, LAST, Extent, Kind, Place, Program, Routine, Stage

pytestmark = pytest.mark.usefixtures("quick_compiler")

Planned = Callable[[str], Program]
Written = Callable[..., Program]
Array = np.ndarray[Any, np.dtype[Any]]


def backward_of(program: Program) -> Routine:
    assert program.backward is not None
    return program.backward


def text_of(stages: tuple[Stage, ...], target: str) -> str:
    return next(to_text(s.expression) for stage in stages for s in stage.statements if s.target == target)


def forms_of(stages: tuple[Stage, ...]) -> list[str]:
    return [form.text for stage in stages for a in stage.accumulators for form in a.forms]


def test_the_carried_adjoint_is_forms_of_the_later_step_and_a_stored_carry(planned: Planned) -> None:
    function = backward_of(planned("lstm"))
    assert forms_of(function.loop.stages) == [f"W_h{gate}.T @ delta_{gate}[t+1]" for gate in "ifog"]
    assert text_of(function.loop.stages, "held_h") == "held_h_sum + carry_h"
    assert text_of(function.loop.stages, "dh_out") == "held_h + dy"
    assert text_of(function.loop.stages, "dc_out") == "carry_c"
    assert text_of(function.loop.stages, "carry_c_next") == "dc_all * f"
    assert text_of(function.loop.stages, "carry_h_next") == "0"


def test_a_form_inside_a_step_is_not_rotated(planned: Planned) -> None:
    first, second = backward_of(planned("gru")).loop.stages
    assert forms_of((first,)) == ["W_hz.T @ delta_z[t+1]", "W_hr.T @ delta_r[t+1]"]
    assert forms_of((second,)) == ["W_hh.T @ delta_h_tilde"]
    assert text_of((second,), "carry_h_next") == "dh_out * z + dr_h * r"


def test_what_rotation_leaves_over_is_the_gradient_of_the_initial_state(program: Program) -> None:
    function = backward_of(program)
    rotated = [text for text in forms_of(function.loop.stages) if text.endswith("[t+1]")]
    assert sorted(forms_of(function.stages_of(LAST))) == sorted(rotated)
    places = [write.place for stage in function.stages_of(LAST) for write in stage.writes]
    assert places == [Place(Kind.STATE_GRADIENT, state) for state, _ in function.states]


def test_a_state_that_no_equation_reads_carries_nothing(written: Written) -> None:
    function = backward_of(written("h' = tanh(W @ x)\nc' = tanh(V @ x + U @ h)"))
    assert text_of(function.loop.stages, "carry_c_next") == "0"
    assert text_of(function.stages_of(LAST), "dc_initial") == "carry_c"


def test_no_outer_product_is_left_and_every_matrix_has_its_own(program: Program) -> None:
    function = backward_of(program)
    for stage in function.stages:
        assert not [s for s in stage.statements for node in walk(s.expression) if isinstance(node, Outer)]
    given = [
        (function.system.by_name[e.target].of, node.left.name, node.right.name)
        for e in function.system.equations
        for node in walk(e.expression)
        if isinstance(node, Outer)
    ]
    planned = [(parameter, left, p.right) for p in function.products for parameter, left in p.entries]
    assert sorted(planned) == sorted(given)


def test_products_of_one_right_side_are_one(program: Program) -> None:
    rights = [product.right for product in backward_of(program).products]
    assert len(rights) == len(set(rights))


def test_every_parameter_that_reaches_a_state_has_a_gradient_and_it_is_deferred(program: Program) -> None:
    function = backward_of(program)
    adjoint = function.system
    expected = {adjoint.by_name[name].of for name in adjoint.outputs} & {v.name for v in program.cell.parameters}
    found = {parameter for p in function.products for parameter, _ in p.entries} | {s.parameter for s in function.sums}
    assert found == expected


def test_the_loop_holds_nothing_that_it_can_do_without(program: Program) -> None:
    function = backward_of(program)
    stored = {write.value for stage in function.loop.stages for write in stage.writes}
    stored |= {write.idle for stage in function.loop.stages for write in stage.writes}
    read = {name for stage in function.loop.stages for s in stage.statements for name in names(s.expression)}
    read |= {name for stage in function.loop.stages for name in stage.operands}
    assert {s.target for stage in function.loop.stages for s in stage.statements} <= stored | read


def test_adjoints_that_lead_nowhere_are_left_out(written: Written) -> None:
    program = written("h' = W @ x + tanh(0 * h)")
    function = backward_of(program)
    adjoint = {e.target for e in function.system.equations}
    kept = {s.target for stage in function.stages for s in stage.statements}
    assert {"dtanh_h", "delta_tanh_h"} & adjoint
    assert not {"dtanh_h", "delta_tanh_h"} & kept


def test_an_output_whose_adjoint_nothing_reads_only_carries_it(written: Written) -> None:
    function = backward_of(written("h' = 0.5 + 0 * h\nc' = tanh(W @ x + U @ c)"))
    targets = [s.target for stage in function.loop.stages for s in stage.statements]
    assert "held_h" in targets
    assert "dh_out" not in targets


def test_inputs_have_gradients_after_the_loop_and_a_cell_without_x_has_none(written: Written) -> None:
    place = Place(Kind.INPUT_GRADIENT, "x")
    function = backward_of(written("h' = tanh(W @ x + U @ h)"))
    assert place in [write.place for stage in function.stages_of(AFTER) for write in stage.writes]
    function = backward_of(written("h' = tanh(U @ h + b)"))
    assert function.stages_of(AFTER) == ()
    assert forms_of(function.loop.stages) == ["U.T @ delta_h[t+1]"]


def test_a_shared_matrix_collects_all_its_products(written: Written) -> None:
    function = backward_of(written("r = tanh(U @ h)\nh' = tanh(W @ x + U.T @ r)"))
    entries = [(left, p.right) for p in function.products for parameter, left in p.entries if parameter == "U"]
    assert sorted(entries) == [("delta_r", "h"), ("r", "delta_h")]


def test_a_parameter_that_gates_is_summed_over_rows_of_a_value_with_a_name(written: Written) -> None:
    function = backward_of(written("h' = tanh(W @ x + w * h)"))
    (item,) = function.sums
    assert (item.parameter, text_of(function.stages_of(AFTER), item.value)) == ("w", "delta_h * h")


LINEAR = {
    "the held total is an operand of the loop": "c' = U @ c + W @ x\nh' = tanh(c)",
    "the held total is summed": "c' = 0.5 * c + W @ x + b\nh' = tanh(U @ c + V @ h)",
    "each total is an operand of the other's": "h' = U @ c + 0.5 * h\nc' = V @ h + W @ x",
    "the held total is kept across stages": "c' = 0.5 * c * tanh(V @ tanh(U @ h)) + W @ x\nh' = tanh(c + R @ x)",
}


@pytest.mark.parametrize("text", LINEAR.values(), ids=LINEAR)
def test_what_a_finished_row_holds_is_counted_in_no_gradient(written: Written, text: str) -> None:
    function = backward_of(written(text))
    (delta,) = (b for b in function.buffers if b.extent is Extent.SEQUENCE)
    kept = [w.idle for stage in function.loop.stages for w in stage.writes if w.place.array == delta.name]
    assert kept
    assert not any(kept)


@pytest.mark.parametrize("text", LINEAR.values(), ids=LINEAR)
def test_a_shorter_row_has_the_gradients_that_it_has_alone(text: str) -> None:
    cell = symrnn.Cell.from_equations(text, name="linear")
    k = symrnn.build(cell, backend="numpy", dtype="float64")
    rng = np.random.default_rng(5)
    params = k.init_params(3, 4, seed=1, dtype="float64")
    x, dy = rng.normal(size=(5, 1, 3)), rng.normal(size=(5, 1, 4))
    dstate = {state: rng.normal(size=(1, 4)) for state in cell.states}

    def gradients(x: Array, dy: Array, lengths: Array | None) -> Any:
        _, _, tape = k.forward(params, x, lengths=lengths)
        return k.backward(params, tape, dy, dstate)

    ragged, alone = gradients(x, dy, np.array([2])), gradients(x[:2], dy[:2], None)
    for name in params:
        np.testing.assert_allclose(ragged.params[name], alone.params[name], rtol=1e-12, atol=1e-14)
    for state in cell.states:
        np.testing.assert_allclose(ragged.state[state], alone.state[state], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(ragged.x[:2], alone.x, rtol=1e-12, atol=1e-14)
    assert not ragged.x[2:].any()


def test_a_parameter_that_is_read_through_a_sum_of_its_own_units_gets_a_gradient_of_its_size(written: Written) -> None:
    function = backward_of(written("h' = tanh(W @ x + U @ h) * sum(b)"))
    (item,) = function.sums
    assert item.parameter == "b"
    assert function.sizes[item.value] == "hidden"


def test_that_gradient_is_the_same_in_every_unit() -> None:
    cell = symrnn.Cell.from_equations("h' = tanh(W @ x + U @ h) * sum(b)", name="scaled")
    for backend in ("numpy", "c"):
        k = symrnn.build(cell, backend)
        params = k.init_params(2, 5, seed=1)
        y, _, tape = k.forward(params, np.ones((3, 2, 2), np.float32))
        gradient = k.backward(params, tape, np.ones_like(y)).params["b"]
        assert gradient[0] != 0
        assert np.ptp(gradient) == 0


def test_what_loop_and_deferred_work_both_compute_again_has_two_names() -> None:
    text = "c' = softsign(c)\nh' = sigmoid(c') * h + (1 - sigmoid(c')) * hard_tanh(leaky_relu(1 / (1.5 + (W @ x)**2)))"
    cell = symrnn.Cell.from_equations(text, name="again")
    function = backward_of(symrnn.program(cell))
    targets = [s.target for stage in (*function.loop.stages, *function.stages_of(AFTER)) for s in stage.statements]
    assert len(targets) == len(set(targets))
    stored = [write.value for stage in function.stages for write in stage.writes if write.place.kind is Kind.BUFFER]
    assert len(stored) == len(set(stored))
    x = np.ones((3, 2, 2), np.float32)
    gradients = []
    for backend in ("numpy", "c"):
        k = symrnn.build(cell, backend)
        params = k.init_params(2, 5, seed=1)
        y, _, tape = k.forward(params, x)
        gradients.append(k.backward(params, tape, np.ones_like(y)).params["W"])
    np.testing.assert_allclose(gradients[0], gradients[1], rtol=1e-5, atol=1e-7)


def test_the_backward_pass_reads_what_the_step_computes_once() -> None:
    """The derivative of the sine is the cosine that the step has of the same parameters."""
    plan = program(symrnn.Cell.from_equations("h' = sin(a) * h + cos(a) * x", name="turning"))
    routine = backward_of(plan)
    texts = [to_text(s.expression) for phase in routine.phases for stage in phase.stages for s in stage.statements]
    assert any("cos_a" in text and "sin_a" in text for text in texts)
    assert not [text for text in texts if "sin(" in text or "cos(" in text]
