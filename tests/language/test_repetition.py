"""Repeats: a pass is an equation of its own, parameters have an index, and the first pass reads the start itself."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

import symrnn
from symrnn.language.cell import Cell
from symrnn.language.indexed import Term, split, with_index
from symrnn.language.origin import Origin
from symrnn.language.scanner import scan
from symrnn.language.text import to_text


def lines(
    text: str, constants: Mapping[str, float] | None = None, define: Mapping[str, str] | None = None
) -> list[str]:
    cell = Cell.from_equations(text, constants=constants, define=define)
    return [f"({each.label}) {each.target} = {to_text(each.expression)}" for each in cell.equations]


def test_each_pass_is_an_equation_with_the_number_of_the_authors() -> None:
    assert lines("s = h\nrepeat 3: s = tanh(U @ s + W @ x)\nh' = s") == [
        "(2.1.1) W_x = W @ x",
        "(2.1) s_1 = tanh(U @ h + W_x)",
        "(2.2) s_2 = tanh(U @ s_1 + W_x)",
        "(2.3) s_3 = tanh(U @ s_2 + W_x)",
        "(3) h' = s_3",
    ]


def test_a_start_that_is_computed_is_an_equation() -> None:
    assert lines("s = W @ x\nrepeat 2: s = tanh(s + h)\nh' = s") == [
        "(1) s = W @ x",
        "(2.1) s_1 = tanh(s + h)",
        "(2.2) s_2 = tanh(s_1 + h)",
        "(3) h' = s_2",
    ]


def test_passes_have_parameters_constants_and_numbers_of_their_own() -> None:
    text = "s = h\nrepeat k = 2..n:\n  s = c[k] * tanh(A[k].T @ s + b[k + 1] / k)\nh' = s + W @ x"
    assert lines(text, {"n": 3, "c_2": 0.5, "c_3": 0.25}) == [
        "(2.2) s_2 = c_2 * tanh(A_2.T @ h + b_3 / 2)",
        "(2.3) s_3 = c_3 * tanh(A_3.T @ s_2 + b_4 / 3)",
        "(3) h' = s_3 + W @ x",
    ]


def test_equations_may_be_for_some_passes_alone() -> None:
    text = """
    m = x
    n = h
    repeat k = 1..4:
        m = sigmoid(Q[k] @ n) * m   for odd k    # of the input
        n = sigmoid(R[k] @ m) * n   for even k
    h' = tanh(W @ m + U @ n)
    """
    assert lines(text) == [
        "(3.1) m_1 = sigmoid(Q_1 @ h) * x",
        "(4.2) n_2 = sigmoid(R_2 @ m_1) * h",
        "(3.3) m_3 = sigmoid(Q_3 @ n_2) * m_1",
        "(4.4) n_4 = sigmoid(R_4 @ m_3) * n_2",
        "(5) h' = tanh(W @ m_3 + U @ n_4)",
    ]


@pytest.mark.parametrize(
    ("guard", "passes"),
    [
        ("odd k", (1, 3, 5)),
        ("even k", (2, 4)),
        ("k = 3", (3,)),
        ("k < 3", (1, 2)),
        ("k <= 3", (1, 2, 3)),
        ("k > 3", (4, 5)),
        ("k>=n", (3, 4, 5)),
    ],
)
def test_guards(guard: str, passes: tuple[int, ...]) -> None:
    text = f"s = h\nrepeat k = 1..5: s = s * k for {guard}\nh' = s + 0 * n"
    assert [line.split(")")[0] for line in lines(text, {"n": 3})[:-1]] == [f"(2.{number}" for number in passes]


def test_what_an_author_writes_as_one_line_can_be_a_block() -> None:
    block = "s = h\nrepeat 2:\n\n    # a comment\n    m = tanh(\n  s)\n    s = m + x\nh' = s"
    assert lines(block) == [
        "(2.1) m_1 = tanh(h)",
        "(3.1) s_1 = m_1 + x",
        "(2.2) m_2 = tanh(s_1)",
        "(3.2) s_2 = m_2 + x",
        "(4) h' = s_2",
    ]
    tabs = block.replace("    ", "\t")
    assert lines(tabs) == lines(block)


def test_repeats_nest() -> None:
    text = "s = h\nrepeat j = 1..2:\n  s = A[j] @ s\n  repeat k = 0..1:\n    s = tanh(B[j, k] @ s)\nh' = s"
    assert lines(text) == [
        "(2.1) s_1 = A_1 @ h",
        "(3.1.0) s_1_0 = tanh(B_1_0 @ s_1)",
        "(3.1.1) s_1_1 = tanh(B_1_1 @ s_1_0)",
        "(2.2) s_2 = A_2 @ s_1_1",
        "(3.2.0) s_2_0 = tanh(B_2_0 @ s_2)",
        "(3.2.1) s_2_1 = tanh(B_2_1 @ s_2_0)",
        "(4) h' = s_2_1",
    ]
    assert lines("s = h\nrepeat 2: repeat 2: s = tanh(s)\nh' = s")[-2] == "(2.2.2) s_2_2 = tanh(s_2_1)"


def test_a_repeat_may_follow_another() -> None:
    text = "s = h\nrepeat 2: s = tanh(s)\nrepeat 2: s = A @ s\nh' = s"
    assert [line.split()[1] for line in lines(text)] == ["s_1", "s_2", "s_1_2", "s_2_2", "h'"]


def test_names_that_are_made_avoid_those_of_the_author() -> None:
    assert lines("s_1 = 2 * x\ns = h\nrepeat 2: s = s * s_1\nh' = s") == [
        "(1) s_1 = 2 * x",
        "(3.1) s_1_2 = h * s_1",
        "(3.2) s_2 = s_1_2 * s_1",
        "(4) h' = s_2",
    ]


def test_what_only_the_last_pass_would_need_is_left_out() -> None:
    text = "m = x\nn = h\nrepeat 2:\n  m = tanh(n) * m\n  n = tanh(m) * n\nh' = m"
    assert [line.split()[0] for line in lines(text)] == ["(3.1)", "(4.1)", "(3.2)", "(5)"]


def test_a_value_of_a_pass_may_be_read_in_the_next() -> None:
    text = "d = x\ns = h\nrepeat 2:\n  s = s + d\n  d = tanh(s)\nh' = s"
    assert lines(text)[:3] == ["(3.1) s_1 = h + x", "(4.1) d_1 = tanh(s_1)", "(3.2) s_2 = s_1 + d_1"]


def test_calls_of_a_definition_see_the_value_of_the_pass() -> None:
    text = "s = h\nrepeat 2: s = s + dt * f(s) * f(s)\nh' = s"
    assert lines(text, {"dt": 0.1}, {"f(v)": "tanh(U @ v) + s"}) == [
        "(2.1.1) f_h = tanh(U @ h) + h",
        "(2.1) s_1 = h + dt * f_h * f_h",
        "(2.2.1) f_s_1 = tanh(U @ s_1) + s_1",
        "(2.2) s_2 = s_1 + dt * f_s_1 * f_s_1",
        "(3) h' = s_2",
    ]
    indexed = lines("s = h\nrepeat k = 1..2: s = f(s, k)\nh' = s", define={"f(v, k)": "tanh(R[k] @ v)"})
    assert indexed[1] == "(2.2) s_2 = tanh(R_2 @ s_1)"


def test_repeat_is_a_name_where_it_is_assigned() -> None:
    assert lines("repeat = tanh(x)\nh' = repeat * h") == ["(1) repeat = tanh(x)", "(2) h' = repeat * h"]
    assert lines("repeat' = tanh(x)\nh' = repeat * h")[0] == "(1) repeat' = tanh(x)"


def test_equations_know_the_repeats_around_them() -> None:
    first, second, third = scan("repeat k = 1..3:\n  repeat 2: s = x for odd k\n  m = s\nh' = m", Origin())
    assert [str(head) for head in first.heads] == ["repeat k = 1..3:", "repeat 2:"]
    assert (str(first.guard), first.text, first.line, first.indent) == ("for odd k", "s = x", 2, 12)
    assert [str(head) for head in second.heads] == ["repeat k = 1..3:"]
    assert third.heads == ()


def test_an_index_reads_back() -> None:
    terms = (Term("k", 0), Term("j", 2), Term("j", -1), Term("", 3))
    assert with_index("R", terms) == "R[k,j+2,j-1,3]"
    assert split(with_index("R", terms)) == ("R", terms)


def test_a_bound_is_a_use_of_a_constant() -> None:
    cell = Cell.from_equations("s = h\nrepeat n: s = tanh(W @ x + s)\nh' = s", constants={"n": 2})
    kernels = symrnn.build(cell, backend="numpy")
    params = kernels.init_params(2, 3, dtype="float64")
    x, h = np.full((1, 1, 2), 0.5), np.full((1, 3), 0.25)
    y, _ = kernels.infer(params, x, {"h": h})
    u = x[0] @ params["W"].T
    np.testing.assert_allclose(y[0], np.tanh(u + np.tanh(u + h)), rtol=0, atol=1e-15)


def test_a_call_with_the_same_arguments_is_another_value_where_its_body_reads_the_pass() -> None:
    assert lines("s = h\nrepeat 2: s = f(x) * f(x)\nh' = s", define={"f(v)": "v + s"}) == [
        "(2.1.1) f_x = x + h",
        "(2.1) s_1 = f_x * f_x",
        "(2.2.1) f_x_2 = x + s_1",
        "(2.2) s_2 = f_x_2 * f_x_2",
        "(3) h' = s_2",
    ]
