"""Events that an operator wants set aside: withheld from their next attempt, until it is decided whether they are.

REQUESTED ──▶ WITHHELD ──▶ WRITING ──▶ DEAD        `set_aside`, and the dead letter is acknowledged
    └────────────┴──▶ (none)                       `keep`: it goes on as if it had not been asked for
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from consumer.partitions.partition import Delivery, SkipState
from consumer.scheduling.batch import Batch
from consumer.scheduling.ready_queue import ReadyQueue
from consumer.scheduling.stage import Stage


class WithheldEvents:
    """`take_apart` makes the heads of a batch ready, or withholds them; `make_ready` takes the head of a key's queue."""

    def __init__(
        self,
        stage: Stage,
        ready_queue: ReadyQueue,
        *,
        take_apart: Callable[[Batch], None],
        make_ready: Callable[[Delivery], None],
        clock: Callable[[], float],
    ) -> None:
        self._stage = stage
        self._ready_queue = ready_queue
        self._take_apart = take_apart
        self._make_ready = make_ready
        self._clock = clock
        #: When the next attempt of each would have been.
        self._due: dict[Delivery, float] = {}
        #: Set when an event has become WITHHELD or DEAD.
        self.progress = asyncio.Event()

    def request(self, delivery: Delivery) -> None:
        """Withholds it as soon as it is the head of its key's queue and no call carries it. Idempotent."""
        if delivery.skip is None:
            delivery.skip = SkipState.REQUESTED
        self.withhold_if_free(delivery)

    def withhold_if_free(self, delivery: Delivery) -> None:
        """If it is requested, and neither behind another event nor in an open call."""
        if delivery.skip is not SkipState.REQUESTED:
            return
        delay = self._ready_queue.retry_due_in(delivery)
        if not delivery.valid or self._stage.remove(delivery):
            self.withhold(delivery)
        elif isinstance(call := self._ready_queue.remove(delivery), Batch):
            self._take_apart(call)
        elif call is not None:
            self.withhold(delivery, delay)

    def withhold(self, delivery: Delivery, delay: float = 0.0) -> None:
        """`delay`: seconds until its next attempt would have been."""
        if delivery.partition.live:
            self._due[delivery] = self._clock() + delay
            delivery.skip = SkipState.WITHHELD
            self.progress.set()

    def set_aside(self, delivery: Delivery) -> bool:
        """Returns whether its dead letter is to be written: only of an event that is withheld."""
        if self._due.pop(delivery, None) is None:
            return False
        delivery.skip = SkipState.WRITING
        return True

    def keep(self, delivery: Delivery) -> bool:
        """It goes on. Returns False if its dead letter is being written already, or its partition is gone."""
        if delivery.skip is not SkipState.REQUESTED and delivery not in self._due:
            return False
        delivery.skip = None
        due = self._due.pop(delivery, None)
        if due is not None and delivery.valid:
            delay = due - self._clock()
            if delay > 0:
                self._ready_queue.retry_in(delivery, delay)
            else:
                self._make_ready(delivery)
        return True

    def on_dead_letter(self, delivery: Delivery) -> None:
        """Its dead letter is acknowledged."""
        if delivery.skip is not None:
            self._due.pop(delivery, None)
            delivery.skip = SkipState.DEAD
            self.progress.set()

    def drop_leaving(self) -> None:
        """Drops the events of partitions that are about to go."""
        self._due = {delivery: due for delivery, due in self._due.items() if delivery.partition.live}
