"""Normalisation: the form that later packages rely on, and values that are those of the author's equations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symrnn.check.interpreter import interpret
from symrnn.language.axes import shape_axes
from symrnn.language.bundled import cells
from symrnn.language.cell import Cell
from symrnn.language.cellfile import load
from symrnn.language.functions import FUNCTIONS
from symrnn.language.normalise import expression_size, has_form, normalise
from symrnn.language.size_tables import SizeEntry
from symrnn.language.system import ONE, Role
from symrnn.language.text import to_text
from symrnn.language.tree import Binary, Call, Constant, MatVec, Name, Number, Power, Reduce, names, walk
from tests.families import PREPARING


def lines(cell: Cell) -> list[str]:
    return [f"{e.label}: {e.target} = {to_text(e.expression)}" for e in cell.normal.equations]


@pytest.mark.parametrize(
    ("text", "sizes", "expected"),
    [
        ("h' = tanh(W @ x + U @ h + b)", {}, ["1: h' = tanh(W @ x + U @ h + b)"]),
        ("h' = U @ (x * h)", {}, ["1a: x_h = x * h", "1: h' = U @ x_h"]),
        ("h' = r * U @ h", {}, ["1a: U_h = U @ h", "1: h' = r * U_h"]),
        ("h' = 2 * U @ h - U @ h / 3", {}, ["1: h' = 2 * U @ h - U @ h / 3"]),
        ("h' = 2 / (U @ h)", {}, ["1a: U_h = U @ h", "1: h' = 2 / U_h"]),
        ("h' = (U @ h + b)**2", {}, ["1a: h_part = U @ h + b", "1: h' = h_part**2"]),
        ("h' = U.T @ V @ h", {}, ["1a: V_h = V @ h", "1: h' = U.T @ V_h"]),
        ("h' = b + tanh(x) * tanh(x)", {}, ["1a: tanh_x = tanh(x)", "1: h' = b + tanh_x * tanh_x"]),
        ("h' = silu(U @ h)", {}, ["1a: h_pre = U @ h", "1: h' = silu(h_pre)"]),
        ("h' = tanh(silu(h))", {}, ["1a: silu_h = silu(h)", "1: h' = tanh(silu_h)"]),
        ("h' = U @ b + V @ b", {}, ["1a: b_row = b", "1: h' = U @ b_row + V @ b_row"]),
        ("h' = mean(U @ h)", {}, ["1a: U_h = U @ h", "1b: mean_U_h = mean(U_h)", "1: h' = mean_U_h"]),
        ("s = mean(h)\nh' = s * h", {}, ["1: s = mean(h)", "2: h' = s * h"]),
        ("h' = h - mean(h) + mean(h)", {}, ["1a: mean_h = mean(h)", "1: h' = h - mean_h + mean_h"]),
        ("a = tanh(x)\nh' = tanh(x) + a", {}, ["1: a = tanh(x)", "2: h' = a + a"]),
        ("h' = h * w @ x", {"w": [1, "input"]}, ["1a: w_x = w @ x", "1: h' = h * w_x"]),
        ("h' = h + w @ x", {"w": [1, "input"]}, ["1a: w_x = w @ x", "1: h' = h + w_x"]),
        ("s = w @ x\nh' = s * h", {"s": 1}, ["1: s = w @ x", "2: h' = s * h"]),
        (
            "s = v @ (U @ h + w @ x)\nh' = s * h",
            {"v": [1, "hidden"], "w": [1, "input"]},
            ["1a: w_x = w @ x", "1b: s_part = U @ h + w_x", "1: s = v @ s_part", "2: h' = s * h"],
        ),
        (
            "c' = 2 * mean(x)\nh' = U @ (2 * mean(x))",
            {},
            ["1a: mean_x = mean(x)", "1: c' = 2 * mean_x", "2a: h_part = 2 * mean_x", "2: h' = U @ h_part"],
        ),
    ],
)
def test_examples(text: str, sizes: Mapping[str, Any], expected: list[str]) -> None:
    assert lines(Cell.from_equations(text, sizes=sizes)) == expected


def test_new_names_avoid_those_of_the_author() -> None:
    text = "tanh_x = x\nh' = U @ tanh(x) + V @ tanh(h) + tanh_x + tanh_h"
    cell = Cell.from_equations(text, constants={"tanh_h": 2})
    assert lines(cell)[1:3] == ["2a: tanh_x_2 = tanh(x)", "2b: tanh_h_2 = tanh(h)"]


def test_labels_go_on_after_z() -> None:
    terms = [f"U @ tanh({number} * h)" for number in range(1, 61)]
    cell = Cell.from_equations(f"h' = {' + '.join(terms)}")
    labels = [equation.label for equation in cell.normal.equations]
    assert len(labels) == len(set(labels)) == 61
    assert labels[24:29] == ["1y", "1z", "1aa", "1ab", "1ac"]
    assert {equation.origin for equation in cell.normal.equations} == {"1"}


ODD: dict[str, tuple[str, dict[str, SizeEntry]]] = {
    "nested": ("h' = tanh(U @ tanh(U @ (h * (V @ x)) + mean(U @ h) * b))", {}),
    "division": ("h' = (U @ h) / (2 + (V @ x)**2) - 1 / (3 + exp(b)) / 2", {}),
    "scalar": ("s = w @ (h * mean(x)) + mean(x)**2\nh' = s * tanh(h) + q * w @ h", {"s": 1, "q": 1}),
    "matrix of a scalar": ("c' = 2 * mean(x)\nh' = U @ (2 * mean(x)) + c' * c", {}),
    "matrix of parameters": ("h' = U @ b + U @ tanh(b) + U.T @ (b * b) + V @ x + h", {}),
    "sizes": ("m = V @ x\nc' = P @ m + c\nh' = P.T @ tanh(c') + m", {"m": "inner", "h": "inner"}),
    "functions of two": ("h' = maximum(U @ h, V @ x) + minimum(sum(h), V @ x * b)", {}),
    "tied": ("h' = tanh(x * h) * (U @ x) + (U.T @ h)**3", {}),
}
CELLS = [
    *(name for name in cells() if name not in PREPARING),
    *sorted((Path(__file__).parents[1] / "cells").glob("*.toml")),
    *ODD,
]


@pytest.fixture(scope="module", params=CELLS, ids=lambda known: getattr(known, "stem", known))
def cell(request: pytest.FixtureRequest) -> Cell:
    if request.param in ODD:
        text, sizes = ODD[request.param]
        return Cell.from_equations(text, name="odd", sizes=sizes)
    return load(request.param)


def test_the_normal_form(cell: Cell) -> None:
    shape = {variable.name: variable.shape for variable in cell.normal.variables}
    parameters = {variable.name for variable in cell.normal.of_role(Role.PARAMETER)}
    seen = set(cell.normal.inputs)
    for equation in cell.normal.equations:
        root = equation.expression
        for node in walk(root):
            match node:
                case MatVec(_, _, operand):
                    assert isinstance(operand, Name)
                    assert operand.name not in parameters
                    alone = expression_size(node, shape) != ONE or shape[equation.target] == (ONE,)
                    assert alone or node is root
                case Reduce(_, operand):
                    assert isinstance(operand, Name)
                    assert node is root
                case Call(function, arguments):
                    assert node is root
                    assert not (FUNCTIONS[function].needs_argument and any(map(has_form, arguments)))
                case Binary("*", left, right) if names(left) and names(right):
                    assert not has_form(node)
                case Binary("/", _, right):
                    assert not has_form(right)
                case Power(base, exponent):
                    assert exponent == 1 or not has_form(base)
        assert set(names(root)) <= seen
        assert equation.target not in seen
        size = expression_size(root, shape)
        assert shape[equation.target] == (size,) or size == ONE
        seen.add(equation.target)
    assert set(shape) == seen
    assert len({equation.label for equation in cell.normal.equations}) == len(cell.normal.equations)


def test_what_normalisation_names_is_computed_once(cell: Cell) -> None:
    authors = {equation.target for equation in cell.equations}
    right = [e.expression for e in cell.normal.equations if e.target not in authors]
    assert len(right) == len(set(right))
    assert not any(isinstance(node, Number | Constant) for node in right)


def test_a_normal_form_stays_as_it_is(cell: Cell) -> None:
    again = normalise(cell.normal.equations, cell.normal.variables)
    assert [(e.target, e.expression) for e in again.equations] == [
        (e.target, e.expression) for e in cell.normal.equations
    ]


def test_values_are_those_of_the_authors_equations(cell: Cell) -> None:
    random = np.random.default_rng(7)
    sizes = dict(zip(cell.sizes, (3, 4, 2, 5, 3, 2), strict=False))
    if cell.input_is_hidden:
        sizes["input"] = sizes["hidden"]
    extent = sizes | {ONE: 1}
    params = {v.name: random.uniform(-1, 1, [extent[axis] for axis in shape_axes(v.shape)]) for v in cell.parameters}
    axes = {v.name: [extent[axis] for axis in shape_axes(v.shape)] for v in cell.variables}
    state = {name: random.uniform(-1, 1, (2, *axes[f"{name}'"])) for name in cell.states}
    given = {name: random.uniform(-1, 1, (3, 2, *axes[name])) for name in cell.given}
    x = given.pop("x")
    normal = replace(cell, equations=cell.normal.equations, variables=cell.normal.variables)
    expected, found = (interpret(each, sizes, params, x, state, inputs=given) for each in (cell, normal))
    for name in cell.states:
        assert np.ptp(expected.states[name]) > 0
        np.testing.assert_allclose(found.states[name], expected.states[name], rtol=1e-13, atol=1e-13)
