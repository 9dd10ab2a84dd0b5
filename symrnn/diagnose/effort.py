"""How much a diagnosis may compute, counted and not timed, and what it says while it does.

Reads a limit in steps of a pass; `Effort` counts them, so that the same question ends in the same place everywhere.
Leaves out: what is computed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

LIMIT = 130_000
"""How much one diagnosis computes at the most: in steps of a pass, of variants that run side by side."""
ALONE = 6
"""A step of a pass that runs alone counts as so many."""
_SAID_EVERY = 8_000
"""About a second's work."""

Progress = Callable[[str], None]


@dataclass
class Effort:
    """What is left, and whom to tell.

    Attributes:
        progress: told what is being tried, every so often.
        left: steps that may still be computed.
        at: what is being tried.
    """

    progress: Progress
    left: int = LIMIT
    at: str = ""
    _unsaid: int = 0

    @property
    def over(self) -> bool:
        """Whether nothing is left."""
        return self.left <= 0

    def begin(self, what: str) -> None:
        """What comes next; it is said once it takes long."""
        self.at = what

    def spend(self, steps: int) -> None:
        """Count ``steps``."""
        self.left -= steps
        self._unsaid += steps
        if self._unsaid >= _SAID_EVERY:
            self._unsaid = 0
            self.progress(f"{self.at}; {max(self.left, 0) * 100 // LIMIT} % of the work that it may take is left")
