"""The producer's side of the embedded log."""

from __future__ import annotations

import time
from collections.abc import Sequence

from shared import failpoints
from shared.documents import checkpoint as documents
from shared.event import Event
from shared.record import headers_of, key_of
from shared.transport.port import Checkpoint, Publisher
from shared.transport.sqlite import progress
from shared.transport.sqlite.file import Connection, File, transaction
from shared.transport.sqlite.records import append


class SqlitePublisher(Publisher):
    def __init__(self, file: File) -> None:
        self._file = file

    async def acquire(self) -> Checkpoint | None:
        self._file.lock("poller")
        return await self._file.run(progress.checkpoint, self._file.path)

    async def renew(self) -> None:
        """Does nothing: the lock on the file lasts as long as the process."""

    async def publish(self, events: Sequence[Event], checkpoint: Checkpoint) -> int:
        return await self._file.write(_publish, events, checkpoint)

    def too_large(self, _events: Sequence[Event]) -> Sequence[Event]:
        return ()  # Auth0's pages are far smaller than what SQLite takes

    async def close(self) -> None:
        await self._file.close()


def _publish(connection: Connection, events: Sequence[Event], checkpoint: Checkpoint) -> int:
    now = time.time()
    known = "SELECT 1 FROM record WHERE log_id = ? AND again = 0"
    published = 0
    failpoints.at("before-publish")
    with transaction(connection):
        for event in events:
            if connection.execute(known, (event.log_id,)).fetchone() is None:
                append(connection, event.log_id, key_of(event), event.raw, headers_of(event), now)
                published += 1
                failpoints.at("record-acknowledged")
        failpoints.at("page-acknowledged")
        store_checkpoint(connection, checkpoint)
    return published


def store_checkpoint(connection: Connection, checkpoint: Checkpoint) -> None:
    connection.execute("INSERT OR REPLACE INTO checkpoint VALUES (0, ?)", (documents.dump(checkpoint),))
