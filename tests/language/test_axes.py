"""Named axes: the shapes that come out, what is repeated along which axes, and one order of axes for all names."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations

import numpy as np
import pytest

import symrnn
from symrnn.errors import CellError
from symrnn.language.axes import (
    Numbers,
    Spelt,
    acted_on,
    axes_of,
    beyond,
    has_axes,
    in_words,
    matrix_axes,
    plain,
    plain_axes,
    settled,
    shape_axes,
    size_of,
    twins_of,
    without,
)
from symrnn.language.cell import Cell
from symrnn.language.size_tables import SizeEntry
from symrnn.language.text import to_text
from symrnn.language.tree import Broadcast, MatVec, Reduce, walk

Sizes = Mapping[str, SizeEntry]

S: Sizes = {"S": ["value", "key"]}
S3: Sizes = {"S": ["head", "value", "key"]}
V: Sizes = {"V": ["value", "input"]}
K: Sizes = {"K": ["key", "input"]}


def shapes(text: str, sizes: Sizes, output: str | tuple[str, ...] | None = None) -> dict[str, str]:
    """The axes of every name, in one line each."""
    cell = Cell.from_equations(text, sizes=sizes, output=output)
    return {each.name: " ".join(shape_axes(each.shape)) for each in cell.variables}


@pytest.mark.parametrize(
    ("text", "sizes", "expected"),
    [
        ("S' = a * S + (V @ x) * (K @ x)", {**S, **V, **K}, {"S'": "value key", "a": "value key", "V": "value input"}),
        ("h' = tanh(h + x)\nS' = a * S + b", {**S, "b": "key"}, {"a": "value key"}),
        ("S' = a * S\nh' = tanh(h + x)", {"S": ["input", "key"]}, {"a": "hidden key"}),
        ("h' = tanh(h + x)\nS' = a * S", {"S": ["input", "key"]}, {"a": "hidden key"}),
        ("S' = a * S + b", {**S, "a": "value"}, {"a": "value", "b": "value key"}),
        ("S' = a + b * S", {**S, "a": 1, "b": "key"}, {"a": "1", "b": "key"}),
        ("S' = Q @ x + S", {**S, "Q": ["value", "key", "input"]}, {"Q": "value key input"}),
        ("S' = Q @ x + S", S, {"Q": "value key input"}),
        ("S' = S + Q @ R @ x", {**S, "R": ["rank", "input"]}, {"Q": "value key rank"}),
        ("S' = 1", S, {"S'": "value key"}),
        ("S' = a", S, {"a": "value key"}),
        ("S' = V @ x", {**S, **V}, {"S'": "value key"}),
        ("m = a\nS' = m + S", S, {"m": "value key", "a": "value key"}),
        ("m = a\nS' = m + S", {**S, "m": "key"}, {"m": "key", "a": "key"}),
        ("S' = a + S\nt' = a * t", {**S, "t": "key"}, {"a": "key"}),
        ("t' = a * t\nS' = a + S", {**S, "t": "key"}, {"a": "key"}),
        ("m = a * b\nS' = m + S", {**S, "m": ["value", "key"], "a": "key", "b": "value"}, {"m": "value key"}),
        ("k = sum(S, value)\nS' = S + k", S, {"k": "key"}),
        ("k = max(S, key)\nS' = S + k", S, {"k": "value"}),
        ("k = sum(S)\nS' = S + k", S, {"k": "1"}),
        ("k = mean(max(S, key), value)\nS' = S + k", S, {"k": "1"}),
        ("k = logsumexp(S, value)\nS' = S + k", S3, {"k": "head key"}),
        ("k = sum(S, value)\nl = mean(k, head)\nS' = S + k * l", S3, {"k": "head key", "l": "key"}),
        ("k = sum(S * a, head)\nS' = S + k", {**S3, "a": ["head", "key"]}, {"k": "value key"}),
        ("S' = S * a * b", {**S3, "a": ["head", "key"], "b": ["value"]}, {"a": "head key", "b": "value"}),
        (
            "m = a * b\nS' = S + m",
            {**S3, "a": ["head", "key"], "b": ["head", "value"], "m": ["head", "value", "key"]},
            {},
        ),
        ("m = a * b + sum(S)\nS' = S * sum(m)", {**S, "a": "key", "b": "value"}, {"m": "value key"}),
        ("S' = S * x\nh' = h * sum(S', input)", {"S": ["hidden", "input"]}, {"S'": "hidden input", "h": "hidden"}),
        ("S' = maximum(S, K @ x)", {**S, **K}, {"S'": "value key"}),
        ("S' = where(S < a, b, S)", {**S, "a": "key", "b": "value"}, {"a": "key", "b": "value"}),
        ("S' = S * a ** b", {**S, "a": "key", "b": "value"}, {"a": "key", "b": "value"}),
        ("A = -exp(a)\nS' = A * S", {**S, "a": ["value", "key"]}, {"A": "value key"}),
        ("A = a / sum(a, key)\nS' = A * S", {**S, "a": ["value", "key"]}, {"a": "value key", "A": "value key"}),
        ("V = 2 * W\nS' = S + V @ x", S, {"W": "value key input", "V": "value key input"}),
        ("V = 2 * W\nS' = S + V @ x", {**S, "V": ["value", "key", "input"]}, {"W": "value key input"}),
        ("V = 2 * W\nS' = S + V @ x", {**S, "W": ["value", "key", "input"]}, {"V": "value key input"}),
        ("q = Q @ x\nS' = S + q + R @ Q.T @ q", {**S, "Q": ["value", "key", "input"]}, {"R": "value key input"}),
    ],
)
def test_shapes(text: str, sizes: Sizes, expected: Mapping[str, str]) -> None:
    found = shapes(text, sizes)
    assert {name: found[name] for name in expected} == dict(expected)


def test_a_value_is_repeated_where_it_lacks_axes() -> None:
    cell = Cell.from_equations("S' = a * S + (V @ x) * (K @ x)", sizes={**S, **V, **K, "a": "key"})
    (equation,) = cell.equations
    found = [(each.of, each.size) for each in walk(equation.expression) if isinstance(each, Broadcast)]
    assert found == [("key", "value*key"), ("value", "value*key"), ("key", "value*key")]


def test_a_product_is_no_larger_than_its_operands_need() -> None:
    """`a * b` has two axes of three, and only then meets the third."""
    cell = Cell.from_equations("S' = a * b * S", sizes={**S3, "a": "head", "b": "key"})
    (equation,) = cell.equations
    found = [(each.of, each.size) for each in walk(equation.expression) if isinstance(each, Broadcast)]
    assert found == [("head*key", "head*value*key"), ("head", "head*key"), ("key", "head*key")]


def test_a_reduction_knows_the_axes_of_its_operand() -> None:
    cell = Cell.from_equations("k = sum(S, value)\nl = sum(k, key)\nS' = S + l", sizes=S)
    reductions = [each for equation in cell.equations for each in walk(equation.expression) if isinstance(each, Reduce)]
    assert [(each.axis, each.of) for each in reductions] == [("value", "value*key"), ("", "")]


@pytest.mark.parametrize(
    "text",
    [
        "h' = tanh(h + x)\nS' = S * x\ny = sum(S' * x, input)",
        "S' = S * x\nh' = tanh(h + x)\ny = sum(S' * x, input)",
        "S' = S * x\ny = sum(S' * x, input)\nh' = tanh(h + x)",
    ],
)
def test_an_axis_of_the_input_may_become_one_of_the_hidden_size(text: str) -> None:
    found = shapes(text, {"S": ["value", "input"]}, ("y", "h"))
    assert (found["S'"], found["x"], found["y"]) == ("value hidden", "hidden", "value")


ONE_NUMBER = ("S' = 0.5 * S + x", "T' = T + S", "h' = h + x + sum({}, key)")


@pytest.mark.parametrize("order", [*permutations(range(3))], ids=str)
@pytest.mark.parametrize(("of_s", "of_t"), [("input", "hidden"), ("hidden", "input")])
@pytest.mark.parametrize("several", [True, False], ids=["several", "one"])
def test_an_equation_below_makes_two_axes_one(order: tuple[int, ...], of_s: str, of_t: str, several: bool) -> None:
    sizes: Sizes = {"S": [of_s, "key"] if several else of_s, "T": [of_t, "key"]}
    read = "T'" if order.index(1) < order.index(2) else "T"
    cell = Cell.from_equations("\n".join(ONE_NUMBER[each].format(read) for each in order), sizes=sizes)
    assert {name: cell.size(f"{name}'") for name in "STh"} == {
        "S": "hidden*key" if several else "hidden",
        "T": "hidden*key",
        "h": "hidden",
    }
    assert cell.input_is_hidden


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        (
            "m = T + S\nn = m * S\nT' = n\nS' = S\nh' = h + x",
            {"S": ["input", "key"], "T": ["hidden", "key"], "m": ["hidden", "key"]},
        ),
        ("m = W @ S\nS' = S * sum(m)\nh' = h + x", {"S": ["key", "input"], "W": ["value", "hidden"]}),
        (
            "m = S + T\nh' = h + x + sum(m, key)\nS' = S\nT' = T",
            {"S": ["input", "key"], "T": ["hidden", "key"], "m": ["hidden", "key"]},
        ),
        ("m = sum(S, input)\nS' = S * m\nh' = h + x", {"S": ["hidden", "key"]}),
    ],
)
def test_what_reads_a_value_waits_with_it(text: str, sizes: Sizes) -> None:
    cell = Cell.from_equations(text, sizes=sizes)
    assert cell.input_is_hidden
    assert not any("input" in size for each in cell.variables for size in each.shape)


@pytest.mark.parametrize("order", [*permutations(range(3))], ids=str)
def test_a_matrix_that_two_vectors_share_makes_two_axes_one(order: tuple[int, ...]) -> None:
    equations = ("h' = tanh(W @ x + W @ h)", "T' = T + S + a * S", "S' = 0.5 * S")
    text = "\n".join(equations[each] for each in order)
    cell = Cell.from_equations(text, sizes={"S": ["input", "key"], "T": ["hidden", "key"]})
    assert {name: cell.size(name) for name in "STa"} == dict.fromkeys("STa", "hidden*key")
    assert cell.shared_matrix == "W"


def test_axes_that_nothing_makes_one_are_refused_where_they_meet() -> None:
    text = "h' = h + W @ x\nT' = T + S\nS' = S"
    with pytest.raises(
        CellError, match="`T` has the axes hidden, key and `S` has the axes input, key, and no"
    ) as raised:
        Cell.from_equations(text, sizes={"S": ["input", "key"], "T": ["hidden", "key"]})
    assert (raised.value.line, raised.value.column) == (2, 10)


def test_another_fault_is_found_behind_what_waits() -> None:
    text = "T' = T + S\nS' = S\nh' = h + x\ng' = sum(S, key) + sum(S, value)"
    with pytest.raises(CellError, match="so `value` is no axis of it"):
        Cell.from_equations(text, sizes={"S": ["input", "key"], "T": ["hidden", "key"]})


def test_a_matrix_that_acts_on_an_axis_is_shown_as_it_is_written() -> None:
    cell = Cell.from_equations(
        "q = F(S)\nS' = b * S + W.T @ q * previous(k)",
        sizes={"S": ["head", "key"], "W": ["value", "key"]},
        define={"F(v)": "tanh(W @ v)"},
        inputs={"k": ["head", "key"]},
    )
    assert [to_text(each.expression) for each in cell.equations] == [
        "tanh(W @ S)",
        "b * S + W.T @ q * k_previous",
        "k",
    ]
    assert r"F(v) &= \tanh(W v)" in cell.latex()
    assert r"S_t &= b \odot S_{t-1} + (W^{\top} q_t) \odot k_{t-1}" in cell.latex()
    (matrix,) = (each for each in cell.parameters if each.name == "W")
    assert (matrix.shape, matrix.matrix) == (("value*key",), True)
    assert not any(isinstance(part, MatVec) for each in cell.normal.equations for part in walk(each.expression))


def test_axes_of_the_input_and_of_the_hidden_size_stay_two() -> None:
    with pytest.raises(CellError, match=r"\[sizes\] S: equation 2 makes `input` and `hidden` one number"):
        Cell.from_equations("S' = S * h\nh' = tanh(h + x)", sizes={"S": ["hidden", "input"]})


@pytest.mark.parametrize(
    ("text", "sizes", "remedy"),
    [
        ("S' = S + M", {"M": ["key", "value"]}, '`M = ["value", "key"]`'),
        ("S' = M + S", {"M": ["key", "value"]}, '`M = ["value", "key"]`'),
        ("S' = M", {"M": ["key", "value"]}, '`M = ["value", "key"]`'),
        ("S' = S\nT' = T + S'", {"T": ["key", "value"]}, '`S = ["key", "value"]`'),
        ("S' = S + M @ x", {"M": ["key", "value", "input"]}, '`M = ["value", "key", "input"]`'),
        ("S' = S + 2 * M", {"M": ["key", "value"]}, 'here ["value", "key"]'),
        ("S' = a + S\nT' = T * a", {"T": ["key", "value"]}, '`a = ["key", "value"]`'),
    ],
)
def test_axes_stand_in_one_order(text: str, sizes: Sizes, remedy: str) -> None:
    with pytest.raises(CellError, match="meets a value whose axes stand in another order") as raised:
        Cell.from_equations(text, sizes={**S, **sizes})
    assert remedy in raised.value.message


def test_names_of_other_orders_may_stand_in_one_equation_where_they_do_not_meet() -> None:
    sizes: Sizes = {"S": ["value", "key"], "M": ["key", "value"]}
    assert shapes("y = sum(M, key) + sum(S, key)\nS' = S", sizes, "y")["y"] == "value"


def test_sizes_with_axes() -> None:
    assert (axes_of("value*key"), axes_of("key"), axes_of("1")) == (("value", "key"), ("key",), ())
    assert (size_of(["value", "key"]), size_of([])) == ("value*key", "1")
    assert (has_axes("value*key"), has_axes("key"), has_axes("1")) == (True, False, False)
    assert (without("head*value*key", ["value"]), without("key", ["key"])) == ("head*key", "1")
    assert (beyond("key", "head*value*key"), beyond("1", "value*key")) == ("head*value", "value*key")
    assert shape_axes(("head*key", "input")) == ("head", "key", "input")
    numbers, spelt = Numbers(value=2, key=3), Spelt(value="V", key="K")
    assert (numbers["value*key"], spelt["value*key"]) == (6, "(V * K)")
    for table in (numbers, spelt):
        with pytest.raises(KeyError):
            table["head"]


def test_sizes_with_a_second_name_of_an_axis() -> None:
    assert (matrix_axes(("key", "key")), matrix_axes(("head*key", "key"))) == ("key*key'", "head*key*key'")
    assert (settled("head*key'"), settled("key*key'"), settled("1")) == ("head*key", "key*key'", "1")
    assert (plain("key*key'"), plain_axes("key*key'"), plain_axes("1")) == ("key*key", ("key", "key"), ())
    assert (shape_axes(("key*key'",)), in_words("key*key'")) == (("key", "key"), "key, key")
    assert twins_of(["key*key'", "head*key*key'", "key", "unit*unit'"]) == ("key'", "unit'")
    assert acted_on("head*unit", ("head*unit", "unit"), transposed=False) == "head*unit"
    assert acted_on("head*unit", ("head*out", "unit"), transposed=False) == "head*out"
    assert acted_on("head*key", ("key", "key"), transposed=True) == "head*key"
    numbers, spelt = Numbers(key=3), Spelt(key="K")
    assert (numbers["key'"], numbers["key*key'"], spelt["key'"], spelt["key*key'"]) == (3, 9, "K", "(K * K)")
    for table in (numbers, spelt):
        with pytest.raises(KeyError):
            table["head'"]


@pytest.mark.parametrize(
    ("text", "sizes", "expected"),
    [
        ("S' = A @ S", {**S, "A": ["key", "key"]}, {"A": "key key'", "S'": "value key"}),
        ("S' = A.T @ S", {**S, "A": ["key", "key"]}, {"A": "key key'", "S'": "value key"}),
        (
            "q = R @ S\nS' = S + sum(q)",
            {**S, "R": ["rank", "key", "key"]},
            {"R": "rank key key'", "q": "value rank key"},
        ),
        ("q = R @ S\nS' = q", {**S3, "R": ["head", "key", "key"]}, {"R": "head key key'", "q": "head value key"}),
        ("q = R @ S\nS' = q", {**S3, "R": ["value", "key", "key"]}, {"q": "head value key"}),
        ("q = R @ S\nS' = q", {**S3, "R": ["head", "value", "key", "key"]}, {"q": "head value key"}),
        ("q = R @ S\nS' = S + sum(q)", {**S, "R": ["value", "out", "key"]}, {"R": "value out key", "q": "value out"}),
        ("q = R @ k\nS' = R @ S + q", {**S, "R": ["value", "key", "key"], "k": "key"}, {"q": "value key"}),
        ("A = a * A_1\nk' = A @ k + A.T @ k\nS' = S", {**S, "k": "key", "A": ["key", "key"]}, {"k'": "key"}),
        ("h' = h + x\nS' = A @ S", {"S": ["value", "input"], "A": ["input", "hidden"]}, {"A": "hidden hidden'"}),
        ("S' = A @ S\nh' = h + x", {"S": ["value", "input"], "A": ["input", "hidden"]}, {"A": "hidden hidden'"}),
    ],
)
def test_a_matrix_may_have_an_axis_in_its_rows_and_in_its_columns(
    text: str, sizes: Sizes, expected: Mapping[str, str]
) -> None:
    cell = Cell.from_equations(text, sizes=sizes)
    found = {each.name: " ".join(axes_of("*".join(each.shape))) for each in cell.variables}
    assert {name: found[name] for name in expected} == dict(expected)
    assert not any("'" in size for each in cell.variables if not each.matrix for size in each.shape)


def test_a_second_name_of_an_axis_stands_only_beside_the_axis() -> None:
    cell = Cell.from_equations("q = A.T @ S\nS' = A @ S + A @ (k * q)", sizes={**S, "A": ["key", "key"], "k": "key"})
    for each in cell.normal.variables:
        assert settled(each.shape[0]) == each.shape[0]
    sums = [part for each in cell.normal.equations for part in walk(each.expression) if isinstance(part, Reduce)]
    assert [part.axis for part in sums] == ["key", "key'", "key'"]
    (matrix,) = (each for each in cell.parameters if each.name == "A")
    assert (matrix.matrix, matrix.apart) == (True, 0)


def test_matrices_for_each_unit_of_an_axis_start_one_by_one() -> None:
    cell = Cell.from_equations(
        "h' = tanh(R @ h + A @ h + Q @ h + B @ h + W @ x)",
        sizes={
            "h": ["head", "unit"],
            **{name: ["head", "unit", "unit"] for name in "RQB"},
            "A": ["unit", "unit"],
            "W": ["head", "unit", "input"],
        },
        init={"R": "orthogonal", "Q": "identity", "A": "identity", "B": "uniform"},
    )
    assert {each.name: each.apart for each in cell.parameters} == {"R": 1, "A": 0, "Q": 1, "B": 1, "W": 0}
    kernels = symrnn.build(cell, "numpy", dtype="float64")
    params = kernels.init_params(5, 1, head=3, unit=4)
    assert params["R"].shape == kernels.param_shapes(5, 1, head=3, unit=4)["R"] == (3, 4, 4)
    np.testing.assert_allclose(params["R"] @ params["R"].transpose(0, 2, 1), np.tile(np.eye(4), (3, 1, 1)), atol=1e-12)
    assert not np.allclose(params["R"][0], params["R"][1])
    np.testing.assert_array_equal(params["Q"], np.tile(np.eye(4), (3, 1, 1)))
    np.testing.assert_array_equal(params["A"], np.eye(4))
    assert 0.4 < np.abs(params["B"]).max() <= 1 / np.sqrt(4)


def test_cells_with_square_matrices_stand_on_one_another() -> None:
    cell = Cell.from_equations(
        "h' = tanh(R @ h + A @ x)",
        sizes={**{name: ["head", "unit"] for name in "hx"}, "R": ["head", "unit", "unit"], "A": ["unit", "unit"]},
        init={"R": "orthogonal"},
    )
    twice = symrnn.stack([cell, symrnn.zoneout(cell, h=0.1)])
    assert {each.name: each.shape for each in twice.parameters} == {
        "R": ("head*unit*unit'",),
        "A": ("unit*unit'",),
        "l2_R": ("head*unit*unit'",),
        "l2_A": ("unit*unit'",),
    }
    assert [each.apart for each in twice.parameters] == [1, 0, 1, 0]


def test_what_people_read_has_the_axis_as_it_is_declared() -> None:
    cell = Cell.from_equations(
        "h' = tanh(R @ h + x)", sizes={**{name: ["head", "unit"] for name in "hx"}, "R": ["head", "unit", "unit"]}
    )
    derivation = symrnn.derive(cell)
    assert "R  (head, unit, unit)" in derivation.text("equations")
    assert "unit'  as many as unit: the columns of a matrix that has unit in its rows too" in derivation.text(
        "equations"
    )
    assert "sum(h_part, unit')" in derivation.text("equations")
    assert r"\operatorname{sum}_{\mathrm{unit}'}(R \odot h_{t-1})" in derivation.document()
    assert r"R &\in \mathbb{R}^{\mathrm{head} \times \mathrm{unit} \times \mathrm{unit}}" in derivation.document()
    assert r"h_t &= \tanh(R h_{t-1} + x_t)" in cell.latex()
    plan = str(symrnn.program(cell))
    assert "unit': as many units, in the columns of a matrix that has the axis in its rows too." in plan


def memory(**more: SizeEntry) -> Cell:
    """A cell whose input and output have the same axes."""
    return Cell.from_equations(
        "S' = tanh(decay * S + x * softmax(k, key))\ny = W.T @ (W @ sum(S' * k, key)) + x",
        output="y",
        sizes={"x": ["head", "value"], "S": ["head", "value", "key"], "W": ["rank", "value"], "decay": "key", **more},
        inputs={"k": ["head", "key"]},
        init={"W": "orthogonal"},
    )


def test_cells_with_axes_stand_on_one_another() -> None:
    cell = memory()
    twice = symrnn.stack([cell, cell])
    assert {name: twice.size(name) for name in ("S", "l2_S", "k", "l2_k")} == {
        "S": "head*value*key",
        "l2_S": "head*value*l2_key",
        "k": "head*key",
        "l2_k": "head*l2_key",
    }
    assert {each.name: (each.shape, each.matrix) for each in twice.parameters if each.name.endswith("W")} == {
        "W": (("rank*value",), True),
        "l2_W": (("l2_rank*value",), True),
    }
    assert twice.init["l2_W"] == "orthogonal"
    with pytest.raises(
        CellError, match="its output `h` has size hidden, and `x` of the cell above has the axes head, value"
    ):
        symrnn.stack(["rnn", cell])
    with pytest.raises(
        CellError, match="its output `y` has the axes head, value, and `x` of the cell above has size input"
    ):
        symrnn.stack([cell, "rnn"])


def test_the_input_is_added_to_an_output_with_its_axes() -> None:
    added = symrnn.residual(memory())
    assert added.size(added.output) == "head*value"
    with pytest.raises(
        CellError, match="its output `S` has the axes head, value, key, and `x` has the axes head, value"
    ):
        symrnn.residual(
            Cell.from_equations("S' = S + x", sizes={"x": ["head", "value"], "S": ["head", "value", "key"]})
        )
    with pytest.raises(
        CellError, match="`x` has the axes head, value, and a matrix takes a vector; leave projection out"
    ):
        symrnn.residual(memory(), projection=True)
    with pytest.raises(
        CellError, match="its output `S` has the axes value, input, and `x` has size input; with projection"
    ):
        symrnn.residual(Cell.from_equations("S' = S * x", sizes={"S": ["value", "input"]}))
