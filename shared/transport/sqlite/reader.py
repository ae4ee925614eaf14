"""Reads the records of the embedded log beside its consumer: for people who look, not for delivery."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence

from shared.record import Record
from shared.transport.port import Reader
from shared.transport.sqlite.file import Connection, File
from shared.transport.sqlite.progress import PARTITION, progress
from shared.transport.sqlite.records import stretch


class SqliteReader(Reader):
    def __init__(self, file: File) -> None:
        self._file = file

    async def offsets(self) -> Mapping[int, range]:
        self._file = await self._file.current()
        found = await self._file.run(progress)
        return {PARTITION: range(found.begin, found.end)}

    async def offsets_since(self, moment: float) -> Mapping[int, int]:
        return {PARTITION: await self._file.run(_since, moment)}

    async def read(self, _partition: int, offsets: range) -> AsyncIterator[Sequence[Record]]:
        position = offsets.start
        while position < offsets.stop and (records := await self._file.run(stretch, range(position, offsets.stop))):
            yield records
            position = records[-1].offset + 1

    async def close(self) -> None:
        await self._file.close()


def _since(connection: Connection, moment: float) -> int:
    query = "SELECT offset FROM record WHERE timestamp >= ? ORDER BY timestamp, offset LIMIT 1"
    row = connection.execute(query, (moment,)).fetchone()
    return row[0] if row else progress(connection).end
