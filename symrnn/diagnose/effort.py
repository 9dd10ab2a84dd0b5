"""How much a diagnosis may compute, in counted steps and not in time, and its progress messages.

Reads a limit in steps of a pass; `Effort` counts them, so the same search ends at the same place on every machine.
Leaves out: what is computed.
"""

from __future__ import annotations

from dataclasses import dataclass

from symrnn.saying import Progress

LIMIT = 130_000
"""The limit of one diagnosis, in steps of a pass with its variants side by side."""
ALONE = 6
"""The count of a step of a pass that runs alone."""
_SAID_EVERY = 8_000
"""About a second's work."""


@dataclass
class Effort:
    """The work that is left, and where to report progress.

    Attributes:
        progress: called now and then with what is being tried.
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
        """Set what is tried next; it is reported if it takes long."""
        self.at = what

    def spend(self, steps: int) -> None:
        """Count ``steps``."""
        self.left -= steps
        self._unsaid += steps
        if self._unsaid >= _SAID_EVERY:
            self._unsaid = 0
            self.progress(f"{self.at}; {max(self.left, 0) * 100 // LIMIT} % of the allowed work is left")
