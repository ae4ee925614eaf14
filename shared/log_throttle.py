"""One line per interval where an outage would write the same line hundreds of times. Pure: times are handed in."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

#: Lines remembered; some carry a changing part inside and would pile up.
_MOST: Final = 500


class LogThrottle:
    """`interval`: seconds in which equal lines are written once."""

    def __init__(self, interval: float = 30.0) -> None:
        self._interval = interval
        #: For each line when it was last written, and how often it was left out since.
        self._lines: dict[Hashable, tuple[float, int]] = {}
        #: How often the line that was allowed last had been left out before.
        self.left_out = 0

    def forget(self) -> None:
        """Whatever was written: the next line of each kind is written again."""
        self._lines.clear()

    def allows(self, line: Hashable, now: float) -> bool:
        """Returns whether `line` is to be written now."""
        written, left_out = self._lines.get(line, (float("-inf"), 0))
        if now - written < self._interval:
            self._lines[line] = (written, left_out + 1)
            return False
        if len(self._lines) >= _MOST:
            self._lines.clear()
        self._lines[line] = (now, 0)
        self.left_out = left_out
        return True
