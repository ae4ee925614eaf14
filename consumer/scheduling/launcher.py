"""When the next call starts: the share of the concurrency limit, the breaker, the rate limit, and what a process can open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf
from typing import Final

from consumer.observer import ConsumerObserver
from consumer.partitions.partition import Delivery
from consumer.policy import Policy
from consumer.scheduling.batch import Batch
from consumer.scheduling.circuit_breaker import Breaker, BreakerState
from consumer.scheduling.ready_queue import ReadyQueue
from consumer.webhook import OnResponse, Webhook
from shared import failpoints
from shared.rate_limiter import RateLimiter

_SHORTAGE: Final = 1.0  # seconds without a further connection when no descriptor was left for one


class Launcher:
    """`blocked` tells whether nothing may start at the moment; `on_due` is called in the event loop when it is time to launch."""

    def __init__(
        self,
        ready_queue: ReadyQueue,
        *,
        webhook: Webhook,
        policy: Policy,
        breaker: Breaker,
        blocked: Callable[[], bool],
        on_response: OnResponse,
        on_due: Callable[[], None],
        observer: ConsumerObserver,
        clock: Callable[[], float],
    ) -> None:
        self._ready_queue = ready_queue
        self._webhook = webhook
        self._policy = policy
        self._breaker = breaker
        self._blocked = blocked
        self._on_response = on_response
        self._on_due = on_due
        self._observer = observer
        self._clock = clock
        #: How many calls this member may have open; `set_share` changes it.
        self.share = 0
        self._rate_limiter = RateLimiter() if policy.rate is not None else None
        #: While descriptors are short: how many calls may be open, and until when.
        self._room, self._short_until = 0, -inf
        self._wake: asyncio.TimerHandle | None = None
        self._wake_at = inf
        self._paused = False
        #: Calls that have no response yet.
        self.open: set[Delivery | Batch] = set()

    def set_share(self, calls: int) -> None:
        self.share = calls
        if self._rate_limiter is not None and self._policy.rate is not None:
            self._rate_limiter.set_rate(self._policy.rate * calls / self._policy.concurrent_calls, self._clock())
        self._on_due()

    def pause(self, paused: bool) -> None:
        """No call begins while it is paused; open ones end. Afterwards the calls come back as after an outage."""
        self._paused = paused
        if not paused:
            self._breaker.come_back()
        self._on_due()

    def may_begin(self) -> bool:
        """Whether a call may begin as soon as there is a place for it."""
        return not self._paused and self._breaker.state is BreakerState.CLOSED and not self._blocked()

    def may_probe(self) -> bool:
        """Whether the next call is a probe, now or when it is due."""
        return not self._paused and self._breaker.state is BreakerState.OPEN and self.share > 0 and not self._blocked()

    def launch(self) -> None:
        """Starts whatever may start."""
        if self._paused:
            return None
        now = self._clock()
        short = now < self._short_until
        most = min(self.share, self._room) if short else self.share
        if short:
            self._wake_in(self._short_until - now)
        # Asked before each call: the process may be frozen between two of them, and lose its partitions meanwhile.
        while not self._blocked() and len(self.open) < most and self._breaker.allows(now):
            if self._rate_limiter is not None and (wait := self._rate_limiter.wait(now)):
                return self._wake_in(wait)
            call, wait = self._ready_queue.next(now, probing=self._breaker.state is BreakerState.OPEN)
            if call is None:
                return self._wake_in(wait)
            self.open.add(call)
            self._breaker.sent(call)
            if self._rate_limiter is not None:
                self._rate_limiter.started(now)
            call.sent_at = self._clock()
            self._webhook.send(call, self._on_response)
            self._observer.call_sent(call)
            failpoints.at("request-sent")
        if self._breaker.state is BreakerState.OPEN:
            self._wake_in(self._breaker.probe_at - now)
        return None

    def no_descriptor(self) -> float:
        """No call can start beside those that are open. Returns the seconds until more are tried."""
        self._room, self._short_until = len(self.open), self._clock() + _SHORTAGE
        return _SHORTAGE

    def cancel(self, call: Delivery | Batch) -> None:
        """Cancels an open call."""
        self.open.discard(call)
        sent = self._webhook.cancel(call)
        self._observer.call_cancelled(call, sent)
        call.attempt += sent
        self._breaker.cancelled(call, self._clock())

    async def close(self) -> None:
        if self._wake is not None:
            self._wake.cancel()
        await self._webhook.close()

    def _wake_in(self, seconds: float) -> None:
        """Launches again then; one timer, for the earliest of all reasons."""
        if seconds <= 0:
            return
        loop = asyncio.get_running_loop()
        when = loop.time() + seconds
        if self._wake_at <= when:
            return
        if self._wake is not None:
            self._wake.cancel()
        # The moment is kept here: for less than a millisecond uvloop returns a handle that does not know its own.
        self._wake, self._wake_at = loop.call_later(seconds, self._awake), when

    def _awake(self) -> None:
        self._wake, self._wake_at = None, inf
        self._on_due()
