"""What the tests of layers share: they are about what PyTorch makes of kernels, so these are compiled without optimisation."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module", autouse=True)
def _quickly(quick_compiler: None) -> None:
    """Every module of this folder has the quick compiler, for a process loads the kernels of a cell once."""
