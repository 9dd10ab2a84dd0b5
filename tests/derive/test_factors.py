"""Factors of a path: their matrices, their product, their text and their LaTeX."""

from __future__ import annotations

import numpy as np
import pytest

import symrnn
from symrnn.derive.derivation import derive
from symrnn.derive.evaluate import floats
from symrnn.derive.factors import (
    Diag,
    Factor,
    Identity,
    Kron,
    Linear,
    Matrix,
    Ones,
    OnesRow,
    is_direct,
    product,
    read_by,
    to_latex,
    to_line,
)
from symrnn.language.tree import Binary, Name, Negate, integer
from symrnn.language.typeset.expressions import Notation

SHAPES = {"v": ("hidden",), "u": ("input",), "s": ("1",), "W": ("hidden", "input")}
VALUES = {
    "v": np.array([2.0, 3.0]),
    "u": np.array([5.0, 7.0, 11.0]),
    "s": np.array([4.0]),
    "W": np.arange(6.0).reshape(2, 3),
}
SIZES = {"hidden": 2, "input": 3, "1": 1}

FACTORS: tuple[tuple[Factor, object, str, str], ...] = (
    (Diag(Name("v")), np.diag([2, 3]), "diag(v)", r"\operatorname{diag}(v)"),
    (Diag(Name("s")), 4 * np.eye(2), "s", "s"),
    (Matrix("W", True), np.arange(6).reshape(2, 3).T, "W.T", r"W^{\top}"),
    (Kron(Name("u"), False, "hidden"), np.kron(np.eye(2), [5, 7, 11]), "kron(I, u.T)", r"(I \otimes u^{\top})"),
    (Kron(Name("v"), True, "input"), np.kron([2, 3], np.eye(3)), "kron(v.T, I)", r"(v^{\top} \otimes I)"),
    (
        OnesRow("hidden", True),
        [[0.5, 0.5]],
        "(ones.T / size(hidden))",
        r"\tfrac{1}{\mathrm{H}} \mathbf{1}^{\top}",
    ),
    (OnesRow("input"), [[1, 1, 1]], "ones.T", r"\mathbf{1}^{\top}"),
    (Ones("input"), [[1], [1], [1]], "ones", r"\mathbf{1}"),
    (
        Linear("cumsum", "input"),
        [[1, 0, 0], [1, 1, 0], [1, 1, 1]],
        "tril(ones)",
        r"\operatorname{tril}(\mathbf{1} \mathbf{1}^{\top})",
    ),
    (
        Linear("revcumsum", "input"),
        [[1, 1, 1], [0, 1, 1], [0, 0, 1]],
        "triu(ones)",
        r"\operatorname{triu}(\mathbf{1} \mathbf{1}^{\top})",
    ),
    (Identity("hidden"), np.eye(2), "I", "I"),
)


@pytest.mark.parametrize(("factor", "dense", "text", "latex"), FACTORS, ids=[text for _, _, text, _ in FACTORS])
def test_a_factor_has_a_matrix_a_text_and_latex(factor: Factor, dense: object, text: str, latex: str) -> None:
    np.testing.assert_array_equal(product((factor,), 2, VALUES, SIZES, floats(), {}), dense)
    assert to_line(((factor,),), "x", SHAPES) == text
    assert to_latex(((factor,),), "x", Notation({}, SHAPES)) == latex


def test_a_path_is_the_product_of_its_factors() -> None:
    term = (Diag(Name("v")), Matrix("W", False), Diag(Name("u")))
    expected = np.diag(VALUES["v"]) @ VALUES["W"] @ np.diag(VALUES["u"])
    np.testing.assert_array_equal(product(term, 3, VALUES, SIZES, floats(), {}), expected)
    assert tuple(read_by(term)) == ("v", "W", "u")
    assert not is_direct(term)
    assert is_direct((Diag(Name("v")), Identity("hidden")))


def test_signs_stand_between_paths() -> None:
    terms = ((Diag(Negate(Name("v"))),), (Diag(Negate(integer(1))), Matrix("W", False)), (Diag(Name("v")),))
    assert to_line(terms, "x", SHAPES) == "-diag(v) - W + diag(v)"
    assert to_line((), "x", SHAPES) == "0"


def test_a_scalar_sum_has_parentheses() -> None:
    term = (Diag(Binary("+", Name("s"), integer(1))), Matrix("W", False))
    assert to_line((term,), "x", SHAPES) == "(s + 1) @ W"


def test_numbers_on_a_path_through_a_reduction_are_one_factor() -> None:
    cell = symrnn.Cell.from_equations("h' = x * h / sqrt(mean(h**2) + 1)")
    assert derive(cell).jacobian("h", "h").text() == (
        "J[h', h] = diag(x / sqrt_h) - diag(x * h / sqrt_h**3) @ ones @ (ones.T / size(hidden)) @ diag(h)"
    )
    centred = symrnn.Cell.from_equations("h' = W @ x + h - mean(h)")
    assert derive(centred).jacobian("h", "h").text() == "J[h', h] = I - ones @ (ones.T / size(hidden))"
