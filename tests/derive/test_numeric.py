"""Functions on arrays: what overflows, is not a number or lies beside its branch stays what it is."""

from __future__ import annotations

import numpy as np
import pytest

from symrnn.derive.numeric import array_functions
from symrnn.language.choices import COMPARISONS
from symrnn.language.functions import FUNCTIONS

FAR = {"sigmoid": (0, 1), "tanh": (-1, 1), "softplus": (0, 1e4), "elu": (-1, 1e4), "silu": (0, 1e4), "relu": (0, 1e4)}


def test_every_function_is_there() -> None:
    assert list(array_functions()) == list(FUNCTIONS)


@pytest.mark.parametrize("name", FAR)
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_far_arguments_have_their_limits(name: str, dtype: str) -> None:
    with np.errstate(over="ignore"):
        found = array_functions()[name](np.array([-1e4, 1e4], dtype))
    np.testing.assert_array_equal(found, np.array(FAR[name], dtype) if name != "silu" else [-0.0, 1e4])


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name not in COMPARISONS.values()])
def test_what_is_no_number_stays_none(name: str) -> None:
    row = FUNCTIONS[name]
    one = array_functions()[name](*[np.array([np.nan, 0.25])] * row.arity)
    assert np.isnan(one[0])
    assert np.isfinite(one[1])


def test_no_branch_that_is_not_taken_divides_by_zero() -> None:
    with np.errstate(all="raise"):
        assert array_functions()["softsign"](np.array([-1.0, 1.0])).tolist() == [-0.5, 0.5]
