"""The port's publisher on Kafka: hands everything to the worker thread that owns the clients."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from shared.event import Event
from shared.log import get_logger
from shared.transport.kafka.active_poller import ActivePoller
from shared.transport.kafka.election import Lease
from shared.transport.kafka.reader import Unreachable
from shared.transport.kafka.trouble import Seldom
from shared.transport.kafka.worker import Worker
from shared.transport.port import Checkpoint, Publisher

_RETRY: Final = 1.0

log = get_logger(__name__)


class KafkaPublisher(Publisher):
    def __init__(self, poller: ActivePoller, worker: Worker) -> None:
        self._poller = poller
        self._worker = worker
        self._seldom = Seldom()

    async def lead(self) -> Checkpoint | None:
        lease = Lease.OPEN
        while True:
            before, lease = lease, await self._worker.run(self._poller.stand)
            if lease is Lease.ELSEWHERE is not before:
                log.info("standing by: another poller is active")
            if lease is Lease.HELD:
                try:
                    return await self._worker.run(self._poller.take_over)
                except Unreachable as error:
                    await self._later(str(error))

    async def renew(self) -> None:
        await self._worker.run(self._poller.renew)

    async def publish(self, events: Sequence[Event], checkpoint: Checkpoint) -> int:
        return await self._worker.run(self._poller.publish, list(events), checkpoint)

    async def close(self) -> None:
        await self._worker.end(self._poller.close)

    async def _later(self, why: str) -> None:
        if self._seldom(why, time.monotonic()):
            log.error("this poller is the active one but cannot take over yet; trying again", reason=why)
        await asyncio.sleep(_RETRY)
