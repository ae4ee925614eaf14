"""Looks at everything that `status` shows. What rights or damage hide is said, never invented."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final, TypeVar

from admin.actions.looking.status import OldestEvent, Overview, PartitionStatus, partition_status
from admin.actions.looking.tail import header
from admin.actions.looking.wording import age
from admin.actions.operator_state import ControlView, OperatorState
from shared.documents.replica import EVERY, PendingEvent, ReplicaDocument
from shared.errors import TransportUnusable
from shared.record import Record
from shared.transport.port import Progress, Reader, Table, Transport

T = TypeVar("T")

#: Seconds in which each replica has written, and between two looks meanwhile.
_UNTIL_WRITTEN: Final = EVERY + 1.5
_AGAIN: Final = 0.5


async def partitions(transport: Transport) -> list[PartitionStatus]:
    """Returns every partition by number, without what replicas say. Raises `TransportUnusable`."""
    return _rows(await transport.progress())


class StatusView:
    """Looks again and again over the same connections. `log`: which one, by name. `clock`: seconds since the epoch."""

    def __init__(self, transport: Transport, log: Mapping[str, str], clock: Callable[[], float] = time.time) -> None:
        self._transport = transport
        self._log = log
        self._clock = clock
        self._control = ControlView(transport)
        self._dead_letters: Table | None = None
        self._reader: Reader | None = None
        #: Of the look that is under way.
        self._unknown: list[str] = []

    async def look(self) -> Overview:
        """Raises `TransportUnusable` where not even the progress can be read."""
        rows = _rows(await self._transport.progress())
        operator, self._unknown = await self._control.look(), []
        consumers = await self._known(self._transport.consumers, "the members of the group")
        now = self._clock()
        seen = Overview(
            now=now,
            log=self._log,
            consumers=consumers,
            checkpoint=await self._known(self._transport.checkpoint, "the checkpoint"),
            dead_letters=await self._known(self._count_dead_letters, "the number of dead letters"),
            partitions=tuple(await self._completed(rows, operator, now, consumers.group if consumers else "")),
            operator=operator,
        )
        return replace(seen, unknown=(*operator.unknown, *self._unknown, *_clocks(seen)))

    async def look_for_sure(self) -> Overview:
        """As `look`; where clocks may differ it looks until those that run have written again. Raises as `look` does."""
        deadline = time.monotonic() + _UNTIL_WRITTEN
        seen = await self.look()
        while seen.doubtful and time.monotonic() < deadline:
            await asyncio.sleep(_AGAIN)
            seen = await self.look()
        return seen

    async def close(self) -> None:
        """Idempotent."""
        await self._control.close()
        for opened in (self._dead_letters, self._reader):
            if opened is not None:
                await opened.close()

    async def _known(self, ask: Callable[[], Awaitable[T]], what: str) -> T | None:
        try:
            return await ask()
        except TransportUnusable as error:
            self._unknown.append(f"{what}: {error}")
            return None

    async def _count_dead_letters(self) -> int:
        self._dead_letters = self._dead_letters or await self._transport.dead_letters()
        return len(await self._dead_letters.keys())

    async def _completed(
        self, rows: list[PartitionStatus], operator: OperatorState, now: float, group: str
    ) -> list[PartitionStatus]:
        """Adds the owner, and the oldest undelivered event: as its owner says, else as it stands in the log."""
        owners = _owners(operator.live(now), group)
        rows = [replace(row, owner=owners.get(row.partition, ("", []))[0] or None) for row in rows]
        said = {row.partition: _said(owners[row.partition][1], row) for row in rows if row.owner}
        unsaid = [row for row in rows if row.undelivered and not said.get(row.partition)]
        read = await self._known(lambda: self._read_oldest(unsaid), "the oldest undelivered events") or {}
        return [replace(row, oldest=said.get(row.partition) or read.get(row.partition)) for row in rows]

    async def _read_oldest(self, rows: Iterable[PartitionStatus]) -> dict[int, OldestEvent]:
        found = {}
        for row in rows:
            self._reader = self._reader or await self._transport.reader()
            first = max(row.begin, row.committed or 0)
            async for records in self._reader.read(row.partition, range(first, min(first + 1, row.end))):
                found[row.partition] = _in_log(records[0])
        return found


def _clocks(seen: Overview) -> Iterator[str]:
    if seen.clocks_differ:
        newest = age(seen.now - max(one.seen for one in seen.operator.replicas))
        yield (
            f"which processes run: the group has members, and the newest that one wrote is {newest} old; look whether the clock "
            "of this machine is that of theirs"
        )


def _rows(progress: Mapping[int, Progress]) -> list[PartitionStatus]:
    return [partition_status(partition, progress[partition]) for partition in sorted(progress)]


def _owners(replicas: Iterable[ReplicaDocument], group: str) -> dict[int, tuple[str, list[PendingEvent]]]:
    """Returns by partition the replica that owns it, as the newest document says, and the events that it names."""
    return {
        partition: (one.id, [event for event in consumer.events if event.partition == partition])
        for one in sorted(replicas, key=lambda one: one.seen)
        if (consumer := one.consumer_in(group))
        for partition in consumer.partitions
    }


def _said(events: Iterable[PendingEvent], row: PartitionStatus) -> OldestEvent | None:
    """An event below the committed offset was completed since its owner wrote that."""
    oldest = next((event for event in events if event.oldest and event.offset >= (row.committed or 0)), None)
    if oldest is None or not row.undelivered:
        return None
    return OldestEvent(
        log_id=oldest.log_id,
        type=oldest.type,
        since=oldest.since,
        attempts=oldest.attempts,
        last_outcome=oldest.last_outcome,
        reason=oldest.reason,
    )


def _in_log(record: Record) -> OldestEvent:
    log_id, code = header(record, "log-id"), header(record, "type")
    return OldestEvent(log_id=log_id, type=code, since=record.timestamp, attempts=None, last_outcome="")
