"""A line on a terminal that shows the progress of a run; silent if the stream is not a terminal."""

from __future__ import annotations

import math
import sys
import time
from typing import TextIO

WIDTH = 30
INTERVAL = 0.1


class Progress:
    """A bar that rewrites itself.

    Args:
        total: steps of the whole run.
        stream: where it is drawn.
    """

    def __init__(self, total: int, stream: TextIO | None = None) -> None:
        self._total, self._done, self._text = max(total, 1), 0, ""
        self._stream = sys.stderr if stream is None else stream
        self._began, self._shown_at = time.monotonic(), -math.inf

    def step(self, text: str) -> None:
        """One more step is done; ``text`` says what comes next."""
        self._done += 1
        self.show(text)

    def show(self, text: str | None = None) -> None:
        """Draw, at most ten times a second."""
        self._text = self._text if text is None else text
        now = time.monotonic()
        if not self._stream.isatty() or now - self._shown_at < INTERVAL:
            return
        self._shown_at = now
        full = min(self._done, self._total) * WIDTH // self._total
        spent = now - self._began
        self._stream.write(f"\r\x1b[K[{'#' * full}{'.' * (WIDTH - full)}] {spent:.0f} s, {self._text}")
        self._stream.flush()

    def clear(self) -> None:
        """Remove the line, so that the next output starts on a clean line."""
        if self._stream.isatty():
            self._stream.write("\r\x1b[K")
            self._stream.flush()
