"""The consumer's numbers for a scrape. Told of every event, so it does nothing that a scrape can do instead."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from consumer.observer import ConsumerObserver, Fate
from consumer.partitions.partition import Delivery
from consumer.policy import Outcome
from consumer.scheduling.batch import Batch, parts_of
from consumer.webhook import Attempt, Failure
from shared.numbers import CALL_BOUNDS, LAG_BOUNDS, Dates, Histogram
from shared.record import Headers, Record
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
        #: Calls that were delivered, and when, by the steady clock; counted many at a time.
        self._calls: list[Delivery | Batch] = []
        self._ended: list[float] = []
        self._room = _ROOM
        #: Of these, how many had another status than 200; they are counted at once.
        self._others = 0
        self.attempts = dict.fromkeys(OUTCOMES, 0)
        self.retries = self.commits = self.failed_commits = 0
        self.webhook_seconds = Histogram(CALL_BOUNDS)
        #: From the topic to the 200, and from the event to the 200.
        self.deliver, self.total = Histogram(LAG_BOUNDS), Histogram(LAG_BOUNDS)

    def call_delivered(self, call: Delivery | Batch, attempt: Attempt) -> None:
        self._calls.append(call)
        self._ended.append(self._steady())
        if attempt.status != 200:
            self._others += 1
            self.attempts[outcome_of(attempt)] += 1
        if call.failed:
            self.retries += 1
        self._room -= len(call.body) + _EVENT
        if self._room < 0:
            self.fold()

    def call_failed(self, call: Delivery | Batch, attempt: Attempt, _outcome: Outcome, _fate: Fate, _retry_in: float) -> None:
        """`call.failed` is still that of the attempts before."""
        self.attempts[outcome_of(attempt)] += 1
        self.retries += call.failed
        self.webhook_seconds.add(self._steady() - call.sent_at)

    def call_cancelled(self, call: Delivery | Batch, sent: bool) -> None:
        if sent:  # the receiver has seen a call whose connection ended
            self.attempts[Failure.CUT.value] += 1
            self.retries += call.failed
            self.webhook_seconds.add(self._steady() - call.sent_at)

    def positions_committed(self, _positions: Mapping[int, Position]) -> None:
        self.commits += 1

    def commit_failed(self, _positions: Mapping[int, Position]) -> None:
        self.failed_commits += 1

    def fold(self) -> None:
        """Counts what was delivered since the last time."""
        calls, ended = self._calls, self._ended
        if not calls:
            return
        self.attempts["200"] += len(calls) - self._others
        self._calls, self._ended, self._room, self._others = [], [], _ROOM, 0
        self.webhook_seconds.add_all([end - call.sent_at for call, end in zip(calls, ended, strict=True)])
        records = [call.record for call in calls if type(call) is Delivery]
        if len(records) < len(calls):  # batches
            records = [part.record for call in calls for part in parts_of(call)]
            ended = [end for call, end in zip(calls, ended, strict=True) for _ in parts_of(call)]
        self._fold_lags(records, ended)

    def _fold_lags(self, records: Sequence[Record], ended: Sequence[float]) -> None:
        offset = self._clock() - self._steady()
        moments = [end + offset for end in ended]
        _, _, _, headers, published = zip(*records, strict=True)
        self.deliver.add_all([moment - since for moment, since in zip(moments, published, strict=True)])
        dates = self._dates.moments(_dates_of(headers))
        self.total.add_all([moment - date for moment, date in zip(moments, dates, strict=True) if date == date])


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


def _dates_of(headers: Sequence[Headers]) -> Sequence[bytes]:
    """Where our producer writes them; where one of these has another form, each is searched."""
    try:
        names, dates = zip(*[one[_DATE] for one in headers], strict=True)
    except IndexError:
        names = dates = ()
    if names.count("date") == len(headers):
        return dates
    return [dict(one).get("date", b"") for one in headers]
