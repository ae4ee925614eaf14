"""The producer's numbers for a scrape, beside its counts: how long entries take into Auth0's log, to us, and into the topic.

When an entry became visible is not told: it is the later of its own date and the start of the last poll that returned without it.
That is known only while the poller keeps up. While it catches up, what a page lacks was left out for lack of room, so only the
time to publish is measured.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from producer.cursor import Page
from producer.observer import ProducerObserver, PublishedPage
from shared.event import Event
from shared.numbers import LAG_BOUNDS, Dates, Histogram
from shared.transport.port import Checkpoint


@dataclass(frozen=True, slots=True)
class _Fetched:
    """A page that is not published yet: when its request began, when it had arrived; in seconds since the epoch."""

    began: float
    arrived: float
    full: bool


class ProducerMetrics(ProducerObserver):
    """`batch_size`: the entries of a full page. `clock`: seconds since the epoch."""

    def __init__(self, batch_size: int, clock: Callable[[], float] = time.time) -> None:
        self._batch_size = batch_size
        self._clock = clock
        self._dates = Dates()
        self._page: _Fetched | None = None
        #: The start of the last poll whose page is done with, while the poller keeps up; None: it catches up.
        self._without: float | None = None
        #: From the event until it was visible; from then until it was read; from there into the topic.
        self.auth0, self.poll, self.publish = Histogram(LAG_BOUNDS), Histogram(LAG_BOUNDS), Histogram(LAG_BOUNDS)

    def leading(self, _checkpoint: Checkpoint) -> None:
        self._page = self._without = None

    def page_fetched(self, page: Page, began: float) -> None:
        if page.events:
            self._page = _Fetched(began, self._clock(), len(page.events) >= self._batch_size)
        else:
            self._page, self._without = None, began

    def page_published(self, page: PublishedPage) -> None:
        fetched, self._page = self._page, None
        if fetched is None:
            return
        self.publish.add(self._clock() - fetched.arrived, page.published)
        if self._without is not None:
            self._read(page.passed, self._without, fetched.arrived)
            self._without = None if fetched.full else fetched.began

    def _read(self, events: Sequence[Event], without: float, arrived: float) -> None:
        moments = self._dates.moments([event.date.encode() for event in events])
        for happened in (moment for moment in moments if moment == moment):
            visible = max(happened, without)
            self.auth0.add(visible - happened)
            self.poll.add(arrived - visible)
