"""What the operator chose, and what an outcome means by it. Values and pure functions."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, assert_never

from consumer.scheduling.batch import Batching
from consumer.webhook import Attempt
from shared.backoff import Backoff
from shared.record import Record
from shared.words import Ordering


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    backoff: Backoff
    #: Statuses that mean delivered.
    success: Set[int] = frozenset({200})
    ordering: Ordering = Ordering.KEY
    #: Attempts after which an event becomes a dead letter; None: it is retried without limit.
    max_attempts: int | None = None
    #: None: one event a call.
    batching: Batching | None = None
    #: Calls a second over the whole group; None: no limit.
    rate: float | None = None
    #: `WEBHOOK_CONCURRENT_CALLS`, of which the share is a part.
    concurrent_calls: int = 1

    def queue_key(self, record: Record, log_id: str) -> bytes | int:
        """Events of a partition with the same one are delivered in their order."""
        match self.ordering:
            case Ordering.KEY:
                return record.key or log_id.encode()
            case Ordering.PARTITION:
                return b""
            case Ordering.NONE:
                return record.offset
            case other:
                assert_never(other)


class Outcome(Enum):
    """What an attempt means for its event."""

    DELIVERED = auto()
    #: Retried, like everything below.
    FAILED = auto()
    #: The receiver asks for time: 429, 503, or no response in time.
    BUSY = auto()
    #: 401 or 403: a key is being rotated, or is wrong.
    DENIED = auto()
    #: 410: the receiver wants no more calls.
    GONE = auto()


#: Statuses below 500 that are not about the event: a missing path, a method, a hurry.
_ABOUT_THE_WEBHOOK: Final = frozenset({401, 403, 404, 405, 407, 408, 410, 425, 426, 429})

_MEANING: Final = {
    401: Outcome.DENIED,
    403: Outcome.DENIED,
    410: Outcome.GONE,
    429: Outcome.BUSY,
    503: Outcome.BUSY,
}


def classify(attempt: Attempt, success: Set[int]) -> Outcome:
    """`success`: the statuses that mean delivered."""
    if attempt.status is None:
        return Outcome.BUSY if attempt.timed_out else Outcome.FAILED
    if attempt.status in success:
        return Outcome.DELIVERED
    return _MEANING.get(attempt.status, Outcome.FAILED)


def is_about_the_event(status: int | None) -> bool:
    """Whether a failing status may well be about this one event: a receiver is up, read it, and rejected it."""
    return status == 500 or (status is not None and 400 <= status < 500 and status not in _ABOUT_THE_WEBHOOK)
