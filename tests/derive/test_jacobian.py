"""Jacobians: right at a point for every pair of names, direct paths apart, shared values named, errors that help."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

import symrnn
from symrnn.derive.derivation import Derivation, derive
from symrnn.derive.factors import Diag, Kron, Matrix, Ref, is_direct
from symrnn.derive.jacobian import Jacobian
from symrnn.errors import DerivationError
from symrnn.language.cell import Cell
from symrnn.language.system import Role
from symrnn.language.text import to_text
from symrnn.language.tree import Call, Name, walk

Array = np.ndarray[Any, np.dtype[Any]]
Differentiated = Callable[[Cell, Mapping[str, Array], Mapping[str, int], str], dict[str, Array]]


def test_every_jacobian_of_a_state_is_that_of_the_complex_step(
    cell: Cell,
    derivation: Derivation,
    learned: tuple[str, ...],
    point: dict[str, Array],
    natural: dict[str, Array],
    sizes: dict[str, int],
    differentiated: Differentiated,
) -> None:
    for given in learned:
        expected = differentiated(cell, point, sizes, given)
        for state in cell.states:
            found = derivation.jacobian(state, given)
            value = found.evaluate(natural)
            assert value.shape == (sizes[found.rows], point[given].size)
            np.testing.assert_allclose(
                value, expected[f"{state}'"], rtol=1e-12, atol=1e-13, err_msg=f"{state}, {given}"
            )
            moves = bool(np.any(expected[f"{state}'"]))
            # A derivative that a cell declares may be zero at a point, and so may that of the lesser of two.
            chosen = "prefer(" in found.text()
            assert bool(found.terms) == moves or (found.terms and (cell.functions or chosen)), (state, given)


def test_intermediates_have_jacobians_too(
    cell: Cell,
    derivation: Derivation,
    point: dict[str, Array],
    natural: dict[str, Array],
    sizes: dict[str, int],
    differentiated: Differentiated,
) -> None:
    given = cell.states[0]
    expected = differentiated(cell, point, sizes, given)
    for target in (equation.target for equation in cell.equations):
        np.testing.assert_allclose(
            derivation.jacobian(target, given).evaluate(natural), expected[target], rtol=1e-12, atol=1e-13
        )


def test_the_block_jacobian_has_all_states_by_all_states(
    cell: Cell,
    derivation: Derivation,
    point: dict[str, Array],
    natural: dict[str, Array],
    sizes: dict[str, int],
    differentiated: Differentiated,
) -> None:
    columns = [differentiated(cell, point, sizes, before) for before in cell.states]
    expected = np.block([[column[f"{after}'"] for column in columns] for after in cell.states])
    np.testing.assert_allclose(derivation.step_jacobian().evaluate(natural), expected, rtol=1e-12, atol=1e-13)


def test_a_jacobian_has_latex_and_text_that_name_it(derivation: Derivation) -> None:
    for role in (Role.INPUT, Role.PARAMETER):
        for each in derivation.jacobians(role):
            latex = each.latex()
            assert latex.startswith("\\begin{aligned}")
            assert latex.count("{") == latex.count("}")
            assert each.left() in latex
            assert each.text().startswith(f"J[{each.output}, {each.input}] = ")


def test_the_direct_path_of_the_cell_state_is_a_diagonal_and_comes_first() -> None:
    found = derive(symrnn.load("lstm")).jacobian("c", "c")
    assert found.terms == ((Diag(Name("f")),),)
    assert found.direct == found.terms
    assert found.left() + " = " + r"\operatorname{diag}(f_t)" in found.latex().replace("&= ", "= ")
    through_gates = derive(symrnn.load("lstm")).jacobian("c", "h")
    assert not through_gates.direct
    assert [term[-1] for term in through_gates.terms] == [Matrix(name, False) for name in ("W_hf", "W_hi", "W_hg")]


def test_the_direct_path_stands_before_those_through_matrices() -> None:
    found = derive(symrnn.load("gru")).jacobian("h", "h")
    assert [is_direct(term) for term in found.terms] == [True, False, False]
    assert found.terms[0] == (Diag(Name("z")),)


def test_a_direct_path_goes_on_through_a_value_with_a_name() -> None:
    found = derive(symrnn.Cell.from_equations("a = b * h + W @ h + x\nh' = a**2")).jacobian("h", "h")
    assert [term[-1] for term in found.terms] == [Ref("a")]
    (way,) = found.direct
    assert is_direct(way)
    assert way[-1] == Diag(Name("b"))
    none = derive(symrnn.Cell.from_equations("a = V @ h + W @ h + x\nh' = a**2")).jacobian("h", "h")
    assert [term[-1] for term in none.terms] == [Ref("a")]
    assert not none.direct


def test_very_many_direct_paths_are_not_told_apart() -> None:
    levels = [f"a{k + 1} = tanh(a{k}) * b{k}\nb{k + 1} = a{k} * tanh(b{k})" for k in range(40)]
    text = "\n".join(["a0 = u * h + x", "b0 = v * h", *levels, "h' = a40 + b40"])
    assert not derive(symrnn.Cell.from_equations(text)).jacobian("h", "h").direct


def test_the_simple_recurrent_network_reads_as_in_the_lecture() -> None:
    found = derive(symrnn.load("rnn")).jacobian("h", "h")
    assert found.text() == "J[h', h] = diag(1 - h'**2) @ W_hh"
    assert r"\operatorname{diag}(1 - h_t^{2}) \, W_{hh}" in found.latex()


@pytest.mark.parametrize(
    ("text", "kron", "latex"),
    [
        ("h' = W @ h + x", False, r"(I \otimes h_{t-1}^{\top})"),
        ("h' = W.T @ h + x", True, r"(h_{t-1}^{\top} \otimes I)"),
    ],
)
def test_a_matrix_is_a_vector_of_its_rows(text: str, kron: bool, latex: str) -> None:
    found = derive(symrnn.Cell.from_equations(text)).jacobian("h", "W")
    assert found.terms == ((Kron(Name("h"), kron, "hidden"),),)
    assert latex in found.latex()
    W, h = np.arange(9.0).reshape(3, 3), np.array([1.0, 10.0, 100.0])
    value = found.evaluate({"W": W, "h": h, "x": np.zeros(3)})
    expected = np.zeros((3, 9))
    for row in range(3):
        for column in range(3):
            expected[(column, row)[not kron], 3 * row + column] = h[(row, column)[not kron]]
    np.testing.assert_array_equal(value, expected)


def test_derivatives_are_written_in_saved_outputs(cell: Cell, derivation: Derivation, learned: tuple[str, ...]) -> None:
    """No term computes a value of the step again: it calls only functions of derivatives."""
    functions = {"sigmoid", "tanh", "exp", "sqrt"}
    step = [node for equation in cell.normal.equations for node in walk(equation.expression)]
    saved = {node for node in step if isinstance(node, Call) and node.function in functions}
    for output in cell.states:
        for given in learned:
            found = derivation.jacobian(output, given)
            factors = [f for each in (found, *found.parts) for term in each.terms for f in term if isinstance(f, Diag)]
            calls = [node for f in factors for node in walk(f.expression) if isinstance(node, Call)]
            assert not [to_text(call) for call in calls if call in saved]


def chain(length: int) -> Cell:
    lines = [f"y{k + 1} = y{k} * tanh(y{k}) + W @ y{k}" for k in range(length)]
    return symrnn.Cell.from_equations("\n".join(["y0 = x + h", *lines, f"h' = tanh(y{length})"]))


def test_nothing_grows_exponentially() -> None:
    """Thirty equations that read the one before three times: 3**30 paths, and yet a term or two for each."""
    derivation = derive(chain(30))
    found = derivation.jacobian("h", "h")
    assert sum(len(each.terms) for each in (found, *found.parts)) < 100
    assert len(derivation.adjoint.equations) < 200
    assert len(derivation.tangent.equations) < 200
    assert len(derivation.document()) < 100_000
    values = {"x": np.array([0.3, -0.2]), "h": np.array([0.1, 0.2]), "W": np.array([[0.5, 0.1], [-0.3, 0.4]])}
    assert np.all(np.isfinite(found.evaluate(values)))
    assert any(isinstance(factor, Ref) for term in found.parts[-1].terms for factor in term)


def test_values_that_are_given_are_not_computed_again() -> None:
    found = derive(symrnn.load("lstm")).jacobian("c", "c")
    np.testing.assert_array_equal(found.evaluate({"f": np.array([0.25, 0.5])}), np.diag([0.25, 0.5]))


def test_precision_follows_the_values() -> None:
    found = derive(symrnn.load("lstm")).jacobian("c", "c")
    assert found.evaluate({"f": np.ones(2, np.float32)}).dtype == np.float32
    assert found.evaluate({"f": np.ones(2, complex)}).dtype == complex


def test_an_intermediate_counts_as_held_fixed() -> None:
    found = derive(symrnn.load("lstm")).jacobian("h", "c'")
    assert found.text() == "J[h', c'] = diag(o * (1 - tanh_c**2))"


def of(name: str, output: str, given: str) -> Jacobian:
    return derive(symrnn.load(name)).jacobian(output, given)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"h": np.ones(2)},
            r"the Jacobian of \"h'\" by 'h' reads x, W_xh, W_hh, b_h, which are not among the values; add",
        ),
        ({"h": np.ones((2, 1))}, r"'h' has shape \(2, 1\) where the cell has \(hidden\); give vectors as"),
        ({"h": np.ones(2), "b_h": np.ones(3)}, r"'b_h' has shape \(3,\) where the cell has \(2\)"),
    ],
)
def test_wrong_values_are_named_with_the_remedy(values: dict[str, Array], message: str) -> None:
    with pytest.raises(DerivationError, match=message):
        of("rnn", "h", "h").evaluate(values)


def test_a_size_that_nothing_tells_is_named_with_the_remedy() -> None:
    found = derive(symrnn.Cell.from_equations("c' = c + x\nh' = h + c'")).jacobian("c", "h")
    assert not found.terms
    with pytest.raises(DerivationError, match="the size 'hidden' is unknown; add the array of 'h' as well"):
        found.evaluate({})
