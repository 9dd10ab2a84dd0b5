"""Definitions: a call is what its body says, by trees, and equal calls are one value."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

import symrnn
from symrnn.language.cell import Cell
from symrnn.language.cellfile import read_cell
from symrnn.language.text import to_text
from symrnn.language.tree import Expression, Name, transform


def lines(cell: Cell) -> list[str]:
    return [f"({each.label}) {each.target} = {to_text(each.expression)}" for each in cell.equations]


def defined(text: str, constants: Mapping[str, float] | None = None, **define: str) -> list[str]:
    """The equations of a cell; ``F_v`` stands for ``F(v)``."""
    heads = {f"{key.partition('_')[0]}({', '.join(key.split('_')[1:])})": body for key, body in define.items()}
    return lines(Cell.from_equations(text, define=heads, constants=constants))


def test_an_lstm_of_one_gate_is_the_lstm() -> None:
    cell = Cell.from_equations(
        """
        i = sigmoid(gate(W_xi, W_hi, b_i))
        f = sigmoid(gate(W_xf, W_hf, b_f))
        o = sigmoid(gate(W_xo, W_ho, b_o))
        g = tanh(gate(W_xg, W_hg, b_g))
        c' = f * c + i * g
        h' = o * tanh(c')
        """,
        define={"gate(W, U, b)": "W @ x + U @ h + b"},
    )
    lstm = symrnn.load("lstm")
    assert cell.equations == lstm.equations
    assert cell.normal == lstm.normal
    assert cell.variables == lstm.variables
    assert cell.define == {"gate(W, U, b)": "W @ x + U @ h + b"}


def test_a_cell_without_them_is_as_it_was() -> None:
    lstm = symrnn.load("lstm")
    assert (lstm.define, lstm.written) == ({}, ())
    assert [each.label for each in lstm.equations] == ["1", "2", "3", "4", "5", "6"]


def test_a_call_that_stands_once_is_written_out() -> None:
    assert defined("h' = tanh(F(h) + W @ x)", F_v="U @ v + b") == ["(1) h' = tanh(U @ h + b + W @ x)"]


def test_equal_calls_are_one_value() -> None:
    assert defined("z = F(h) * x\nh' = z + F(h) * F(x)", F_v="tanh(v) + v") == [
        "(1.1) F_h = tanh(h) + h",
        "(1) z = F_h * x",
        "(2) h' = z + F_h * (tanh(x) + x)",
    ]


def test_an_intermediate_that_is_a_call_gives_it_its_name() -> None:
    assert defined("k = F(h)\nh' = k * F(h)", F_v="tanh(U @ v)") == ["(1) k = tanh(U @ h)", "(2) h' = k * k"]


def test_a_state_or_a_name_of_another_size_gives_no_name() -> None:
    assert defined("c' = F(h)\nh' = F(h) + x", F_v="tanh(v)") == [
        "(1.1) F_h = tanh(h)",
        "(1) c' = F_h",
        "(2) h' = F_h + x",
    ]
    cell = Cell.from_equations("k = F(h)\nh' = W @ k + F(h) * x", define={"F(v)": "mean(v)"}, sizes={"k": "inner"})
    assert lines(cell) == ["(1.1) F_h = mean(h)", "(1) k = F_h", "(2) h' = W @ k + F_h * x"]


def test_calls_within_calls_are_values_too() -> None:
    found = defined("h' = F(F(h)) + x", F_v="v * tanh(v)")
    assert found == ["(1.1) F_h = h * tanh(h)", "(1) h' = F_h * tanh(F_h) + x"]


def test_definitions_call_each_other_in_any_order() -> None:
    assert defined("h' = F(h, x)", F_a_b="G(a) + G(b) / 2", G_v="tanh(v)") == ["(1) h' = tanh(h) + tanh(x) / 2"]


def test_the_free_names_of_a_body_are_those_of_the_cell() -> None:
    # The `b` of F is the cell's, though G has an argument of that name.
    assert defined("h' = G(x) + b", F_v="v * b", G_b="F(b) - b") == ["(1) h' = x * b - x + b"]


def test_an_argument_hides_a_name_of_the_cell() -> None:
    assert defined("h' = F(x, h) + h", F_h_x="h - x") == ["(1) h' = x - h + h"]
    assert defined("h' = F(x) + k * h", {"k": 2.0}, F_k="k * k") == ["(1) h' = x * x + k * h"]


def test_a_product_stays_one() -> None:
    assert defined("h' = F(h + x) * 2", F_v="v - 1") == ["(1) h' = (h + x - 1) * 2"]
    assert defined("h' = W @ F(x)", F_v="A @ v") == ["(1) h' = W @ A @ x"]
    assert defined("h' = F(x)**2", F_v="-v") == ["(1) h' = (-x)**2"]


def test_matrices_their_transposes_and_indices_are_arguments() -> None:
    assert defined("h' = F(U, h) + F(V, x)", F_W_v="W.T @ v") == ["(1) h' = U.T @ h + V.T @ x"]
    assert defined("h' = F(h, 2) + F(x, 3)", F_v_k="A[k] @ v + b[k, 0]") == [
        "(1) h' = A_2 @ h + b_2_0 + (A_3 @ x + b_3_0)"
    ]
    assert defined("h' = F(R, 1) + x", F_A_k="A[k] @ h") == ["(1) h' = R_1 @ h + x"]
    assert defined("h' = F(2) * h", {"a_2": 0.5}, F_k="a[k]") == ["(1) h' = a_2 * h"]


def test_a_form_that_stands_once_in_a_body_is_computed_once() -> None:
    found = defined("z = F(h)\nh' = z * F(z)", F_v="tanh(W @ x + U @ v)")
    assert found == [
        "(1.1) W_x = W @ x",
        "(1) z = tanh(W_x + U @ h)",
        "(2) h' = z * tanh(W_x + U @ z)",
    ]
    # What an author writes twice stays twice, as in any cell: also in two texts, in the same column.
    assert defined("h' = W @ x * F(h)", F_v="v  + W @ x") == ["(1) h' = W @ x * (h + W @ x)"]
    assert defined("h' = F(W @ x) + W @ x", F_v="tanh(v)") == ["(1) h' = tanh(W @ x) + W @ x"]


def test_names_that_are_made_avoid_those_of_the_author() -> None:
    found = defined("F_h = 2 * x\nh' = F(h) * F(h) + F_h", F_v="tanh(U @ v)")
    assert found[1:] == ["(2.1) F_h_2 = tanh(U @ h)", "(2) h' = F_h_2 * F_h_2 + F_h"]
    long = "a" * 63
    found = defined(f"{long} = x\nh' = F({long}) * F({long})", F_v="tanh(v)")
    assert found[1].startswith(f"(2.1) F_{'a' * 56} = ")


def test_a_body_may_have_several_lines_and_comments() -> None:
    cell = read_cell(
        'name = "a"\nequations = "h\' = F(h)"\n[define]\n"F( v )" = """\n  tanh(W @ x   # of the input\n+ v)\n- v"""\n',
        "a.toml",
    )
    assert lines(cell) == ["(1) h' = tanh(W @ x + h) - h"]


