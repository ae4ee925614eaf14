"""Dead letters and the control table of the embedded log."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence

from shared.documents import dead_letter
from shared.errors import PublishFailed, RecordInvalid, TransportUnusable
from shared.logging import get_logger
from shared.transport.port import Control, DeadLetter, DeadLetters
from shared.transport.sqlite.file import Connection, File, T, transaction

log = get_logger(__name__)


class SqliteDeadLetters(DeadLetters):
    def __init__(self, file: File) -> None:
        self._file = file

    async def put(self, letter: DeadLetter) -> None:
        await write(self._file, _put_letter, letter)

    async def all(self) -> Sequence[DeadLetter]:
        found = []
        for log_id, document in await self._file.run(_letters):
            try:
                found.append(dead_letter.parse(document))
            except RecordInvalid as error:
                log.warning("a dead letter cannot be read and is left out", log_id=log_id, reason=str(error))
        return found

    async def retry(self, letter: DeadLetter) -> bool:
        return await write(self._file, _retry, letter)

    async def remove(self, log_id: str) -> None:
        await write(self._file, _remove_letter, log_id)

    async def close(self) -> None:
        await self._file.close()


class SqliteControl(Control):
    def __init__(self, file: File) -> None:
        self._file = file

    async def put(self, key: str, document: bytes) -> None:
        await write(self._file, _put_document, key, document)

    async def delete(self, key: str) -> None:
        await write(self._file, _delete_document, key)

    async def snapshot(self) -> Mapping[str, bytes]:
        return dict(await self._file.run(_documents))

    async def close(self) -> None:
        await self._file.close()


async def write(file: File, work: Callable[..., T], *arguments: object) -> T:
    """Raises `PublishFailed`."""
    try:
        return await file.run(work, *arguments)
    except TransportUnusable as error:
        raise PublishFailed(str(error)) from None


def _put_letter(connection: Connection, letter: DeadLetter) -> None:
    values = (letter.log_id, letter.time, dead_letter.dump(letter))
    connection.execute("INSERT OR REPLACE INTO dead_letter VALUES (?, ?, ?)", values)


def _letters(connection: Connection) -> list[tuple[str, bytes]]:
    return connection.execute("SELECT log_id, document FROM dead_letter ORDER BY time, log_id").fetchall()


def _retry(connection: Connection, letter: DeadLetter) -> bool:
    record = letter.record
    headers = json.dumps([(name, value.decode("ascii", "backslashreplace")) for name, value in record.headers])
    insert = "INSERT INTO record (log_id, again, key, value, headers, timestamp) VALUES (?, 1, ?, ?, ?, ?)"
    with transaction(connection):
        there = _remove_letter(connection, letter.log_id) > 0  # another operator may have been quicker
        if there:
            connection.execute(insert, (letter.log_id, record.key, record.value, headers, time.time()))
    return there


def _remove_letter(connection: Connection, log_id: str) -> int:
    return connection.execute("DELETE FROM dead_letter WHERE log_id = ?", (log_id,)).rowcount


def _put_document(connection: Connection, key: str, document: bytes) -> None:
    connection.execute("INSERT OR REPLACE INTO control VALUES (?, ?)", (key, document))


def _delete_document(connection: Connection, key: str) -> None:
    connection.execute("DELETE FROM control WHERE key = ?", (key,))


def _documents(connection: Connection) -> list[tuple[str, bytes]]:
    return connection.execute("SELECT key, document FROM control").fetchall()
