"""What a worker says about itself in its replica's document: how much is under way, and which events, with their last outcome."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Final

from consumer.desired_state import DesiredState
from consumer.dispatcher import Dispatcher
from consumer.observer import ConsumerObserver, Fate
from consumer.partitions.partition import Delivery, SkipState
from consumer.partitions.window import Window
from consumer.policy import Outcome
from consumer.scheduling.batch import Batch, parts_of
from consumer.scheduling.circuit_breaker import Breaker
from consumer.scheduling.stage import HeldEvent
from consumer.webhook import Attempt
from shared.documents.replica import EVENTS, RULES, BreakerReport, ConsumerReport, EventState, PendingEvent, RulesReport
from shared.event_rules import EventRules
from shared.masking import excerpt
from shared.words import BreakerState, Ordering

_LAST_MOMENT: Final = 253402300799.0  # of the year 9999
_LONGEST_OUTCOME: Final = 200  # characters


class BreakerHistory(ConsumerObserver):
    """Since when the breaker is not closed, and because of what."""

    def __init__(self) -> None:
        #: Seconds since the epoch; None: it is closed.
        self.since: float | None = None
        self.last_outcome = ""

    def breaker_opened(self, attempt: Attempt, _probe_in: float) -> None:
        self.since, self.last_outcome = time.time(), excerpt(attempt.summary, _LONGEST_OUTCOME)

    def call_failed(self, _call: Delivery | Batch, attempt: Attempt, _outcome: Outcome, _fate: Fate, _retry_in: float) -> None:
        if self.since is not None:
            self.last_outcome = excerpt(attempt.summary, _LONGEST_OUTCOME)

    def breaker_closed(self, _call: Delivery | Batch) -> None:
        self.since, self.last_outcome = None, ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerState:
    """One moment of a worker."""

    breaker: BreakerState
    #: By an operator: no call begins.
    paused: bool
    #: This member's part of the concurrency limit.
    share: int
    #: Events that are taken and not yet completed.
    in_window: int
    #: Open calls.
    in_flight: int
    #: Calls that wait for their next attempt.
    waiting_for_retry: int
    #: Events that are completed while an earlier one of their partition is not.
    done_beyond: int


class WorkerReporter:
    """Reads the parts of a worker, changes nothing."""

    def __init__(
        self,
        *,
        window: Window,
        dispatcher: Dispatcher,
        breaker: Breaker,
        history: BreakerHistory,
        desired: DesiredState,
        concurrent_calls: int,
        ordering: Ordering,
        rules: EventRules | None = None,
    ) -> None:
        self._window = window
        self._dispatcher = dispatcher
        self._breaker = breaker
        self._history = history
        self._desired = desired
        self._concurrent_calls = concurrent_calls
        self._ordering = ordering
        self._rules = rules

    @property
    def state(self) -> WorkerState:
        return WorkerState(
            breaker=self._breaker.state,
            paused=self._desired.paused,
            share=self._dispatcher.share,
            in_window=self._window.taken,
            in_flight=len(self._dispatcher.open_calls),
            waiting_for_retry=self._dispatcher.ready_queue.waiting_for_retry,
            done_beyond=self._window.beyond,
        )

    def report(self, webhook: str, group: str = "") -> ConsumerReport:
        """`webhook`: what may be shown of its URL; `group`: its consumer group in Kafka. To be called in the event loop."""
        state = self.state
        return ConsumerReport(
            webhook=webhook,
            share=state.share,
            concurrent_calls=self._concurrent_calls,
            in_flight=state.in_flight,
            window_events=state.in_window,
            waiting_retry_events=state.waiting_for_retry,
            done_beyond=state.done_beyond,
            breaker=self._breaker_report(),
            paused=state.paused,
            desired=self._desired.known.id if self._desired.known else "",
            partitions=tuple(sorted(self._window.owned)),
            events=tuple(islice(self._events(), EVENTS)),
            rules=self._rules_report(),
            ordering=self._ordering.value,
            group=group,
        )

    def _rules_report(self) -> RulesReport | None:
        if self._rules is None:
            return None
        return RulesReport(hash=self._rules.fingerprint, switched_off=tuple(sorted(self._rules.switched_off))[:RULES])

    def _breaker_report(self) -> BreakerReport:
        is_open = self._breaker.state is BreakerState.OPEN
        return BreakerReport(
            state=self._breaker.state,
            since=self._history.since,
            last_outcome=self._history.last_outcome,
            probe_at=_moment(self._breaker.probe_at) if is_open else None,
        )

    def _events(self) -> Iterator[PendingEvent]:
        """The oldest of each partition, then half of the room for those in flight, the stage, those that are retried soonest."""
        oldest = [next(iter(one.pending.values())) for one in self._window.owned.values() if one.pending]
        oldest.sort(key=lambda delivery: delivery.record.timestamp)
        in_flight = {part: call for call in self._dispatcher.open_calls for part in parts_of(call)}
        staged = {one.delivery: one for one in self._dispatcher.stage.held()}
        due = {part: one for one in self._dispatcher.ready_queue.due() for part in parts_of(one[0])}
        first = dict.fromkeys(oldest)
        for delivery in dict.fromkeys(chain(oldest, islice(in_flight, EVENTS // 2), staged, due)):
            by_rules = staged.get(delivery, HeldEvent(delivery))
            call, next_try = due.get(delivery, (in_flight.get(delivery, delivery), by_rules.next_try))
            state = _state(delivery, in_flight=delivery in in_flight, waits=delivery in due)
            yield PendingEvent(
                partition=delivery.partition.number,
                offset=delivery.record.offset,
                log_id=delivery.log_id,
                type=dict(delivery.record.headers).get("type", b"").decode("ascii", "backslashreplace"),
                since=min(max(delivery.record.timestamp, 0.0), _LAST_MOMENT),
                state=state,
                oldest=delivery in first,
                attempts=call.spent,  # of a batch: its events have none of their own
                last_outcome=excerpt(delivery.last_attempt.summary, _LONGEST_OUTCOME) if delivery.last_attempt else "",
                next_try=None if next_try is None else _moment(next_try),
                rule=by_rules.rule,
                reason=excerpt(by_rules.reason, _LONGEST_OUTCOME),
            )


def _state(delivery: Delivery, *, in_flight: bool, waits: bool) -> EventState:
    if in_flight:
        return EventState.IN_FLIGHT
    if not delivery.valid or delivery.skip not in (None, SkipState.REQUESTED):
        return EventState.HELD
    return EventState.RETRYING if waits else EventState.WAITING


def _moment(when: float) -> float:
    """Returns a moment of the loop's clock in seconds since the epoch."""
    return max(0.0, time.time() + when - asyncio.get_running_loop().time())