def test_a_digest_depends_on_definitions() -> None:
    digests = [Cell.from_equations("h' = F(h)", define={"F(v)": body}).digest for body in ("tanh(v)", "sigmoid(v)")]
    assert digests[0] != digests[1]


def test_sizes_follow_a_call() -> None:
    cell = Cell.from_equations("z = F(W, x)\nh' = F(U, z)", define={"F(A, v)": "tanh(A @ v)"}, sizes={"z": "inner"})
    assert {each.name: each.shape for each in cell.parameters} == {"W": ("inner", "input"), "U": ("hidden", "inner")}


LEAVES = st.sampled_from(["v", "w", "a", "h", "1.5"])
PAIRS = st.recursive(
    LEAVES,
    lambda parts: st.one_of(
        st.builds("({} + {})".format, parts, parts),
        st.builds("({} * {})".format, parts, parts),
        st.builds("tanh({})".format, parts),
        st.builds("F{}({}, {})".format, st.integers(0, 2), parts, parts),
    ),
    max_leaves=6,
)


def naive(text: str, bodies: Mapping[str, str]) -> str:
    """The text of a right side with all calls written out, the plain way: by text, with parentheses around everything."""
    at = text.find("F")
    if at < 0:
        return text
    depth, comma, end = 0, 0, at
    for end in range(at + 2, len(text)):
        depth += (text[end] == "(") - (text[end] == ")")
        if text[end] == "," and depth == 1:
            comma = end
        if depth == 0:
            break
    first = naive(text[at + 3 : comma], bodies)
    second = naive(text[comma + 1 : end], bodies)
    body = bodies[text[at : at + 2]]
    inside = "".join({"v": f"({first})", "w": f"({second})"}.get(letter, letter) for letter in body)
    return f"{text[:at]}({naive(inside, bodies)}){naive(text[end + 1 :], bodies)}"


@given(PAIRS, st.lists(PAIRS, min_size=3, max_size=3))
def test_any_call_is_what_its_body_says(whole: str, bodies: list[str]) -> None:
    # A body calls those before it alone.
    kept = {
        f"F{n}": body if all(f"F{k}" not in body for k in range(n, 3)) else "(v + w)" for n, body in enumerate(bodies)
    }
    kept = {name: f"({body} + v * w)" for name, body in kept.items()}
    used = {f"{name}(v, w)": body for name, body in kept.items()}
    right = whole.replace("v", "x").replace("w", "b") + " + F0(h, x) + F1(h, x) + F2(h, b)"
    cell = Cell.from_equations(f"h' = {right}", define=used)
    expected = Cell.from_equations(f"h' = {naive(right, kept)}").equations[0].expression
    assert written_back(cell) == expected


def written_back(cell: Cell) -> Expression:
    """The last right side, with what has a name written where that stands."""
    known = {each.target: each.expression for each in cell.equations}

    def back(node: Expression) -> Expression:
        return transform(known[node.name], back) if isinstance(node, Name) and node.name in known else node

    return transform(cell.equations[-1].expression, back)
