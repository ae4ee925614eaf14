"""The consumer's numbers for a scrape. Told of every event, so it does nothing that a scrape can do instead."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

from consumer.observer import ConsumerObserver, Fate
from consumer.partitions.partition import Delivery
from consumer.policy import Outcome
from consumer.scheduling.batch import Batch, parts_of
from consumer.webhook import Attempt, Call, Failure
from shared.numbers import CALL_BOUNDS, LAG_BOUNDS, Dates, Histogram
from shared.record import Record
from shared.transport.port import Position

#: What an attempt can come to: `200`, the class of another status, or why there was no response.
OUTCOMES: Final = ("200", "2xx", "3xx", "4xx", "429", "5xx", *(failure.value for failure in Failure))

#: Bytes of delivered calls that are kept until they are counted, many at a time: 500 small ones, half a millisecond.
_ROOM: Final = 1 << 20
#: Bytes of a call beside its body.
_EVENT: Final = 2000
#: Where our producer writes the header of the event's date.
_DATE: Final = 3


class ConsumerMetrics(ConsumerObserver):
    """Sums since the start of this process, of what has an outcome; `fold` brings them up to date.

    `clock`: seconds since the epoch; `steady`: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._steady = steady
        self._dates = Dates()
        #: When the open calls began.
        self._began: dict[Call, float] = {}
        #: Calls that were delivered, and when; counted many at a time.
        self._done: list[tuple[Delivery | Batch, Attempt, float]] = []
        self._room = _ROOM
        self.attempts = dict.fromkeys(OUTCOMES, 0)
        self.retries = self.commits = self.failed_commits = 0
        #: By the steady clock; None: the last commit worked.
        self.commits_fail_since: float | None = None
        self.webhook_seconds = Histogram(CALL_BOUNDS)
        #: From the topic to the 200, and from the event to the 200.
        self.deliver, self.total = Histogram(LAG_BOUNDS), Histogram(LAG_BOUNDS)

    def call_sent(self, call: Delivery | Batch) -> None:
        self._began[call] = self._steady()

    def call_delivered(self, call: Delivery | Batch, attempt: Attempt) -> None:
        self._done.append((call, attempt, self._steady()))
        self._room -= len(call.body) + _EVENT
        if self._room < 0:
            self.fold()

    def call_failed(self, call: Delivery | Batch, attempt: Attempt, _outcome: Outcome, _fate: Fate, _retry_in: float) -> None:
        """`call.failed` is still that of the attempts before."""
        self.attempts[outcome_of(attempt)] += 1
        self.retries += call.failed
        now = self._steady()
        self.webhook_seconds.add(now - self._began.pop(call, now))

    def call_not_sent(self, call: Delivery | Batch, _attempt: Attempt, _open_calls: int) -> None:
        self._began.pop(call, None)

    def call_cancelled(self, call: Delivery | Batch, sent: bool) -> None:
        began = self._began.pop(call, None)
        if sent and began is not None:  # the receiver has seen a call whose connection ended
            self.attempts[Failure.CUT.value] += 1
            self.retries += call.failed
            self.webhook_seconds.add(self._steady() - began)

    def positions_committed(self, _positions: Mapping[int, Position]) -> None:
        self.commits += 1
        self.commits_fail_since = None

    def commit_failed(self, _positions: Mapping[int, Position]) -> None:
        self.failed_commits += 1
        if self.commits_fail_since is None:
            self.commits_fail_since = self._steady()

    def fold(self) -> None:
        """Counts what was delivered since the last time."""
        done, self._done, self._room = self._done, [], _ROOM
        if not done:
            return
        pop, offset = self._began.pop, self._clock() - self._steady()
        self.webhook_seconds.add_all([ended - pop(call, ended) for call, _, ended in done])
        for status, times in Counter([attempt.status for _, attempt, _ in done]).items():
            self.attempts[outcome_of(Attempt(status))] += times
        self.retries += sum([call.failed for call, _, _ in done])
        records = [call.record for call, _, _ in done if type(call) is Delivery]
        moments = [ended + offset for _, _, ended in done]
        if len(records) < len(done):  # batches
            records = [part.record for call, _, _ in done for part in parts_of(call)]
            moments = [ended + offset for call, _, ended in done for _ in parts_of(call)]
        self.deliver.add_all([ended - record.timestamp for record, ended in zip(records, moments, strict=True)])
        happened = self._dates.moments([_date(record) for record in records])
        self.total.add_all([ended - moment for ended, moment in zip(moments, happened, strict=True) if moment == moment])


def outcome_of(attempt: Attempt) -> str:
    """Returns one of `OUTCOMES`."""
    match attempt.status:
        case None:
            return (attempt.failure or (Failure.TIMEOUT if attempt.timed_out else Failure.CUT)).value
        case 200 | 429:
            return str(attempt.status)
        case status if status < 200:  # no client can do anything with such a response
            return Failure.CUT.value
        case status:
            return f"{min(status // 100, 5)}xx"


def _date(record: Record) -> bytes:
    headers = record.headers
    if len(headers) > _DATE and headers[_DATE][0] == "date":
        return headers[_DATE][1]
    return dict(headers).get("date", b"")
