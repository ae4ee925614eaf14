"""When requests that are made beside the poller may go, several at once: a part of the tenant's burst is left to others.

Auth0 says with each response how many requests are left, as of the moment that it was counted. Those that are under way now may
be counted later, and so may those that were answered in the meantime: all of them are taken off, so that what is assumed is never
more than what is there.
"""

from __future__ import annotations

import asyncio
import math
import time
from typing import Final, NewType

from producer.pacing import RateLimit, reserve

#: Seconds; after it one more request may find out how it is.
_LONGEST: Final = 30.0

#: Under way at once: enough for any plan of Auth0, and file descriptors that need not be counted.
_MOST: Final = 10

#: A request that went out: how many had ended by then.
Turn = NewType("Turn", int)


class SharedPacing:
    """Pure: times are handed in, in seconds, monotonic. `share`: the part of the burst that may be spent where there is no hurry,
    above 0 up to 1."""

    def __init__(self, share: float) -> None:
        self._share = share
        self._open = 0
        self._ended = 0
        #: A response was heard: before it, one request goes to find out.
        self._heard = False
        #: None: Auth0 says nothing about a limit.
        self._burst: int | None = None
        #: Requests that were left at `_at`, at least, without those that are under way.
        self._left = 0
        self._at = 0.0
        #: How many become possible in a second, at least; 0: not known.
        self._rate = 0.0
        #: When the bucket is full, but for what is under way.
        self._full_at = 0.0
        #: Until when Auth0 asked us to wait.
        self._not_before = 0.0

    def wait(self, now: float, *, hurry: bool) -> float:
        """Returns the seconds until the next request may go, unless one that is under way ends before; `hurry`: more may be
        spent."""
        kept = reserve(self._burst, self._share, hurry=hurry) if self._burst else 0
        most = 1 if not self._heard else self._burst - kept if self._burst else _MOST
        if self._open >= min(most, _MOST):
            return _LONGEST
        if now < self._not_before:
            return self._not_before - now
        lacking = kept + 1 + self._open - self._left
        if self._burst is None or lacking <= 0:
            return 0.0
        return max(0.0, min(self._at + self._seconds(lacking), self._full_at, self._at + _LONGEST) - now)

    def began(self) -> Turn:
        self._open += 1
        return Turn(self._ended)

    def responded(self, turn: Turn, limit: RateLimit | None, now: float) -> None:
        unseen = self._ended - turn
        self._end()
        self._heard = True
        self._burst = limit.burst if limit else None
        if limit is None:
            return
        full_in = math.inf if limit.full_in is None else limit.full_in
        self._rate = (limit.burst - limit.remaining - 1) / full_in or self._rate
        self._at, self._left, self._full_at = now, limit.remaining, now + full_in
        self._take_off(unseen)

    def refused(self, now: float, wait: float) -> None:
        """It was answered with 429; `wait` in seconds, as Auth0 asks."""
        self._end()
        self._heard = True
        self._not_before = now + wait
        self._at, self._left, self._full_at = now, 0, math.inf

    def lost(self) -> None:
        """It ended without a response, and may have been counted or not."""
        self._end()
        self._take_off(1)

    def _end(self) -> None:
        self._open -= 1
        self._ended += 1

    def _take_off(self, requests: int) -> None:
        if requests:
            self._left -= requests
            self._full_at += self._seconds(requests)

    def _seconds(self, requests: int) -> float:
        """Returns how long it takes at most until so many more can be made."""
        return requests / self._rate if self._rate else math.inf


class RequestBudget:
    """The same for requests of one event loop, which wait in turn. Each turn has to be ended, by `responded`, `refused` or
    `lost`."""

    def __init__(self, share: float = 0.5) -> None:
        self._pacing = SharedPacing(share)
        #: By hurry: what waits behind the reserve must not hold up what may spend more.
        self._queues = {hurry: asyncio.Lock() for hurry in (False, True)}
        self._one_ended = asyncio.Event()

    async def turn(self, *, hurry: bool) -> Turn:
        """Waits until a request may go. `hurry`: only a fifth of the burst has to be left, instead of the whole reserve."""
        async with self._queues[hurry]:
            while (seconds := self._pacing.wait(time.monotonic(), hurry=hurry)) > 0:
                try:
                    async with asyncio.timeout(seconds):
                        await self._one_ended.wait()
                except TimeoutError:
                    continue
            return self._pacing.began()

    def responded(self, turn: Turn, limit: RateLimit | None) -> None:
        self._pacing.responded(turn, limit, time.monotonic())
        self._wake()

    def refused(self, wait: float) -> None:
        self._pacing.refused(time.monotonic(), wait)
        self._wake()

    def lost(self) -> None:
        self._pacing.lost()
        self._wake()

    def _wake(self) -> None:
        self._one_ended.set()
        self._one_ended = asyncio.Event()
