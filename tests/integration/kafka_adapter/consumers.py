"""Consumers for these tests: each polls all the time in a task of its own and records what it sees."""

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
class RecordingListener(RebalanceListener):
    #: Seconds that it takes to give partitions back.
    drain: float = 0.0
    owned: set[int] = field(default_factory=set)
    calls: int | None = None
    #: Log ids, in the order they came.
    seen: list[str] = field(default_factory=list)
    position: dict[int, Position] = field(default_factory=dict)
    lost_partitions: list[int] = field(default_factory=list)
    gone: list[tuple[int, range, bool]] = field(default_factory=list)

    def assigned(self, partition: int, position: Position) -> None:
        self.owned.add(partition)
        self.position[partition] = position

    def share(self, calls: int) -> None:
        self.calls = calls

    async def revoked(self, partitions: Collection[int]) -> Mapping[int, Position]:
        await asyncio.sleep(self.drain)
        self.owned.difference_update(partitions)
        return {partition: self.position[partition] for partition in partitions}

    def removed(self, partition: int, offsets: range, was_committed: bool) -> None:
        self.gone.append((partition, offsets, was_committed))

    def lost(self, partitions: Collection[int]) -> None:
        self.owned.difference_update(partitions)
        self.lost_partitions += partitions

    async def poll(self, member: Member, wait: float = 0.1) -> None:
        for batch in await member.poll(wait=wait, limit=50, paused=()):
            assert batch.partition in self.owned, "a record of a partition that is not ours"
            assert batch.records[0].offset >= self.position[batch.partition].offset, "a record from before our position"
            self.seen += [dict(record.headers)["log-id"].decode() for record in batch.records]
            self.position[batch.partition] = Position(batch.records[-1].offset + 1)


@dataclass(slots=True)
class RunningConsumer:
    listener: RecordingListener
    member: Member
    _task: asyncio.Task[None]
    _stop: asyncio.Event

    @property
    def seen(self) -> list[str]:
        return self.listener.seen

    async def has_seen(self, count: int, *, within: float = 20.0) -> float:
        """Waits for so many records. Returns the seconds that took."""
        return await until(lambda: len(self.seen) >= count, within=within)

    async def leave(self) -> None:
        self._stop.set()
        await self._task
        await self.member.close()


async def start(settings: TransportSettings, *, limit: int = 5, wait: float = 0.1) -> RunningConsumer:
    listener = RecordingListener()
    member = await KafkaTransport(settings, concurrent_calls=limit).member(listener)
    stop = asyncio.Event()

    async def work() -> None:
        while not stop.is_set():
            await listener.poll(member, wait)

    return RunningConsumer(listener, member, asyncio.create_task(work()), stop)


@asynccontextmanager
async def running(*consumers: RunningConsumer) -> AsyncIterator[list[RunningConsumer]]:
    """Yields a list to add to; all that are in it at the end leave."""
    group = list(consumers)
    try:
        yield group
    finally:
        for consumer in group:
            await consumer.leave()


async def until(condition: Callable[[], bool], *, within: float = 30.0) -> float:
    """Waits until it holds. Returns the seconds that took. Raises TimeoutError."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110 - conditions of all kinds, none of them an event
            await asyncio.sleep(0.02)
    return loop.time() - began


def seen_by(consumers: Sequence[RunningConsumer]) -> Counter[str]:
    return Counter(log_id for consumer in consumers for log_id in consumer.seen)


def all_owned(consumers: Sequence[RunningConsumer], partitions: int = 6) -> bool:
    return sorted(partition for consumer in consumers for partition in consumer.listener.owned) == list(range(partitions))
