"""What the consumer does, as its core tells it: to counts and to our own log. Metrics are one more `ConsumerObserver`.

An observer is called in the event loop, in the middle of the work, for each event; it must neither raise nor wait.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from consumer.partitions.partition import Delivery
from consumer.policy import Outcome
from consumer.scheduling.batch import Batch
from consumer.webhook import Attempt
from shared.record import Record
from shared.transport.port import Position


class Fate(Enum):
    """What becomes of a call that failed."""

    #: It is made again as it is.
    RETRIED = auto()
    #: Its events go one by one from now on.
    TAKEN_APART = auto()
    #: No attempt is left: its event becomes a dead letter.
    DEAD = auto()
    #: An operator wants its event set aside.
    WITHHELD = auto()


class ConsumerObserver:
    """An observer overrides the methods that it needs; the others do nothing. Times are in seconds.

    A call is one request for one event or for a batch; `parts_of` returns its events.
    """

    def record_taken(self, record: Record) -> None:
        """A record counts in the window from now on."""

    def record_held(self, delivery: Delivery, reason: str) -> None:
        """It is no record of ours: it is not sent, and the position stays before it."""

    def call_sent(self, call: Delivery | Batch) -> None:
        """An attempt begins. One of the next four follows, unless the process ends."""

    def call_delivered(self, call: Delivery | Batch, attempt: Attempt) -> None:
        """The response means that its events are delivered; they are marked as such."""

    def call_failed(self, call: Delivery | Batch, attempt: Attempt, outcome: Outcome, fate: Fate, retry_in: float) -> None:
        """`call.attempt` is still the attempt that failed."""

    def call_not_sent(self, call: Delivery | Batch, attempt: Attempt, open_calls: int) -> None:
        """No file descriptor was left beside `open_calls` others. No attempt is spent."""

    def call_cancelled(self, call: Delivery | Batch, sent: bool) -> None:
        """Its partition was lost, or was not drained in time. `sent`: the receiver may have the request."""

    def rules_failed(self, delivery: Delivery, reason: str, retry_in: float) -> None:
        """Its chain of rules failed, and the event is held until the chain runs again."""

    def breaker_opened(self, attempt: Attempt, probe_in: float) -> None:
        """The webhook is down. `attempt`: the last one that failed."""

    def breaker_closed(self, call: Delivery | Batch) -> None:
        """`call` was delivered: the webhook is back."""

    def dead_letter_written(self, delivery: Delivery, reason: str) -> None:
        """The dead letter is acknowledged; the event is completed."""

    def dead_letter_failed(self, delivery: Delivery, error: Exception) -> None:
        """The log did not take the dead letter; it is written again after a pause."""

    def positions_committed(self, positions: Mapping[int, Position]) -> None:
        """By partition. Not told of the last commit of a partition that is given back."""

    def commit_failed(self, positions: Mapping[int, Position]) -> None:
        """The transport's own lines say why."""


@dataclass(slots=True)
class ConsumerCounts(ConsumerObserver):
    """Sums since the start of this process, in events, and in attempts where the name says so."""

    taken: int = 0
    delivered: int = 0
    failed_attempts: int = 0
    dead: int = 0
    held: int = 0

    def record_taken(self, _record: Record) -> None:
        self.taken += 1

    def record_held(self, _delivery: Delivery, _reason: str) -> None:
        self.held += 1

    def call_delivered(self, call: Delivery | Batch, _attempt: Attempt) -> None:
        self.delivered += len(call.parts) if isinstance(call, Batch) else 1

    def call_failed(self, _call: Delivery | Batch, _attempt: Attempt, _outcome: Outcome, _fate: Fate, _retry_in: float) -> None:
        self.failed_attempts += 1

    def dead_letter_written(self, _delivery: Delivery, _reason: str) -> None:
        self.dead += 1
