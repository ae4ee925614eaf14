"""The demo: the real poller, transport and worker between a fake Auth0 tenant and a receiver, with a staged outage.

At the end the receiver's journal is compared with the tenant's log. All in one event loop, on SQLite in a temporary folder.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from admin import compose, compose_transport
from admin.actions.run import serve
from consumer.scheduling.circuit_breaker import BreakerState
from consumer.worker import Worker
from producer.poller import Poller
from shared.errors import EnvironmentUnusable
from shared.event import slice_page
from shared.settings import Role, Settings, load
from shared.waiting import stopped_within
from simulator import faults
from simulator.entries import Entries
from simulator.journal import JournalEntry
from simulator.receiver import Receiver
from simulator.tenant import Tenant
from simulator.tenant_log import GeneratedLog
from simulator.tokens import Application

_RATE_OVER: Final = 3.0  # seconds
_LATENCY: Final = 0.05  # seconds the receiver takes


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What happens, and when."""

    #: Entries in the tenant's log at the start.
    backlog: int = 400
    #: Entries that come after that, and how many a second.
    live: int = 150
    rate: float = 12.5
    #: The outage begins after so many deliveries and lasts so many seconds; every response is 503 then.
    outage_after: int = 200
    outage: float = 3.5  # the fourth probe, 3.75 s after it begins, finds the receiver back
    #: Seconds after which it ends unfinished; those in which the process is suspended (Ctrl-Z) do not count.
    patience: float = 120.0
    seed: int = 7

    @property
    def total(self) -> int:
        return self.backlog + self.live


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One moment of the demo."""

    elapsed: float
    fetched: int
    total: int
    filtered: Counter[str]
    stored: int
    in_flight: int
    waiting_for_retry: int
    delivered: int
    failed_attempts: int
    #: Events a second, over the last few seconds; once it has stopped over all of them, so that the last screen adds up.
    rate: float
    outage: bool
    #: The circuit breaker is not closed.
    probing: bool
    #: By a signal, or because everything is delivered.
    stopped: bool
    #: The bodies of the last deliveries.
    last: tuple[bytes, ...]

    @property
    def lag(self) -> int:
        return self.stored - self.delivered

    @property
    def complete(self) -> bool:
        return self.fetched == self.total and self.lag == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """How it ended, and the receiver's journal compared with the tenant's log."""

    #: The last one that was shown: nothing happened after it.
    last: Snapshot
    #: By a signal, before everything was delivered.
    interrupted: bool
    #: Entries of the tenant that pass the filter.
    expected: int
    #: Those of them that the receiver did not get.
    missing: int
    duplicates: int
    out_of_order: int
    #: Bodies that are not byte for byte what the tenant sent.
    altered: int

    @property
    def right(self) -> bool:
        """What was delivered is as it must be."""
        return not (self.duplicates or self.out_of_order or self.altered)

    @property
    def good(self) -> bool:
        everything = self.last.complete and not self.missing and self.last.delivered == self.expected
        return self.right and everything and self.last.failed_attempts > 0


async def play(stop: asyncio.Event, show: Callable[[Snapshot], None], *, plan: Plan, every: float) -> Summary:
    """Run the demo; call `show` every so many seconds. Returns the summary. Raises `EnvironmentUnusable`."""
    with _temporary_folder() as folder:
        scene = _Scene(plan)
        await scene.tenant.start()
        await scene.receiver.start()
        try:
            settings = scene.settings(Path(folder))
            poller, worker = compose.poller(settings), compose.worker(settings)
            watch = asyncio.create_task(scene.watch(lambda: scene.snapshot(poller, worker), stop, show, every))
            watch.add_done_callback(lambda _: stop.set())  # also if `show` raises
            try:
                await serve(compose_transport.transport(settings), (poller, worker), stop)
            finally:
                stop.set()
                interrupted = await watch
            last = scene.snapshot(poller, worker, stopped=True)
            show(last)
            return scene.summary(last, settings, interrupted=interrupted)
        finally:
            await scene.receiver.stop()
            await scene.tenant.stop()


def _temporary_folder() -> TemporaryDirectory[str]:
    try:
        return TemporaryDirectory(prefix="auth0-webhooks-demo-")
    except OSError as error:
        raise EnvironmentUnusable(f"no temporary folder can be made: {error.strerror or error}; name one with TMPDIR") from None


class _Scene:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._began = time.time()
        self._application = Application()
        self._log = GeneratedLog(
            origin=self._began,
            backlog=plan.backlog,
            rate=plan.rate,
            limit=plan.total,
            entries=Entries(seed=plan.seed),
        )
        self._last: deque[bytes] = deque(maxlen=6)
        self._times: deque[float] = deque()
        self._outage_until = 0.0
        self.tenant = Tenant(self._log, application=self._application)
        self.receiver = Receiver(latency=_LATENCY, on_entry=self._on_entry, seed=plan.seed)

    def settings(self, folder: Path) -> Settings:
        environ = {
            "AUTH0_DOMAIN": self.tenant.url,
            "AUTH0_CLIENT_ID": self._application.client_id,
            "AUTH0_CLIENT_SECRET": self._application.client_secret,
            "POLL_INTERVAL": "0.5",
            "LOG_LEVEL": "1",
            "SQLITE_PATH": str(folder / "demo.db"),
            "WEBHOOK_URL": f"{self.receiver.url}/auth0-events",
            "WEBHOOK_BACKOFF_BASE": "0.5",
            "WEBHOOK_BACKOFF_CAP": "2",
            "WEBHOOK_PROBE_INTERVAL": "0.25",
            "COMMIT_INTERVAL": "0.2",
        }
        return load(Role.RUN, environ, None)

    async def watch(
        self, look: Callable[[], Snapshot], stop: asyncio.Event, show: Callable[[Snapshot], None], every: float
    ) -> bool:
        """Show snapshots until everything is delivered or the patience is over. Returns whether `stop` came before."""
        for _ in range(round(self._plan.patience / every)):
            snapshot = look()
            if snapshot.complete:
                break
            show(snapshot)
            if await stopped_within(stop, every):
                return True
        return False

    def summary(self, last: Snapshot, settings: Settings, *, interrupted: bool) -> Summary:
        journal, selection = self.receiver.journal, compose.selection(settings)
        raws = {}
        for index in self._log.span(time.time()):
            (event,) = slice_page(b"[" + self._log.raw(index) + b"]")
            if selection.reason_to_drop(event.type) is None:
                raws[event.log_id] = event.raw
        bodies = journal.bodies
        return Summary(
            last=last,
            interrupted=interrupted,
            expected=len(raws),
            missing=len(raws.keys() - bodies.keys()),
            duplicates=len(journal.duplicates),
            out_of_order=len(journal.disorder()),
            altered=sum(bodies[log_id] != raw for log_id, raw in raws.items() if log_id in bodies),
        )

    def snapshot(self, poller: Poller, worker: Worker, *, stopped: bool = False) -> Snapshot:
        now = time.monotonic()
        while self._times and self._times[0] < now - _RATE_OVER:
            self._times.popleft()
        elapsed, state = time.time() - self._began, worker.state
        return Snapshot(
            elapsed=elapsed,
            fetched=poller.counts.fetched,
            total=self._plan.total,
            filtered=Counter(poller.counts.filtered),
            stored=poller.counts.published,
            in_flight=state.in_flight,
            waiting_for_retry=state.waiting_for_retry,
            delivered=worker.counts.delivered,
            failed_attempts=worker.counts.failed_attempts,
            rate=self._rate(worker.counts.delivered, elapsed, stopped=stopped),
            outage=now < self._outage_until,
            probing=state.breaker is not BreakerState.CLOSED,
            stopped=stopped,
            last=tuple(self._last),
        )

    def _rate(self, delivered: int, elapsed: float, *, stopped: bool) -> float:
        if stopped:
            return delivered / max(0.5, elapsed)
        return len(self._times) / max(0.5, min(elapsed, _RATE_OVER))

    def _on_entry(self, entry: JournalEntry) -> None:
        if entry.delivered:
            self._times.append(time.monotonic())
            self._last.append(entry.body)
        if not self._outage_until and len(self.receiver.journal.delivered) >= self._plan.outage_after:
            self._outage_until = time.monotonic() + self._plan.outage
            self.receiver.script.add(faults.status(503), seconds=self._plan.outage)
