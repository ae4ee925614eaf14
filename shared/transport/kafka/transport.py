"""The transport on Kafka, as the rest of the program sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping

from shared.settings import Log
from shared.transport.kafka.active_poller import ActivePoller
from shared.transport.kafka.control import KafkaControl
from shared.transport.kafka.group_member import GroupMember
from shared.transport.kafka.letters import Archive, KafkaDeadLetters
from shared.transport.kafka.member import KafkaMember
from shared.transport.kafka.onlooker import Onlooker
from shared.transport.kafka.publisher import KafkaPublisher
from shared.transport.kafka.topics import verify
from shared.transport.kafka.worker import Worker
from shared.transport.port import Control, DeadLetters, Handler, Member, Progress, Publisher, Transport


class KafkaTransport(Transport):
    """`concurrent_calls`: the limit of the whole group, of which each member gets a share.

    It expects that a broker answers: `preflight.wait_for_broker` comes first.
    """

    def __init__(self, settings: Log, *, concurrent_calls: int = 1) -> None:
        self._settings = settings
        self._concurrent_calls = concurrent_calls
        self._onlooker = Onlooker(settings)
        self._looking: Worker | None = None

    async def publisher(self) -> Publisher:
        worker = Worker("kafka-publisher")
        poller = ActivePoller(self._settings)
        await self._opened(worker, poller, (self._settings.topic, self._settings.checkpoint_topic))
        return KafkaPublisher(poller, worker)

    async def member(self, handler: Handler) -> Member:
        worker = Worker("kafka-member")
        loop = asyncio.get_running_loop()
        member = GroupMember(self._settings, handler, loop, concurrent_calls=self._concurrent_calls)
        await self._opened(worker, member, (self._settings.topic,))
        return KafkaMember(member, worker)

    async def progress(self) -> Mapping[int, Progress]:
        if self._looking is None:
            self._looking = Worker("kafka-onlooker")
        return await self._looking.run(self._onlooker.progress)

    async def dead_letters(self) -> DeadLetters:
        worker = await self._verified("kafka-letters", self._settings.dead_topic)
        return KafkaDeadLetters(Archive(self._settings), worker)

    async def control(self) -> Control:
        return KafkaControl(self._settings, await self._verified("kafka-control", self._settings.control_topic))

    async def close(self) -> None:
        looking, self._looking = self._looking, None
        if looking is not None:
            await looking.run(self._onlooker.close)
            looking.stop()

    async def _opened(self, worker: Worker, clients: ActivePoller | GroupMember, topics: Collection[str]) -> None:
        try:
            await worker.run(verify, self._settings, topics)
            await worker.run(clients.open)
        except BaseException:
            worker.stop(clients.close)
            raise

    async def _verified(self, name: str, topic: str) -> Worker:
        worker = Worker(name)
        try:
            await worker.run(verify, self._settings, (topic,))
        except BaseException:
            worker.stop()
            raise
        return worker
