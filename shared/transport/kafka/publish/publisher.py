"""The port's publisher on Kafka: hands everything to the client thread that owns the clients."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from shared.event import Event
from shared.logging import get_logger
from shared.transport.kafka.client.error_policy import Seldom
from shared.transport.kafka.client.thread import ClientThread
from shared.transport.kafka.publish.active_poller import ActivePoller
from shared.transport.kafka.publish.election import Lease
from shared.transport.kafka.topics.reader import Unreachable
from shared.transport.port import Checkpoint, Publisher

_RETRY: Final = 1.0

log = get_logger(__name__)


class KafkaPublisher(Publisher):
    def __init__(self, poller: ActivePoller, thread: ClientThread) -> None:
        self._poller = poller
        self._thread = thread
        self._seldom = Seldom()

    async def acquire(self) -> Checkpoint | None:
        lease = Lease.OPEN
        while True:
            before, lease = lease, await self._thread.run(self._poller.stand)
            if lease is Lease.ELSEWHERE is not before:
                log.info("standing by: another poller is active")
            if lease is Lease.HELD:
                try:
                    return await self._thread.run(self._poller.take_over)
                except Unreachable as error:
                    await self._later(str(error))

    async def renew(self) -> None:
        await self._thread.run(self._poller.renew)

    async def publish(self, events: Sequence[Event], checkpoint: Checkpoint) -> int:
        return await self._thread.run(self._poller.publish, list(events), checkpoint)

    async def close(self) -> None:
        await self._thread.end(self._poller.close)

    async def _later(self, why: str) -> None:
        if self._seldom(why, time.monotonic()):
            log.error("this poller is the active one but cannot take over yet; trying again", reason=why)
        await asyncio.sleep(_RETRY)
