"""At most so many calls in any one second, evenly spread. Pure: the time is handed in.

A member's part of the group's limit changes. A part that grows is used after a whole second: until then the calls of the member
that had it before may lie in the same second. So the limit holds for the whole group in any second, at a start (the process
before this one may have called a moment ago) and while parts move.
"""

from __future__ import annotations

from collections import deque
from math import floor, inf
from typing import Final

#: Seconds. A little more than one: a receiver counts arrivals, and a call on a new connection arrives later than others.
_SECOND: Final = 1.05
#: Seconds that a call may begin before it is due, so that a timer that fires late costs nothing.
_EARLY: Final = 0.02


class RateLimiter:
    """Rates in calls a second. A part below one is one call in as many seconds as that takes."""

    def __init__(self) -> None:
        self._rate = 0.0
        #: Smaller rates from before, each with the moment until which it applies; both ascend.
        self._smaller: deque[tuple[float, float]] = deque()
        #: When the last call was due.
        self._due = -inf

    def set_rate(self, rate: float, now: float) -> None:
        """The member's part from now on; 0 for none."""
        if rate > self._rate:
            self._smaller.append((now + _SECOND, self._rate))
        while self._smaller and self._smaller[-1][1] >= rate:
            self._smaller.pop()
        self._rate = rate

    def wait(self, now: float) -> float:
        """Returns the seconds until the next call may start, or until it is worth asking again; 0 if it may start now."""
        calls, span = self._limit(now)
        if not calls:
            return self._smaller[0][0] - now if self._smaller else span
        return max(0.0, self._due + span / calls - _EARLY - now)

    def started(self, now: float) -> None:
        """A call starts, after `wait` has allowed it."""
        calls, span = self._limit(now)
        self._due = max(self._due + span / calls, now)

    def _limit(self, now: float) -> tuple[int, float]:
        """Returns calls and the seconds in which so many may begin. A fraction above one is lost: the sum must not be more."""
        while self._smaller and self._smaller[0][0] <= now:
            self._smaller.popleft()
        rate = self._smaller[0][1] if self._smaller else self._rate
        if rate >= 1:
            return floor(rate), _SECOND
        return (1, _SECOND / rate) if rate else (0, _SECOND)
