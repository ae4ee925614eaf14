"""The tables of the embedded log."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass
from typing import Final

from shared.transport.port import DeadLetter, Row, Table
from shared.transport.sqlite.file import Connection, File, transaction
from shared.transport.sqlite.records import append

#: Bytes of documents that a scan holds at a time.
_STRETCH: Final = 4 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Statements:
    """What is done with one table of the schema."""

    put: str
    delete: str
    rows: str
    keys: str
    #: Rows with a larger key, in the same order.
    more_rows: str


DEAD_LETTERS: Final = Statements(
    # The time is what an older release sorts by.
    put="INSERT OR REPLACE INTO dead_letter (log_id, time, document) VALUES (?, (julianday('now') - 2440587.5) * 86400, ?)",
    delete="DELETE FROM dead_letter WHERE log_id = ?",
    keys="SELECT log_id FROM dead_letter",
    rows="SELECT log_id, document FROM dead_letter ORDER BY log_id",
    more_rows="SELECT log_id, document FROM dead_letter WHERE log_id > ? ORDER BY log_id",
)
CONTROL: Final = Statements(
    put="INSERT OR REPLACE INTO control (key, document) VALUES (?, ?)",
    delete="DELETE FROM control WHERE key = ?",
    keys="SELECT key FROM control",
    rows="SELECT key, document FROM control ORDER BY key",
    more_rows="SELECT key, document FROM control WHERE key > ? ORDER BY key",
)


class SqliteTable(Table):
    def __init__(self, file: File, statements: Statements) -> None:
        self._file = file
        self._statements = statements

    async def put(self, key: str, document: bytes) -> None:
        await self._file.write(_execute, self._statements.put, key, document)

    async def delete(self, key: str) -> None:
        await self._file.write(_execute, self._statements.delete, key)

    async def scan(self) -> AsyncIterator[Row]:
        rows = await self._file.run(_stretch, self._statements.rows)
        while rows:
            for key, document in rows:
                yield Row(key, document, str(self._file.path))
            rows = await self._file.run(_stretch, self._statements.more_rows, rows[-1][0])

    async def keys(self) -> Collection[str]:
        return [key for (key,) in await self._file.run(_keys, self._statements.keys)]

    async def snapshot(self) -> Mapping[str, bytes]:
        self._file = await self._file.current()
        return dict(await self._file.run(_rows, self._statements.rows))

    async def close(self) -> None:
        await self._file.close()


def retry_dead_letter(connection: Connection, dead_letter: DeadLetter) -> bool:
    """Returns False if the dead letter is not there any more."""
    record = dead_letter.record
    with transaction(connection):
        there = _execute(connection, DEAD_LETTERS.delete, dead_letter.log_id) > 0
        if there:
            append(connection, dead_letter.log_id, record.key, record.value, record.headers, time.time(), again=True)
    return there


def _execute(connection: Connection, statement: str, *values: object) -> int:
    """Returns the number of rows that were written."""
    return connection.execute(statement, values).rowcount


def _rows(connection: Connection, query: str) -> list[tuple[str, bytes]]:
    return connection.execute(query).fetchall()


def _keys(connection: Connection, query: str) -> list[tuple[str]]:
    return connection.execute(query).fetchall()


def _stretch(connection: Connection, query: str, *values: object) -> list[tuple[str, bytes]]:
    """The first rows, as many as the memory of a scan has room for, at least one if there are any."""
    rows: list[tuple[str, bytes]] = []
    size = 0
    for row in connection.execute(query, values):
        rows.append(row)
        size += len(row[1])
        if size > _STRETCH:
            break
    return rows
