"""Plain numbers on the fast path: a histogram, and the moment of a date. What is read at a scrape is made from them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime
from math import isnan, nan
from typing import Final

#: Upper bounds in seconds: of one call; and of a way from one place to the next, from a page to a retention of weeks.
CALL_BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
LAG_BOUNDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 3600.0, 21600.0, 86400.0, 604800.0)
#: Of the seconds that are remembered.
_MOST: Final = 4096


class Histogram:
    """`bounds` ascend; a value counts in the first bucket whose bound it does not pass."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        #: One more than there are bounds.
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, value: float, times: int = 1) -> None:
        """A value below 0 counts as 0: clocks differ."""
        if value < 0.0:
            value = 0.0
        self.counts[bisect_left(self.bounds, value)] += times
        self.sum += value * times

    def add_all(self, values: list[float]) -> None:
        """The same for many, at a tenth of the cost; sorts the list."""
        values.sort()
        before = 0
        for place, bound in enumerate(self.bounds):
            upto = bisect_right(values, bound)
            self.counts[place] += upto - before
            before = upto
        self.counts[-1] += len(values) - before
        self.sum += sum(values[bisect_left(values, 0.0) :])


class _Table(dict[bytes, float]):
    """What is not in it has no number."""

    def __missing__(self, _text: bytes) -> float:
        return nan


class _Seconds(dict[bytes, float]):
    """Seconds since the epoch by `2026-11-20T00:00:00`; the library reads each once, and what it cannot read has no number."""

    def __missing__(self, text: bytes) -> float:
        if len(self) >= _MOST:
            self.clear()
        try:
            read = datetime.fromisoformat(text.decode("ascii")).replace(tzinfo=UTC).timestamp() if len(text) == 19 else nan
        except ValueError:
            read = nan
        self[text] = read
        return read


#: The parts of `2026-11-20T00:00:00.000Z`. Made once: a date is read for each event.
_WHOLE: Final = slice(19)
_REST: Final = slice(19, None)
#: What may follow the second, as Auth0 writes it.
_MILLISECONDS: Final = _Table({b".%03dZ" % number: number / 1000 for number in range(1000)})


class Dates:
    """Reads ISO 8601 dates. As Auth0 writes them, many fall into the same second: 0.15 µs each instead of 0.6."""

    def __init__(self) -> None:
        self._seconds = _Seconds()

    def moments(self, dates: Sequence[bytes]) -> list[float]:
        """Returns seconds since the epoch of each; not a number for what is no date. A date without a zone is UTC."""
        seconds, milliseconds, whole, rest = self._seconds, _MILLISECONDS, _WHOLE, _REST
        found = [seconds[date[whole]] + milliseconds[date[rest]] for date in dates]
        if isnan(sum(found)):
            for place in [place for place, moment in enumerate(found) if isnan(moment)]:
                found[place] = _moment(dates[place])
        return found


def _moment(date: bytes) -> float:
    """Any other form."""
    try:
        moment = datetime.fromisoformat(date.decode("ascii", "replace"))
    except ValueError:
        return nan
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
