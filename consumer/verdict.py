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


_MEANING: Final = {
    401: Verdict.DENIED,
    403: Verdict.DENIED,
    410: Verdict.GONE,
    429: Verdict.BUSY,
    503: Verdict.BUSY,
}


def judge(attempt: Attempt, success: Set[int]) -> Verdict:
    """`success`: the statuses that mean delivered."""
    if attempt.status is None:
        return Verdict.BUSY if attempt.timed_out else Verdict.FAILED
    if attempt.status in success:
        return Verdict.DELIVERED
    return _MEANING.get(attempt.status, Verdict.FAILED)
