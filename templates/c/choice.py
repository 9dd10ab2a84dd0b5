"""Choice: in how many parts the calls of one shape run, by what they took lately."""

from __future__ import annotations

_TRIALS = 0.01
"""The share of the time that may go to trials of other numbers of parts than the best one."""
_AT_FIRST = 20_000_000
"""The most nanoseconds by which each of the first trials may make a call longer."""
_FIRST_TRIALS = 2
"""How many there are of each number: the first call of all finds its memory cold."""
_SLOWER = 0.25
"""How far a time above what is known moves it. A time below replaces it: others only make a call longer."""


class _Choice:
    """The number of parts that was quickest lately, of those that may pay.

    What it costs threads to meet depends on the distance of their cores, and on what else runs there, which changes.
    The results do not depend on the number.
    """

    def __init__(self, most: int) -> None:
        self._numbers = [most >> halved for halved in range(most.bit_length())]
        self._times: dict[int, float] = {}
        self._tried = dict.fromkeys(self._numbers, 0)
        self._left = 0.0
        self.parts = most
        """The number for the next call."""

    def note(self, parts: int, took: int) -> None:
        """A call in so many parts took so many nanoseconds."""
        if parts not in self._tried:  # threads that sleep are left out, and so may be some of them
            return
        known = self._times.get(parts, took)
        self._times[parts] = took if took < known else known + _SLOWER * (took - known)
        self._tried[parts] += 1
        self._left += _TRIALS * took
        self.parts = self._next()

    def _next(self) -> int:
        """The quickest number, or another one where there is time left for what it costs more."""
        times = self._times
        best = min(times, key=times.__getitem__)
        for parts in self._numbers:
            # One that nobody tried is expected to share the work of the best one as well.
            more = times.get(parts, times[best] * best / parts) - times[best]
            if parts == best:
                continue
            if self._tried[parts] < _FIRST_TRIALS and more <= _AT_FIRST:
                return parts
            if more <= self._left:
                self._left -= more
                return parts
        return best
