"""Sizes by unification: what is inferred, what is declared, what broadcasts, and what cannot agree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from symrnn.check.check import check
from symrnn.derive.derivation import derive
from symrnn.errors import CellError
from symrnn.language.cell import Cell
from symrnn.language.size_tables import SizeEntry

Shapes = dict[str, tuple[str, ...]]


def shapes(text: str, sizes: Mapping[str, SizeEntry] | None = None) -> Shapes:
    return {variable.name: variable.shape for variable in Cell.from_equations(text, sizes=sizes).variables}


INPUT, HIDDEN, ONE, INNER = "input", "hidden", "1", "inner"


@pytest.mark.parametrize(
    ("text", "sizes", "expected"),
    [
        ("h' = W @ x + U @ h + b", {}, {"W": (HIDDEN, INPUT), "U": (HIDDEN, HIDDEN), "b": (HIDDEN,), "x": (INPUT,)}),
        ("h' = h * p", {}, {"x": (INPUT,), "p": (HIDDEN,)}),
        ("m = p * x\nh' = W @ m", {}, {"p": (INPUT,), "m": (INPUT,), "W": (HIDDEN, INPUT)}),
        ("m = V @ W @ x\nh' = m", {}, {"W": (HIDDEN, INPUT), "V": (HIDDEN, HIDDEN)}),
        ("h' = W.T @ x", {}, {"W": (INPUT, HIDDEN)}),
        ("m = W.T @ h\nh' = W @ (m - x)", {}, {"W": (HIDDEN, INPUT), "m": (INPUT,)}),
        ("m = p\nh' = U @ m + U @ q", {}, {"m": (HIDDEN,), "p": (HIDDEN,), "q": (HIDDEN,)}),
        ("m = W @ x\nn = V @ m\nh' = n", {"m": INNER}, {"W": (INNER, INPUT), "V": (HIDDEN, INNER), "m": (INNER,)}),
        ("h' = V @ (W @ x)", {"W": [INNER, INPUT]}, {"W": (INNER, INPUT), "V": (HIDDEN, INNER)}),
        ("h' = V.T @ W @ x", {"V": [INNER, HIDDEN]}, {"W": (INNER, INPUT), "V": (INNER, HIDDEN)}),
        ("c' = W @ x\nh' = R @ c'", {"h": INNER}, {"c": (HIDDEN,), "h'": (INNER,), "R": (INNER, HIDDEN)}),
        ("h' = s * h + mean(x)", {"s": 1}, {"s": (ONE,)}),
        ("h' = s * h + mean(x)", {"s": "1"}, {"s": (ONE,)}),
        ("s = mean(x) + 2\nh' = s * h", {}, {"s": (ONE,)}),
        ("s = mean(x) * p\nh' = s * h", {}, {"s": (HIDDEN,), "p": (HIDDEN,)}),
        ("s = mean(x) * p\nh' = s * h", {"p": 1}, {"s": (ONE,), "p": (ONE,)}),
        ("s = w @ x\nh' = s * h", {"s": 1}, {"w": (ONE, INPUT), "s": (ONE,)}),
        ("h' = (w @ x) * h", {"w": [1, INPUT]}, {"w": (ONE, INPUT)}),
        ("h' = V @ mean(x)", {}, {"V": (HIDDEN, ONE)}),
        ("h' = mean(x)", {}, {"h'": (HIDDEN,)}),
        ("h' = 1", {}, {"h'": (HIDDEN,), "x": (INPUT,)}),
        ("m = mean(x)\nh' = m", {"m": HIDDEN}, {"m": (HIDDEN,)}),
        ("n' = mean(x) + n\nh' = n' * h", {"n": 1}, {"n": (ONE,), "n'": (ONE,), "h": (HIDDEN,)}),
        ("h' = mean(b) * h", {}, {"b": (HIDDEN,)}),
        ("h' = mean(b) * h", {"b": INNER}, {"b": (INNER,)}),
    ],
)
def test_shapes(text: str, sizes: Mapping[str, SizeEntry], expected: Shapes) -> None:
    found = shapes(text, sizes)
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("text", "states"),
    [
        ("p' = x\nh' = tanh(W @ x + U @ p)", "p"),
        ("p' = a * p + x\nh' = tanh(U @ p' + V @ h)", "p"),
        ("p' = tanh(a * p + b) * sigmoid(x) - 2\nh' = U @ p", "p"),
        ("p' = x - mean(x) / sqrt(mean(x**2) + 1)\nh' = U @ p", "p"),
        ("d = x - p\np' = p + 0.1 * d\nh' = tanh(W @ d + V @ h)", "p"),
        ("p' = x\nq' = p\nh' = tanh(U @ q + V @ p)", "pq"),
        ("p' = q + x\nq' = p\nh' = U @ p", "pq"),
        ("p' = x\nq' = a * q + p'\nh' = tanh(U @ q')", "pq"),
        ("h' = tanh(W @ x + U @ h)\np' = -x", "p"),
        ("p' = x\nh' = tanh(W @ p' + U @ h) + mean(p)", "p"),
    ],
)
def test_a_state_that_follows_x_unit_by_unit_has_its_size(text: str, states: str) -> None:
    cell = Cell.from_equations(text)
    assert not cell.input_is_hidden
    for state in cell.states:
        assert cell.by_name[state + "'"].shape == (INPUT if state in states else HIDDEN,)


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("p' = p + mean(x)\nh' = U @ p", {}),  # one number, for every unit alike
        ("p' = a * p\nh' = U @ p + W @ x", {}),
        ("p' = q\nq' = p\nh' = U @ p + W @ x", {}),
        ("p' = tanh(W @ x)\nh' = U @ p", {}),
        ("p' = W.T @ x + p\nh' = U @ p", {}),
    ],
)
def test_any_other_state_is_hidden(text: str, options: dict[str, Any]) -> None:
    cell = Cell.from_equations(text, **options)
    assert cell.by_name["p'"].shape == (HIDDEN,)
    assert not cell.input_is_hidden


@pytest.mark.parametrize(
    ("text", "options", "tied_by"),
    [
        ("h' = x", {}, "1"),
        ("p' = x\nh' = tanh(U @ h + p)", {}, "2"),
        ("p' = x + h\nh' = tanh(U @ p)", {}, "1"),
        ("p' = x\nh' = tanh(U @ p)", {"output": "p"}, "1"),
        ("p' = x\nh' = tanh(U @ p)", {"sizes": {"p": HIDDEN}}, "1"),
        ("p' = a * p + x\nh' = a * h + U @ p", {}, "2"),
        ("h' = W @ x", {"sizes": {"x": HIDDEN}}, ""),
    ],
)
def test_the_equation_that_forces_input_to_be_hidden_is_known(text: str, options: dict[str, Any], tied_by: str) -> None:
    cell = Cell.from_equations(text, **options)
    assert cell.input_is_hidden
    assert cell.tied_by == tied_by
    shown = derive(cell).text("equations")
    assert f"  input = hidden, by {f'({tied_by})' if tied_by else '[sizes]'}: x has as many units as a state" in shown


def test_show_says_which_states_have_the_size_of_x() -> None:
    shown = derive(Cell.from_equations("p' = a * p + x\nh' = tanh(W @ p' + U @ h)")).text("equations")
    assert "Sizes that the equations decide\n  p  (input), that of x\n" in shown
    assert "Sizes" not in derive(Cell.from_equations("h' = tanh(W @ x + U @ h)")).text("equations")


def test_a_declared_size_of_such_a_state_must_be_that_of_x() -> None:
    assert shapes("p' = x\nh' = U @ p", {"p": INPUT})["U"] == (HIDDEN, INPUT)
    with pytest.raises(CellError, match="`p'` has size inner, but its right side has size input"):
        shapes("p' = x\nh' = U @ p", {"p": INNER})


@pytest.mark.parametrize("backend", ["numpy"])
def test_kernels_of_such_a_cell_are_right(backend: str) -> None:
    cell = Cell.from_equations("p' = a * p + x\nh' = tanh(W @ p' + U @ h)", name="traced")
    assert check([cell], backends=(backend,)).passed


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("h' = tanh(x + h)", {}),
        ("h' = U @ h + U @ x", {}),
        ("h' = U @ h + U.T @ h + U @ x", {}),
        ("m = p * x\nn = p * h\nh' = m + W @ n", {}),
        ("h' = W @ x", {"x": HIDDEN}),
        ("h' = W @ x + b", {"b": INPUT}),
        ("h' = V @ (b * x)", {"b": HIDDEN}),
    ],
)
def test_input_may_be_forced_to_be_hidden(text: str, sizes: Mapping[str, SizeEntry]) -> None:
    cell = Cell.from_equations(text, sizes=sizes)
    assert cell.input_is_hidden
    assert {size for variable in cell.variables for size in variable.shape} == {HIDDEN}
    assert cell.sizes == (INPUT, HIDDEN)


def test_input_is_not_hidden_where_nothing_forces_it() -> None:
    assert not Cell.from_equations("m = W.T @ h + x\nh' = W @ m").input_is_hidden


def test_new_sizes_come_in_the_order_of_declaration() -> None:
    text = "m = W @ x\nn = V @ m\nh' = U @ n"
    cell = Cell.from_equations(text, sizes={"n": "rank", "V": ["rank", INNER]})
    assert cell.sizes == (INPUT, HIDDEN, "rank", INNER)
    assert cell.by_name["m"].shape == (INNER,)


@pytest.mark.parametrize(
    ("text", "sizes", "place", "message"),
    [
        ("c' = W @ x\nh' = c' + h", {"h": INNER}, (2, 11), "`c'` has size hidden, `h` has size inner"),
        (
            "h' = W @ x\nc' = (c\n  + p)",
            {"c": INNER, "p": "rank"},
            (3, 5),
            "`c` has size inner and `p` has size rank, and no name",
        ),
        ("c' = c\nh' = c", {"h": INNER}, (2, 1), "`h'` has size inner, but its right side has size hidden"),
        ("m = x\nh' = W @ m", {"m": INNER}, (1, 1), "`m` has size inner, but its right side has size input"),
        ("c' = W @ x\nh' = W @ h", {"c": INNER}, (2, 1), "`h'` has size hidden, but its right side has size inner"),
        ("h' = W @ h\nc' = W @ c", {"c": INNER}, (2, 6), "`W` takes a vector of size hidden, but `c` has size inner"),
        ("c' = W.T @ h\nh' = W.T @ c", {"c": INNER}, (2, 6), "`W.T` takes a vector of size hidden"),
        ("h' = W @ x + W @ mean(x)", {}, (1, 14), "`W` takes a vector of size input, but `mean(x)` has size 1"),
        ("h' = x + W @ h", {"x": INPUT, "h": INNER}, (1, 1), "`h'` has size inner, but its right side has size input"),
        ("s = h\nh' = s * h", {"s": 1}, (1, 1), "`s` has size 1, but its right side has size hidden"),
        ("h' = W @ k", {}, (1, 10), "a matrix takes a vector; `k` is a number"),
        ("h' = h * mean(k + 1)", {}, (1, 15), "`mean` runs over the units of a vector; `k + 1` is a number"),
    ],
)
def test_sizes_that_disagree(text: str, sizes: Mapping[str, SizeEntry], place: tuple[int, int], message: str) -> None:
    constants = {"k": 2} if "k" in text else {}
    with pytest.raises(CellError) as raised:
        Cell.from_equations(text, sizes=sizes, constants=constants)
    assert message in raised.value.message
    assert (raised.value.line, raised.value.column) == place


@pytest.mark.parametrize(
    ("text", "sizes", "matrix"),
    [
        ("h' = tanh(W @ x + W @ h)", {}, "W"),
        ("h' = tanh(W @ x + W.T @ h)", {}, "W"),
        ("h' = tanh(W.T @ W @ x)", {}, "W"),
        ("p = V @ x\nq = V @ h\nh' = p + q", {}, "V"),
        ("h' = tanh(A @ x + A @ h + B @ x + B @ h)", {}, "A"),  # the first of two
        ("h' = tanh(A @ x + A @ q + B @ q + B @ h)", {}, "B"),  # both together; each alone does not
        ("h' = tanh(U @ h + U @ tanh(h) + W @ x + W @ h)", {}, "W"),
        ("r = W @ s\nq = W.T @ h\nh' = q * h + r + V @ (q * x) + V @ h", {"s": 1}, "V"),  # q broadcasts, apart too
        ("h' = tanh(W @ x + W @ h) + x", {}, ""),
        ("h' = tanh(U @ h + U @ tanh(h)) + x", {}, ""),
        ("h' = tanh(W @ x + W @ h)", {"W": [HIDDEN, HIDDEN]}, ""),
        ("h' = tanh(W @ x + W @ h)", {"x": HIDDEN}, ""),
    ],
)
def test_the_shared_matrix_that_forces_input_to_be_hidden_is_known(
    text: str, sizes: dict[str, Any], matrix: str
) -> None:
    cell = Cell.from_equations(text, sizes=sizes)
    assert cell.input_is_hidden
    assert cell.shared_matrix == matrix


def test_a_shared_matrix_that_ties_nothing_is_none() -> None:
    cell = Cell.from_equations("h' = tanh(W @ x + U @ h + U @ tanh(h))")
    assert not cell.input_is_hidden
    assert cell.shared_matrix == ""
