"""Chains of rules between the head of a key's queue and the ready queue.

    enter ─▶ waiting ─▶ under way ─▶ ahead ─▶ sent for the first time
                ▲           ├─▶ failed, `HOLD`: held for a backoff
                └───────────┘   failed, `DEAD_LETTER`: set aside

A chain is a task. It holds no call and no other key; chains under way and events that are ahead (their chain has run, and no call
has carried them yet) are at most twice the share, so that little is run in vain when a partition goes or the process ends.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator
from functools import partial
from typing import Final

from consumer.observer import ConsumerObserver
from consumer.partitions.partition import Delivery, Partition
from consumer.scheduling.batch import Batch, parts_of
from consumer.scheduling.launcher import Launcher
from consumer.scheduling.ready_queue import ReadyQueue
from consumer.scheduling.retry_queue import RetryQueue
from consumer.scheduling.stage import HeldEvent, Stage
from shared import failpoints
from shared.backoff import Backoff
from shared.event_rules import EventRules, RulesFailure, RulesResult
from shared.words import OnError

_AHEAD: Final = 2  # times the share


class RunAhead(ConsumerObserver):
    """The events whose chain has run and that no call has carried yet."""

    def __init__(self) -> None:
        self.events: set[Delivery] = set()

    def call_sent(self, call: Delivery | Batch) -> None:
        self.events.difference_update(parts_of(call))


class RuleStage(Stage):
    """`ahead` is told of each call that starts. `jitter` draws from [0, 1).

    `set_aside` writes the dead letter of an event; `on_due` is called in the event loop when there may be something to launch.
    """

    def __init__(
        self,
        ready_queue: ReadyQueue,
        *,
        rules: EventRules,
        launcher: Launcher,
        ahead: RunAhead,
        backoff: Backoff,
        observer: ConsumerObserver,
        set_aside: Callable[[Delivery, str], None],
        on_due: Callable[[], None],
        jitter: Callable[[], float],
    ) -> None:
        super().__init__(ready_queue.add)
        self._ready_queue = ready_queue
        self._rules = rules
        self._launcher = launcher
        self._ahead = ahead
        self._backoff = backoff
        self._observer = observer
        self._set_aside = set_aside
        self._on_due = on_due
        self._jitter = jitter
        self._waiting: OrderedDict[Delivery, None] = OrderedDict()
        self._under_way: dict[Delivery, asyncio.Task[RulesResult | None]] = {}
        self._holds: RetryQueue[Delivery] = RetryQueue(self._hold_is_over)
        #: Of each event that is or was held: how often its chain failed, and how the last time.
        self._failures: dict[Delivery, tuple[int, RulesFailure]] = {}
        #: Those under way, and those that were cancelled and have not ended yet.
        self._tasks: set[asyncio.Task[RulesResult | None]] = set()

    def enter(self, head: Delivery) -> None:
        if head.awaits_rules:
            self._waiting[head] = None
        else:
            self.ready(head)

    def start(self) -> None:
        # Asked before each chain: the process may be frozen between two of them, and lose its partitions meanwhile.
        while self._waiting and self._may_start():
            delivery, _ = self._waiting.popitem(last=False)
            task = asyncio.get_running_loop().create_task(self._rules.run(delivery.record, delivery.log_id))
            self._under_way[delivery] = task
            self._tasks.add(task)
            task.add_done_callback(partial(self._on_end, delivery))
            failpoints.at("chain-started")

    def remove(self, delivery: Delivery) -> str | None:
        self._ahead.events.discard(delivery)
        _, failure = self._failures.pop(delivery, (0, None))
        reason = failure.reason if failure else ""
        if delivery in self._waiting:
            del self._waiting[delivery]
            return reason
        if delivery in self._under_way:
            reason = reason or self._progress(delivery).reason
            self._cancel(delivery)
            return reason
        return reason if self._holds.remove(lambda one: one is delivery) else None

    def drop_leaving(self) -> None:
        """What is under way goes on until `cancel`."""
        self._waiting = OrderedDict.fromkeys(one for one in self._waiting if one.partition.live)
        self._holds.remove(lambda one: not one.partition.live)
        self._failures = {one: failed for one, failed in self._failures.items() if one.partition.live}
        self._ahead.events = {one for one in self._ahead.events if one.partition.live}

    def unfinished(self, partitions: Collection[Partition]) -> bool:
        begun = (one for events in (self._under_way, self._ahead.events) for one in events)
        return self._launcher.may_begin() and any(one.partition in partitions for one in begun)

    def cancel(self, partitions: Collection[Partition]) -> int:
        going = [one for one in self._under_way if one.partition in partitions]
        return sum(map(self._cancel, going))

    def held(self) -> Iterator[HeldEvent]:
        yield from map(self._progress, self._under_way)
        for delivery, moment in self._holds.in_order():
            yield HeldEvent(delivery, "", self._failures[delivery][1].reason, moment)
        for delivery in filter(self._failures.__contains__, self._waiting):
            yield HeldEvent(delivery, "", self._failures[delivery][1].reason)

    async def close(self) -> None:
        for delivery in list(self._under_way):
            self._cancel(delivery)
        self._holds.pop_all()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _progress(self, delivery: Delivery) -> HeldEvent:
        rule = self._rules.under_way(delivery.log_id) or ""
        return HeldEvent(delivery, rule, f"rule {rule} is running" if rule else "its rules are starting")

    # -- chains

    def _may_start(self) -> bool:
        begun = len(self._under_way) + len(self._ahead.events)
        if self._launcher.may_begin():
            return begun < _AHEAD * self._launcher.share
        # Else a breaker that was opened by events that fail for their own sake stays open for all that still await rules.
        return not begun and self._launcher.may_probe() and not self._ready_queue.has_fresh()

    def _cancel(self, delivery: Delivery) -> bool:
        task = self._under_way.pop(delivery, None)
        return task is not None and (task.cancel() or True)

    def _on_end(self, delivery: Delivery, task: asyncio.Task[RulesResult | None]) -> None:
        self._tasks.discard(task)
        if self._under_way.get(delivery) is not task:
            return  # cancelled: its partition is gone, or an operator wants the event set aside
        del self._under_way[delivery]
        result = _result_of(task)
        if result is None or result.failure is None:
            self._on_passed(delivery, result)
        elif delivery.partition.live:
            self._on_failed(delivery, result.failure)
        self._on_due()

    def _on_passed(self, delivery: Delivery, result: RulesResult | None) -> None:
        self._failures.pop(delivery, None)
        delivery.awaits_rules = False
        if result is not None:
            delivery.partition.add_rules(delivery, result.member)
        if delivery.partition.live:
            self.ready(delivery)
        elif self._launcher.may_begin():
            self._ready_queue.add_leaving(delivery)
        else:
            return  # the next owner's
        self._ahead.events.add(delivery)
        failpoints.at("chain-ended")
        if not self._under_way and len(self._ahead.events) >= _AHEAD * self._launcher.share:
            self._ready_queue.wait_no_more()

    def _on_failed(self, delivery: Delivery, failure: RulesFailure) -> None:
        if failure.on_error is OnError.DEAD_LETTER:
            self._failures.pop(delivery, None)
            self._set_aside(delivery, failure.reason)
            return
        times = self._failures[delivery][0] + 1 if delivery in self._failures else 1
        self._failures[delivery] = times, failure
        delay = self._backoff.delay(times, self._jitter())
        self._holds.add(delivery, delay)
        self._observer.rules_failed(delivery, failure.reason, delay)

    def _hold_is_over(self, delivery: Delivery) -> None:
        self._waiting[delivery] = None
        self._on_due()


def _result_of(task: asyncio.Task[RulesResult | None]) -> RulesResult | None:
    """What ended otherwise than it may is held: the event is neither lost nor sent without its rules."""
    error = asyncio.CancelledError() if task.cancelled() else task.exception()
    if error is None:
        return task.result()
    reason = f"the rules ended unexpectedly ({type(error).__name__})"
    return RulesResult(member=b"", failure=RulesFailure(on_error=OnError.HOLD, reason=reason))
