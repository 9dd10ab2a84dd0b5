"""The adjoint: the transposed Jacobian by the complex step, in saved outputs, every derived value with a label."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pytest

import symrnn
from symrnn.derive.derivation import Derivation, derive
from symrnn.derive.evaluate import floats, run
from symrnn.language.cell import Cell
from symrnn.language.system import Equation, Role
from symrnn.language.text import to_text
from symrnn.language.tree import Call, MatVec, names, walk

Array = np.ndarray[Any, np.dtype[Any]]
Differentiated = Callable[[Cell, Mapping[str, Array], Mapping[str, int], str], dict[str, Array]]


def gradients(
    derivation: Derivation, point: dict[str, Array], seeds: Mapping[str, Array], sizes: Mapping[str, int]
) -> dict[str, Array]:
    """By the derived adjoint, for the seeds of the next states."""
    cell, backward = derivation.cell, derivation.adjoint
    given = run(cell.normal.equations, cell.normal.by_name, point, sizes, floats())
    for variable in backward.of_role(Role.ADJOINT):
        if variable.name in backward.inputs:
            given[variable.name] = seeds[variable.of]
    after = run(backward.equations, backward.by_name, given, sizes, floats())
    return {backward.by_name[name].of: after[name] for name in backward.outputs}


def test_gradients_are_the_transposed_jacobian_times_the_seeds(
    cell: Cell,
    derivation: Derivation,
    learned: tuple[str, ...],
    point: dict[str, Array],
    sizes: dict[str, int],
    differentiated: Differentiated,
) -> None:
    draw = np.random.default_rng(7)
    seeds = {name: draw.uniform(-1, 1, sizes[cell.size(name)]) for name in cell.outputs}
    found = gradients(derivation, point, seeds, sizes)
    assert set(found) <= set(learned)
    for name in learned:
        columns = differentiated(cell, point, sizes, name)
        expected = np.sum([seeds[output] @ columns[output] for output in cell.outputs], axis=0).reshape(
            point[name].shape
        )
        if name in found:
            np.testing.assert_allclose(found[name], expected, rtol=1e-12, atol=1e-13, err_msg=name)
        else:
            assert not expected.any()


def calls_of(equations: Iterable[Equation]) -> set[str]:
    """Calls, as text, of functions whose derivatives are written in what they return."""
    calls = [node for e in equations for node in walk(e.expression) if isinstance(node, Call)]
    return {to_text(call) for call in calls if call.function in ("sigmoid", "tanh", "exp", "sqrt")}


def test_no_function_of_the_step_is_called_again(derivation: Derivation) -> None:
    assert calls_of(derivation.adjoint.equations).isdisjoint(calls_of(derivation.cell.normal.equations))


def test_equations_are_labelled_in_order_and_say_where_they_come_from(derivation: Derivation) -> None:
    labels = [equation.label for equation in derivation.adjoint.equations]
    assert labels == [f"b{number}" for number in range(1, len(labels) + 1)]
    own = {equation.label for equation in derivation.cell.normal.equations}
    assert all(equation.origin in own for equation in derivation.adjoint.equations)


def test_an_equation_names_all_that_its_terms_come_from_in_their_order() -> None:
    text = symrnn.derive("gru").text("adjoint")
    assert "dx = W_xz.T @ delta_z + W_xr.T @ delta_r + W_xh.T @ delta_h_tilde" in text
    found = {line.split()[1]: line.rpartition("   from ")[2] for line in text.splitlines()[1:]}
    assert found["dx"] == "(1), (2), (3)"
    assert found["dh"] == "(4), (3a), (1), (2)"
    assert found["db_z"] == "(1)"


def test_every_equation_reads_only_what_is_there_before_it(derivation: Derivation) -> None:
    known = set(derivation.adjoint.inputs)
    for equation in derivation.adjoint.equations:
        assert known.issuperset(names(equation.expression))
        assert equation.target not in known
        known.add(equation.target)


def test_forms_apply_to_one_adjoint_each(derivation: Derivation) -> None:
    """One `Wᵀ δ` for every form of the step: all readers of the form share its delta."""
    forward = [n for e in derivation.cell.normal.equations for n in walk(e.expression) if isinstance(n, MatVec)]
    backward = [n for e in derivation.adjoint.equations for n in walk(e.expression) if isinstance(n, MatVec)]
    assert len(backward) <= len(forward)


def test_the_lstm_reads_as_in_a_lecture() -> None:
    lines = {e.target: to_text(e.expression) for e in derive(symrnn.load("lstm")).adjoint.equations}
    assert lines["dc_all"] == "dc_out + dtanh_c * (1 - tanh_c**2)"
    assert lines["delta_f"] == "df * f * (1 - f)"
    assert lines["dc"] == "dc_all * f"
    assert lines["dh"] == "W_hi.T @ delta_i + W_hf.T @ delta_f + W_ho.T @ delta_o + W_hg.T @ delta_g"
    assert lines["dW_xi"] == "delta_i @ x.T"
    assert lines["db_i"] == "delta_i"


SCALARS = {"hidden": 1, "input": 1, "1": 1}
KINKS = (
    *(("relu", 0.0, 0.0), ("relu", 1.0, 1.0), ("relu", -1.0, 0.0), ("abs", 0.0, 0.0), ("abs", -2.0, -1.0)),
    *(("leaky_relu", -1.0, 0.01), ("leaky_relu", 0.0, 0.01), ("elu", 0.0, 1.0), ("softsign", 0.0, 1.0)),
    *(("hard_sigmoid", 3.0, 0.0), ("hard_sigmoid", -3.0, 0.0), ("hard_sigmoid", 0.0, 1 / 6)),
    *(("hard_tanh", 1.0, 0.0), ("hard_tanh", -1.0, 0.0), ("hard_tanh", 0.5, 1.0)),
)


@pytest.mark.parametrize(("function", "at", "slope"), KINKS)
def test_derivatives_at_kinks_are_those_of_the_language(function: str, at: float, slope: float) -> None:
    derivation = derive(symrnn.Cell.from_equations(f"h' = {function}(h) + 0 * x"))
    point = {"h": np.array([at]), "x": np.zeros(1)}
    assert gradients(derivation, point, {"h'": np.ones(1)}, SCALARS)["h"] == pytest.approx(slope, abs=1e-15)
    assert derivation.jacobian("h", "h").evaluate(point) == pytest.approx(slope, abs=1e-15)


@pytest.mark.parametrize("function", ["minimum", "maximum"])
@pytest.mark.parametrize(("h", "x", "share"), [(1.0, 1.0, 0.5), (2.0, 1.0, 1.0), (1.0, 2.0, 0.0)])
def test_ties_are_shared(function: str, h: float, x: float, share: float) -> None:
    derivation = derive(symrnn.Cell.from_equations(f"h' = {function}(h, x)"))
    found = gradients(derivation, {"h": np.array([h]), "x": np.array([x])}, {"h'": np.ones(1)}, SCALARS)
    share = 1 - share if function == "minimum" and h != x else share
    assert (found["h"].item(), found["x"].item()) == (share, 1 - share)


def test_names_avoid_the_authors() -> None:
    cell = symrnn.Cell.from_equations("dh = tanh(W @ x + U @ h)\ndelta_dh = dh * dh\nh' = delta_dh + dh")
    variables = [variable.name for variable in derive(cell).adjoint.variables]
    assert len(variables) == len(set(variables))


def test_a_scalar_parameter_gets_the_sum_over_units() -> None:
    cell = symrnn.Cell.from_equations("h' = s * (h + x)", sizes={"s": 1})
    point = {"s": np.array([2.0]), "h": np.array([1.0, 2.0]), "x": np.array([3.0, 5.0])}
    found = gradients(derive(cell), point, {"h'": np.array([1.0, 10.0])}, {"hidden": 2, "input": 2, "1": 1})
    np.testing.assert_array_equal(found["s"], [4.0 + 70.0])


def test_what_a_broadcast_state_of_one_unit_receives_is_summed_under_a_name_that_python_and_c_take() -> None:
    cell = symrnn.Cell.from_equations("s' = tanh(mean(x) + s)\nh' = tanh(W @ x + s' * h)", sizes={"s": 1})
    backward = derive(cell).adjoint
    assert all(equation.target.isidentifier() for equation in backward.equations)
    lines = {equation.target: to_text(equation.expression) for equation in backward.equations}
    assert lines["delta_s_sum"] == "sum(delta_s_terms)"
    assert lines["ds_all"] == "ds_out + delta_s_sum"
