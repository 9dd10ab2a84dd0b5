"""What every test shares: the option that rewrites committed output, a quick compiler, and Hypothesis without a clock."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

QUICK_COMPILER = Path(__file__).with_name("quick_cc")

# A slow machine is no fault of the code, so no deadline; a failure in CI must come back when run again.
hypothesis.settings.register_profile("symrnn", deadline=None, derandomize="CI" in os.environ, print_blob=True)
hypothesis.settings.load_profile("symrnn")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-generated",
        action="store_true",
        help="write the committed output anew where it differs, instead of failing",
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--update-generated") and os.environ.get("CI"):
        raise pytest.UsageError(
            "--update-generated is refused where CI is set: a check must not rewrite what it checks; "
            "run it on your own machine and commit the result"
        )
    if importlib.util.find_spec("torch") is None:  # its doctests cannot be imported; tests/torch skips by itself
        config.option.ignore = [*(config.option.ignore or ()), str(config.rootpath / "symrnn" / "torch")]


@pytest.fixture(scope="module")
def quick_compiler() -> Iterator[None]:
    """Kernels of this module's tests are compiled without optimisation.

    The tests are about results alone, or about what happens around a compiler.
    """
    with pytest.MonkeyPatch.context() as patch:
        if sys.platform != "win32" and any(shutil.which(name) for name in ("cc", "gcc", "clang")):
            patch.setenv("SYMRNN_CC", str(QUICK_COMPILER))
        yield


@pytest.fixture
def update_generated(request: pytest.FixtureRequest) -> bool:
    """Whether a test should rewrite committed output instead of comparing it."""
    return bool(request.config.getoption("--update-generated"))


@pytest.fixture
def lack() -> Iterator[Callable[[Any, str], None]]:
    """Takes an entry out of a table for one test. It comes back at its own place: other tests read the order."""
    whole: list[tuple[Any, dict[str, Any]]] = []

    def without(table: Any, name: str) -> None:
        whole.append((table, dict(table)))
        del table[name]

    yield without
    for table, entries in reversed(whole):
        table.clear()
        table.update(entries)
