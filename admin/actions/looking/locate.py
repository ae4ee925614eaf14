"""Finds the record of a log id without reading the whole log: ids carry their time, and records are published after it."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from admin.actions.looking.log_ids import may_mean, resolve
from admin.actions.looking.tail import header
from shared.event import log_id_time
from shared.record import Record
from shared.transport.port import Reader

#: Seconds that our clock may be behind Auth0's.
_SKEW: Final = 300.0
#: An id that is so much later lies well beyond: ids ascend in a partition, but for events that were sent again.
_BEYOND: Final = timedelta(minutes=10)
#: The most records that are read for one id.
MOST: Final = 100_000
_PLACE: Final = re.compile(r"(\d{1,9}):(\d{1,18})")


@dataclass(frozen=True, slots=True)
class Located:
    partition: int
    record: Record

    @property
    def log_id(self) -> str:
        """Empty for a record that is not ours."""
        return header(self.record, "log-id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What came of looking for an id."""

    found: Located | None = None
    #: Records that were read.
    looked_at: int = 0
    #: False: it may lie behind the last one that was read.
    complete: bool = True


def is_place(text: str) -> bool:
    """Whether it is `PARTITION:OFFSET` and no log id."""
    return _PLACE.fullmatch(text) is not None


async def locate(reader: Reader, log_id: str, since: float | None = None) -> Search | None:
    """`log_id`: whole, or its unique beginning, or `PARTITION:OFFSET`. Of an event that was sent again the newest record counts.

    Returns None where no time can be read from the id. `since`: it was published after this, in seconds since the epoch; else its
    own time says that. Raises `TransportUnusable`, and `ConfigurationError` for the beginning of several ids.
    """
    if place := _PLACE.fullmatch(log_id):
        return await _at(reader, int(place[1]), int(place[2]))
    moment = log_id_time(log_id)
    if moment is None:
        return None
    meant: dict[str, Located] = {}
    looked_at, complete = 0, True
    starts = await reader.offsets_since(moment.timestamp() - _SKEW if since is None else since)
    for partition, offsets in (await reader.offsets()).items():
        unread = range(max(offsets.start, starts.get(partition, offsets.start)), offsets.stop)[: MOST - looked_at]
        beyond = False
        async with aclosing(_records(reader, partition, unread)) as records:
            async for record in records:
                looked_at += 1
                found = header(record, "log-id")
                if may_mean(log_id, found):
                    meant[found] = Located(partition, record)
                if beyond := since is None and (found == log_id or _is_beyond(found, moment)):
                    break
        if log_id in meant:
            break
        complete &= beyond or looked_at < MOST
    whole = resolve(log_id, meant)
    return Search(found=meant[whole] if whole else None, looked_at=looked_at, complete=complete)


async def first_before(
    reader: Reader, at: Located, undone: Callable[[int], bool], begin: int, *, any_key: bool = False
) -> Search:
    """Finds the first undelivered record before this one, of its key unless `any_key`. Nothing below `begin` is undelivered.

    Raises `TransportUnusable`.
    """
    looked_at, before = 0, range(begin, at.record.offset)
    async with aclosing(_records(reader, at.partition, before[:MOST])) as records:
        async for other in records:
            looked_at += 1
            if (any_key or other.key == at.record.key) and undone(other.offset):
                return Search(found=Located(at.partition, other))
    return Search(looked_at=looked_at, complete=len(before) <= MOST)


def _is_beyond(log_id: str, moment: datetime) -> bool:
    found = log_id_time(log_id)
    return found is not None and found > moment + _BEYOND


async def _at(reader: Reader, partition: int, offset: int) -> Search:
    offsets = (await reader.offsets()).get(partition, range(0))
    if offset in offsets:
        async with aclosing(_records(reader, partition, range(offset, offset + 1))) as records:
            async for record in records:
                return Search(found=Located(partition, record))
    return Search()


async def _records(reader: Reader, partition: int, offsets: range) -> AsyncGenerator[Record, None]:
    if offsets:
        async for stretch in reader.read(partition, offsets):
            for record in stretch:
                yield record
