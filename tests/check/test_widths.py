"""Every width, 1 to 9, 16 and 17 units, is among the cases, and a fault of NumPy on columns of one width is found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided

import symrnn
from symrnn.check import suite
from symrnn.check.cases import CASES, EVERY_WIDTH, WIDTHS, Case
from symrnn.check.deviations import Deviation
from symrnn.check.kernels import TangentKernels
from symrnn.language.cell import Cell
from symrnn.targets import registry
from tests.targets.numpy.numpy_cells import load

Array = np.ndarray[Any, np.dtype[Any]]

FEW = 2
"""Units of a state that are enough where many values lie side by side."""
FUNCTIONS = ("sigmoid", "tanh", "tanh", "-", "sin", "exp", "tanh", "cos", "silu")
NEGATIONS = {"np.exp(-a, out=out)": "np.exp(np.negative(a, out=out), out=out)", "np.subtract(-0.0, ": "np.negative("}
"""How modules negate, and the way that NumPy from 2.1 on gets wrong."""


def stack(values: int) -> Cell:
    """A cell of so many values, side by side in one matrix product: a function each; products keep them side by side."""
    names = [f"v_{number}" for number in range(values)]
    lines = [
        f"{name} = {FUNCTIONS[number % len(FUNCTIONS)]}(W_{number} @ x + U_{number} @ h)"
        for number, name in enumerate(names)
    ]
    pairs = [" * ".join(names[first : first + 2]) for first in range(0, values, 2)]
    return symrnn.Cell.from_equations("\n".join([*lines, f"h' = tanh({' + '.join(pairs)})"]), name="stack")


@pytest.fixture(autouse=True)
def no_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measuring the rounding of failures takes most of the time, and is not needed here."""
    monkeypatch.setattr(suite, "rounding", lambda *_: {})


def missed(cell: Cell, kernels: Any, cases: Iterable[Case]) -> list[Deviation]:
    numpy = cast(TangentKernels, kernels)
    found = suite.run_suite(cell, numpy, {"numpy": numpy}, [case for case in cases if case.tells(cell)])
    return [row for row in found if not row.passed]


def test_every_width_is_among_the_cases_of_check_in_both_precisions() -> None:
    assert set(EVERY_WIDTH) <= set(CASES)
    assert all(case.single and case.oracles for case in EVERY_WIDTH)
    cell = load("projection_lstm")
    assert all(case.tells(cell) for case in EVERY_WIDTH)
    sizes = [case.sizes(cell) for case in EVERY_WIDTH]
    for units in WIDTHS:
        assert {"input": 1, "hidden": units, "projection": 1} in sizes
        assert {"input": units, "hidden": 1, "projection": units} in sizes


def test_other_sizes_are_run_where_a_cell_has_values_of_them() -> None:
    others = [case for case in EVERY_WIDTH if case.others > 1]
    assert len(others) == len(WIDTHS) - 1
    assert not any(case.tells(load("lstm")) for case in others)
    inner = symrnn.Cell.from_equations("h' = tanh(U @ sigmoid(W @ x + b))", name="inner", sizes={"b": "inner"})
    assert all(case.tells(inner) for case in others)
    wide = symrnn.Cell.from_equations("h' = tanh(W @ sigmoid(a * x))", name="wide")
    assert all(case.tells(wide) for case in others)


def test_sizes_that_are_fixed_leave_no_case_twice() -> None:
    fixed = [case.with_sizes({"input": 3, "hidden": 4}) for case in EVERY_WIDTH]
    assert len(set(fixed)) == 1


@pytest.mark.parametrize("values", WIDTHS)
def test_they_hold_for_every_number_of_values_side_by_side(values: int) -> None:
    cell = stack(values)
    assert missed(cell, symrnn.build(cell), [case for case in EVERY_WIDTH if case.hidden <= FEW]) == []


def misreads(dtype: str) -> bool:
    """Whether this NumPy has the fault that generated modules avoid."""
    length = np.dtype(dtype).itemsize
    given = np.arange(1, 2 * length + 1, dtype=dtype).reshape(2, length)
    return bool(np.negative(given[:, :1], out=np.zeros((2, 2), dtype)[:, :1])[1, 0] != -given[1, 0])


