"""The newest events of the log, and those that come: read beside the consumers, who do not notice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from shared.errors import TransportUnusable
from shared.log_types import table
from shared.record import Record
from shared.transport.port import Reader
from shared.waiting import stopped_within

_LOOK_EVERY: Final = 0.5  # seconds
#: The most records of a partition that are looked at for the newest ones of a choice.
MOST: Final = 20_000
#: Records of the first step back; each one is twice as long as the one before.
_STEP: Final = 100
#: The most records of a partition in one look, so that a long outage does not fill the memory.
_MOST_AT_ONCE: Final = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which events; everything that is given must match."""

    types: Collection[str] = ()
    #: The lowest level; a type that is in no table of ours passes, as it does the filter.
    level: int = 0
    user: str = ""

    def takes(self, record: Record) -> bool:
        code = header(record, "type")
        known = table().get(code)
        return (
            (not self.types or code in self.types)
            and (known is None or known.level >= self.level)
            and (not self.user or record.key == self.user.encode("utf-8", "surrogatepass"))
        )


@dataclass(frozen=True, slots=True)
class Passing:
    """A record, and where it lies."""

    partition: int
    record: Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Newest:
    #: The oldest first.
    events: list[Passing]
    #: The offset of each partition from which on nothing was read yet.
    ends: Mapping[int, int]
    #: False: older ones that match may lie beyond `MOST`.
    complete: bool


def header(record: Record, name: str) -> str:
    """Returns a header of ours; empty where it is missing."""
    return dict(record.headers).get(name, b"").decode("ascii", "backslashreplace")


async def newest(reader: Reader, wanted: Wanted, number: int) -> Newest:
    """Returns the newest `number` events by the time of publishing. Raises `TransportUnusable`."""
    there = await reader.offsets()
    found: list[Passing] = []
    complete = True
    for partition, offsets in there.items():
        records, whole = await _newest_of(reader, partition, offsets, wanted, number)
        found += [Passing(partition, record) for record in records]
        complete &= whole
    events = _in_order(found)[-number:] if number else []
    return Newest(events=events, ends={partition: offsets.stop for partition, offsets in there.items()}, complete=complete)


async def _newest_of(reader: Reader, partition: int, offsets: range, wanted: Wanted, number: int) -> tuple[list[Record], bool]:
    """Goes back in growing steps. Returns the newest ones, and whether nothing older could be among them."""
    found: list[Record] = []
    stop, step = offsets.stop, max(_STEP, number)
    while len(found) < number and stop > offsets.start:
        if offsets.stop - stop >= MOST:
            return found, False
        start = max(offsets.start, stop - step)
        found = [*await _matching(reader, partition, range(start, stop), wanted), *found]
        stop, step = start, 2 * step
    return found[-number:] if number else [], True


async def follow(
    reader: Reader,
    wanted: Wanted,
    ends: Mapping[int, int],
    stop: asyncio.Event,
    on_outage: Callable[[TransportUnusable | None], None],
) -> AsyncIterator[Passing]:
    """Yields what is published from `ends` on, until `stop`.

    `on_outage` gets the error when the log cannot be read any more, and None when it can be again.
    """
    position, broken = dict(ends), False
    while not await stopped_within(stop, _LOOK_EVERY):
        try:
            unread = _unread(await reader.offsets(), position)
            found = [
                Passing(partition, record)
                for partition, offsets in unread.items()
                for record in await _matching(reader, partition, offsets, wanted)
            ]
        except TransportUnusable as error:
            if not broken:
                on_outage(error)
            broken = True
            continue
        if broken:
            on_outage(None)
        broken, position = False, {partition: offsets.stop for partition, offsets in unread.items()}
        for passing in _in_order(found):
            yield passing


def _unread(there: Mapping[int, range], position: Mapping[int, int]) -> dict[int, range]:
    """Returns what to read next. A partition that is new, or of a log that was created again, is unread as a whole."""
    starts = {partition: position.get(partition, offsets.start) for partition, offsets in there.items()}
    return {
        partition: range(max(offsets.start, start if start <= offsets.stop else offsets.start), offsets.stop)[:_MOST_AT_ONCE]
        for (partition, offsets), start in zip(there.items(), starts.values(), strict=True)
    }


async def _matching(reader: Reader, partition: int, offsets: range, wanted: Wanted) -> list[Record]:
    if not offsets:
        return []
    return [record async for stretch in reader.read(partition, offsets) for record in stretch if wanted.takes(record)]


def _in_order(found: Iterable[Passing]) -> list[Passing]:
    """By the time of publishing."""
    return sorted(found, key=lambda passing: (passing.record.timestamp, passing.partition, passing.record.offset))
