"""Clipping: what is kept, what is cut, and what no limit can repair."""

from __future__ import annotations

import math

import numpy as np
import pytest

import symrnn
from symrnn.errors import FlowError
from symrnn.flow.clip import clipping, global_norm

GRADIENTS = {"W": np.array([[3.0, 0.0], [0.0, -12.0]]), "b": np.array([4.0, 0.0])}


def test_by_norm_the_direction_stays_and_the_length_goes() -> None:
    clipped, norm = symrnn.clip_by_global_norm(GRADIENTS, 6.5)
    assert norm == pytest.approx(13.0)
    for name, array in clipped.items():
        np.testing.assert_allclose(array, GRADIENTS[name] / 2)
    assert GRADIENTS["W"][0, 0] == 3.0


def test_within_the_limit_nothing_is_touched() -> None:
    clipped, norm = symrnn.clip_by_global_norm(GRADIENTS, 13.5)
    assert norm == pytest.approx(13.0)
    assert all(clipped[name] is array for name, array in GRADIENTS.items())


def test_by_value_each_entry_is_cut_by_itself() -> None:
    clipped = symrnn.clip_by_value(GRADIENTS, 3.5)
    np.testing.assert_array_equal(clipped["W"], [[3.0, 0.0], [0.0, -3.5]])
    np.testing.assert_array_equal(clipped["b"], [3.5, 0.0])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_precision_stays_and_huge_gradients_have_a_norm(dtype: str) -> None:
    huge = {"W": np.full(4, np.finfo(dtype).max / 4, dtype)}
    clipped, norm = symrnn.clip_by_global_norm(huge, 1.0)
    assert math.isfinite(norm)
    assert clipped["W"].dtype == dtype
    assert global_norm(clipped) == pytest.approx(1.0)
    assert symrnn.clip_by_value(huge, 1.0)["W"].dtype == dtype


def test_the_effect_is_told() -> None:
    by_norm, by_value = (clipping(GRADIENTS, how, 1.0) for how in ("norm", "value"))
    assert (by_norm.before, by_norm.after, by_norm.cosine) == pytest.approx((13.0, 1.0, 1.0))
    assert by_value.after == pytest.approx(math.sqrt(3))
    assert by_value.cosine == pytest.approx(19 / 13 / math.sqrt(3))
    assert math.isnan(clipping({"W": np.zeros(2)}, "norm", 1.0).cosine)


def test_nothing_at_all_has_no_norm() -> None:
    assert symrnn.clip_by_global_norm({}, 1.0) == ({}, 0.0)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_no_limit_can_mend_is_an_error(bad: float) -> None:
    with pytest.raises(FlowError, match="which no scale can repair"):
        symrnn.clip_by_global_norm({"W": np.array([1.0, bad])}, 1.0)


def test_a_nan_is_not_cut() -> None:
    with pytest.raises(FlowError, match="the gradient of 'W'"):
        symrnn.clip_by_value({"W": np.array([1.0, np.nan])}, 1.0)


@pytest.mark.parametrize("limit", [0.0, -1.0, np.nan])
def test_a_limit_is_above_zero(limit: float) -> None:
    for clip in (symrnn.clip_by_value, symrnn.clip_by_global_norm):
        with pytest.raises(FlowError, match="expected a number above zero"):
            clip(GRADIENTS, limit)
    with pytest.raises(FlowError, match="choose norm or value"):
        clipping(GRADIENTS, "length", 1.0)
