"""From a record to its outcome: its key's queue, the stage, the ready queue, its attempts, and what follows from each. No I/O.

There is no task per event: a `Delivery` goes from its key's queue through the stage to the ready queue, to the webhook client and
back to `_on_response`.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Collection

from consumer.dead_letters import DeadLetterWriter
from consumer.observer import ConsumerObserver, Fate
from consumer.partitions.partition import Delivery, Partition
from consumer.policy import Outcome, Policy, classify, is_about_the_event
from consumer.scheduling.batch import Batch, heads_of, is_leaving, parts_of
from consumer.scheduling.circuit_breaker import Breaker, BreakerState
from consumer.scheduling.launcher import Launcher
from consumer.scheduling.ready_queue import ReadyQueue
from consumer.scheduling.rule_stage import RuleStage, RunAhead
from consumer.scheduling.stage import Stage
from consumer.scheduling.withheld import WithheldEvents
from consumer.webhook import Attempt, Webhook
from shared import failpoints
from shared.errors import RecordInvalid
from shared.event_rules import EventRules, member_of
from shared.observers import all_of
from shared.record import Record, log_id_of
from shared.transport.port import Table


class Dispatcher:
    """`blocked` tells whether nothing may start at the moment; `rules` run on events before they are sent.

    `drained` is set whenever a call of a leaving partition ends, and with rules whenever something may have changed for one.
    """

    def __init__(
        self,
        *,
        webhook: Webhook,
        policy: Policy,
        breaker: Breaker,
        blocked: Callable[[], bool],
        open_letters: Callable[[], Awaitable[Table]],
        observer: ConsumerObserver,
        rules: EventRules | None = None,
        jitter: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._policy = policy
        self._breaker = breaker
        self._observer = observer
        self._jitter = jitter
        self._clock = clock
        self.ready_queue = ReadyQueue(policy.batching, lambda: self.launch(), limited=policy.max_attempts is not None)
        ahead = RunAhead()
        self._launcher = Launcher(
            self.ready_queue,
            webhook=webhook,
            policy=policy,
            breaker=breaker,
            blocked=blocked,
            on_response=self._on_response,
            on_due=lambda: self.launch(),
            observer=observer if rules is None else all_of(ConsumerObserver, observer, ahead),
            clock=clock,
        )
        self.open_calls = self._launcher.open
        self.set_share = self._launcher.set_share
        self.pause = self._launcher.pause
        self._dead_letters = DeadLetterWriter(open_letters, self._on_dead_letter, observer)
        self._rules = rules
        self.stage = Stage(self.ready_queue.add)
        #: Starts whatever may start. Without rules nothing stands between a response and the next call.
        self.launch: Callable[[], None] = self._launcher.launch
        if rules is not None:
            self.launch = self._launch_all
            self.stage = RuleStage(
                self.ready_queue,
                rules=rules,
                launcher=self._launcher,
                ahead=ahead,
                backoff=policy.backoff,
                observer=observer,
                set_aside=self._dead_letters.write,
                on_due=self._launch_all,
                jitter=jitter,
            )
        self._withheld = WithheldEvents(
            self.stage, self.ready_queue, take_apart=self._take_apart, make_ready=self._make_ready, clock=clock
        )
        self.drained = asyncio.Event()
        #: An event that is to be skipped has been withheld, or its dead letter is acknowledged.
        self.skip_progress = self._withheld.progress

    @property
    def share(self) -> int:
        """How many calls this member may have open."""
        return self._launcher.share

    # -- what comes in, and what goes

    def take(self, partition: Partition, record: Record) -> None:
        """A record that was not taken before, in the order of its partition."""
        self._observer.record_taken(record)
        try:
            log_id, member = log_id_of(record), member_of(record)
        except RecordInvalid as error:
            self._take_invalid(partition, record, error)
            return
        delivery = Delivery(partition, record, log_id, self._policy.queue_key(record, log_id))
        if member is not None:
            delivery.add_rules(member)  # they ran before it became a dead letter
        elif self._rules is not None:
            delivery.awaits_rules = self._rules.looks_at(record)
        partition.add(delivery)
        if partition.key_queues.enter(delivery.queue_key, delivery):
            self._make_ready(delivery)

    def _take_invalid(self, partition: Partition, record: Record, error: RecordInvalid) -> None:
        """A dead letter, where there are any; else it is held: it stays open, and the position stays before it."""
        delivery = Delivery(partition, record, f"{partition.number}:{record.offset}", record.offset)
        delivery.valid = False
        partition.add(delivery)
        if self._policy.max_attempts is not None:
            self._dead_letters.write(delivery, f"not a record of ours: {error}")
        else:
            self._observer.record_held(delivery, str(error))

    def _make_ready(self, head: Delivery) -> None:
        """The one place for an event that has become the head of its key's queue."""
        if head.skip is not None:
            self._withheld.withhold(head)
        elif head.partition.live:
            self.stage.enter(head)

    def skip(self, delivery: Delivery) -> None:
        """Withholds it from its next attempt; then `set_aside` or `keep` decides. Idempotent."""
        self._withheld.request(delivery)
        self.launch()  # what waited in a batch with it goes by itself now

    def set_aside(self, delivery: Delivery, reason: str) -> None:
        """Writes its dead letter, which says also why rules held it. Does nothing unless it is withheld."""
        held = self._withheld.set_aside(delivery)
        if held is not None:
            self._dead_letters.write(delivery, f"{reason}; {held}" if held else reason)

    def keep(self, delivery: Delivery) -> bool:
        """It goes on as if no skip had been asked for. Returns False where it is too late for that."""
        kept = self._withheld.keep(delivery)
        self.launch()
        return kept

    def calls_of(self, partitions: Collection[Partition]) -> list[Delivery | Batch]:
        """The open calls that carry an event of these."""
        return [call for call in self.open_calls if any(part.partition in partitions for part in parts_of(call))]

    def unfinished(self, partitions: Collection[Partition]) -> bool:
        """Whether a call of these is open, or may still begin though they are about to go."""
        return bool(self.calls_of(partitions)) or self.stage.unfinished(partitions)

    def cancel(self, partitions: Collection[Partition]) -> int:
        """Cancels the open calls of these. Returns their number. What else such a call carried is sent again."""
        calls = self.calls_of(partitions)
        for call in calls:
            self._launcher.cancel(call)
            self.ready_queue.put_back(call)
            for part in parts_of(call):
                self._withheld.withhold_if_free(part)
        return len(calls)

    def drop_leaving(self) -> None:
        """Drops what belongs to partitions that are about to go, but for open calls and for chains of rules under way."""
        self.stage.drop_leaving()
        self.ready_queue.drop_leaving()
        self._withheld.drop_leaving()
        self._dead_letters.abandon(lambda delivery: not delivery.partition.live)
        self.launch()

    async def close(self) -> None:
        await self.stage.close()
        await self._dead_letters.close()
        await self._launcher.close()

    def _launch_all(self) -> None:
        """Calls before chains: each call that starts makes room for one."""
        self._launcher.launch()
        self.stage.start()
        self.drained.set()

    # -- outcomes

    def _on_response(self, call: Delivery | Batch, attempt: Attempt) -> None:
        self.open_calls.discard(call)
        outcome = classify(attempt, self._policy.success)
        if not attempt.sent:
            self._on_no_descriptor(call, attempt)
        elif outcome is Outcome.DELIVERED:
            self._on_delivered(call, attempt)
        else:
            self._on_failed(call, attempt, outcome)
        if is_leaving(call):
            self.drained.set()
        self.launch()

    def _on_delivered(self, call: Delivery | Batch, attempt: Attempt) -> None:
        failpoints.at("answered")
        before = self._breaker.state
        self._breaker.succeeded(call, self._launcher.share)
        for delivery in parts_of(call):
            self._complete(delivery)
        failpoints.at("marked")
        self._observer.call_delivered(call, attempt)
        if before is not BreakerState.CLOSED:
            self._observer.breaker_closed(call)
            # They waited for the webhook, not because of themselves: they go now, as fast as the breaker's ramp lets them.
            self.ready_queue.retry_now()

    def _on_failed(self, call: Delivery | Batch, attempt: Attempt, outcome: Outcome) -> None:
        before, now = self._breaker.state, self._clock()
        floor = self._policy.backoff.floor(attempt.retry_after)
        spent = self._breaker.failed(
            call, now, not_before=now + floor if floor else 0.0, rejected=is_about_the_event(attempt.status)
        )
        if outcome is Outcome.GONE and self._breaker.state is BreakerState.CLOSED:
            self._breaker.open(now)
        delay = self._policy.backoff.delay(
            call.spent + 1, self._jitter(), busy=outcome is Outcome.BUSY, retry_after=attempt.retry_after
        )
        limit = self._policy.max_attempts
        fate = _fate_of(call, exhausted=spent and limit is not None and call.spent + 1 >= limit)
        self._observer.call_failed(call, attempt, outcome, fate, delay)
        if before is BreakerState.CLOSED and self._breaker.state is BreakerState.OPEN:
            self._observer.breaker_opened(attempt, self._breaker.probe_at - now)
        not_before = asyncio.get_running_loop().time() + floor if floor else 0.0
        for delivery in parts_of(call):
            delivery.last_attempt = attempt
            delivery.failed = True
            delivery.not_before = not_before
        call.failed, call.not_before = True, not_before
        call.attempt += 1
        call.spent += spent
        self._go_on(call, fate, delay)

    def _on_no_descriptor(self, call: Delivery | Batch, attempt: Attempt) -> None:
        """No attempt: our descriptors are used up. What is open keeps its connections."""
        self._breaker.cancelled(call, self._clock())
        self._observer.call_not_sent(call, attempt, len(self.open_calls))
        self._go_on(call, _fate_of(call, exhausted=False), self._launcher.no_descriptor())

    def _go_on(self, call: Delivery | Batch, fate: Fate, delay: float) -> None:
        if isinstance(call, Batch):
            if fate is Fate.TAKEN_APART or is_leaving(call):
                self._take_apart(call)
            else:
                self.ready_queue.retry_in(call, delay)
        elif not call.partition.live:
            pass  # the next owner's: a letter that is begun now would be abandoned, and the event be dead and delivered
        elif fate is Fate.DEAD:
            self._dead_letters.write(call, f"{self._policy.max_attempts} attempts failed")
        elif fate is Fate.WITHHELD:
            self._withheld.withhold(call, delay)
        else:
            self.ready_queue.retry_in(call, delay)

    def _take_apart(self, batch: Batch) -> None:
        """Its events go one by one from now on: one of them may be the culprit."""
        for part in batch.parts:
            part.alone = True
        for head in heads_of(batch.parts):
            self._make_ready(head)

    def _complete(self, delivery: Delivery) -> None:
        following = delivery.partition.complete(delivery)
        if following is not None:
            self._make_ready(following)

    def _on_dead_letter(self, delivery: Delivery) -> None:
        self._withheld.on_dead_letter(delivery)
        self._complete(delivery)
        self.launch()


def _fate_of(call: Delivery | Batch, *, exhausted: bool) -> Fate:
    """`exhausted`: no attempt is left."""
    if isinstance(call, Batch):
        return Fate.TAKEN_APART if exhausted or any(part.skip for part in call.parts) else Fate.RETRIED
    if exhausted:
        return Fate.DEAD
    return Fate.RETRIED if call.skip is None else Fate.WITHHELD
