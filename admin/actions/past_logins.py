"""What a process with rules says at its start of logins of the past: rules run on them too, long after the login.

It says so where Auth0's log is read from a place in the past, and where events wait that are older than what an ordinary restart
leaves waiting. Those are counted beside the delivery, from headers alone, in bounded time: by then rules may have run on the
first of them. Nothing is stored about it: the next start says the same again, while it is true.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isnan
from typing import Final

from admin.actions.looking.where import undone
from producer.observer import ProducerObserver
from shared.errors import TransportUnusable
from shared.event_rules import EventRules
from shared.logging import get_logger
from shared.numbers import Dates
from shared.record import Record
from shared.start_from import StartFrom
from shared.transport.port import Checkpoint, Progress, Reader, Transport

#: The most records that are read.
MOST: Final = 20_000
_WITHIN: Final = 10.0  # seconds
#: Seconds after which a login is one of the past.
PAST: Final = 600.0
_REMEDY: Final = "`since` in rules.yaml leaves out older ones"

log = get_logger(__name__)


class PastStart(ProducerObserver):
    """Of a process that reads Auth0's log and runs rules: says so where it begins in the past, and no `since` is set."""

    def __init__(self) -> None:
        self._start: StartFrom | None = None

    def started(self, start: StartFrom, _checkpoint: Checkpoint) -> None:
        self._start = start

    def leading(self, checkpoint: Checkpoint) -> None:
        if self._start is None and not checkpoint.log_id:
            self._say("the oldest entry that Auth0 has")
        elif self._start and not self._start.now:
            self._say(str(self._start))
        self._start = None

    def _say(self, begins: str) -> None:
        log.warning("rules will run on logins of the past: Auth0's log is read from there on", begins=begins, remedy=_REMEDY)


@dataclass(slots=True)
class PastLogins:
    number: int = 0
    #: Of the oldest one, in seconds since the epoch.
    oldest: float = 0.0
    #: False: there may be more.
    complete: bool = True


async def tell_past_logins(transport: Transport, rules: EventRules, stop: asyncio.Event) -> None:
    """Logs how many logins of the past wait, if any does."""
    try:
        found = await past_logins(transport, rules, stop, time.time())
    except TransportUnusable:
        return  # the loops' own lines say why
    if found.number:
        number = f"{found.number:,}" if found.complete else f"more than {found.number:,}"
        oldest = datetime.fromtimestamp(found.oldest, UTC).isoformat(timespec="seconds")
        log.warning("logins of the past wait, and rules will run on them", logins=number, oldest=oldest, remedy=_REMEDY)


async def past_logins(transport: Transport, rules: EventRules, stop: asyncio.Event, now: float) -> PastLogins:
    """Counts those that wait and that rules look at. `now`: seconds since the epoch. Raises `TransportUnusable`."""
    count, reader = _Count(rules, stop, now), await transport.reader()
    try:
        partitions = await transport.progress()
        for partition, progress in partitions.items():
            await count.read(reader, partition, progress, most=MOST // len(partitions))
    finally:
        await reader.close()
    return count.found


class _Count:
    def __init__(self, rules: EventRules, stop: asyncio.Event, now: float) -> None:
        self._rules = rules
        self._stop = stop
        self._past = now - PAST
        self._deadline = time.monotonic() + _WITHIN
        self._dates = Dates()
        self.found = PastLogins(oldest=now)

    async def read(self, reader: Reader, partition: int, progress: Progress, *, most: int) -> None:
        waits, unread = undone(progress), range(progress.end - progress.lag, progress.end)
        self.found.complete &= len(unread) <= most
        async with aclosing(_stretches(reader, partition, unread[:most])) as stretches:
            async for records in stretches:
                for record in records:
                    if waits(record.offset) and self._rules.looks_at(record):
                        self._add(record)
                if time.monotonic() > self._deadline or self._stop.is_set():
                    self.found.complete = False
                    return

    def _add(self, record: Record) -> None:
        (moment,) = self._dates.moments([dict(record.headers).get("date", b"")])
        moment = record.timestamp if isnan(moment) else moment
        if moment < self._past:
            self.found.number += 1
            self.found.oldest = min(self.found.oldest, moment)


async def _stretches(reader: Reader, partition: int, offsets: range) -> AsyncGenerator[Sequence[Record], None]:
    if offsets:
        async for stretch in reader.read(partition, offsets):
            yield stretch
