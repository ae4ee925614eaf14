"""The records of the embedded log: a row each, the headers as JSON."""

from __future__ import annotations

import json
from typing import Final

from shared.record import Headers, Record
from shared.transport.port import STRETCH_BYTES, STRETCH_RECORDS, size_of
from shared.transport.sqlite.file import Connection

_INSERT: Final = "INSERT INTO record (log_id, again, key, value, headers, timestamp) VALUES (?, ?, ?, ?, ?, ?)"


def append(
    connection: Connection,
    log_id: str,
    key: bytes | None,
    value: bytes | None,
    headers: Headers,
    now: float,
    *,
    again: bool = False,
) -> None:
    """`now` in seconds since the epoch. `again`: a copy of an event that is, or was, here already."""
    text = json.dumps([(name, content.decode("ascii", "backslashreplace")) for name, content in headers])
    connection.execute(_INSERT, (log_id, again, key, value, text, now))


def read(connection: Connection, offset: int, limit: int) -> list[Record]:
    """Returns the records from `offset` on, at most `limit`."""
    rows = connection.execute(
        "SELECT offset, key, value, headers, timestamp FROM record WHERE offset >= ? ORDER BY offset LIMIT ?", (offset, limit)
    )
    return list(map(_record, rows))


def stretch(connection: Connection, offsets: range) -> list[Record]:
    """Returns the first records at these offsets, as many as one stretch of `Reader.read` has room for."""
    records: list[Record] = []
    size = 0
    for row in connection.execute(
        "SELECT offset, key, value, headers, timestamp FROM record WHERE offset >= ? AND offset < ? ORDER BY offset LIMIT ?",
        (offsets.start, offsets.stop, STRETCH_RECORDS),
    ):
        records.append(record := _record(row))
        size += size_of(record)
        if size > STRETCH_BYTES:
            break
    return records


def _record(row: tuple[int, bytes | None, bytes | None, str, float]) -> Record:
    offset, key, value, headers, timestamp = row
    return Record(offset, key, value, [(name, text.encode("ascii")) for name, text in json.loads(headers)], timestamp)
