"""What an attempt's outcome means for its event. Pure."""

from __future__ import annotations

import re
from collections.abc import Set
from enum import Enum, auto
from typing import Final

from consumer.webhook import Attempt

_CODE: Final = re.compile(r"[2-5](\d\d|xx)")


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


def success_codes(text: str) -> frozenset[int]:
    """`200`, `200,202,204` or `2xx` as statuses. Raises ValueError naming the part that is none."""
    codes: set[int] = set()
    for part in text.replace(" ", "").lower().split(","):
        if not _CODE.fullmatch(part):
            raise ValueError(f"{part!r} is no status")
        codes |= {int(part)} if part.isdigit() else set(range(int(part[0]) * 100, int(part[0]) * 100 + 100))
    return frozenset(codes)
