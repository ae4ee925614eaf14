"""How far the poller is behind, while it catches up with Auth0's log: a line of our own log now and then, one when it is done."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from producer.cursor import Page
from producer.observer import ProducerObserver, PublishedPage
from shared.event import moment_of
from shared.logging import get_logger
from shared.transport.port import Checkpoint

_LINE_EVERY: Final = 10.0  # seconds
#: Speeds are those of the last seconds: limits and the size of entries change.
_REMEMBERED: Final = 30.0
_MOST_REMEMBERED: Final = 2_000

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class CatchUpProgress:
    """Of the way to the end of the log. None: not known."""

    #: Published or filtered out since the catch-up began.
    entries: int
    #: Entries a second, lately.
    rate: float
    #: Seconds between the date of the last entry and now.
    behind: float | None
    #: Seconds until the end is reached, at the speed of the last seconds.
    left: float | None
    #: The part of the way that is done, from 0 to 1.
    done: float


class _Mark(NamedTuple):
    """A page that is published."""

    at: float
    entries: int
    #: The date of its last entry; None where it cannot be read.
    reached: float | None


class CatchUp:
    """From one empty page to the next. Pure: `at` in seconds, monotonic; `today` and dates in seconds since the epoch."""

    def __init__(self, at: float) -> None:
        self.began = at
        self.entries = 0
        self._marks: deque[_Mark] = deque([_Mark(at, 0, None)], maxlen=_MOST_REMEMBERED)
        self._first_behind: float | None = None

    def add(self, entries: int, reached: float | None, at: float, today: float) -> None:
        """A page was published; its last entry is of the date `reached`."""
        self.entries += entries
        self._marks.append(_Mark(at, self.entries, reached))
        while len(self._marks) > 2 and self._marks[0].at < at - _REMEMBERED:  # two points make a speed
            self._marks.popleft()
        if self._first_behind is None and reached is not None:
            self._first_behind = max(today - reached, 0.0)

    def progress(self, at: float, today: float) -> CatchUpProgress:
        first, last = self._marks[0], self._marks[-1]
        seconds = max(at - first.at, 1e-3)
        behind = None if last.reached is None else max(today - last.reached, 0.0)
        return CatchUpProgress(
            entries=self.entries,
            rate=(last.entries - first.entries) / seconds,
            behind=behind,
            left=None if behind is None else self._left(behind, at),
            done=1 - min(behind / self._first_behind, 1.0) if behind is not None and self._first_behind else 0.0,
        )

    def _left(self, behind: float, at: float) -> float | None:
        """The log grows while it is read: its end goes away at a second a second."""
        first = next((mark for mark in self._marks if mark.reached is not None), None)
        last = self._marks[-1]
        if first is None or first.reached is None or last.reached is None or at <= first.at:
            return None
        speed = (last.reached - first.reached) / (at - first.at)
        return behind / (speed - 1) if speed > 1 else None


class CatchUpLog(ProducerObserver):
    """`clock`: seconds, monotonic; `wall`: seconds since the epoch."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._wall = wall
        self._now: CatchUp | None = None
        #: When the last line was written; None: none since the last end of the log.
        self._line: float | None = None
        #: This poller has not been at the end of the log since it leads.
        self._first = True

    @property
    def progress(self) -> CatchUpProgress | None:
        """None: there is nothing to catch up with, as far as is known."""
        return self._now.progress(self._clock(), self._wall()) if self._now else None

    def leading(self, _checkpoint: Checkpoint) -> None:
        self._now, self._line, self._first = None, None, True

    def standing_by(self) -> None:
        self._now = None

    def page_fetched(self, page: Page, _began: float) -> None:
        if page.events:
            self._now = self._now or CatchUp(self._clock())
            return
        caught_up, self._now = self._now, None
        if self._first or self._line is not None:
            entries, seconds = (caught_up.entries, self._clock() - caught_up.began) if caught_up else (0, 0.0)
            log.info("caught up with Auth0's log", entries=entries, seconds=round(seconds, 1))
        self._line, self._first = None, False

    def page_published(self, page: PublishedPage) -> None:
        now = self._clock()
        if self._now is None:
            return
        moment = moment_of(page.checkpoint.date)
        self._now.add(page.fetched, moment.timestamp() if moment else None, now, self._wall())
        if now - (self._now.began if self._line is None else self._line) >= _LINE_EVERY:
            self._line = now
            self._write(self._now.progress(now, self._wall()))

    def _write(self, progress: CatchUpProgress) -> None:
        log.info(
            "catching up with Auth0's log",
            entries=progress.entries,
            per_second=round(progress.rate, 1),
            behind=_span(progress.behind),
            left=_span(progress.left),
            end=_moment(self._wall() + progress.left) if progress.left is not None else "unknown",
        )


def _span(seconds: float | None) -> str:
    """Returns such as `2 days, 3:04:05`."""
    return "unknown" if seconds is None else str(timedelta(seconds=round(min(seconds, 1e9))))


def _moment(seconds: float) -> str:
    """Returns ISO 8601 in UTC; `unknown` for what no calendar holds."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    except (OverflowError, ValueError, OSError):
        return "unknown"
