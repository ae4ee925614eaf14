"""How many calls are open at once, now and at most: the measure of the promise that there are never more than so many.

Pure: times are handed in, in nanoseconds of one monotonic clock.
"""

from __future__ import annotations

import itertools
from array import array
from typing import Final

#: A client that gives up closes one connection and may use another at once; the second can be read before the end of the first.
#: So a call that was given up counts as open until this long before its end was seen.
GIVEN_UP_GRACE_NS: Final = 5_000_000


class OpenCalls:
    """Counts as the server sees it: a call is open from its arrival in full until it is answered or given up."""

    def __init__(self) -> None:
        self._begun = array("q")
        #: In the order of the ends, not of `_begun`.
        self._ended = array("q")

    @property
    def now(self) -> int:
        """Calls that are open at this moment."""
        return len(self._begun) - len(self._ended)

    def begin(self, time_ns: int) -> int:
        """Answers what `end` wants to know."""
        self._begun.append(time_ns)
        return time_ns

    def end(self, begun_ns: int, time_ns: int, *, given_up: bool) -> None:
        """The call was answered, or the client went away without an answer."""
        self._ended.append(max(begun_ns, time_ns - GIVEN_UP_GRACE_NS) if given_up else time_ns)

    def peak(self) -> int:
        """The most that were open at once so far. Sorts: not for every call."""
        # An end sorts before a beginning at the same moment.
        changes = sorted([(time, 1) for time in self._begun] + [(time, -1) for time in self._ended])
        return max(itertools.accumulate((change for _, change in changes), initial=0))
