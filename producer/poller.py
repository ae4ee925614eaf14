"""The producer's loop: fetch a page, select, publish, wait for every acknowledgement, and only then move the checkpoint.

It advances over pages in which everything was filtered out, and never on an empty page. Whatever goes wrong leaves the checkpoint
where it is, so the page is read again. One event loop; one active poller at a time, whoever holds the publisher's lease.
A stop breaks off waiting and fetching at once, but never a publish.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

from producer.auth0.client import Auth0Logs, Page
from producer.selection import Selection
from shared import failpoints
from shared.backoff import Doubling
from shared.errors import (
    EnvironmentUnusable,
    LeaseLost,
    PageInvalid,
    PublishFailed,
    RateLimited,
    Transient,
    TransportUnusable,
)
from shared.event import Event
from shared.logging import get_logger
from shared.transport.port import Checkpoint, Publisher, Transport
from shared.waiting import MEANWHILE_EVERY, Stopped, stopped_within, unless_stopped

#: Seconds that a page has to end after a stop; far below the grace.
_LAST_PAGE: Final = 5.0
_PAUSES: Final = Doubling(1.0, 60.0)  # seconds, after failures in a row

log = get_logger(__name__)


@dataclass(slots=True)
class Counts:
    """What happened since the start of this process; a page counts when its checkpoint is written."""

    fetched: int = 0
    published: int = 0
    #: Events that did not pass, by reason.
    filtered: Counter[str] = field(default_factory=Counter)
    #: Events whose type is not in our table; no level filters them out.
    unknown_types: int = 0
    #: Answers of 429.
    throttled: int = 0


class Poller:
    """`poll_interval` in seconds, after an empty page; while pages come the next one is fetched at once."""

    def __init__(
        self,
        *,
        logs: Auth0Logs,
        selection: Selection,
        poll_interval: float,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._logs = logs
        self._selection = selection
        self._poll_interval = poll_interval
        self._jitter = jitter
        self._stop = asyncio.Event()
        self._leading = False
        self._answered = False
        self._checkpoint: Checkpoint | None = None
        self._following: str | None = None
        self._failures = 0
        self._turned = time.monotonic()
        self.counts = Counts()

    @property
    def _from(self) -> str:
        """The log id to go on from; empty: from the oldest entry, without a checkpoint and after a reset."""
        return self._checkpoint.log_id if self._checkpoint else ""

    @property
    def leading(self) -> bool:
        """This is the active poller; the others stand by."""
        return self._leading

    @property
    def idle_for(self) -> float:
        """Seconds since the loop last came round; standing by counts as coming round."""
        return time.monotonic() - self._turned if self._leading else 0.0

    async def run(self, transport: Transport, stop: asyncio.Event, *, once: bool = False) -> None:
        """Poll until `stop` is set; with `once` until a page is empty.

        Raises `EnvironmentUnusable` if Auth0 or the log cannot be used from the start. Once Auth0 has answered, the same trouble
        is only a reason to wait: somebody is rotating a secret, and the consumer beside us has work to do.
        """
        self._stop = stop
        try:
            with suppress(Stopped):
                publisher = await unless_stopped(stop, transport.publisher())
                try:
                    await self._poll(publisher, once=once)
                finally:
                    await publisher.close()
        finally:
            await self._logs.close()

    async def _poll(self, publisher: Publisher, *, once: bool) -> None:
        while not self._stop.is_set():
            caught_up, wait = await self.turn(publisher)
            if once and caught_up:
                return
            await self._wait(publisher, wait)

    async def turn(self, publisher: Publisher) -> tuple[bool, float]:
        """Read and publish one page. Answers whether the end of Auth0's log is reached, and the seconds until the next turn."""
        self._turned = time.monotonic()
        try:
            if not self._leading:
                await self._lead(publisher)
            caught_up, wait = await self._page(publisher)
        except RateLimited as error:
            self.counts.throttled += 1
            log.warning("Auth0 asks us to wait", reason=str(error), wait=round(error.wait, 1))
            return False, error.wait
        except LeaseLost:
            self._stand_by()
            return False, 0.0
        except (Transient, EnvironmentUnusable) as error:
            if isinstance(error, EnvironmentUnusable) and not self._answered:
                raise
            self._leading &= not isinstance(error, PublishFailed)
            return False, self._failed(error)
        self._failures = 0
        return caught_up, wait

    async def _lead(self, publisher: Publisher) -> None:
        self._checkpoint = await unless_stopped(self._stop, publisher.acquire())
        self._following = None
        self._leading = True
        log.info("polling Auth0", checkpoint=self._from or "none: from the oldest entry")

    async def _page(self, publisher: Publisher) -> tuple[bool, float]:
        page = await unless_stopped(self._stop, self._fetch(), meanwhile=lambda: self._renew(publisher))
        self._answered = True
        if not page.events:
            self._following = page.following
            return True, self._poll_interval
        failpoints.at("page-read")
        last, before = page.events[-1].log_id, self._from
        if last == before:
            raise PageInvalid("Auth0 gave the page that ends at the checkpoint once more: nothing in it is newer")
        await self._publish(publisher, page.events)
        if last > before:
            self._following = page.following
            return False, 0.0
        # It may lead in a circle: on by checkpoint, and at leisure.
        log.warning("Auth0 went back behind the checkpoint; its order is followed", before=before, now=last)
        self._following = None
        return False, self._poll_interval

    async def _fetch(self) -> Page:
        if not self._from:
            first = await self._logs.first()
            return Page([first] if first else [], None)
        if self._following is not None:
            return await self._logs.follow(self._following)
        return await self._logs.after(self._from)

    async def _publish(self, publisher: Publisher, events: Sequence[Event]) -> None:
        if any(former.log_id >= latter.log_id for former, latter in pairwise(events)):
            log.warning("a page whose log ids do not ascend; taken in Auth0's order", first=events[0].log_id, events=len(events))
        judged = [(event, self._selection.judge(event.type)) for event in events]
        passed = {event.log_id: event for event, dropped in judged if dropped is None}
        checkpoint = Checkpoint(log_id=events[-1].log_id, date=events[-1].date)
        published = await self._published(publisher.publish(list(passed.values()), checkpoint))
        failpoints.at("checkpoint-written")
        self._checkpoint = checkpoint
        self.counts.fetched += len(events)
        self.counts.published += published
        self.counts.filtered.update(dropped.value for _, dropped in judged if dropped is not None)
        self.counts.unknown_types += sum(not self._selection.knows(event.type) for event in events)
        log.debug("page published", events=len(events), published=published, checkpoint=checkpoint.log_id)

    def _failed(self, error: Exception) -> float:
        """Capped exponential, at least half of the ceiling, so that nothing spins."""
        self._failures += 1
        wait = _PAUSES.after(self._failures) * (1 + self._jitter()) / 2
        self._following = None  # the next page is asked for by checkpoint, in case the link itself is the trouble
        log.error("polling failed, the checkpoint stays", reason=str(error), failures=self._failures, wait=round(wait, 1))
        return wait

    async def _wait(self, publisher: Publisher, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while (left := deadline - loop.time()) > 0:
            self._turned = time.monotonic()
            if await stopped_within(self._stop, min(left, MEANWHILE_EVERY)):
                raise Stopped
            if self._leading:
                try:
                    await publisher.renew()
                except LeaseLost:
                    self._stand_by()
                    return
                except TransportUnusable as error:
                    log.error("the lease cannot be renewed", reason=str(error))
                    self._leading = False
                    return

    def _stand_by(self) -> None:
        log.warning("another poller has taken over: standing by")
        self._leading = False

    async def _renew(self, publisher: Publisher) -> None:
        """The requests of one page can together take longer than a lease lasts."""
        self._turned = time.monotonic()
        await publisher.renew()

    async def _published(self, page: Coroutine[Any, Any, int]) -> int:
        """A stop lets the page end, but not for long: it may be on its way to a broker that is silent.

        To leave it is safe, as a kill is: the checkpoint stays, and the next poller sees what has arrived.
        """
        try:
            return await unless_stopped(self._stop, page, grace=_LAST_PAGE)
        except Stopped:
            log.warning("stopped while the log does not take a page: the checkpoint stays, the page will be fetched again")
            raise
