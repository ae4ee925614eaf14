"""How long to wait before the next attempt, of anything and of an event. Pure: the jitter is handed in.

An event waits a uniform draw between zero and the ceiling of the attempt, so that thousands of waiting events do not come back at
one moment. A receiver that is busy, or does not respond in time, gets four times as long. With the defaults
(`WEBHOOK_BACKOFF_BASE` 1 s, `WEBHOOK_BACKOFF_CAP` 300 s) the ceilings in seconds are

    after attempt             1   2   3   4    5    6     7     8     9 and later
    any failure               1   2   4   8   16   32    64   128   256, then 300
    429, 503, no response     4   8  16  32   64  128   256   300   300

`Retry-After` is a floor under the draw, itself never higher than the cap.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Final

_NO_OVERFLOW: Final = 64  # doublings; far beyond any cap, and no float overflows
_BUSY: Final = 4.0


@dataclass(frozen=True, slots=True)
class Doubling:
    """Pauses in seconds: the first one, twice as long after each failure in a row, at most the longest."""

    first: float
    longest: float

    def after(self, failures: int) -> float:
        """Returns the pause after so many failures in a row, 1 or more."""
        return min(self.longest, self.first * 2.0 ** min(failures - 1, _NO_OVERFLOW))

    def __iter__(self) -> Iterator[float]:
        return map(self.after, count(1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    #: The ceiling after the first attempt, in seconds.
    base: float
    #: The highest ceiling, in seconds.
    cap: float

    def ceiling(self, attempts: int, *, busy: bool = False) -> float:
        """Returns the longest wait after `attempts` (1 or more) failed attempts, in seconds."""
        return Doubling(self.base * _BUSY if busy else self.base, self.cap).after(attempts)

    def delay(self, attempts: int, jitter: float, *, busy: bool = False, retry_after: float | None = None) -> float:
        """Returns the wait in seconds; `jitter` is a draw from [0, 1), `retry_after` what the receiver asked for."""
        drawn = self.ceiling(attempts, busy=busy) * jitter
        # On top of `Retry-After`, not instead: calls that were told the same moment must not all come at that moment.
        return min(self.cap, self.floor(retry_after) + drawn)

    def floor(self, retry_after: float | None) -> float:
        """Returns the shortest wait in seconds, where the receiver asked for `retry_after`."""
        return 0.0 if retry_after is None else min(self.cap, max(retry_after, 0.0))
