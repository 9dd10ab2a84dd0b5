"""Array calls from columns to columns: no module uses the negation that NumPy gets wrong, and NumPy's other calls are right."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import symrnn
from symrnn.check.cases import ROWS, WIDTHS
from symrnn.language.functions import FUNCTIONS, PUBLIC
from symrnn.targets.numpy.ir import UFUNCS
from tests.targets.numpy.numpy_cells import CELLS, text

Array = np.ndarray[Any, np.dtype[Any]]

LONGEST = 20
"""Numbers in the longest rows that columns are part of."""
DTYPES = ("float32", "float64", "complex128")
OPERATORS = {ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide"}


def every_function() -> str:
    """The module of a cell that calls all there are; their derivatives call the rest."""
    names = [name for name in PUBLIC if name in FUNCTIONS]
    operands = {name: ", ".join(f"U_{name}_{place} @ h" for place in range(FUNCTIONS[name].arity)) for name in names}
    operands["where"] = "h < c, where(h == d, h, 1), where(h <= e, U_where @ h, h)"
    lines = [f"v_{name} = {name}({operands[name]})" for name in names]
    lines.append(f"h' = -tanh(W @ x + {' + '.join(f'v_{name}' for name in names)})")
    return symrnn.render(symrnn.Cell.from_equations("\n".join(lines), name="every"), backends=("numpy",))[
        "every_numpy.py"
    ]


def modules() -> Iterator[ast.AST]:
    for source in (*(text(name) for name in CELLS), every_function()):
        yield from ast.walk(ast.parse(source))


@pytest.fixture(scope="module")
def called() -> set[str]:
    """The ufuncs that generated modules call, by name or by an operator in place."""
    found = set(UFUNCS)
    for node in modules():
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "np":
            found |= {node.attr} if isinstance(getattr(np, node.attr), np.ufunc) else set()
        if isinstance(node, ast.AugAssign) and type(node.op) in OPERATORS:
            found.add(OPERATORS[type(node.op)])
    return found


def column(values: Array, length: int) -> Array:
    """``values`` as columns of longer rows."""
    rows = np.full((len(values), length), 7, values.dtype)
    rows[:, : values.shape[1]] = values
    return rows[:, : values.shape[1]]


def product(left: Array, right: Array, out: Array | None = None) -> Array:
    """A matrix product, from columns to columns."""
    return np.matmul(left, right[: left.shape[1]].copy(), out=out)


def misread(ufunc: np.ufunc, dtype: str) -> set[tuple[int, int, int]]:
    """Where columns give other results than arrays of their own: width, length of the rows read, of those written.

    The last is 0 where the column that is read is written over.
    """
    rng = np.random.default_rng(1)
    tolerance = 1e-5 if dtype == "float32" else 1e-13
    call: Callable[..., Array] = product if ufunc is np.matmul else ufunc
    found = set()
    for width in WIDTHS:
        given = [rng.uniform(0.1, 0.9, (ROWS, width)).astype(dtype) for _ in range(ufunc.nin)]
        expected = call(*given)
        for length in range(width, LONGEST + 1):
            columns = [column(each, length) for each in given]
            for wide in dict.fromkeys((width, width + 1, length, LONGEST)):
                out = column(np.zeros_like(expected), wide)
                right = np.allclose(call(*columns, out=out), expected, rtol=tolerance, atol=0)
                found |= set() if right else {(width, length, wide)}
            right = np.allclose(call(*columns, out=columns[0]), expected, rtol=tolerance, atol=0)
            found |= set() if right else {(width, length, 0)}
    return found


def test_no_module_calls_negative(called: set[str]) -> None:
    assert "negative" not in called
    assert {"exp", "tanh", "subtract", "multiply", "absolute", "expm1", "log1p", "heaviside", "sign"} <= called


@pytest.mark.parametrize("dtype", DTYPES)
def test_numpy_reads_and_writes_columns_rightly(called: set[str], dtype: str) -> None:
    wrong = {}
    for name in sorted(called):
        try:
            wrong[name] = misread(getattr(np, name), dtype)
        except TypeError:
            assert dtype == "complex128", f"{name} is for real parts alone"
    assert {name: places for name, places in wrong.items() if places} == {}


def test_what_numpy_gets_wrong_would_be_seen() -> None:
    """Its negation, from 2.1 on; the right one of earlier versions says nothing."""
    numbers = np.arange(1.0, 17).reshape(2, 8)
    if np.negative(numbers[:, :1], out=np.zeros((2, 2))[:, :1])[1, 0] == -9:
        pytest.skip(f"NumPy {np.__version__} negates columns rightly")
    assert misread(np.negative, "float64") == {(1, 8, 0), (1, 8, 2), (1, 8, 8), (1, 8, LONGEST)}
    assert misread(np.negative, "float32") == {(1, 4, 0), (1, 4, 2), (1, 4, 4), (1, 4, LONGEST)}


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "longdouble", "complex64", "complex128"])
def test_negation_is_exact(dtype: str) -> None:
    kernels = symrnn.build(symrnn.Cell.from_equations("h' = -x", name="minus"))
    edges = [0.0, -0.0, 1.5, -1e-3, np.inf, -np.inf, np.nan, np.finfo(dtype).tiny, float(np.finfo("float16").max)]
    x = np.array(edges, dtype).reshape(1, -1, 1)
    y, _ = kernels.infer({}, x, {"h": np.zeros_like(x[0])})
    np.testing.assert_array_equal(y.real, -x.real)
    numbers = ~np.isnan(x.real)
    np.testing.assert_array_equal(np.signbit(y.real)[numbers], ~np.signbit(x.real)[numbers])
