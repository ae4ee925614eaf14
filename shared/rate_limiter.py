"""At most so many calls in any one second, evenly spread. Pure: the time is handed in.

A member's part of the group's limit comes and goes. A part that grows is used once it has been held for a whole second: until
then the calls of the member that had it before may lie in the same second. So the limit holds for the whole group in any second,
at a start (the process before this one may have called a moment ago) and while parts move.
"""

from __future__ import annotations

from collections import deque
from math import floor, inf
from typing import Final

#: Seconds. A little more than one: what a receiver counts is arrivals, and a call on a new connection arrives later than others.
_SECOND: Final = 1.05
#: Seconds that a call may begin before its turn, so that a timer that fires late costs nothing.
_EARLY: Final = 0.02


class RateLimiter:
    """Rates in calls a second. A part below one is one call in as many seconds as that takes."""

    def __init__(self) -> None:
        self._rate = 0.0
        #: Smaller rates from before, each with the moment until which it holds; both ascend.
        self._held: deque[tuple[float, float]] = deque()
        #: When the last call was due.
        self._turn = -inf

    def set_rate(self, rate: float, now: float) -> None:
        """The member's part from now on; 0 for none."""
        if rate > self._rate:
            self._held.append((now + _SECOND, self._rate))
        while self._held and self._held[-1][1] >= rate:
            self._held.pop()
        self._rate = rate

    def wait(self, now: float) -> float:
        """Seconds until the next call may start, or until it is worth asking again; 0 if it may start now."""
        calls, span = self._limit(now)
        if not calls:
            return self._held[0][0] - now if self._held else span
        return max(0.0, self._turn + span / calls - _EARLY - now)

    def started(self, now: float) -> None:
        """A call starts, after `wait` has allowed it."""
        calls, span = self._limit(now)
        self._turn = max(self._turn + span / calls, now)

    def _limit(self, now: float) -> tuple[int, float]:
        """So many calls may begin in any so many seconds. A fraction above one is given away: the parts must not sum to more."""
        while self._held and self._held[0][0] <= now:
            self._held.popleft()
        rate = self._held[0][1] if self._held else self._rate
        if rate >= 1:
            return floor(rate), _SECOND
        return (1, _SECOND / rate) if rate else (0, _SECOND)
