"""What every test shares: the option that rewrites committed output, and Hypothesis without a clock."""

from __future__ import annotations

import os

import hypothesis
import pytest

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


@pytest.fixture
def update_generated(request: pytest.FixtureRequest) -> bool:
    """Whether a test should rewrite committed output instead of comparing it."""
    return bool(request.config.getoption("--update-generated"))
