"""Events that an operator wants set aside: withheld from their next attempt, until it is decided whether they are.

REQUESTED ──▶ WITHHELD ──▶ WRITING ──▶ DEAD        `set_aside`, and the dead letter is acknowledged
    └────────────┴──▶ (none)                       `keep`: it goes on as if it had not been asked for
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from consumer.partitions.partition import Delivery, SkipState
from consumer.scheduling.batch import Batch
from consumer.scheduling.ready_queue import ReadyQueue
from consumer.scheduling.stage import Stage


class _Withheld(NamedTuple):
    #: When its next attempt would have been.
    due: float
    #: Why rules kept it; empty: they did not.
    reason: str


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
        self._withheld: dict[Delivery, _Withheld] = {}
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
        if not delivery.valid:
            self.withhold(delivery)
        elif (reason := self._stage.remove(delivery)) is not None:
            self.withhold(delivery, reason=reason)
        elif isinstance(call := self._ready_queue.remove(delivery), Batch):
            self._take_apart(call)
        elif call is not None:
            self.withhold(delivery, delay)

    def withhold(self, delivery: Delivery, delay: float = 0.0, reason: str = "") -> None:
        """`delay`: seconds until its next attempt would have been; `reason`: why rules kept it, where they did."""
        if delivery.partition.live:
            self._withheld[delivery] = _Withheld(self._clock() + delay, reason)
            delivery.skip = SkipState.WITHHELD
            self.progress.set()

    def set_aside(self, delivery: Delivery) -> str | None:
        """Its dead letter is to be written. Returns why rules kept it, or empty; None: no, since it is not withheld."""
        withheld = self._withheld.pop(delivery, None)
        if withheld is None:
            return None
        delivery.skip = SkipState.WRITING
        return withheld.reason

    def keep(self, delivery: Delivery) -> bool:
        """It goes on. Returns False if its dead letter is being written already, or its partition is gone."""
        if delivery.skip is not SkipState.REQUESTED and delivery not in self._withheld:
            return False
        delivery.skip = None
        withheld = self._withheld.pop(delivery, None)
        if withheld is not None and delivery.valid:
            delay = withheld.due - self._clock()
            if delay > 0:
                self._ready_queue.retry_in(delivery, delay)
            else:
                self._make_ready(delivery)
        return True

    def on_dead_letter(self, delivery: Delivery) -> None:
        """Its dead letter is acknowledged."""
        if delivery.skip is not None:
            self._withheld.pop(delivery, None)
            delivery.skip = SkipState.DEAD
            self.progress.set()

    def drop_leaving(self) -> None:
        """Drops the events of partitions that are about to go."""
        self._withheld = {delivery: one for delivery, one in self._withheld.items() if delivery.partition.live}