@pytest.mark.parametrize(("dtype", "values"), [("float32", 4), ("float64", 8)])
@pytest.mark.parametrize("here", NEGATIONS)
def test_negating_as_numpy_gets_it_wrong_is_seen(dtype: str, values: int, here: str) -> None:
    if not misreads(dtype):
        pytest.skip(f"NumPy {np.__version__} negates columns of {dtype} rightly: there is nothing to see")
    cell = stack(values)
    text = symrnn.render(cell, backends=("numpy",))["stack_numpy.py"]
    assert here in text
    wrong = registry.target("numpy").load({"stack_numpy.py": text.replace(here, NEGATIONS[here])}, "stack")
    found = missed(cell, wrong, [case for case in EVERY_WIDTH if case.hidden == 1])
    assert {"y", "grad x"} <= {row.array for row in found if row.dtype == dtype}
    assert not missed(cell, wrong, [case for case in CASES if not case.others and case.hidden < 20 and case.steps < 20])


@dataclass(frozen=True)
class Columns:
    """A ufunc that, from column to column, reads the rows of the first as if they were contiguous.

    Attributes:
        ufunc: what it should be.
        width: units of the columns that it errs on.
        kinds: of the numbers that it errs on.
        met: takes the names of ufuncs that were called so.
        errs: whether it does; else it only watches.
    """

    ufunc: np.ufunc
    width: int
    kinds: str = "f"
    met: set[str] = field(default_factory=set)
    errs: bool = True

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        if not self._is_column(options.get("out")) or not any(map(self._is_column, arguments)):
            return self.ufunc(*arguments, **options)
        self.met.add(self.ufunc.__name__)
        return self.ufunc(*(self._read(each) for each in arguments), **options)

    def _read(self, array: Any) -> Any:
        if not self.errs or not self._is_column(array):
            return array
        return as_strided(array, array.shape, (self.width * array.itemsize, array.itemsize)).copy()

    def _is_column(self, array: Any) -> bool:
        if not isinstance(array, np.ndarray) or array.dtype.kind not in self.kinds:
            return False
        return array.shape[1:] == (self.width,) and array.strides[0] != self.width * array.itemsize

    def __getattr__(self, name: str) -> Any:
        return getattr(self.ufunc, name)


class Library:
    """NumPy as a generated module sees it, some of its ufuncs replaced."""

    def __init__(self, ufuncs: Mapping[str, Any]) -> None:
        self.__dict__.update(ufuncs)

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)


UFUNCS = {name: each for name in dir(np) if isinstance(each := getattr(np, name), np.ufunc)}
INNER = symrnn.Cell.from_equations(
    """
    a = sin(W_a @ x + b_a)
    b = cos(W_b @ x + U_b @ h)
    h' = tanh(P @ (a * b) + Q @ a + R @ b)
    """,
    name="inner",
    sizes={"b_a": "inner"},
)
"""Values of a size of their own, side by side."""


@pytest.mark.parametrize(
    ("cell", "kinds", "widths"),
    [
        pytest.param(stack(6), "f", (1, 2, 8), id="states"),
        pytest.param(stack(6), "f", WIDTHS, id="states of every width", marks=pytest.mark.long),
        pytest.param(stack(6), "fc", (1, 4), id="states, in the complex step as well"),
        pytest.param(INNER, "f", (2, 9), id="another size"),
        pytest.param(INNER, "f", WIDTHS[1:], id="another size of every width", marks=pytest.mark.long),
    ],
)
def test_any_ufunc_that_misreads_columns_is_seen(cell: Cell, kinds: str, widths: tuple[int, ...]) -> None:
    kernels = symrnn.build(cell)

    def found(width: int, ufuncs: Mapping[str, Columns]) -> list[Deviation]:
        others = cell.name == "inner"
        cases = [case for case in EVERY_WIDTH if (case.others if others else case.hidden) == width]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(kernels, "np", Library(ufuncs))
            return missed(cell, kernels, [case for case in cases if case.others == (width if others else 1)])

    for width in widths:
        met: set[str] = set()
        watched = {name: Columns(ufunc, width, kinds, met, errs=False) for name, ufunc in UFUNCS.items()}
        assert found(width, watched) == []
        assert met >= ({"multiply", "sin", "cos"} if cell is INNER else {"multiply", "tanh", "reciprocal", "square"})
        for name in sorted(met):
            assert found(width, {name: Columns(UFUNCS[name], width, kinds)}), f"{name} at {width}"
