"""The producer's loop: read a page, select, publish, wait for every acknowledgement, and only then move the checkpoint.

The next page is fetched while one is being acknowledged, and published after it.
It goes on over pages in which everything was filtered out, and never over an empty page. Whatever goes wrong leaves the
checkpoint where it is, so the page is read again. One event loop; only the poller that holds the publisher's lease is active.
A stop breaks off waiting and fetching at once, but never a publish.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final, TypeVar

from producer.cursor import Cursor, Direction, Page
from producer.gap_watch import GapWatch
from producer.observer import Auth0Requests, ProducerCounts, ProducerLog, ProducerObserver, PublishedPage
from producer.progress import CatchUpLog
from producer.report import PollerHistory
from producer.selection import Selection
from producer.start import SearchableLog, resolve
from shared import failpoints
from shared.backoff import Doubling
from shared.documents.replica import PollerReport
from shared.errors import (
    CheckpointUnknown,
    EnvironmentUnusable,
    GapFound,
    LeaseLost,
    PublishFailed,
    RateLimited,
    Transient,
    TransportUnusable,
)
from shared.event import Event
from shared.observers import all_of
from shared.start_from import BEGINNING, StartFrom
from shared.transport.port import OLDEST, Checkpoint, Publisher, Transport
from shared.waiting import Stopped, unless_stopped
from shared.words import GapPolicy

T = TypeVar("T")

#: Seconds that a publish has to complete after a stop; far below the grace.
_LAST_PAGE: Final = 5.0
#: Seconds after which a checkpoint that stays says again that nothing newer came: Kafka keeps each until the next compaction.
_CAUGHT_UP_EVERY: Final = 600.0
#: Seconds before an empty page that names another one behind it is looked at again.
_UNSURE: Final = 1.0
#: Seconds for which personal data is hidden before others get their turn.
_AT_A_TIME: Final = 0.05
_PAUSES: Final = Doubling(1.0, 60.0)  # seconds, after failures in a row


class Poller:
    """`poll_interval` in seconds, after an empty page; while pages come the next one is fetched at once.

    `start`: where to begin if there is no checkpoint.
    `on_gap` and `retention`, in seconds: what to do where Auth0 has lost entries, and for how long it keeps them.
    `hide`: takes personal data out of an event before anything sees it. `observers` are told beside the counts and our own log.
    `requests`: what the source counts.
    """

    def __init__(
        self,
        *,
        source: SearchableLog,
        selection: Selection,
        poll_interval: float,
        start: StartFrom = BEGINNING,
        on_gap: GapPolicy = GapPolicy.CONTINUE,
        retention: float = 86_400.0,
        hide: Callable[[Event], Event] = lambda event: event,
        jitter: Callable[[], float] = random.random,
        observers: Sequence[ProducerObserver] = (),
        requests: Auth0Requests | None = None,
    ) -> None:
        self._source = source
        self._selection = selection
        self._poll_interval = poll_interval
        self._start = start
        self._hide = hide
        self._jitter = jitter
        self.counts = ProducerCounts()
        self.history = PollerHistory()
        self.catch_up = CatchUpLog()
        self.requests = requests or Auth0Requests()
        self._observer = all_of(ProducerObserver, self.counts, ProducerLog(), self.history, self.catch_up, *observers)
        self.gaps = GapWatch(source=source, policy=on_gap, retention=retention, observer=self._observer)
        self._stop = asyncio.Event()
        self._leading = self._joined = False
        #: This leader knows where to go on: it read a checkpoint, or found out where to begin.
        self._placed = False
        #: Auth0 has given a page since the start.
        self._reached = False
        self._cursor = Cursor()
        #: The checkpoint as it lies in the log, and as it would be stored now: of a quiet tenant it is written seldom.
        self._stored = self._place = OLDEST
        #: The page after the cursor, fetched while the one before it is being acknowledged.
        self._ahead: asyncio.Task[tuple[Page, float]] | None = None
        self._failures = 0
        self._turned = time.monotonic()

    @property
    def leading(self) -> bool:
        """This is the active poller; the others stand by."""
        return self._leading

    @property
    def joined(self) -> bool:
        """The transport can be published to: this poller is the active one, or stands by."""
        return self._joined

    @property
    def idle_for(self) -> float:
        """Seconds since the loop last made progress; standing by counts as progress."""
        return time.monotonic() - self._turned if self._leading else 0.0

    def report(self, tenant: str) -> PollerReport:
        """`tenant`: Auth0's domain."""
        return self.history.report(tenant=tenant, leading=self._leading, rate_limit_remaining=self.requests.remaining)

    async def run(self, transport: Transport, stop: asyncio.Event, *, once: bool = False) -> None:
        """Polls until `stop` is set; with `once` until a page is empty.

        Raises `EnvironmentUnusable` if Auth0 or the transport cannot be used from the start. Once Auth0 has given a page, the
        same trouble is only a reason to wait: a secret is being rotated, and the consumer beside us has work to do.
        """
        self._stop = stop
        self.gaps.transport = transport
        try:
            with suppress(Stopped):
                publisher = await unless_stopped(stop, transport.publisher())
                self._joined = True
                try:
                    await self._poll(publisher, once=once)
                finally:
                    await publisher.close()
        finally:
            await self._forget_ahead()
            await self._source.close()

    async def _poll(self, publisher: Publisher, *, once: bool) -> None:
        while not self._stop.is_set():
            caught_up, wait = await self.turn(publisher)
            if once and caught_up:
                return
            if wait:
                await self._wait(publisher, wait)

    async def turn(self, publisher: Publisher) -> tuple[bool, float]:
        """Reads and publishes one page. Returns whether Auth0's log is read to its end, and the seconds until the next turn."""
        self._turned = time.monotonic()
        try:
            if not self._leading:
                await self._acquire(publisher)
            if not self._placed:
                await self._begin(publisher)
            try:
                direction = await self._page(publisher)
            except BaseException:
                await self._forget_ahead()
                raise
        except RateLimited as error:
            self._observer.rate_limited(error)
            return False, error.wait * (1 + self._jitter() / 10)
        except LeaseLost:
            self._stand_by()
            return False, 0.0
        except (Transient, EnvironmentUnusable) as error:
            if isinstance(error, GapFound) or (isinstance(error, EnvironmentUnusable) and not self._reached):
                raise
            self._leading &= not isinstance(error, PublishFailed)
            return False, self._failed(error)
        self._failures = 0
        waits = {Direction.FORWARD: 0.0, Direction.UNSURE: min(_UNSURE, self._poll_interval)}
        return direction is Direction.NONE, waits.get(direction, self._poll_interval)

    async def _acquire(self, publisher: Publisher) -> None:
        checkpoint = await unless_stopped(self._stop, publisher.acquire())
        self._leading, self._placed = True, False
        if checkpoint is None:
            return
        if not self._start.is_beginning:
            self._observer.start_ignored(self._start, checkpoint)
        self._go_on_from(checkpoint)

    async def _begin(self, publisher: Publisher) -> None:
        """Finds out where to begin; Auth0 may not answer, then the next turn tries again.

        Stores it before anything else: a restart must not resolve it again, later.
        """
        checkpoint = OLDEST
        if not self._start.is_beginning:
            checkpoint = await self._meanwhile(publisher, resolve(self._start, self._source))
            await unless_stopped(self._stop, publisher.publish([], checkpoint), grace=_LAST_PAGE)
            self._observer.started(self._start, checkpoint)
        self._go_on_from(checkpoint)

    def _go_on_from(self, checkpoint: Checkpoint) -> None:
        self._placed = True
        self._cursor, self._stored, self._place = Cursor(checkpoint), checkpoint, checkpoint
        self.gaps.stored(checkpoint)
        self._observer.leading(checkpoint)

    async def _page(self, publisher: Publisher) -> Direction:
        before = self._cursor
        try:
            await self._meanwhile(publisher, self.gaps.look(before.checkpoint))
            page, began = await self._next_page(publisher)
            await self._meanwhile(publisher, self.gaps.examine(before.checkpoint, page))
            if before.passes_over and page.events:
                await self._meanwhile(publisher, self.gaps.passed_over(before.checkpoint, page.events[0]))
        except CheckpointUnknown as error:
            self._cursor = await self._meanwhile(publisher, self.gaps.cross(before.checkpoint, error))
            return Direction.FORWARD
        if page.leads_on:
            self._cursor, direction = before.past(page)
            self._observer.empty_page_leads_on(before.checkpoint)
            return direction
        self._observer.page_fetched(page, began)
        self._reached = True
        after, direction = before.past(page)
        if direction is Direction.FORWARD and page.is_full:
            self._ahead = asyncio.ensure_future(self._read_ahead(after))
        if direction is Direction.NONE:
            await self._caught_up(publisher, began)
        else:
            failpoints.at("page-read")
            await self._publish(publisher, page.events, replace(after.checkpoint, caught_up=self._place.caught_up))
        self._cursor = after
        if direction is Direction.BACKWARD:
            self._observer.went_back(before.checkpoint, after.checkpoint)
        return direction

    async def _next_page(self, publisher: Publisher) -> tuple[Page, float]:
        """Returns the page after the cursor, fetched ahead or now, and when its request began (seconds since the epoch)."""
        ahead, self._ahead = self._ahead, None
        # The lease is renewed meanwhile: the requests of one page can together take longer than it lasts.
        return await self._meanwhile(publisher, ahead or self._read(self._cursor))

    async def _read(self, cursor: Cursor) -> tuple[Page, float]:
        began = time.time()
        return await cursor.read(self._source), began

    async def _read_ahead(self, cursor: Cursor) -> tuple[Page, float]:
        page = await self._read(cursor)
        failpoints.at("ahead-read")
        return page

    async def _forget_ahead(self) -> None:
        """Discards the page that was fetched ahead: the one before it was not published."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            ahead.cancel()
            await asyncio.gather(ahead, return_exceptions=True)

    async def _publish(self, publisher: Publisher, events: Sequence[Event], checkpoint: Checkpoint) -> None:
        reasons = [self._selection.reason_to_drop(event.type) for event in events]
        selected = [event for event, reason in zip(events, reasons, strict=True) if reason is None]
        passed = {event.log_id: event for event in await self._meanwhile(publisher, self._hidden(selected))}
        for event in publisher.too_large(list(passed.values())):
            await self._meanwhile(publisher, self.gaps.too_large(event))
        try:
            # A stop lets the page end, but not for long: it may be on its way to a broker that is silent. To leave it is as
            # safe as a kill: the checkpoint stays, and the next poller sees what has arrived.
            publishing = publisher.publish(list(passed.values()), checkpoint)
            published = await unless_stopped(self._stop, publishing, grace=_LAST_PAGE)
        except Stopped:
            self._observer.publish_abandoned()
            raise
        self._stored = self._place = checkpoint
        failpoints.at("checkpoint-written")
        page = PublishedPage(
            fetched=len(events),
            passed=tuple(passed.values()),
            published=published,
            filtered=Counter(reason.value for reason in reasons if reason is not None),
            unknown_types=sum(not self._selection.knows(event.type) for event in events),
            checkpoint=checkpoint,
        )
        self._observer.page_published(page)

    async def _hidden(self, events: Sequence[Event]) -> list[Event]:
        """Large entries take long: the lease has to be renewed meanwhile, and a consumer in this loop goes on."""
        hidden: list[Event] = []
        until = time.monotonic() + _AT_A_TIME
        for event in events:
            hidden.append(self._hide(event))
            if time.monotonic() > until:
                await asyncio.sleep(0)
                until = time.monotonic() + _AT_A_TIME
        return hidden

    async def _caught_up(self, publisher: Publisher, began: float) -> None:
        """Notes with the checkpoint that Auth0 had nothing newer; stores that now and then."""
        self._place = replace(self._place, caught_up=began)
        if self._place.log_id and began - (self._stored.caught_up or 0.0) >= _CAUGHT_UP_EVERY:
            await unless_stopped(self._stop, publisher.publish([], self._place), grace=_LAST_PAGE)
            self._stored = self._place

    def _failed(self, error: Exception) -> float:
        """Returns the wait: at least half of the pause, so that nothing spins."""
        self._failures += 1
        self._cursor = self._cursor.without_link()
        wait = _PAUSES.after(self._failures) * (1 + self._jitter()) / 2
        self._observer.turn_failed(error, self._failures, wait)
        return wait

    async def _meanwhile(self, publisher: Publisher, work: Awaitable[T]) -> T:
        """Works unless stopped, and renews the lease: the requests of one page can together take longer than it lasts."""
        return await unless_stopped(self._stop, work, meanwhile=lambda: self._renew(publisher))

    async def _wait(self, publisher: Publisher, seconds: float) -> None:
        try:
            await unless_stopped(self._stop, asyncio.sleep(seconds), meanwhile=lambda: self._renew(publisher))
        except LeaseLost:
            self._stand_by()
        except TransportUnusable as error:
            self._leading = False
            self._observer.renewal_failed(error)

    async def _renew(self, publisher: Publisher) -> None:
        self._turned = time.monotonic()
        if self._leading:
            await publisher.renew()

    def _stand_by(self) -> None:
        self._leading = False
        self._observer.standing_by()
