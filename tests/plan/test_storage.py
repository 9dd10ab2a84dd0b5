"""Places: values that cross stages have one, others have none, and rows beyond their length write the right values."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from symrnn.plan.program import Extent, Kind, Place, Program, Routine, reductions

Planned = Callable[[str], Program]
Written = Callable[..., Program]


def buffers_of(function: Routine) -> Mapping[str, list[str]]:
    return {buffer.name: [column.value for column in buffer.columns] for buffer in function.buffers}


def readers(function: Routine) -> dict[str, list[str]]:
    """For each value, the stages that read it from memory."""
    found: dict[str, list[str]] = {}
    for stage in function.stages:
        for name in {*stage.reads, *stage.operands, *reductions(stage)}:
            found.setdefault(name, []).append(stage.name)
    return found


def test_every_column_is_written_and_read_by_another_stage_or_function(program: Program) -> None:
    backward = program.backward
    assert backward is not None
    wanted = {*readers(backward), *(item.value for item in backward.sums)}
    wanted |= {name for p in backward.products for name in (p.right, *(left for _, left in p.entries))}
    for function in (program.forward, backward):
        stored = {write.value for stage in function.stages for write in stage.writes}
        read = {*readers(function), *wanted, *(w.idle for stage in function.stages for w in stage.writes)}
        for buffer in function.buffers:
            for column in buffer.columns:
                assert column.value in stored
                assert column.value in read or buffer.extent is Extent.ONCE


def test_buffers_of_the_bundled_cells(planned: Planned) -> None:
    program = planned("gru")
    assert program.backward is not None
    assert buffers_of(program.forward) == {
        "hoisted": ["z_x", "r_x", "h_tilde_x"],
        "saved": ["z", "r", "r_h", "h_tilde"],
    }
    assert buffers_of(program.backward) == {
        "delta": ["delta_z", "delta_r", "delta_h_tilde"],
        "back": ["held_h", "dh_out"],
    }


def test_a_value_of_x_that_the_backward_function_reads_is_kept_once(written: Written) -> None:
    program = written("n = tanh(W @ x)\nh' = n * h + U @ n")
    assert "n" in buffers_of(program.forward)["kept"]
    (kept,) = (b for b in program.forward.buffers if b.name == "kept")
    assert (kept.taped, kept.spans, kept.extent) == (True, True, Extent.SEQUENCE)


def test_what_hoisting_alone_reads_is_not_stored(written: Written) -> None:
    program = written("n = tanh(W @ x)\nm = n * n\nh' = m * h", with_backward=False)
    assert buffers_of(program.forward)["hoisted"] == ["m"]


def test_what_is_computed_again_is_not_looked_for_in_a_buffer_of_the_forward_function(written: Written) -> None:
    program = written("z = sigmoid(W @ x + U @ h)\nq = 1 - z\nm = mean(q)\nh' = z * h + q * m")
    assert "q" in dict(program.recomputed)
    assert program.forward.places["q"] == Place(Kind.BUFFER, "work")
    assert program.backward is not None
    assert program.backward.places.get("q") != Place(Kind.BUFFER, "work")


def test_what_crosses_the_stages_of_a_step_and_no_more_is_in_the_workspace(planned: Planned) -> None:
    program = planned("layernorm_lstm")
    work = buffers_of(program.forward)["work"]
    read = readers(program.forward)
    assert {"a_i", "mean_a_i", "i_part", "mean_c"} <= set(work)
    assert all(read[value] for value in work)
    assert "mean_i_part" not in work


def test_left_values_of_one_product_are_neighbours(program: Program) -> None:
    """So that a stacked product reads one block."""
    function = program.backward
    assert function is not None
    order = [value for values in buffers_of(function).values() for value in values]
    first = next((p for p in function.products if all(left in order for _, left in p.entries)), None)
    if first is not None:
        lefts = list(dict.fromkeys(left for _, left in first.entries))
        start = order.index(lefts[0])
        assert order[start : start + len(lefts)] == lefts


def test_states_stand_still_and_all_else_is_zero_beyond_the_length_of_a_row(program: Program) -> None:
    assert program.tangent is not None
    for function in (program.forward, program.tangent):
        for stage in function.stages:
            for write in stage.writes:
                expected = write.value.removesuffix("'") if write.place.kind is Kind.NEXT else ""
                assert write.idle == expected
    assert program.backward is not None
    for stage in program.backward.loop.stages:
        for write in stage.writes:
            if write.place.kind is Kind.CARRY:
                assert write.idle
            else:
                assert write.idle in ("", write.value)


def test_a_held_total_crosses_where_another_stage_updates_the_carry(planned: Planned) -> None:
    function = planned("gru").backward
    assert function is not None
    (held,) = (w for stage in function.loop.stages for w in stage.writes if w.value == "held_h")
    assert (held.place, held.idle) == (Place(Kind.BUFFER, "back"), "held_h")


def test_the_caller_s_gradient_is_called_dy_whatever_the_cell_s_values_are(written: Written) -> None:
    function = written("dy' = tanh(W @ x + U @ dy)").backward
    assert function is not None
    assert [place.array for place in function.places.values() if place.kind is Kind.SEED] == ["dy"]
    assert function.places["dy"] == Place(Kind.STATE, "dy")


def test_the_output_is_written_beside_the_state(program: Program) -> None:
    (name,) = program.cell.output_values
    writes = [w.place.kind for stage in program.forward.loop.stages for w in stage.writes if w.value == name]
    assert writes == ([Kind.NEXT, Kind.OUTPUT] if name.endswith("'") else [Kind.OUTPUT])


def test_values_of_parameters_are_stored_for_the_backward_function_or_where_they_cross(written: Written) -> None:
    text = "m = mean(b)\nq = m * m\nh' = q * tanh(U @ h)"
    assert buffers_of(written(text).forward)["once"] == ["m", "q"]
    assert buffers_of(written(text, with_backward=False).forward)["once"] == ["q"]
