"""The cells of a costly test: few in a usual run, more with ``-m long``."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import pytest

ONE = ("gru",)
"""Where a run of the compiler is to be paid for each cell: two stages, so more than one of everything."""


def sparing(names: Iterable[str], always: Collection[str]) -> list[Any]:
    """Cells as parameters, by bundled name or by the path of a cell file: most of them marked ``long``, for CI.

    Args:
        names: of cells.
        always: names, or stems of files, that every run takes.
    """
    return [name if Path(name).stem in always else pytest.param(name, marks=pytest.mark.long) for name in names]
