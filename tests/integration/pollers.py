"""A tenant on the loopback, a poller that reads it, and the embedded transport that the poller writes."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import ssl
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from producer.auth0.client import Auth0Logs
from producer.observer import Auth0Requests, ProducerCounts, ProducerObserver
from producer.poller import Poller
from producer.selection import Selection
from shared.documents.gap import GapDocument, gaps
from shared.event import Event, slice_page
from shared.log_types import table
from shared.start_from import BEGINNING, StartFrom
from shared.transport.port import Checkpoint, Publisher
from shared.transport.sqlite.publisher import SqlitePublisher
from shared.transport.sqlite.transport import SqliteTransport
from shared.words import GapPolicy
from simulator.tenant import Tenant
from simulator.tokens import Application
from tests.contract.harness import ContractListener
from tests.support.listed_log import ListedLog

LOGS: Final = "/api/v2/logs"
APPLICATION: Final = Application(client_id="client", client_secret="canary-secret")
LEVELS: Final = {code: known.level for code, known in table().items()}
LEVEL: Final = 1
#: Not used; making one for every client would take most of the time.
TLS: Final = ssl.create_default_context()


def log_id(number: int) -> str:
    return f"900{number:053d}"


def entry(number: int, *, kind: str = "s", date: str = "2026-11-20T00:00:00.000Z") -> bytes:
    return f'{{"log_id":"{log_id(number)}","type":"{kind}","date":"{date}"}}'.encode()


def entries(start: int, stop: int, *, kind: str = "s") -> ListedLog:
    return ListedLog(entry(number, kind=kind) for number in range(start, stop))


@dataclass(slots=True)
class PollerSetup:
    tenant: Tenant
    path: Path
    #: Seconds that the client's clock is ahead.
    ahead: float = 0.0
    poller: Poller = field(init=False)
    log: SqliteTransport = field(init=False)

    def __post_init__(self) -> None:
        self.log = SqliteTransport(self.path, retention_days=1)
        self.restart()

    def restart(
        self,
        *,
        jitter: float = 1.0,
        start: StartFrom = BEGINNING,
        on_gap: GapPolicy = GapPolicy.CONTINUE,
        retention: float = 86_400.0,
        hide: Callable[[Event], Event] = lambda event: event,
        observers: Sequence[ProducerObserver] = (),
        deadline: float = 5,
        body_cap: int = 1 << 24,
        tls: ssl.SSLContext = TLS,
    ) -> None:
        """Makes a new poller without memory, with twenty entries a page."""
        requests = Auth0Requests()
        logs = Auth0Logs(
            base_url=self.tenant.url,
            client_id=APPLICATION.client_id,
            client_secret=APPLICATION.client_secret,
            audience=f"{self.tenant.url}/api/v2/",
            batch_size=20,
            tls=tls,
            deadline=deadline,
            body_cap=body_cap,
            clock=lambda: time.monotonic() + self.ahead,
            requests=requests,
        )
        selection = Selection(levels=LEVELS, level=LEVEL)
        self.poller = Poller(
            source=logs,
            selection=selection,
            poll_interval=60,
            start=start,
            on_gap=on_gap,
            retention=retention,
            hide=hide,
            jitter=lambda: jitter,
            observers=observers,
            requests=requests,
        )

    @asynccontextmanager
    async def publishing(self) -> AsyncIterator[SqlitePublisher]:
        """Yields a publisher for tests that call `turn` themselves."""
        poller, publisher = self.poller, await self.log.publisher()
        poller.gaps.transport = self.log
        assert isinstance(publisher, SqlitePublisher)
        try:
            yield publisher
        finally:
            await publisher.close()
            await poller._source.close()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Runs the poller; the end of the block stops it, within two seconds."""
        stop = asyncio.Event()
        task = asyncio.create_task(self.poller.run(self.log, stop))
        try:
            yield
        finally:
            stop.set()
            async with asyncio.timeout(2):
                await task

    async def to_the_end(self, publisher: Publisher) -> list[float]:
        """Turns until the poller has caught up. Returns the waits after the turns before, in seconds."""
        waits: list[float] = []
        while len(waits) < 500:
            caught_up, wait = await self.poller.turn(publisher)
            if caught_up:
                return waits
            waits.append(wait)
        raise AssertionError("no end in sight")

    async def stored(self) -> dict[str, bytes]:
        """Returns the values by log id, in the order of the log. Fails if a log id is there twice."""
        member = await self.log.member(ContractListener())
        try:
            batches = await member.poll(wait=0, limit=100_000, paused=())
        finally:
            await member.close()
        records = [record for batch in batches for record in batch.records]
        found = {dict(record.headers)["log-id"].decode(): record.value or b"" for record in records}
        assert len(found) == len(records)
        return found

    @property
    def checkpoint(self) -> str | None:
        """The log id from which a new poller would go on."""
        with closing(sqlite3.connect(self.path)) as connection:
            row = connection.execute("SELECT document FROM checkpoint").fetchone()
        return str(json.loads(row[0])["log_id"]) if row else None

    async def gaps(self) -> list[GapDocument]:
        """The reports in the control table."""
        table = await self.log.control()
        try:
            return gaps(await table.snapshot())
        finally:
            await table.close()

    @property
    def events(self) -> list[Event]:
        """Every event of the tenant."""
        span = self.tenant.log.span(time.time())
        return slice_page(b"[" + b",".join(map(self.tenant.log.raw, span)) + b"]")

    @property
    def truth(self) -> tuple[dict[str, bytes], ProducerCounts]:
        """What the log has to hold, and the counts of the poller, computed from the tenant."""
        passed: dict[str, bytes] = {}
        counts = ProducerCounts(throttled=sum(seen.status == 429 for seen in self.tenant.requests))
        for event in self.events:
            counts.fetched += 1
            counts.unknown_types += event.type not in LEVELS
            if event.type in ("sapi", "fapi", "mgmt_api_read"):
                counts.filtered["management API"] += 1
            elif LEVELS.get(event.type, LEVEL) < LEVEL:
                counts.filtered["below LOG_LEVEL"] += 1
            else:
                passed[event.log_id] = event.raw
        counts.published = len(passed)
        return passed, counts

    async def has_all_in_order(self) -> None:
        """Asserts that every event is in the log once, byte for byte, in order, and that checkpoint and counts are right."""
        expected, counts = self.truth
        stored = await self.stored()
        assert list(stored) == list(expected)
        assert stored == expected
        assert self.checkpoint == self.events[-1].log_id
        assert self.poller.counts == counts

    @property
    def asked(self) -> list[str]:
        """The queries at the log's endpoint."""
        return [seen.target.partition("?")[2] for seen in self.tenant.requests if seen.path == LOGS]

    async def until_asked(self, times: int) -> None:
        """Waits until the tenant got so many requests for pages."""
        async with asyncio.timeout(5):
            while len(self.asked) < times:  # noqa: ASYNC110  nothing announces it
                await asyncio.sleep(0.005)


class WatchedPublisher(Publisher):
    """A real publisher that counts its calls, and whose next renewal can fail."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self.renewals = 0
        self.acquisitions = 0
        self.publishes = 0
        #: What the next renewal raises.
        self.renewal_error: Exception | None = None
        #: `publish` never returns.
        self.hangs = False
        self.publishing = asyncio.Event()

    async def acquire(self) -> Checkpoint | None:
        self.acquisitions += 1
        return await self._publisher.acquire()

    async def renew(self) -> None:
        self.renewals += 1
        error, self.renewal_error = self.renewal_error, None
        if error is not None:
            raise error
        await self._publisher.renew()

    async def publish(self, events: Sequence[Event], checkpoint: Checkpoint) -> int:
        self.publishing.set()
        self.publishes += 1
        if self.hangs:
            await asyncio.Event().wait()
        return await self._publisher.publish(events, checkpoint)

    def too_large(self, events: Sequence[Event]) -> Sequence[Event]:
        return self._publisher.too_large(events)

    async def close(self) -> None:
        await self._publisher.close()
