"""Consumers for these tests: each polls all the time in a task of its own and keeps what it sees."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from shared.settings import TransportSettings
from shared.transport.kafka.transport import KafkaTransport
from shared.transport.port import Member, Position, RebalanceListener


@dataclass(slots=True)
class Hand(RebalanceListener):
    #: Seconds that it takes to give partitions back.
    drain: float = 0.0
    owned: set[int] = field(default_factory=set)
    calls: int | None = None
    #: TransportSettings ids, in the order they came.
    seen: list[str] = field(default_factory=list)
    position: dict[int, Position] = field(default_factory=dict)
    lost_partitions: list[int] = field(default_factory=list)
    revocations: int = 0

    def assigned(self, partition: int, position: Position) -> None:
        self.owned.add(partition)
        self.position[partition] = position

    def share(self, calls: int) -> None:
        self.calls = calls

    async def revoked(self, partitions: Collection[int]) -> Mapping[int, Position]:
        await asyncio.sleep(self.drain)
        self.revocations += 1
        self.owned.difference_update(partitions)
        return {partition: self.position[partition] for partition in partitions}

    def lost(self, partitions: Collection[int]) -> None:
        self.owned.difference_update(partitions)
        self.lost_partitions += partitions

    async def turn(self, member: Member, wait: float) -> None:
        for batch in await member.poll(wait=wait, limit=50, paused=()):
            assert batch.partition in self.owned, "a record of a partition that is not ours"
            assert batch.records[0].offset >= self.position[batch.partition].offset, "a record from before our position"
            self.seen += [dict(record.headers)["log-id"].decode() for record in batch.records]
            self.position[batch.partition] = Position(batch.records[-1].offset + 1)

    async def has_seen(self, count: int, *, within: float = 20.0) -> float:
        return await until(lambda: len(self.seen) >= count, within=within)


@dataclass(slots=True)
class Consumer:
    """A hand at work."""

    hand: Hand
    member: Member
    _task: asyncio.Task[None]
    _stop: asyncio.Event

    async def leave(self) -> None:
        self._stop.set()
        await self._task
        await self.member.close()


async def start(settings: TransportSettings, hand: Hand | None = None, *, limit: int = 5, wait: float = 0.1) -> Consumer:
    hand = hand or Hand()
    member = await KafkaTransport(settings, concurrent_calls=limit).member(hand)
    stop = asyncio.Event()

    async def work() -> None:
        while not stop.is_set():
            await hand.turn(member, wait)

    return Consumer(hand, member, asyncio.create_task(work()), stop)


@asynccontextmanager
async def at_work(*consumers: Consumer) -> AsyncIterator[list[Consumer]]:
    """A list to add to; whoever is in it at the end leaves."""
    crew = list(consumers)
    try:
        yield crew
    finally:
        for consumer in crew:
            await consumer.leave()


async def until(condition: Callable[[], bool], *, within: float = 10.0) -> float:
    """Wait until it holds; answers the seconds that took. Raises TimeoutError."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110 - conditions of all kinds, none of them an event
            await asyncio.sleep(0.02)
    return loop.time() - began


def seen_by(consumers: Sequence[Consumer]) -> Counter[str]:
    return Counter(log_id for consumer in consumers for log_id in consumer.hand.seen)


def everything_is_owned(consumers: Sequence[Consumer], partitions: int = 6) -> bool:
    return sorted(partition for consumer in consumers for partition in consumer.hand.owned) == list(range(partitions))
