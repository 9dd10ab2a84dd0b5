"""A constant as an exponent: named where the author's equations are shown, a number wherever anything is computed."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import symrnn
from symrnn.check import measure
from symrnn.check.check import check
from symrnn.cli import main
from symrnn.errors import CellError
from symrnn.language.cell import Cell
from symrnn.language.text import to_text
from symrnn.language.tree import Call, Power, walk
from symrnn.pipeline import render

pytestmark = pytest.mark.usefixtures("quick_compiler")

EQUATIONS = """
m = softplus(W @ x + U @ h + b)
q' = 0.5 * q + m**p / (1 + m**-p)
h' = tanh(q') + m**(1/p) + 0.1 * sigmoid(h)**w
"""
CONSTANTS: dict[str, str | int] = {"p": "1.7", "w": 3}
FIXED = EQUATIONS.replace("m**p", "m**1.7").replace("-p", "-1.7").replace("1/p", "1/1.7").replace("**w", "**3")


def named() -> Cell:
    return Cell.from_equations(EQUATIONS, name="powers", constants=CONSTANTS)


def fixed() -> Cell:
    return Cell.from_equations(FIXED, name="powers")


def gradients(kernels: ModuleType) -> list[Any]:
    params = kernels.init_params(3, 5, seed=1)
    random = np.random.default_rng(3)
    y, _, tape = kernels.forward(params, random.normal(size=(6, 2, 3)))
    found = kernels.backward(params, tape, random.normal(size=y.shape))
    return [y, found.x, *found.params.values()]


def test_the_check_passes() -> None:
    assert check([named()], backends=("numpy",)).passed


@pytest.mark.parametrize("backend", ["numpy", "c"])
def test_kernels_are_those_of_the_number(backend: str) -> None:
    ours, others = (gradients(symrnn.build(cell, backend)) for cell in (named(), fixed()))
    for one, other in zip(ours, others, strict=True):
        np.testing.assert_array_equal(one, other)


def test_equations_name_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "powers.toml"
    file.write_text(f'name = "powers"\nequations = """{EQUATIONS}"""\n[constants]\np = 1.7\nw = 3\n')
    assert main(["show", str(file), "--part", "equations"]) == 0
    shown = capsys.readouterr().out
    assert "(2)  q' = 0.5 * q + m**p / (1 + m**(-p))" in shown
    assert "(3)  h' = tanh(q') + m**(1 / p) + 0.1 * sigmoid(h)**w" in shown
    latex = named().latex()
    assert "m_t^{p}" in latex
    assert "m_t^{-p}" in latex
    assert "m_t^{1/p}" in latex
    assert r"\sigma^{w}(h_{t-1})" in latex


def test_the_derivation_is_that_of_the_number() -> None:
    ours, others = symrnn.derive(named()), symrnn.derive(fixed())
    expected = [(e.label, str(e.sympy)) for e in others.adjoint.equations]
    assert [(e.label, str(e.sympy)) for e in ours.adjoint.equations] == expected


def test_every_page_and_document_of_such_a_cell_is_written(tmp_path: Path) -> None:
    texts = render(named())
    assert any("m**p" in text for name, text in texts.items() if name.endswith("_numpy.py"))
    assert "m_t^{p}" in texts["powers.tex"]
    assert symrnn.picture(named())


def test_an_exponent_is_a_use_of_its_constant_and_keeps_its_name() -> None:
    cell = Cell.from_equations("h' = U @ (tanh(x)**tanh_x)", constants={"tanh_x": 2})
    assert cell.constants == {"tanh_x": "2"}
    assert "tanh_x" not in {equation.target for equation in cell.normal.equations}


@pytest.mark.parametrize(
    ("value", "message"),
    [(65, "the exponent p = 65 is too large: at most 64"), (-64.5, "the exponent p = -64.5 is too large: at most 64")],
)
def test_it_is_as_small_as_any_exponent(value: float, message: str) -> None:
    with pytest.raises(CellError) as raised:
        Cell.from_equations("h' = h**p + x", constants={"p": value})
    assert message in raised.value.message


def test_constants_are_added_and_multiplied_exactly() -> None:
    cell = Cell.from_equations("h' = (2 + sigmoid(h))**(0.1 + 2*k - k/3) + x", constants={"k": "0.3"})
    (power,) = (node for node in walk(cell.equations[0].expression) if isinstance(node, Power))
    assert power.exponent == Fraction(6, 10)
    assert to_text(power) == "(2 + sigmoid(h))**(0.1 + 2 * k - k / 3)"


VALUES = """
g = sigmoid(W @ x + U @ h + b)
q' = 0.5 * q + g**p
h' = tanh(q' * (1 + g)**(V @ h) + 2**(0.3 * h) + g**s - 1)
"""


def of_values() -> Cell:
    return Cell.from_equations(VALUES, name="powers_of_values", sizes={"s": 1}, init={"p": 0.5, "s": 2})


def test_a_power_by_a_value_is_an_exponential() -> None:
    cell = of_values()
    assert cell.by_name["p"].shape == ("hidden",)
    assert cell.by_name["s"].shape == ("1",)
    shown = [to_text(equation.expression) for equation in cell.equations]
    assert shown[1:] == ["0.5 * q + g**p", "tanh(q' * (1 + g)**(V @ h) + 2**(0.3 * h) + g**s - 1)"]
    assert "g_t^{p}" in cell.latex()
    assert not any(
        isinstance(n, Call) and n.function == "power" for e in cell.normal.equations for n in walk(e.expression)
    )


def test_the_check_of_powers_by_values_passes() -> None:
    report = check([of_values()], backends=("numpy", "c"))
    assert report.passed
    assert {row.oracle for row in report.deviations} >= {measure.COMPLEX_STEP, measure.CENTRAL, measure.EXPANSION}


def test_the_text_of_a_power_reads_back() -> None:
    for text in ("a**(b**c)", "(a**b)**c", "(-a)**(-b)", "-a**b", "W @ a**b", "a**(b + 1) * 2", "(a**2)**b"):
        (equation,) = Cell.from_equations(f"h' = {text}").equations
        assert to_text(equation.expression) == text


def test_a_base_that_is_negative_gives_no_number() -> None:
    kernels = symrnn.build(Cell.from_equations("h' = x**p"))
    y, _, _ = kernels.forward({"p": np.array([2.0, 0.5])}, np.array([[[-1.0, 4.0]]]))
    assert np.isnan(y[0, 0, 0])
    assert y[0, 0, 1] == pytest.approx(2)
