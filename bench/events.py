"""The events of the benchmarks: 1,500 bytes each, looking like a tenant's, of ten thousand users unless said otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from random import Random
from typing import Final

from shared.event import Event
from simulator.entries import Entries

SIZE: Final = 1500
USERS: Final = 10_000
HOT: Final = "auth0|hot"
_TEMPLATES: Final = 1000
_AT: Final = datetime(2026, 11, 1, tzinfo=UTC)


def events(
    count: int, *, first: int = 0, users: int = USERS, hot: float = 0.0, seed: int = 0, logins: bool = False
) -> Iterator[Event]:
    """`hot`: the share (0 to 1) of the events that belong to one user. `logins`: all of them are one."""
    random = Random(f"{seed}/{first}")
    templates = _templates(logins=logins)
    for number in range(first, first + count):
        head, tail = templates[number % _TEMPLATES]
        log_id = log_id_of(number)
        user = HOT if random.random() < hot else f"auth0|{random.randrange(users):024x}"
        raw = head + log_id.encode() + tail
        yield Event(raw=raw, log_id=log_id, type="s", date="2026-11-01T00:00:00.000Z", user_id=user, tenant="acme")


def log_id_of(number: int) -> str:
    return f"900{number:053d}"


def body() -> bytes:
    """Returns the body of one event."""
    head, tail = _templates()[0]
    return head + log_id_of(0).encode() + tail


@cache
def _templates(*, logins: bool = False) -> list[tuple[bytes, bytes]]:
    """Returns what precedes and what follows the log id; the padding is as hard to compress as real ids are."""
    entries = Entries(edge_cases=0)
    random = Random(0)
    made = []
    for number in range(_TEMPLATES):
        entry = (entries.of_type("s", number, _AT) if logins else entries.raw(number, _AT))[1:]
        head = b'{"log_id":"'
        room = SIZE - len(head) - len(log_id_of(0)) - len(b'","pad":"",') - len(entry)
        made.append((head, b'","pad":"%b",%b' % (random.randbytes(max(0, room)).hex()[: max(0, room)].encode(), entry)))
    return made
