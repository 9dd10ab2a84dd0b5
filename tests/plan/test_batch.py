"""The rows of a batch: each takes its own steps, and the caller's arrays keep their order."""

from __future__ import annotations

import numpy as np
import pytest

from symrnn.plan.batch import Batch

STEPS = np.arange(1.0, 9.0).reshape(4, 2, 1)
LENGTHS = np.array([4, 2])


def test_rows_run_forward_unless_reversed() -> None:
    assert Batch.of(4, 2, None, False).taken(STEPS).tolist() == STEPS.tolist()
    assert Batch.of(4, 2, None, True).taken(STEPS).tolist() == STEPS[::-1].tolist()


def test_a_row_takes_the_steps_of_its_own_length_and_is_idle_beyond() -> None:
    batch = Batch.of(4, 2, LENGTHS, True)
    assert batch.idle.tolist() == [[False, False], [False, False], [False, True], [False, True]]
    assert batch.taken(STEPS)[:, :, 0].tolist() == [[7, 4], [5, 2], [3, 0], [1, 0]]


def test_what_is_idle_is_not_read() -> None:
    beyond = STEPS.copy()
    beyond[2:, 1] = np.nan
    assert np.isfinite(Batch.of(4, 2, LENGTHS, False).taken(beyond)).all()


@pytest.mark.parametrize("reverse", [False, True])
def test_the_caller_gets_steps_in_the_order_of_what_it_gave(reverse: bool) -> None:
    batch = Batch.of(4, 2, LENGTHS, reverse)
    active = np.where(batch.idle[..., None], 0, STEPS)
    assert batch.given(batch.taken(STEPS)).tolist() == active.tolist()
