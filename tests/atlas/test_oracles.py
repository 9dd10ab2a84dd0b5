"""Every oracle holds for every bundled cell: here for those that `test_families` leaves.

They are compiled without optimisation: what is theirs is the text of the kernels, and optimisers are the same for all.
"""

from __future__ import annotations

import pytest

from symrnn.language.bundled import cells
from tests.checked import hold_oracles
from tests.families import SOME_CELLS

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("quick_compiler")]

NAMES = [name for name in cells() if name not in SOME_CELLS]


@pytest.mark.parametrize("name", NAMES)
def test_every_oracle_holds(name: str) -> None:
    hold_oracles(name)
