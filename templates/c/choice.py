"""Choice: in how many parts the calls of one shape run, by what they took lately."""

from __future__ import annotations

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
        self._times = dict.fromkeys((most >> halved for halved in range(most.bit_length())), 0.0)
        self._calls = dict.fromkeys(self._times, 0)
        self._left = 0.0

    def parts(self) -> int:
        """The number for the next call: each one twice at first, since a first call finds its memory cold."""
        fewest = min(self._calls, key=self._calls.__getitem__)
        if self._calls[fewest] < 2:
            return fewest
        times = self._times
        best = min(times, key=times.__getitem__)
        for parts, took in times.items():
            if parts != best and took - times[best] <= self._left:
                self._left -= took - times[best]
                return parts
        return best

    def note(self, parts: int, took: int) -> None:
        """A call in so many parts took so many nanoseconds."""
        known = self._times[parts]
        self._calls[parts] += 1
        self._times[parts] = known + _SLOWER * (took - known) if self._calls[parts] > 1 and took > known else took
        self._left += _TRIALS * took
