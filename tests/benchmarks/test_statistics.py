"""Medians, ratios, means and limits, against numbers worked out by hand."""

from __future__ import annotations

import pytest

from benchmarks.statistics import best, geometric_mean, limit, median


def test_the_median_is_the_middle() -> None:
    assert median([5.0, 1.0, 2.0]) == 2.0
    assert median([4.0, 1.0, 2.0, 100.0]) == 3.0


def test_the_geometric_mean_treats_twice_and_half_alike() -> None:
    assert geometric_mean([2.0, 0.5]) == pytest.approx(1.0)
    assert geometric_mean([1.0, 8.0, 1.0]) == pytest.approx(2.0)
    assert geometric_mean(iter([3.0])) == pytest.approx(3.0)


def test_a_mean_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="found none"):
        geometric_mean([])


def test_the_best_is_the_least() -> None:
    assert best({"a": 2.0, "b": 1.0, "c": 1.0}) == "b"
    assert best({}) == ""


def test_a_limit_is_arithmetic_or_traffic_whichever_is_longer() -> None:
    slow_memory = limit(flops=100.0, peak=50.0, elementwise=1.0, traffic=40.0, bandwidth=10.0)
    assert (slow_memory.seconds, slow_memory.by) == (4.0, "traffic")
    slow_arithmetic = limit(flops=100.0, peak=50.0, elementwise=1.0, traffic=20.0, bandwidth=10.0)
    assert (slow_arithmetic.seconds, slow_arithmetic.by) == (3.0, "compute")


def test_elementwise_work_is_never_less_than_nothing() -> None:
    assert limit(flops=100.0, peak=50.0, elementwise=-1.0, traffic=0.0, bandwidth=1.0).seconds == 2.0
