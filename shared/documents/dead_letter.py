"""A dead letter as a stored document: JSON with a version; bytes as base64, so that nothing of the record changes."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Final

from shared.errors import RecordInvalid
from shared.logging import get_logger
from shared.record import Record
from shared.transport.port import DeadLetter, Table

VERSION: Final = 1

log = get_logger(__name__)


async def put(table: Table, dead_letter: DeadLetter) -> None:
    """Store it under its log id. Raises `PublishFailed`."""
    await table.put(dead_letter.log_id, dump(dead_letter))


async def scan(table: Table) -> AsyncIterator[DeadLetter]:
    """Every dead letter, in no order. One that cannot be read is left out and logged. Raises `TransportUnusable`."""
    async for row in table.scan():
        try:
            dead_letter = parse(row.document)
            if dead_letter.log_id != row.key:
                raise RecordInvalid("its key is not its log id, so it could never be removed")
        except RecordInvalid as error:
            log.warning("a dead letter cannot be read and is left out", log_id=row.key, at=row.at, reason=str(error))
        else:
            yield dead_letter


def dump(dead_letter: DeadLetter) -> bytes:
    record = dead_letter.record
    document = {
        "v": VERSION,
        "log_id": dead_letter.log_id,
        "reason": dead_letter.reason,
        "attempts": dead_letter.attempts,
        "status": dead_letter.status,
        "time": dead_letter.time,
        "partition": dead_letter.partition,
        "offset": record.offset,
        "timestamp": record.timestamp,
        "key": _text(record.key),
        "value": _text(record.value),
        "headers": [[name, _text(value)] for name, value in record.headers],
    }
    return json.dumps(document).encode()


def parse(document: bytes) -> DeadLetter:
    """Raises `RecordInvalid`, saying why, for what is no dead letter of ours or of a newer version."""
    try:
        fields = json.loads(document)
        if fields["v"] != VERSION:
            raise RecordInvalid(f"its version is {fields['v']!r}, this release knows {VERSION}: upgrade auth0-webhooks")
        time = float(fields["time"])
        datetime.fromtimestamp(time, UTC)  # a list of dead letters shows it
        record = Record(
            offset=int(fields["offset"]),
            key=_bytes(fields["key"]),
            value=_bytes(fields["value"]),
            headers=[(str(name), b64decode(value or "")) for name, value in fields["headers"]],
            timestamp=float(fields["timestamp"]),
        )
        return DeadLetter(
            record=record,
            log_id=str(fields["log_id"]),
            partition=int(fields["partition"]),
            attempts=int(fields["attempts"]),
            status=None if fields["status"] is None else int(fields["status"]),
            reason=str(fields["reason"]),
            time=time,
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, OSError, RecursionError) as error:
        raise RecordInvalid(f"it is no dead letter of ours or is damaged ({type(error).__name__})") from None


def _text(value: bytes | None) -> str | None:
    return None if value is None else b64encode(value).decode("ascii")


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else b64decode(text)
