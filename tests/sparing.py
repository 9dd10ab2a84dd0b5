"""Which cells a costly test takes where somebody waits for it, and which it takes besides, where nobody does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def sparing(names: Iterable[str]) -> list[Any]:
    """Cells as parameters: the bundled ones by name as they are, cell files by path marked ``long``, for CI."""
    return [pytest.param(name, marks=pytest.mark.long) if name.endswith(".toml") else name for name in names]
