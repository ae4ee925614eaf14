"""How long an event waits before its next attempt. Pure: the jitter is handed in.

Capped exponential with full jitter: a uniform draw between nothing and the ceiling of the attempt, so that thousands of waiting
events do not come back in one beat. With the defaults (base 1 s, cap 300 s) the ceilings are

    after attempt   1   2   3   4    5    6    7     8     9 and later
    seconds         1   2   4   8   16   32   64   128   256, then 300
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_NO_OVERFLOW: Final = 64  # doublings; far beyond any cap, and no float overflows


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    #: The ceiling after the first attempt, in seconds.
    base: float
    #: The highest ceiling, in seconds.
    cap: float

    def ceiling(self, attempts: int) -> float:
        """The longest wait after `attempts` (1 or more) failed attempts, in seconds."""
        return min(self.cap, self.base * 2.0 ** min(attempts - 1, _NO_OVERFLOW))

    def delay(self, attempts: int, jitter: float) -> float:
        """The wait in seconds; `jitter` is a draw from [0, 1)."""
        return self.ceiling(attempts) * jitter
