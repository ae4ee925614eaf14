"""From a record to its outcome: its key's queue, the ready queue, its attempts, and what follows from each. No I/O of its own.

There is no task per event: a `Delivery` goes from its key's queue to the ready queue, to the webhook client and back to
`_on_response`. What decides when the next one starts: the share of the concurrency limit, the breaker, the rate limiter, and
whether a batch is ripe.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Final

from consumer.advice import Advice
from consumer.dead_letters import DeadLetterWriter
from consumer.partitions.partition import Delivery, Partition, Skip
from consumer.policy import Outcome, Policy, classify, is_about_the_event
from consumer.scheduling.batch import Batch, heads_of
from consumer.scheduling.circuit_breaker import Breaker, BreakerState
from consumer.scheduling.ready_queue import ReadyQueue, is_dying, parts_of
from consumer.webhook import Attempt, Webhook
from shared import failpoints
from shared.descriptors import REMEDY
from shared.errors import RecordInvalid
from shared.logging import get_logger
from shared.rate_limiter import RateLimiter
from shared.record import Record, log_id_of
from shared.transport.port import Table

_SHORT: Final = 1.0  # seconds without a further connection when no descriptor was left for one
_SAID: Final = 30.0  # seconds between two lines about it

log = get_logger(__name__)


@dataclass(slots=True)
class Counts:
    """What happened since the start of this process."""

    taken: int = 0
    delivered: int = 0
    failed_attempts: int = 0
    dead: int = 0
    held: int = 0


class Dispatcher:
    """`blocked` tells whether nothing may start at the moment; `drained` is set whenever a call of a dead partition ends.

    `skip_progress` is set when an event that an operator wants set aside has become free, or its dead letter is acknowledged.
    """

    def __init__(
        self,
        *,
        webhook: Webhook,
        policy: Policy,
        breaker: Breaker,
        blocked: Callable[[], bool],
        open_letters: Callable[[], Awaitable[Table]],
        jitter: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._webhook = webhook
        self._policy = policy
        self._breaker = breaker
        self._blocked = blocked
        self._jitter = jitter
        self._clock = clock
        self._share = 0
        self._rate_limiter = RateLimiter() if policy.rate is not None else None
        self._ready_queue = ReadyQueue(policy.batching, self.launch, limited=policy.max_attempts is not None)
        self._open: set[Delivery | Batch] = set()
        self._dead_letters = DeadLetterWriter(open_letters, self._buried)
        #: Those that are free, and when their next attempt would have been.
        self._free: dict[Delivery, float] = {}
        #: While descriptors are short: how many calls may be open, and until when; and when that may be said again.
        self._room, self._short_until, self._silent_until = 0, -inf, -inf
        self._wake: asyncio.TimerHandle | None = None
        self._wake_at = inf
        self.skip_progress = asyncio.Event()
        self.drained = asyncio.Event()
        self.counts = Counts()
        self._advice = Advice(policy.success)

    # -- what an onlooker may know

    @property
    def in_flight(self) -> int:
        return len(self._open)

    @property
    def waiting_for_retry(self) -> int:
        return self._ready_queue.waiting_for_retry

    @property
    def breaker(self) -> BreakerState:
        return self._breaker.state

    # -- what comes in, and what goes

    def take(self, partition: Partition, record: Record) -> None:
        """A record that nobody has taken before."""
        self.counts.taken += 1
        try:
            log_id = log_id_of(record)
        except RecordInvalid as error:
            self._unreadable(partition, record, error)
            return
        delivery = Delivery(partition, record, log_id, self._policy.queue_key(record, log_id))
        partition.pending[record.offset] = delivery
        if partition.key_queues.enter(delivery.queue_key, delivery):
            self._ready_queue.add(delivery)

    def share(self, calls: int) -> None:
        """How many calls this member may have open."""
        self._share = calls
        if self._rate_limiter is not None and self._policy.rate is not None:
            self._rate_limiter.set_rate(self._policy.rate * calls / self._policy.concurrent_calls, self._clock())
        self.launch()

    def skip(self, delivery: Delivery) -> None:
        """Keep it from its next attempt; then `set_aside` or `keep` decides. Idempotent."""
        if delivery.skip is None:
            delivery.skip = Skip.ASKED
        if delivery.skip is Skip.ASKED:
            self._free_now(delivery)
            self.launch()  # what waited in a batch with it goes by itself now

    def set_aside(self, delivery: Delivery, reason: str) -> None:
        """Write its dead letter. Nothing happens unless it is free."""
        if self._free.pop(delivery, None) is not None:
            delivery.skip = Skip.GOING
            self._dead_letters.write(delivery, reason)

    def keep(self, delivery: Delivery) -> bool:
        """It goes on as if it had not been asked for. False: its dead letter is on its way already, or its partition has gone."""
        if delivery.skip is not Skip.ASKED and delivery not in self._free:
            return False
        delivery.skip = None
        due = self._free.pop(delivery, None)
        if due is not None and delivery.valid:
            self._ready_queue.later(delivery, due - self._clock())
            self.launch()
        return True

    def calls_of(self, partitions: Sequence[Partition]) -> list[Delivery | Batch]:
        """The open calls that carry an event of these."""
        return [call for call in self._open if any(part.partition in partitions for part in parts_of(call))]

    def cancel(self, partitions: Sequence[Partition]) -> int:
        """Break off the open calls of these; answers how many. What else such a call carried is sent anew."""
        calls = self.calls_of(partitions)
        for call in calls:
            self._open.discard(call)
            self._webhook.cancel(call)
            self._breaker.cancelled(call, self._clock())
            self._ready_queue.put_back(call)
            for part in parts_of(call):
                if part.skip is Skip.ASKED:
                    self._free_now(part)
        return len(calls)

    def forget_dead(self) -> None:
        """Drop what belongs to partitions that are dead."""
        self._ready_queue.drop_dead()
        self._free = {delivery: due for delivery, due in self._free.items() if delivery.partition.live}
        self._dead_letters.abandon(lambda delivery: not delivery.partition.live)
        self.launch()

    async def close(self) -> None:
        if self._wake is not None:
            self._wake.cancel()
        await self._dead_letters.close()
        await self._webhook.close()

    # -- turns

    def launch(self) -> None:
        """Start whatever may start."""
        now = self._clock()
        short = now < self._short_until
        most = min(self._share, self._room) if short else self._share
        if short:
            self._wake_in(self._short_until - now)
        # Asked before each call: the process may be frozen between two of them, and lose its partitions meanwhile.
        while not self._blocked() and len(self._open) < most and self._breaker.allows(now):
            if self._rate_limiter is not None and (wait := self._rate_limiter.wait(now)):
                return self._wake_in(wait)
            call, wait = self._ready_queue.next(now, probing=self._breaker.state is BreakerState.OPEN)
            if call is None:
                return self._wake_in(wait)
            self._open.add(call)
            self._breaker.sent(call)
            if self._rate_limiter is not None:
                self._rate_limiter.started(now)
            self._webhook.send(call, self._on_response)
            failpoints.at("request-sent")
        if self._breaker.state is BreakerState.OPEN:
            self._wake_in(self._breaker.probe_at - now)
        return None

    def _wake_in(self, seconds: float) -> None:
        """Look again then; one timer, for the earliest of all reasons."""
        if seconds <= 0:
            return
        loop = asyncio.get_running_loop()
        when = loop.time() + seconds
        if self._wake_at <= when:
            return
        if self._wake is not None:
            self._wake.cancel()
        # The moment is kept here: for less than a millisecond uvloop gives a handle that does not know its own.
        self._wake, self._wake_at = loop.call_later(seconds, self._awake), when

    def _awake(self) -> None:
        self._wake, self._wake_at = None, inf
        self.launch()

    # -- outcomes

    def _on_response(self, call: Delivery | Batch, attempt: Attempt) -> None:
        self._open.discard(call)
        outcome = classify(attempt, self._policy.success)
        if not attempt.sent:
            self._unsent(call, attempt)
        elif outcome is Outcome.DELIVERED:
            self._succeeded(call)
        else:
            self._failed(call, attempt, outcome)
        if is_dying(call):
            self.drained.set()
        self.launch()

    def _succeeded(self, call: Delivery | Batch) -> None:
        failpoints.at("answered")
        before = self._breaker.state
        self._breaker.succeeded(call, self._share)
        for delivery in parts_of(call):
            self.counts.delivered += 1
            self._finish(delivery)
        failpoints.at("marked")
        if self._advice.given:
            self._advice.given.clear()
        log.debug("delivered", log_id=call.log_id, attempt=call.attempt)
        if before is not BreakerState.CLOSED:
            log.warning("the webhook is back: breaker closed", log_id=call.log_id)
            # They waited for the webhook, not because of themselves: their turn is now, as fast as the breaker's ramp lets them.
            self._ready_queue.retry_now()

    def _failed(self, call: Delivery | Batch, attempt: Attempt, outcome: Outcome) -> None:
        self.counts.failed_attempts += 1
        before, now = self._breaker.state, self._clock()
        floor = self._policy.backoff.floor(attempt.retry_after)
        spent = self._breaker.failed(call, now, not_before=now + floor if floor else 0.0)
        if self._is_poison(call, attempt, before):
            spent = True
            self._breaker.refused(now)
        if outcome is Outcome.GONE and self._breaker.state is BreakerState.CLOSED:
            self._breaker.open(now)
        delay = self._policy.backoff.delay(
            call.attempt, self._jitter(), busy=outcome is Outcome.BUSY, retry_after=attempt.retry_after
        )
        limit = self._policy.max_attempts
        exhausted = spent and limit is not None and call.attempt >= limit
        self._report(call, attempt, outcome, delay, exhausted=exhausted)
        if before is BreakerState.CLOSED and self._breaker.state is BreakerState.OPEN:
            log.error(
                "the webhook is down: breaker open, probing", outcome=attempt.summary, probe_in=self._breaker.probe_at - now
            )
        not_before = asyncio.get_running_loop().time() + floor if floor else 0.0
        for delivery in parts_of(call):
            delivery.status = attempt.status
            delivery.failed = True
            delivery.not_before = not_before
        call.failed, call.not_before = True, not_before
        call.attempt += spent
        self._try_again(call, delay, exhausted=exhausted)

    def _unsent(self, call: Delivery | Batch, attempt: Attempt) -> None:
        """No attempt: our descriptors are used up. What is open keeps its connections; more are tried in a second."""
        now = self._clock()
        self._breaker.cancelled(call, now)
        self._room, self._short_until = len(self._open), now + _SHORT
        if now >= self._silent_until:
            self._silent_until = now + _SAID
            log.error(
                "no call can start beside those that are open; no attempt is spent, tried again every second",
                reason=attempt.problem,
                open_calls=self._room,
                remedy=f"lower WEBHOOK_CONCURRENT_CALLS, or {REMEDY}",
            )
        self._try_again(call, _SHORT, exhausted=False)

    def _is_poison(self, call: Delivery | Batch, attempt: Attempt, before: BreakerState) -> bool:
        """A probe that had failed before, so nobody was there who had not, and it is refused again: that one spends an attempt.

        Else a window full of poisoned events would look like an outage for ever, and none of them come to its dead letter.
        """
        probe = before is BreakerState.HALF_OPEN and self._breaker.state is BreakerState.OPEN
        return probe and call.failed and is_about_the_event(attempt.status)

    def _try_again(self, call: Delivery | Batch, delay: float, *, exhausted: bool) -> None:
        if isinstance(call, Batch):
            if exhausted or is_dying(call) or any(part.skip for part in call.parts):
                self._dissolve(call)
            else:
                self._ready_queue.later(call, delay)
        elif not call.partition.live:
            pass  # the next owner's: a letter that is begun now would be abandoned, and the event be dead and delivered
        elif exhausted:
            self._dead_letters.write(call, f"{self._policy.max_attempts} attempts failed")
        elif call.skip is not None:
            self._hold(call, delay)
        else:
            self._ready_queue.later(call, delay)

    def _dissolve(self, batch: Batch) -> None:
        """Its events go one by one from now on: one of them may be the culprit."""
        for part in batch.parts:
            part.alone = True
        for head in heads_of(batch.parts):
            if head.skip is not None:
                self._hold(head, 0.0)
            else:
                self._ready_queue.add(head)

    def _finish(self, delivery: Delivery) -> None:
        following = delivery.partition.complete(delivery)
        if following is not None:
            self._ready_queue.add(following)
            if following.skip is not None:
                self._free_now(following)

    def _buried(self, delivery: Delivery) -> None:
        self.counts.dead += 1
        if delivery.skip is not None:
            self._free.pop(delivery, None)
            delivery.skip = Skip.DEAD
            self.skip_progress.set()
        self._finish(delivery)
        self.launch()

    # -- what cannot be delivered

    def _free_now(self, delivery: Delivery) -> None:
        """If it is at the head of its lane and not under way; else when it gets there or comes back."""
        delay = self._ready_queue.left(delivery)
        call = delivery if not delivery.valid else self._ready_queue.remove(delivery)
        if isinstance(call, Batch):
            self._dissolve(call)
        elif call is not None:
            self._hold(delivery, delay)

    def _hold(self, delivery: Delivery, delay: float) -> None:
        """`delay`: seconds until its next attempt would have been."""
        if delivery.partition.live:
            self._free[delivery] = self._clock() + delay
            delivery.skip = Skip.FREE
            self.skip_progress.set()

    def _unreadable(self, partition: Partition, record: Record, error: RecordInvalid) -> None:
        """A dead letter, where there are any; else it is held: it stays open, and the position stays before it."""
        delivery = Delivery(partition, record, f"{partition.number}:{record.offset}", record.offset)
        delivery.valid = False
        partition.pending[record.offset] = delivery
        if self._policy.max_attempts is not None:
            self._dead_letters.write(delivery, f"not a record of ours: {error}")
            return
        self.counts.held += 1
        log.error(
            "a record cannot be delivered and is held: the position stays before it",
            partition=partition.number,
            offset=record.offset,
            reason=str(error),
            remedy=f"auth0-webhooks skip {delivery.log_id}",
        )

    def _report(self, call: Delivery | Batch, attempt: Attempt, outcome: Outcome, delay: float, *, exhausted: bool) -> None:
        first = parts_of(call)[0]
        write = log.error if outcome in (Outcome.DENIED, Outcome.GONE) else log.warning
        becomes = _fate(call, exhausted=exhausted)
        write(
            becomes or "not delivered, will be tried again",
            outcome=attempt.summary,
            **_contents(call),
            log_id=call.log_id,
            attempt=call.attempt,
            **({} if becomes else {"retry_in": round(delay, 3)}),
            partition=first.partition.number,
            offset=first.record.offset,
        )
        if advice := self._advice.on(attempt):
            location = {"location": attempt.location} if attempt.location else {}
            write(advice, outcome=attempt.summary, **location)


def _fate(call: Delivery | Batch, *, exhausted: bool) -> str:
    """What becomes of an event that is not tried again as it is; empty for the others."""
    if isinstance(call, Batch):
        return "not delivered, its events go one by one" if exhausted or any(part.skip for part in call.parts) else ""
    if exhausted:
        return "not delivered, and no attempt is left"
    return "not delivered, and held: a skip is asked for" if call.skip is not None else ""


def _contents(call: Delivery | Batch) -> dict[str, str | int]:
    """For the log: the event's type as the record says it, or how many events there are."""
    if isinstance(call, Batch):
        return {"events": len(call.parts)}
    return {"type": dict(call.record.headers).get("type", b"").decode("ascii", "backslashreplace")}
