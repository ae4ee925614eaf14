"""Writes events to the dead letters, and reports when that is acknowledged: only then may their position pass.

The topic is opened when the first one is written, so a consumer without dead letters needs no right to it. One task for each
dead letter; they are rare, and each may have to wait until the log takes it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from consumer.observer import ConsumerObserver
from consumer.partitions.partition import Delivery
from shared import failpoints
from shared.backoff import Doubling
from shared.documents import dead_letter as documents
from shared.errors import PublishFailed, TransportUnusable
from shared.event_rules import with_member
from shared.masking import masked
from shared.transport.port import DeadLetter, Table

_PAUSES: Final = Doubling(1.0, 30.0)  # seconds, after failures in a row


class DeadLetterWriter:
    """`on_written` is called in the event loop once a dead letter is acknowledged, unless it was abandoned."""

    def __init__(
        self,
        open_letters: Callable[[], Awaitable[Table]],
        on_written: Callable[[Delivery], None],
        observer: ConsumerObserver,
    ) -> None:
        self._open_letters = open_letters
        self._on_written = on_written
        self._observer = observer
        self._letters: Table | None = None
        self._opening = asyncio.Lock()
        self._tasks: dict[Delivery, asyncio.Task[None]] = {}

    def write(self, delivery: Delivery, reason: str) -> None:
        if delivery not in self._tasks:
            self._tasks[delivery] = asyncio.get_running_loop().create_task(self._write(delivery, reason))

    def abandon(self, unwanted: Callable[[Delivery], bool]) -> None:
        """Forgets those that `unwanted` is true of. Their dead letter may be written all the same; `on_written` is not called."""
        for delivery in [delivery for delivery in self._tasks if unwanted(delivery)]:
            self._tasks.pop(delivery).cancel()

    async def close(self) -> None:
        self.abandon(lambda _: True)
        if self._letters is not None:
            await self._letters.close()

    async def _write(self, delivery: Delivery, reason: str) -> None:
        letter = _letter(delivery, reason)
        for pause in _PAUSES:
            if await self._put(delivery, letter):
                break
            await asyncio.sleep(pause)
        failpoints.at("letter-acknowledged")
        del self._tasks[delivery]
        self._observer.dead_letter_written(delivery, reason)
        self._on_written(delivery)

    async def _put(self, delivery: Delivery, letter: DeadLetter) -> bool:
        try:
            async with self._opening:
                if self._letters is None:
                    self._letters = await self._open_letters()
            await documents.put(self._letters, letter)
        except (PublishFailed, TransportUnusable) as error:
            self._observer.dead_letter_failed(delivery, error)
            return False
        return True


def _letter(delivery: Delivery, reason: str) -> DeadLetter:
    return DeadLetter(
        record=delivery.record if delivery.rules is None else with_member(delivery.record, delivery.rules),
        log_id=delivery.log_id,
        partition=delivery.partition.number,
        attempts=delivery.spent,
        status=delivery.status,
        reason=masked(reason),
        time=time.time(),
    )
