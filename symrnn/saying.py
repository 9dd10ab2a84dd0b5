"""What long work says while it runs: a line of text before each piece, to a function that shows it or not."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str], None]
"""Takes a line of text before each piece of work."""


def silent(_: str) -> None:
    """Say nothing."""


def say_at(progress: Progress, at: str, what: str) -> None:
    """Say a piece of the work that ``at`` names."""
    progress(f"{at}, {what}")
