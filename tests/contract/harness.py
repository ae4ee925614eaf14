"""What the contract suite needs: a listener that records, events, and short ways to publish and read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.documents import dead_letter as documents
from shared.event import Event, slice_page
from shared.record import Record, headers_of, key_of
from shared.transport.port import Checkpoint, DeadLetter, Member, PartitionRecords, Position, RebalanceListener, Table, Transport

if TYPE_CHECKING:  # it imports the Kafka client, which a child process on SQLite starts without
    from tests.support.transports import Log


@dataclass(slots=True)
class ContractListener(RebalanceListener):
    """Records what a member tells it; `revoked` returns what is in `positions`."""

    starts: dict[int, Position] = field(default_factory=dict)
    shares: list[int] = field(default_factory=list)
    positions: dict[int, Position] = field(default_factory=dict)
    revocations: int = 0

    def assigned(self, partition: int, position: Position) -> None:
        self.starts[partition] = position

    def share(self, calls: int) -> None:
        self.shares.append(calls)

    async def revoked(self, partitions: Collection[int]) -> Mapping[int, Position]:
        self.revocations += 1
        for partition in partitions:
            self.starts.pop(partition, None)
        return {partition: self.positions[partition] for partition in partitions if partition in self.positions}

    def removed(self, partition: int, offsets: range, was_committed: bool) -> None:
        raise AssertionError("no log of the contract removes anything")

    def lost(self, partitions: Collection[int]) -> None:
        for partition in partitions:
            self.starts.pop(partition, None)


class DeadLetters:
    """The dead letters of a log, as its consumers and operators use them."""

    def __init__(self, transport: Transport, table: Table) -> None:
        self._transport = transport
        self._table = table

    @classmethod
    @asynccontextmanager
    async def opened(cls, transport: Transport) -> AsyncIterator[DeadLetters]:
        found = cls(transport, await transport.dead_letters())
        try:
            yield found
        finally:
            await found.close()

    async def put(self, *dead_letters: DeadLetter) -> None:
        for one in dead_letters:
            await documents.put(self._table, one)

    async def all(self) -> list[DeadLetter]:
        """The oldest first."""
        return sorted([one async for one in documents.scan(self._table)], key=lambda one: one.time)

    async def retry(self, dead_letter: DeadLetter) -> bool:
        return await self._transport.retry_dead_letter(dead_letter)

    async def remove(self, log_id: str) -> None:
        await self._table.delete(log_id)

    async def close(self) -> None:
        await self._table.close()
        await self._transport.close()


def event(number: int, *, user: str = "", extra: str = "") -> Event:
    raw = f'{{"log_id":"900{number:053d}","type":"s","date":"2026-11-20T00:00:00.000Z","user_id":"{user}"{extra}}}'
    return slice_page(f"[{raw}]".encode())[0]


def events(start: int, stop: int) -> list[Event]:
    return [event(number, user=f"auth0|{number % 7}") for number in range(start, stop)]


def dead_letter_of(sent: Event, *, time: float = 1.7e9) -> DeadLetter:
    offset = int(sent.log_id[3:])
    record = Record(offset=offset, key=key_of(sent), value=sent.raw, headers=headers_of(sent), timestamp=1.7e9)
    return DeadLetter(
        record=record, log_id=sent.log_id, partition=0, attempts=3, status=500, reason="3 attempts failed", time=time
    )


def checkpoint_of(page: Sequence[Event]) -> Checkpoint:
    return Checkpoint(log_id=page[-1].log_id, date=page[-1].date)


async def publish(transport: Transport, *pages: Sequence[Event]) -> None:
    publisher = await transport.publisher()
    try:
        await publisher.acquire()
        for page in pages:
            await publisher.publish(page, checkpoint_of(page))
    finally:
        await publisher.close()


@asynccontextmanager
async def joined(log: Log, listener: ContractListener) -> AsyncIterator[Member]:
    transport = log.transport()
    member = await transport.member(listener)
    try:
        yield member
    finally:
        await member.close()
        await transport.close()


async def read(
    member: Member, count: int, *, paused: Collection[int] = (), limit: int = 100, within: float = 30
) -> list[tuple[int, Record]]:
    """Poll until `count` records are there, as (partition, record). Raises TimeoutError."""
    found: list[tuple[int, Record]] = []
    async with asyncio.timeout(within):
        while len(found) < count:
            batches: Sequence[PartitionRecords] = await member.poll(wait=0.1, limit=limit, paused=paused)
            found += [(batch.partition, record) for batch in batches for record in batch.records]
    return found


async def poll_for(member: Member, seconds: float) -> list[tuple[int, Record]]:
    """Returns what polls return within `seconds`."""
    found: list[tuple[int, Record]] = []
    end = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < end:
        batches = await member.poll(wait=0.1, limit=100, paused=())
        found += [(batch.partition, record) for batch in batches for record in batch.records]
    return found


def log_ids(records: Sequence[tuple[int, Record]]) -> list[str]:
    return [dict(record.headers)["log-id"].decode() for _, record in records]
