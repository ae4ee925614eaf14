"""Times that are over by a clock which can be stopped: what waits while nothing can be had does not spend its time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class StoppableClock:
    """It is stopped at first."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._runs = False
        #: By each block: until when it may last, by the loop's clock; while this one is stopped, how many seconds it has left.
        self._times: dict[asyncio.Timeout, float] = {}

    def set(self, *, runs: bool) -> None:
        if runs is self._runs:
            return
        self._runs, now = runs, self._loop.time()
        for limit, time in self._times.items():
            self._times[limit] = time + now if runs else time - now
            limit.reschedule(self._times[limit] if runs else None)

    @asynccontextmanager
    async def within(self, seconds: float) -> AsyncIterator[asyncio.Timeout]:
        """Yields what knows when the block will be over. Raises `TimeoutError` then."""
        until = self._loop.time() + seconds
        async with asyncio.timeout_at(until if self._runs else None) as limit:
            self._times[limit] = until if self._runs else seconds
            try:
                yield limit
            finally:
                del self._times[limit]
