"""The transport on Kafka, as the rest of the program sees it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection, Mapping
from typing import Final

from shared.logging import get_logger
from shared.settings import TransportSettings
from shared.transport.kafka.client.preflight import Patience, retry_start
from shared.transport.kafka.client.thread import ClientThread
from shared.transport.kafka.group.member import BlockingMember, KafkaMember
from shared.transport.kafka.publish.publisher import BlockingPublisher, KafkaPublisher
from shared.transport.kafka.topics import checkpoints
from shared.transport.kafka.topics.progress import BlockingProgress
from shared.transport.kafka.topics.reader import BOUND
from shared.transport.kafka.topics.records import BlockingReader, KafkaReader
from shared.transport.kafka.topics.retention import topic_retention
from shared.transport.kafka.topics.table import BlockingDeadLetters, BlockingTable, KafkaTable
from shared.transport.kafka.topics.topics import verify
from shared.transport.port import (
    Checkpoint,
    Consumers,
    DeadLetter,
    Member,
    Progress,
    Publisher,
    Reader,
    RebalanceListener,
    Repeats,
    Table,
    Transport,
)

#: Seconds; the control table is read every second or two, beside the work of a consumer.
CONTROL_BOUND: Final = 3.0

log = get_logger(__name__)


class KafkaTransport(Transport):
    """`concurrent_calls`: the limit of the whole group, of which each member gets a share.

    Call `preflight.wait_for_broker` before: this expects a broker that responds. For `patience` seconds from now on it tries
    again to make a client when a broker breaks off meanwhile.
    """

    #: `offset.metadata.max.bytes` of the brokers, unless their owner set another; it counts characters.
    metadata_limit = 4096

    def __init__(self, settings: TransportSettings, *, concurrent_calls: int = 1, patience: float = 0.0) -> None:
        self._settings = settings
        self._patience = Patience(patience)
        self._concurrent_calls = concurrent_calls
        self._progress = BlockingProgress(settings)
        self._dead_letters = BlockingDeadLetters(settings)
        #: For everything but publisher, member and tables, which have their own. Started when it is first needed.
        self._thread: ClientThread | None = None

    async def publisher(self) -> Publisher:
        publisher = BlockingPublisher(self._settings)
        topics = (self._settings.topic, self._settings.checkpoint_topic)
        return KafkaPublisher(publisher, await self._verified_thread("kafka-publisher", topics, publisher))

    async def member(self, listener: RebalanceListener) -> Member:
        loop = asyncio.get_running_loop()
        member = BlockingMember(self._settings, listener, loop, concurrent_calls=self._concurrent_calls)
        return KafkaMember(member, await self._verified_thread("kafka-member", (self._settings.topic,), member))

    async def progress(self) -> Mapping[int, Progress]:
        return await self._own_thread().run(self._progress.progress)

    async def consumers(self) -> Consumers:
        return await self._own_thread().run(self._progress.consumers)

    async def reader(self) -> Reader:
        thread = await self._verified_thread("kafka-reader", (self._settings.topic,))
        return KafkaReader(BlockingReader(self._settings), thread)

    async def checkpoint(self) -> Checkpoint | None:
        return await self._own_thread().run(checkpoints.show, self._settings)

    async def retention(self) -> float | None:
        return await self._own_thread().run(topic_retention, self._settings)

    async def set_checkpoint(self, checkpoint: Checkpoint, confirm: Callable[[Repeats], bool], *, force: bool = False) -> bool:
        thread = await self._verified_thread("kafka-checkpoint", (self._settings.topic, self._settings.checkpoint_topic))
        try:
            if not confirm(await thread.run(checkpoints.repeats, self._settings, force)):
                return False
            await thread.run(checkpoints.move, self._settings, checkpoint, force)
            return True
        finally:
            thread.stop()

    async def dead_letters(self) -> Table:
        table = BlockingTable(self._settings, self._settings.dead_topic, bound=BOUND)
        return KafkaTable(table, await self._verified_thread("kafka-dead-letters", (self._settings.dead_topic,)))

    async def retry_dead_letter(self, dead_letter: DeadLetter) -> bool:
        await self._own_thread().run(self._dead_letters.retry, dead_letter)
        return True

    async def control(self) -> Table:
        table = BlockingTable(self._settings, self._settings.control_topic, bound=CONTROL_BOUND)
        return KafkaTable(table, await self._verified_thread("kafka-control", (self._settings.control_topic,)))

    async def close(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            await thread.run(self._progress.close)
            await thread.run(self._dead_letters.close)
            thread.stop()

    def _own_thread(self) -> ClientThread:
        if self._thread is None:
            self._thread = ClientThread("kafka-transport")
        return self._thread

    async def _verified_thread(
        self, name: str, topics: Collection[str], clients: BlockingPublisher | BlockingMember | None = None
    ) -> ClientThread:
        """Returns a thread that has verified these topics, and opened these clients. Cancel it to stop waiting.

        Raises `TransportUnusable`.
        """

        def begin() -> None:
            verify(self._settings, topics)
            if clients is not None:
                clients.open()

        thread, halt = ClientThread(name), threading.Event()
        # Only the start waits, not what is opened later.
        patience = self._patience if self._patience.left else Patience(0.0)
        try:
            await thread.run(retry_start, begin, self._settings, patience, log, halt)
        except BaseException:
            halt.set()
            thread.stop(clients.close if clients is not None else None)
            raise
        return thread
