"""Functions of a cell's own: their values, the derivatives that they are given, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import numpy as np
import pytest

import symrnn
from symrnn.check import measure
from symrnn.check.cases import EVERY, Case
from symrnn.check.check import check
from symrnn.check.kernels import TangentKernels
from symrnn.check.suite import run_suite
from symrnn.derive.proof import prove
from symrnn.errors import CellError
from symrnn.language.cell import Cell
from symrnn.language.functions import FUNCTIONS
from symrnn.language.text import to_text
from symrnn.pipeline import render

pytestmark = pytest.mark.usefixtures("quick_compiler")

SPIKE: dict[str, Any] = {"value": "step(a)", "derivative": "1 / (1 + k * abs(a))**2"}
MIX: dict[str, Any] = {"value": "round(tanh(a)) * b", "derivative": ["b * exp(-a**2)", "tanh(a)"]}
SPIKING = """
v' = beta * v * (1 - s) + W @ x + U @ s
s' = spike(v' - 1)
h' = 0.9 * h + P @ s' + 0.1 * mix(h, s')
"""
FILE = f'''
name = "spiking"
equations = """{SPIKING}"""

[constants]
beta = 0.9
k = 25

[functions.spike]
value = "step(a)"
derivative = "1 / (1 + k * abs(a))**2"

[functions.mix]
value = "round(tanh(a)) * b"
derivative = ["b * exp(-a**2)", "tanh(a)"]
'''


def spiking(**changed: Any) -> Cell:
    given: dict[str, Any] = {"constants": {"beta": "0.9", "k": 25}, "functions": {"spike": SPIKE, "mix": MIX}}
    return Cell.from_equations(SPIKING, name="spiking", **(given | changed))


def complaint(functions: object, text: str = "h' = spike(x)", **declared: Any) -> str:
    with pytest.raises(CellError) as raised:
        Cell.from_equations(text, functions=cast(Any, functions), **declared)
    return raised.value.message


def test_a_file_and_arguments_make_the_same_cell(tmp_path: Path) -> None:
    path = tmp_path / "spiking.toml"
    path.write_text(FILE)
    cell = symrnn.load(path)
    assert cell.equations == spiking().equations
    assert cell.normal == spiking().normal
    assert cell.functions == spiking().functions


def test_equations_show_the_call_and_listings_the_function() -> None:
    cell = spiking()
    assert [to_text(equation.expression) for equation in cell.equations[1:]] == [
        "spike(v' - 1)",
        "0.9 * h + P @ s' + 0.1 * mix(h, s')",
    ]
    assert r"\operatorname{spike}(v_t - 1)" in cell.latex()
    line = "spike(a) = step(a), with the derivative 1 / (1 + k * abs(a))**2"
    texts = render(cell)
    for name in ("spiking_numpy.py", "spiking.h"):
        assert line in texts[name]
    assert "with the derivatives b * exp(-a**2) and tanh(a)" in texts["spiking_numpy.py"]
    assert r"Gradients take for its derivatives $b \odot \exp(-a^{2})$ and $\tanh(a)$." in texts["spiking.tex"]


def test_its_operand_is_computed_once() -> None:
    cell = Cell.from_equations(
        "s' = spike(W @ x + U @ s)", functions={"spike": {"value": "step(a)", "derivative": "abs(a)"}}
    )
    texts = [to_text(equation.expression) for equation in cell.normal.equations]
    assert texts == ["W @ x + U @ s", "step(s_pre)", "abs(s_pre)", "spike(s_pre)"]


def test_the_table_of_functions_stays_as_it_is() -> None:
    before = dict(FUNCTIONS)
    spiking()
    assert before == FUNCTIONS
    assert "there is no function `spike`" in complaint(None)


def test_two_cells_may_mean_different_functions_by_one_name() -> None:
    one = {"f": {"value": "a", "derivative": "1"}}
    other = {"f": {"value": "2 * a", "derivative": "3"}}
    cells = [Cell.from_equations("h' = f(x) + 0 * h", functions=functions) for functions in (one, other)]
    x = np.full((1, 1, 2), 0.5)
    found = []
    for cell in cells:
        kernels = symrnn.build(cell)
        y, _, tape = kernels.forward({}, x)
        found.append((y.ravel()[0], kernels.backward({}, tape, np.ones_like(y)).x.ravel()[0]))
    assert found == [(0.5, 1), (1, 3)]
    assert cells[0].digest != cells[1].digest


@pytest.mark.parametrize("backend", ["numpy", "c"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_gradients_use_the_derivative_that_is_declared(backend: str, dtype: str) -> None:
    cell = Cell.from_equations(
        "s' = spike(W @ x - 1)", functions={"spike": {"value": "step(a)", "derivative": "1 / (1 + 25 * abs(a))**2"}}
    )
    kernels = symrnn.build(cell, backend=backend)
    weights = {"W": np.array([[0.5, -1.0], [1.5, 0.25], [1.0, 0.0]], dtype)}
    x = np.array([[[1.0, 0.5]]], dtype)
    y, _, tape = kernels.forward(weights, x)
    a = weights["W"] @ x[0, 0] - 1
    np.testing.assert_array_equal(y[0, 0], [0, 1, 1])
    found = kernels.backward(weights, tape, np.ones_like(y))
    slope = 1 / (1 + 25 * np.abs(a)) ** 2
    np.testing.assert_allclose(found.params["W"], np.outer(slope, x[0, 0]), rtol=1e-6)
    np.testing.assert_allclose(found.x[0, 0], weights["W"].T @ slope, rtol=1e-6)


def test_every_oracle_agrees_and_central_differences_are_left_out() -> None:
    report = check([spiking()], backends=("numpy", "c"))
    assert report.passed, report.table()
    assert {row.oracle for row in report.deviations} >= {
        measure.INTERPRETER,
        measure.COMPLEX_STEP,
        measure.ADJOINT,
        measure.EXPANSION,
        measure.BACKENDS,
    }
    assert measure.CENTRAL not in {row.oracle for row in report.deviations}
    (left,) = (each for each in report.not_run if each.what == measure.CENTRAL)
    assert "spike" in left.reason


def test_algebra_proves_the_gradients() -> None:
    proof = prove(spiking())
    assert proof.ok
    assert proof.symbolic > 0


def test_a_gradient_by_another_derivative_is_caught() -> None:
    """The oracles know the declared derivative: kernels that use the true one of a smooth value fail."""
    declared = Cell.from_equations(
        "h' = f(W @ x + U @ h)", functions={"f": {"value": "tanh(a)", "derivative": "exp(-a * a)"}}
    )
    kernels = symrnn.build(declared)
    true = symrnn.build(Cell.from_equations("h' = tanh(W @ x + U @ h)"))
    wrong = ModuleType("wrong")
    wrong.__dict__.update(kernels.__dict__)

    def backward(params: Any, tape: Any, *rest: Any, **options: Any) -> Any:
        states = {"h": tape.states["h"][0]}
        _, _, other = true.forward(params, wrong.__dict__["last"], states)
        return true.backward(params, other, *rest, **options)

    def forward(params: Any, x: Any, *rest: Any, **options: Any) -> Any:
        wrong.__dict__["last"] = x
        return kernels.forward(params, x, *rest, **options)

    wrong.__dict__.update(forward=forward, backward=backward)
    modules = {"numpy": cast(TangentKernels, wrong)}
    cases = [Case(3, 2, 2, 3, EVERY)]
    missed = {
        row.oracle for row in run_suite(declared, cast(TangentKernels, kernels), modules, cases) if not row.passed
    }
    assert {measure.COMPLEX_STEP, measure.ADJOINT} <= missed


def test_a_straight_through_estimator_and_calls_in_calls() -> None:
    cell = Cell.from_equations(
        "q = through(W @ x + through(2 * h))\nh' = tanh(q)",
        functions={"through": {"value": "round(a)", "derivative": "1"}},
    )
    report = check([cell], backends=("numpy",))
    assert report.passed, report.table()


def test_definitions_call_it_and_hold_choices_and_powers() -> None:
    cell = Cell.from_equations(
        "v' = F(h, W) + where(v > 0, v, 2 * v)\nh' = spike(F(v', U)) * 0.5 + F(h, W)**p",
        define={"F(a, M)": "sigmoid(M @ a + spike(2 * a))"},
        functions={"spike": {"value": "round(a)", "derivative": "1 / (1 + abs(a))"}},
    )
    assert [to_text(equation.expression) for equation in cell.equations] == [
        "sigmoid(W @ h + spike(2 * h))",
        "F_h_W + where(v > 0, v, 2 * v)",
        "sigmoid(U @ v' + spike(2 * v'))",
        "spike(F_v_U) * 0.5 + F_h_W**p",
    ]
    assert r"F(a, M) &= \sigma(M a + \operatorname{spike}(2\, a))" in cell.latex()
    assert check([cell], backends=("numpy",)).passed


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ("spike(v)", "[define] spike(v): `spike` is a function of the cell's own; give the definition another name"),
        ("power(v)", "[define] power(v): `power` is a name that the language uses; give the definition another name"),
        ("where(v)", "[define] where(v): `where` is a function of the language"),
    ],
)
def test_names_of_definitions(head: str, message: str) -> None:
    assert message in complaint({"spike": GOOD}, "h' = spike(x)", define={head: "tanh(v)"})


GOOD = {"value": "step(a)", "derivative": "1"}
WRONG: tuple[tuple[object, str], ...] = (
    (3, "functions: expected a mapping of names to functions, found 3"),
    ({3: GOOD}, "[functions]: expected names, which are strings, found the key 3"),
    ({"spike": "step(a)"}, "[functions.spike]: expected `value` and `derivative`, found 'step(a)'"),
    ({"spike": {"value": "a"}}, "[functions.spike]: `derivative` is missing"),
    ({"spike": {"derivative": "a"}}, "[functions.spike]: `value` is missing"),
    (
        {"spike": {**GOOD, "slope": "1"}},
        "[functions.spike] slope: a function has `value` and `derivative`, and nothing else",
    ),
    ({"spike": {**GOOD, "value": 1}}, "[functions.spike] value: expected a formula, a string, found 1"),
    (
        {"spike": {**GOOD, "derivative": 1}},
        "[functions.spike] derivative: expected a formula, a string, or a list of two",
    ),
    ({"spike": {**GOOD, "derivative": []}}, "or a list of two for a function of `a` and `b`, found []"),
    ({"spike": {**GOOD, "derivative": ["1", "1", "1"]}}, "or a list of two for a function of `a` and `b`, found ['1'"),
    ({"spike": {**GOOD, "value": ""}}, "[functions.spike] value: expected a formula on one line, found ''"),
    ({"spike": {**GOOD, "value": "a\nb"}}, "[functions.spike] value: expected a formula on one line"),
    ({"spike": {**GOOD, "value": "step(a"}}, "[functions.spike] value: this parenthesis is never closed"),
    (
        {"spike": {**GOOD, "value": "stepp(a)"}},
        "[functions.spike] value: there is no function `stepp`; did you mean `step`?",
    ),
    ({"spike": {**GOOD, "value": "a < 1"}}, "a comparison is the condition of `where`"),
    (
        {"spike": {**GOOD, "value": "a - theta"}},
        "value: `theta` is not known here; a function reads `a` and the cell's constants",
    ),
    ({"spike": {**GOOD, "value": "a * b"}}, "for a function of `a` and `b`, `derivative` is a list of two"),
    ({"spike": {**GOOD, "derivative": "h"}}, "[functions.spike] derivative: `h` is not known here"),
    ({"spike": {**GOOD, "value": "W @ a"}}, "value: `@` stands in equations; a function works unit by unit"),
    ({"spike": {**GOOD, "value": "a - mean(a)"}}, "value: `mean` stands in equations; a function works unit by unit"),
    ({"spike": {**GOOD, "value": "1"}}, "value: it does not read `a`"),
    ({"spike": {"value": "a", "derivative": ["1", "1"]}}, "value: it does not read `b`"),
    ({"spike": {**GOOD, "value": "spike(a)"}}, "value: it calls itself; write it with functions of the language"),
    ({"spike": {**GOOD, "derivative": "f(a)"}, "f": GOOD}, "derivative: it calls `f`, which is the cell's own too"),
    ({"spike": GOOD, "tanh": GOOD}, "[functions]: `tanh` is a function of the language"),
    ({"spike": GOOD, "sum": GOOD}, "[functions]: `sum` is a function of the language"),
    ({"spike": GOOD, "x": GOOD}, "[functions]: `x` is an input"),
    ({"spike": GOOD, "while": GOOD}, "[functions]: `while` is a word of Python"),
    ({"spike": GOOD, "k": GOOD}, "[functions]: `k` is a constant; one of the two needs another name"),
    ({"spike": GOOD, "f": GOOD}, "[functions] f: the equations never call it; use it or remove it"),
)


@pytest.mark.parametrize(("functions", "message"), WRONG, ids=[message[:60] for _, message in WRONG])
def test_what_is_wrong_is_named(functions: object, message: str) -> None:
    assert message in complaint(functions, "h' = k * spike(x)", constants={"k": 1})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("h' = spike(x, h)", "`spike` takes 1 argument, found 2"),
        ("h' = mix(x)", "`mix` takes 2 arguments, found 1"),
        ("h' = spike + x", "`spike` is a function: its argument follows in parentheses"),
        ("spike = x\nh' = spike", "`spike` is a function of the cell's own; use another name"),
        ("h' = spike @ x", "`spike` is a function of the cell's own; left of `@` stands a matrix"),
        ("h' = spikes(x)", "there is no function `spikes`; did you mean `spike`?"),
        ("h' = " + "spike(" * 9 + "x" + ")" * 9, "is too large; name its arguments"),
    ],
)
def test_wrong_calls(text: str, message: str) -> None:
    functions: Mapping[str, Any] = {
        "spike": {**GOOD, "value": "a * step(a) + a"},
        "mix": {"value": "a * b", "derivative": ["b", "a"]},
    }
    assert message in complaint(functions, text)
