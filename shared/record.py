"""How an event becomes a record of the topic, and how its log id is read back without parsing JSON.

Key: the user, else the log id. Value: the entry's JSON, untouched. Headers, ASCII: `v` (the version of this form), `log-id`,
`type`, `date`, `tenant`; `pii` where personal data is hidden.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from shared.errors import RecordInvalid
from shared.event import Event
from shared.masking import excerpt

VERSION: Final = b"1"

#: The largest record of the topic of events, in bytes.
MAX_RECORD: Final = 8 * 1024 * 1024

#: So many headers has every record of ours, and some have more.
FEWEST_HEADERS: Final = 5

Headers = Sequence[tuple[str, bytes]]


class Record(NamedTuple):
    """An event at its offset, or what another program wrote there."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    #: When it was published, in seconds since the epoch. Never the event's own date.
    timestamp: float


def key_of(event: Event) -> bytes:
    return event.key.encode("utf-8", "surrogatepass")


def headers_of(event: Event) -> list[tuple[str, bytes]]:
    """Returns the headers of an event's record. What is not ASCII becomes a backslash escape; a value has at most 256 bytes."""
    headers = [
        ("v", VERSION),
        ("log-id", event.log_id.encode("ascii")),
        ("type", _ascii(event.type)),
        ("date", _ascii(event.date)),
        ("tenant", _ascii(event.tenant)),
    ]
    return [*headers, ("pii", _ascii(event.pii))] if event.pii else headers


def log_id_of(record: Record) -> str:
    """Returns the log id of a record that our producer wrote.

    Raises `RecordInvalid`, which says what is wrong, for a foreign record, an empty one, or one of a newer version.
    """
    headers = dict(record.headers)
    version, log_id = headers.get("v"), headers.get("log-id")
    if version is None or not log_id:
        raise RecordInvalid("it lacks the headers `v` and `log-id` that our producer writes: another program wrote it")
    if version != VERSION:
        shown = excerpt(version.decode("ascii", "backslashreplace"), 16)
        raise RecordInvalid(f"its version is {shown!r}, this release knows {VERSION.decode()!r}: upgrade auth0-webhooks")
    if not record.value:
        raise RecordInvalid("it has no value")
    # Parsing each value would cost more than delivering it; our producer cuts an entry out of its page at these two characters.
    if not (record.value.startswith(b"{") and record.value.endswith(b"}")):
        raise RecordInvalid("its value is no JSON object: another program wrote it")
    return log_id.decode("ascii", "backslashreplace")


def _ascii(text: str) -> bytes:
    return text.encode("ascii", "backslashreplace")[:256]
