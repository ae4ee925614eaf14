"""The control table, read by one follower for all that act on it: skips, the desired state, this replica's own document.

One task looks every second and hands what it sees from reader to reader, so one process reads the table once, whatever it does
with it. Without the table a process goes on, and says so.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final, Protocol

from shared.errors import PublishFailed, TransportUnusable
from shared.log_throttle import LogThrottle
from shared.logging import get_logger
from shared.transport.port import Table, Transport
from shared.waiting import Stopped, unless_stopped

#: Seconds between two looks: no call begins more than that after a pause is stored.
EVERY: Final = 1.0
_OPEN_AGAIN: Final = 60.0  # seconds
_SAID_AFTER: Final = 1.0  # seconds
_SAID_EVERY: Final = 600.0  # seconds between two equal lines: a right to write may be missing for good
#: Seconds that the first look may take; then delivery begins without it.
_FIRST_LOOK: Final = 10.0
#: Seconds that a reader gets for its last writes.
_LAST_WRITES: Final = 2.0

log = get_logger(__name__)


class ControlReader(Protocol):
    """What acts on the table. One reader is called after the other, in the event loop."""

    async def read(self, table: Table, documents: Mapping[str, bytes]) -> bool:
        """Acts on a snapshot. Returns whether to look again at once. Raises `PublishFailed`, `TransportUnusable`."""

    def missed(self) -> None:
        """The table could not be read just now, or what `read` wanted to write was not taken."""

    async def leave(self, table: Table) -> None:
        """Writes the last words; the process has done its work. Raises as `read` does."""


class ControlFollower:
    """`wake`: set it to look at once."""

    def __init__(self, readers: Sequence[ControlReader], wake: asyncio.Event) -> None:
        self._readers = readers
        self._wake = wake
        self._table: Table | None = None
        self._throttle = LogThrottle(_SAID_EVERY)
        #: The table could not be read the last time.
        self._unread = False
        #: The table was read, or it is known that it cannot be.
        self.looked = asyncio.Event()

    async def follow(self, transport: Transport) -> None:
        """Looks until cancelled."""
        table = self._table = await self._open(transport)
        while True:
            await self.look(table)
            self.looked.set()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), EVERY)
            self._wake.clear()

    async def look(self, table: Table) -> None:
        if await self._pass(table):
            await self._pass(table)

    async def close(self) -> None:
        """Lets every reader write its last words. `follow` must have ended."""
        if self._table is None:
            return
        # All of them, and then the closing, within a bound: with a dead broker each would wait for the client's own.
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LAST_WRITES):
                    for reader in self._readers:
                        with suppress(PublishFailed, TransportUnusable):
                            await reader.leave(self._table)
        finally:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._table.close(), _LAST_WRITES)

    async def _open(self, transport: Transport) -> Table:
        logged = ""
        while True:
            try:
                return await transport.control()
            except TransportUnusable as error:
                reason = str(error)
            self.looked.set()
            # Where the whole log is of no use, the loops end the process with the line that counts, and this one is not written.
            await asyncio.sleep(_SAID_AFTER)
            if reason != logged:
                log.warning(
                    "what operators ask for is not seen, nor this process by status; tried again each minute", reason=reason
                )
            logged = reason
            await asyncio.sleep(_OPEN_AGAIN - _SAID_AFTER)

    async def _pass(self, table: Table) -> bool:
        try:
            documents = await table.snapshot()
        except TransportUnusable as error:
            self._unread = True
            self._failed(error)
            for reader in self._readers:
                reader.missed()
            return False
        if self._unread:  # said, and the next outage is told again however soon it comes
            self._unread = False
            self._throttle.forget()
            log.info("the control table can be read again")
        again = False
        for reader in self._readers:
            try:
                again |= await reader.read(table, documents)
            except (PublishFailed, TransportUnusable) as error:
                self._failed(error)
                reader.missed()
        return again

    def _failed(self, error: Exception) -> None:
        if self._throttle.allows(str(error), time.monotonic()):
            log.warning("the control table cannot be read or written at the moment", reason=str(error))


@asynccontextmanager
async def following(
    transport: Transport, readers: Sequence[ControlReader], stop: asyncio.Event, *, wake: asyncio.Event | None = None
) -> AsyncIterator[None]:
    """Follows the table while the block runs. Yields after the first look, so that a pause holds before the first call.

    Where that look takes too long, delivery begins without it: an unreadable table must not stop it. `stop` ends that wait.
    """
    follower = ControlFollower(readers, wake or asyncio.Event())
    task = asyncio.create_task(follower.follow(transport))
    task.add_done_callback(lambda _: stop.set())  # an unexpected error: the process ends, and its supervisor starts it again
    try:
        with suppress(TimeoutError, Stopped):
            await asyncio.wait_for(unless_stopped(stop, follower.looked.wait()), _FIRST_LOOK)
        if not follower.looked.is_set() and not stop.is_set():
            log.warning("the control table does not respond: delivery begins without knowing whether it is paused")
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await follower.close()
    if not task.cancelled():
        task.result()
