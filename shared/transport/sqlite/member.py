"""The consumer's side of the embedded log: the only member, with the only partition."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from math import inf
from typing import Final

from shared import failpoints
from shared.errors import TransportUnusable
from shared.logging import get_logger
from shared.transport.port import Member, PartitionRecords, Position, RebalanceListener
from shared.transport.sqlite.file import Connection, File, transaction
from shared.transport.sqlite.progress import PARTITION, progress
from shared.transport.sqlite.records import read
from shared.transport.sqlite.retention import Retention

_POLL_EVERY: Final = 0.05  # seconds between two queries for new records
_RETENTION_AT_CLOSE: Final = 0.5  # seconds; far below STOP_GRACE

log = get_logger(__name__)


class SqliteMember(Member):
    session: Final = inf

    def __init__(self, file: File, listener: RebalanceListener, position: Position, retention: float) -> None:
        self._file = file
        self._listener = listener
        self._next = position.offset
        self._retention = Retention(file, retention)
        #: Why the last commit failed; empty: it did not.
        self._reason = ""
        self._closed = False

    @classmethod
    async def join(cls, file: File, listener: RebalanceListener, concurrent_calls: int, retention: float) -> SqliteMember:
        file.lock("consumer")
        seen = await file.run(progress)
        position = seen.committed or Position(seen.begin)
        if seen.committed is None:
            log.info("no committed position yet: starting at the oldest record", file=str(file.path), offset=position.offset)
        failpoints.at("before-seek")
        listener.share(concurrent_calls)
        listener.assigned(PARTITION, position)
        return cls(file, listener, position, retention)

    async def poll(self, *, wait: float, limit: int, paused: Collection[int]) -> Sequence[PartitionRecords]:
        deadline = time.monotonic() + wait
        while True:
            records = [] if PARTITION in paused else await self._file.run(read, self._next, limit)
            if self._retention.due:
                await self._retention.remove(2 * len(records))  # more than come in, so the file does not grow
            if records:
                self._next = records[-1].offset + 1
                return [PartitionRecords(PARTITION, records)]
            left = deadline - time.monotonic()
            if left <= 0:
                return []
            await asyncio.sleep(min(left, _POLL_EVERY))

    async def commit(self, positions: Mapping[int, Position]) -> bool:
        try:
            if PARTITION in positions:
                await self._file.run(_commit, positions[PARTITION])
        except TransportUnusable as error:
            if str(error) != self._reason:  # once for each reason: the worker commits again every second
                log.error("the position could not be stored; trying again", reason=str(error))
            self._reason = str(error)
            return False
        if self._reason:
            log.info("the position can be stored again")
        self._reason = ""
        return True

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            await self.commit(await self._listener.revoked([PARTITION]))
            await self._retention.finish(_RETENTION_AT_CLOSE)
        finally:
            await self._file.close()


def _commit(connection: Connection, position: Position) -> None:
    with transaction(connection):
        connection.execute("INSERT OR REPLACE INTO committed VALUES (?, ?, ?)", (PARTITION, position.offset, position.metadata))
        failpoints.at("inside-commit")
