"""What an attempt's outcome means for its event. Pure."""

from __future__ import annotations

from collections.abc import Set
from enum import Enum, auto
from typing import Final

from consumer.webhook import Attempt


class Verdict(Enum):
    DELIVERED = auto()
    #: Tried again, like everything below.
    FAILED = auto()
    #: The receiver asks for time: 429, 503, or no answer in time.
    BUSY = auto()
    #: 401 or 403: a key is being rotated, or is wrong.
    DENIED = auto()
    #: 410: the receiver wants no more calls.
    GONE = auto()


#: Answers below 500 that are not about the event: a missing path, a method, a hurry.
_ABOUT_THE_WEBHOOK: Final = frozenset({401, 403, 404, 405, 407, 408, 410, 425, 426, 429})

_MEANING: Final = {
    401: Verdict.DENIED,
    403: Verdict.DENIED,
    410: Verdict.GONE,
    429: Verdict.BUSY,
    503: Verdict.BUSY,
}


def speaks_of_the_event(status: int | None) -> bool:
    """Whether a failing answer may well be about this one event: a receiver was there, read it, and did not want it."""
    return status == 500 or (status is not None and 400 <= status < 500 and status not in _ABOUT_THE_WEBHOOK)


def judge(attempt: Attempt, success: Set[int]) -> Verdict:
    """`success`: the statuses that mean delivered."""
    if attempt.status is None:
        return Verdict.BUSY if attempt.timed_out else Verdict.FAILED
    if attempt.status in success:
        return Verdict.DELIVERED
    return _MEANING.get(attempt.status, Verdict.FAILED)
