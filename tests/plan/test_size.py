"""Symbolic sizes: sums and products against counts that are made by hand or by numbers."""

from __future__ import annotations

import pytest

from symrnn.plan.size import Count

SIZES = {"input": 3, "hidden": 5, "projection": 7, "1": 1}
INPUT, HIDDEN = Count.size("input"), Count.size("hidden")


@pytest.mark.parametrize(
    ("products", "text"),
    [
        ((), "0"),
        ((("1",),), "1"),
        ((("hidden", "1"), ("hidden",)), "2*hidden"),
        ((("hidden", "hidden"), ("hidden", "input"), ("input", "hidden")), "2*input*hidden + hidden**2"),
        ((("1",), ("other",), ("hidden",), ("input",)), "input + hidden + other + 1"),
    ],
)
def test_a_count_collects_equal_products(products: tuple[tuple[str, ...], ...], text: str) -> None:
    assert str(Count.of(*products)) == text


def test_counts_add_and_have_values() -> None:
    total = Count.of(("input", "hidden")) + Count.of(("hidden", "input"), ("hidden", "hidden"), ("1",))
    assert str(total) == "2*input*hidden + hidden**2 + 1"
    assert total.value(SIZES) == 2 * 3 * 5 + 5 * 5 + 1
    assert not Count()
    assert Count.of(("1",))


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (3 * HIDDEN, "3*hidden"),
        (HIDDEN * 3, "3*hidden"),
        (HIDDEN * HIDDEN, "hidden**2"),
        ((INPUT + HIDDEN) * (INPUT + 2 * HIDDEN), "input**2 + 3*input*hidden + 2*hidden**2"),
        ((HIDDEN + Count.number(1)) * INPUT, "input*hidden + input"),
        (0 * HIDDEN, "0"),
        (HIDDEN * Count(), "0"),
        (Count.size("1"), "1"),
        (Count.number(4), "4"),
    ],
)
def test_counts_multiply(count: Count, text: str) -> None:
    assert str(count) == text


def test_zero_is_false_and_is_one_count() -> None:
    assert not Count()
    assert Count.number(0) == 0 * HIDDEN == Count()
    assert HIDDEN + Count() == HIDDEN


@pytest.mark.parametrize(
    ("count", "text", "factor"),
    [
        (Count(), "0", "0"),
        (Count.number(2), "2", "2"),
        (HIDDEN, "<hidden>", "<hidden>"),
        (2 * HIDDEN * HIDDEN, "2 * <hidden> * <hidden>", "2 * <hidden> * <hidden>"),
        (HIDDEN + Count.number(1), "<hidden> + 1", "(<hidden> + 1)"),
    ],
)
def test_counts_are_spelt_as_code(count: Count, text: str, factor: str) -> None:
    assert count.spelt("<{}>".format) == text
    assert count.spelt("<{}>".format, factor=True) == factor


def test_a_count_names_the_sizes_that_it_depends_on() -> None:
    count = Count.of(("hidden", "hidden"), ("input", "hidden"), ("rank",), ("1",))
    assert count.sizes == ("input", "hidden", "rank")
    assert Count.number(3).sizes == ()
