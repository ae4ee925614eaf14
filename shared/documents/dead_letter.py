"""A dead letter as a stored document: JSON with a version; bytes as base64, so that nothing of the record changes."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from typing import Final

from shared.errors import RecordInvalid
from shared.record import Record
from shared.transport.port import DeadLetter

VERSION: Final = 1


def dump(letter: DeadLetter) -> bytes:
    record = letter.record
    document = {
        "v": VERSION,
        "log_id": letter.log_id,
        "reason": letter.reason,
        "attempts": letter.attempts,
        "status": letter.status,
        "time": letter.time,
        "partition": letter.partition,
        "offset": record.offset,
        "timestamp": record.timestamp,
        "key": _text(record.key),
        "value": _text(record.value),
        "headers": [[name, _text(value)] for name, value in record.headers],
    }
    return json.dumps(document).encode()


def parse(document: bytes) -> DeadLetter:
    """Raises `RecordInvalid`, saying why, for what is no letter of ours or of a newer version."""
    try:
        fields = json.loads(document)
        if fields["v"] != VERSION:
            raise RecordInvalid(f"its version is {fields['v']!r}, this release knows {VERSION}: upgrade auth0-webhooks")
        time = float(fields["time"])
        datetime.fromtimestamp(time, UTC)  # whoever lists letters shows it
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
