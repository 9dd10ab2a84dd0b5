"""Choice: in how many parts the calls of one shape run, by what they took lately."""

from __future__ import annotations

import math

_TRIALS = 0.005
"""The share of the time that may go to trials of other numbers of parts than the best one."""
_SLOWER = 0.25
"""How far a time above what is known moves it. A time below replaces it: others only make a call longer."""


class _Choice:
    """The number of parts that was quickest lately, of those that may pay.

    What it costs threads to meet depends on the distance of their cores, and on what else runs there, which changes.
    The results do not depend on the number.
    """

    def __init__(self, most: int) -> None:
        numbers = [most >> halved for halved in range(most.bit_length())]
        self._times = dict.fromkeys(numbers, math.inf)
        self._ahead = 2 * numbers[::-1]  # each one twice: a first call finds its memory cold
        self._left = 0.0
        self.parts = self._ahead.pop()
        """The number for the next call."""

    def note(self, parts: int, took: int) -> None:
        """A call in so many parts took so many nanoseconds."""
        known = self._times[parts]
        self._times[parts] = took if took < known else known + _SLOWER * (took - known)
        self._left += _TRIALS * took
        self.parts = self._ahead.pop() if self._ahead else self._next()

    def _next(self) -> int:
        """The quickest number, or another one where there is time left for what it costs more."""
        times = self._times
        best = min(times, key=times.__getitem__)
        for parts in times:
            if parts != best and times[parts] - times[best] <= self._left:
                self._left -= times[parts] - times[best]
                return parts
        return best
