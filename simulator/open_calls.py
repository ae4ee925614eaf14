"""How many calls are open at once, now and at most: shows that there are never more than `WEBHOOK_CONCURRENT_CALLS`.

Pure: times are handed in, in nanoseconds of one monotonic clock.
"""

from __future__ import annotations

import itertools
from array import array
from typing import Final

#: A client that gives up a call closes its connection and may use another at once; the server may read the second before it sees
#: the first one end. So a call that was given up counts as open until this long before its end was seen.
GIVEN_UP_GRACE_NS: Final = 5_000_000


class OpenCalls:
    """Counts as the server sees it: a call is open from when all of it has arrived until its response or until it is given up."""

    def __init__(self) -> None:
        self._begun = array("q")
        #: In the order of the ends, not of `_begun`.
        self._ended = array("q")

    @property
    def now(self) -> int:
        """Calls that are open at this moment."""
        return len(self._begun) - len(self._ended)

    def begin(self, time_ns: int) -> int:
        """Returns the argument `begun_ns` of `end`."""
        self._begun.append(time_ns)
        return time_ns

    def end(self, begun_ns: int, time_ns: int, *, given_up: bool) -> None:
        """The response was sent; `given_up`: the client closed the connection before."""
        self._ended.append(max(begun_ns, time_ns - GIVEN_UP_GRACE_NS) if given_up else time_ns)

    def peak(self) -> int:
        """Returns the most that were open at once so far. Sorts all of them: not to be used for every call."""
        # at the same moment an end sorts before a beginning
        changes = sorted([(time, 1) for time in self._begun] + [(time, -1) for time in self._ended])
        return max(itertools.accumulate((change for _, change in changes), initial=0))
