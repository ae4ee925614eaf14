"""When the next request to Auth0 may go, so that we never meet the tenant's rate limit. Pure: times are handed in.

Auth0 meters requests by a token bucket and tells with each response how many are left, and when the bucket is full again, rounded
up to seconds: too coarse to reckon with. How fast it fills is seen over several responses: between two of them it took in at
least what is left now, less what was left then, plus the requests in between. Both are cut to whole requests, so one is taken
off; what is assumed is never more than the truth, and what was assumed too little shows in the next response.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Final

#: Seconds that a response is remembered: other clients of the tenant come and go.
_REMEMBERED: Final = 30.0
_MOST_REMEMBERED: Final = 500
#: Beyond 80 % of the burst Auth0 writes `api_limit_warning` into the log that we read.
_KEPT_IN_CATCH_UP: Final = 0.2
#: Of a smaller burst a fifth is no whole request.
_SMALLEST_WITH_RESERVE: Final = 5
#: Seconds between two requests without headers, after the first 429 and at most; it shrinks while none comes.
_FIRST_INTERVAL: Final = 0.25
_LONGEST_INTERVAL: Final = 30.0
_SHRINKS: Final = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """What the headers of one response say."""

    #: The requests that can be made at once; 1 or more.
    burst: int
    #: The requests that can still be made at this moment.
    remaining: int
    #: Seconds until all of `burst` can be made again, at most; None where it is not said.
    full_in: float | None = None


@dataclass(frozen=True, slots=True)
class _Response:
    at: float
    #: How many requests were made up to this one.
    request: int
    remaining: int


def reserve(burst: int, share: float, *, hurry: bool) -> int:
    """Returns how many requests of a burst stay unspent; one can always be made."""
    if not hurry:
        return min(math.ceil(burst * (1 - share)), burst - 1)
    return math.ceil(burst * _KEPT_IN_CATCH_UP) if burst >= _SMALLEST_WITH_RESERVE else 0


class Pacing:
    """`share`: the part of the burst that may be spent where there is no hurry, above 0 up to 1. Times in seconds, monotonic."""

    def __init__(self, share: float) -> None:
        self._share = share
        self._limit: RateLimit | None = None
        self._responses: deque[_Response] = deque(maxlen=_MOST_REMEMBERED)
        self._requests = 0
        self._interval = 0.0
        self._at = -math.inf

    def responded(self, limit: RateLimit | None, now: float) -> None:
        """A request was answered; `limit`: what its headers said, None: nothing."""
        self._requests += 1
        self._at = now
        self._interval = self._interval * _SHRINKS if self._interval > 0.01 else 0.0
        if limit is not None and self._limit is not None and limit.burst != self._limit.burst:
            self._responses.clear()  # another plan, or another limit
        self._limit = limit
        while self._responses and self._responses[0].at < now - _REMEMBERED:
            self._responses.popleft()
        if limit is not None:
            self._responses.append(_Response(now, self._requests, limit.remaining))

    def refused(self, now: float) -> None:
        """A request was answered with 429: none is left."""
        self._at = now
        self._responses.clear()
        if self._limit is None:
            self._interval = min(max(2 * self._interval, _FIRST_INTERVAL), _LONGEST_INTERVAL)
        else:
            self._limit = RateLimit(burst=self._limit.burst, remaining=0, full_in=self._limit.full_in)
            self._responses.append(_Response(now, self._requests, 0))

    def wait(self, now: float, *, hurry: bool) -> float:
        """Returns the seconds until the next request may go. `hurry`: the last page was full, so more may be spent."""
        if self._limit is None:
            return max(0.0, self._at + self._interval - now)
        lacking = reserve(self._limit.burst, self._share, hurry=hurry) + 1 - self._limit.remaining
        if lacking <= 0:
            return 0.0
        seconds = lacking / self._rate(self._limit)
        if self._limit.full_in is not None:
            seconds = min(seconds, self._limit.full_in)  # all can be made again by then, whatever was learned of the rate
        seconds = min(seconds, _LONGEST_INTERVAL)  # headers can be wrong: then one request finds out
        return max(0.0, self._at + seconds - now)

    def _rate(self, limit: RateLimit) -> float:
        """Returns how many requests a second become possible, at least."""
        by_reset = (limit.burst - limit.remaining - 1) / limit.full_in if limit.full_in else 0.0
        last = self._responses[-1]
        seen = (
            (last.remaining - one.remaining - 1 + last.request - one.request) / (last.at - one.at)
            for one in self._responses
            if last.at > one.at
        )
        return max(by_reset, *seen, 1 / _LONGEST_INTERVAL)
