"""Which call is next: events that are ready, calls that are retried, and events that are gathered into a batch.

An event comes here as the head of its key's queue, and stays the head until it is completed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from math import inf

from consumer.partitions.partition import Delivery
from consumer.policy import is_about_the_event
from consumer.scheduling.batch import Batch, Batching, heads_of, is_leaving, parts_of
from consumer.scheduling.retry_queue import RetryQueue, is_free


class ReadyQueue:
    """`on_due` is called in the event loop when a waiting call has become ready again. `limited`: attempts have a limit."""

    def __init__(self, batching: Batching | None, on_due: Callable[[], None], *, limited: bool) -> None:
        self._batching = batching
        self._limited = limited
        #: Whether the last probe without a fresh event was chosen for its attempts.
        self._ending = False
        self._on_due = on_due
        self._ready: deque[Delivery] = deque()
        #: Batches that are retried go as they are, before new ones are made.
        self._again: deque[Batch] = deque()
        self._retries: RetryQueue[Delivery | Batch] = RetryQueue(self._back)
        self._lingering_since: float | None = None

    @property
    def waiting_for_retry(self) -> int:
        return len(self._retries)

    def add(self, delivery: Delivery) -> None:
        """It has passed the stage. Does nothing if its partition is about to go."""
        if delivery.partition.live:
            self._enqueue(delivery)

    def add_leaving(self, delivery: Delivery) -> None:
        """It was begun before its partition was about to go: a call of it begins if it can before `drop_leaving`."""
        self._enqueue(delivery)

    def has_fresh(self) -> bool:
        """Whether one that has never failed is ready."""
        return any(not delivery.failed for delivery in self._ready)

    def wait_no_more(self) -> None:
        """The next batch waits for no further events: none can come before it goes."""
        self._lingering_since = -inf

    def put_back(self, call: Delivery | Batch) -> None:
        """It was cancelled: what is left of it is next."""
        self._ready.extendleft(head for head in heads_of(parts_of(call)) if head.partition.live)

    def retry_in(self, call: Delivery | Batch, delay: float) -> None:
        """It is ready again in `delay` seconds."""
        self._retries.add(call, delay)

    def retry_now(self) -> None:
        """All that wait are ready now, or at the moment that the receiver asked for."""
        for call in self._retries.pop_all():
            self._enqueue(call)

    def next(self, now: float, *, probing: bool = False) -> tuple[Delivery | Batch | None, float]:
        """Returns the next call; or None, and the seconds until there may be one (0: when something else happens).

        `probing`: one that has never failed, else any that the receiver's `Retry-After` allows: a probe waits for no backoff.
        """
        fresh = probing and self._move_a_fresh_one_forward()
        if probing and not fresh and (call := self._closest_to_its_last_attempt()):
            return call, 0.0
        if probing and not self._ready and not self._again:
            return self._retries.pop()
        if self._again and not fresh:
            return self._again.popleft(), 0.0
        if not self._ready:
            self._lingering_since = None  # the events that a batch waited with may have been set aside
            return None, 0.0
        if self._batching is None or self._ready[0].alone:
            return self._ready.popleft(), 0.0
        return self._gather(self._batching, now)

    def retry_due_in(self, call: Delivery | Batch) -> float:
        """Seconds until its next attempt; 0 if it does not wait for one."""
        return self._retries.due_in(call)

    def due(self) -> Iterator[tuple[Delivery | Batch, float]]:
        """Yields the calls that wait for their next attempt, the soonest first, and the moment by the loop's clock."""
        yield from self._retries.in_order()

    def remove(self, delivery: Delivery) -> Delivery | Batch | None:
        """Takes an event out. Returns the call that carried it; None if it is not here (behind another, or in an open call)."""
        if delivery in self._ready:
            self._ready.remove(delivery)
            return delivery
        for batch in self._again:
            if delivery in batch.parts:
                self._again.remove(batch)
                return batch
        return next(iter(self._retries.remove(lambda call: delivery in parts_of(call))), None)

    def drop_leaving(self) -> None:
        """Drops the events of partitions that are about to go; what else was in a batch with one is ready again."""
        cut = [*self._retries.remove(is_leaving), *filter(is_leaving, self._again)]
        self._again = deque(batch for batch in self._again if not is_leaving(batch))
        self._ready = deque(delivery for delivery in self._ready if delivery.partition.live)
        for call in cut:
            for head in heads_of(parts_of(call)):
                self.add(head)

    def _move_a_fresh_one_forward(self) -> bool:
        """The newest, since what an earlier owner left open among many completed events may be what always fails.

        Events that failed say little about the webhook: a dozen poisoned ones would keep the breaker open for all others.
        """
        fresh = next((delivery for delivery in reversed(self._ready) if not delivery.failed), None)
        if fresh is None:
            return False
        self._ready.remove(fresh)
        self._ready.appendleft(fresh)
        return True

    def _closest_to_its_last_attempt(self) -> Delivery | None:
        """Every other time, of those that a receiver read and rejected, the one with the most attempts.

        The sooner it becomes a dead letter, the sooner an event behind it shows that the webhook is up. To take them in turn
        would spend every attempt of a window full of poison first. The other times another event may show it.
        """
        self._ending = self._limited and not self._ending
        alone = (call for call in (*self._ready, *self._retries) if isinstance(call, Delivery))
        rejected = (call for call in alone if is_about_the_event(call.status) and is_free(call))
        call = max(rejected, key=lambda call: call.spent, default=None) if self._ending else None
        if call is not None:
            self.remove(call)
        return call

    def _gather(self, batching: Batching, now: float) -> tuple[Batch | None, float]:
        if self._lingering_since is None:
            self._lingering_since = now
        wait = self._lingering_since + batching.linger - now
        if wait > 0 and not batching.is_ripe(self._ready):
            return None, wait
        self._lingering_since = None
        return batching.take(self._ready), 0.0

    def _back(self, call: Delivery | Batch) -> None:
        self._enqueue(call)
        self._on_due()

    def _enqueue(self, call: Delivery | Batch) -> None:
        if not is_free(call):
            self._retries.add(call, call.not_before - asyncio.get_running_loop().time())
        elif isinstance(call, Batch):
            self._again.append(call)
        else:
            self._ready.append(call)
