"""At most so many calls a second. Pure: the time is handed in.

A short burst is allowed, a tenth of a second's worth, so that a timer that fires a little late costs nothing.
"""

from __future__ import annotations

from typing import Final

_BURST: Final = 0.1  # seconds


class Pace:
    """`rate` in calls a second; None: no limit. It may be changed at any time: a member's share of it comes and goes."""

    def __init__(self, rate: float | None) -> None:
        self.rate = rate
        self._next = 0.0

    def wait(self, now: float) -> float:
        """Seconds until the next call may start; 0 if it may start now."""
        return 0.0 if self.rate is None else max(0.0, self._next - _BURST - now)

    def took(self, now: float) -> None:
        """A call starts."""
        if self.rate is not None:
            self._next = max(self._next, now) + 1 / self.rate
