"""Catching up with Auth0's log: under each plan's rate limit, without a limit, and what hiding personal data costs."""

from __future__ import annotations

import asyncio
import json
import os
import re
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from bench.client import SECRET
from bench.logs import KafkaLog, SqliteLog
from bench.processes import COMMAND, running
from producer.auth0.client import Auth0Logs
from producer.poller import Poller
from producer.privacy.entry import Privacy
from producer.selection import Selection
from shared import logging
from shared.event import Event, slice_page
from shared.transport.sqlite.transport import SqliteTransport
from shared.words import PiiField, PiiMode
from simulator.entries import Entries
from simulator.rate_limit import RatePlan
from simulator.tenant import Tenant
from simulator.tenant_log import GeneratedLog
from simulator.tokens import Application
from tests.support.background import in_background
from tests.support.kafka.broker import Broker
from tests.support.listed_log import ListedLog

#: Source: Auth0's documentation of the Management API's rate limits.
PLANS: Final = {
    "Free": RatePlan(2, 2.0),
    "Essentials, Professional (logs endpoint)": RatePlan(10, 100 / 60),
    "Enterprise, non-production": RatePlan(10, 2.0),
    "Enterprise, production": RatePlan(50, 16.0),
}
_APPLICATION: Final = Application(client_id="client", client_secret="canary")
_PAGE: Final = 100
_BURST: Final = 8.0  # seconds: the burst is spent by then
_ENTRIES: Final = 30_000
_CAUGHT_UP: Final = "caught up with Auth0's log"
_AT: Final = 1_790_000_000.0  # of the youngest entry, seconds since the epoch
_HIDDEN: Final = 3_000  # entries of one measurement


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFigures:
    plan: str
    #: Pages, once the burst is spent, as a part of those that the limit allows.
    share: float
    #: Responses of 429, from the start.
    refused: int
    #: Requests, from the start.
    requests: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedFigures:
    #: Entries a second.
    rate: float
    #: Microseconds of CPU an entry, of the producer and what it runs beside.
    cpu: float
    #: 1-minute load average at its end; 0: not recorded.
    load: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CatchUpFigures:
    #: 1-minute load average when it began.
    load: float
    plans: Sequence[PlanFigures]
    #: By transport.
    unlimited: dict[str, SpeedFigures]
    #: Microseconds of CPU an entry of 1.2 kB, by `PII_MODE`; `json` is one round trip of the standard library.
    privacy: dict[str, float]


def measure(folder: Path, broker: Broker, *, rounds: int, seconds: float) -> CatchUpFigures:
    """`seconds`: of each plan's measurement, after its burst; all plans run at once, since they mostly wait."""
    load = os.getloadavg()[0]
    logging.configure(verbosity="error", log_format="console")
    plans = asyncio.run(_all_plans(folder, seconds))
    unlimited = {
        "Kafka": _median([_unlimited(KafkaLog(broker), folder, "produce") for _ in range(rounds)]),
        "SQLite": _median([_unlimited(SqliteLog(folder), folder, "run") for _ in range(rounds)]),
    }
    return CatchUpFigures(load=load, plans=plans, unlimited=unlimited, privacy=privacy(rounds))


async def _all_plans(folder: Path, seconds: float) -> list[PlanFigures]:
    return list(await asyncio.gather(*(_plan(name, folder / f"plan-{n}.db", seconds) for n, name in enumerate(PLANS))))


async def _plan(name: str, file: Path, seconds: float) -> PlanFigures:
    plan = PLANS[name]
    backlog = round((plan.burst + plan.per_second * (_BURST + seconds) * 1.3) * _PAGE)
    tenant = Tenant(GeneratedLog(origin=time.time(), backlog=backlog), application=_APPLICATION, plan=plan)
    await tenant.start()
    transport, stop = SqliteTransport(file, retention_days=1), asyncio.Event()
    logs = Auth0Logs(
        base_url=tenant.url,
        client_id=_APPLICATION.client_id,
        client_secret=_APPLICATION.client_secret,
        audience=f"{tenant.url}/api/v2/",
        batch_size=_PAGE,
        tls=ssl.create_default_context(),
    )
    poller = Poller(source=logs, selection=Selection(levels={}, level=0), poll_interval=5)
    polling = asyncio.create_task(poller.run(transport, stop))
    try:
        await asyncio.sleep(_BURST)
        since, before = time.monotonic(), _answered(tenant)
        await asyncio.sleep(seconds)
        pages, took = _answered(tenant) - before, time.monotonic() - since
    finally:
        stop.set()
        await polling
        await transport.close()
        await tenant.stop()
    share = pages / (plan.per_second * took)
    statuses = [seen.status for seen in tenant.requests]
    return PlanFigures(plan=name, share=share, refused=statuses.count(429), requests=len(statuses))


def _answered(tenant: Tenant) -> int:
    return sum(seen.status == 200 for seen in tenant.requests)


def _entries(count: int) -> list[bytes]:
    """Returns entries as a tenant has them, of 1.2 kB."""
    log = GeneratedLog(origin=_AT, backlog=count, entries=Entries(edge_cases=0))
    return [log.raw(index) for index in range(count)]


def _unlimited(log: KafkaLog | SqliteLog, folder: Path, command: str) -> SpeedFigures:
    """Measures from an empty log to the line that says that the end is reached. With `run` nothing listens at the webhook."""
    tenant = Tenant(ListedLog(_entries(_ENTRIES)), application=_APPLICATION)
    with in_background(tenant) as (tenant,):
        environ = {
            **log.environ(),
            "AUTH0_DOMAIN": tenant.url,
            "AUTH0_CLIENT_ID": _APPLICATION.client_id,
            "AUTH0_CLIENT_SECRET": _APPLICATION.client_secret,
            "WEBHOOK_URL": "http://127.0.0.1:9/hook",
            "WEBHOOK_SECRET": SECRET,
            "LOG_FORMAT": "json",
        }
        with running([*COMMAND, command], folder, environ, name=f"catch-up-{command}") as process:
            process.wait_for("polling Auth0", within=90)
            before = process.cpu
            process.wait_for(_CAUGHT_UP, within=300)
            spent = process.cpu - before
            found = re.search(rf'\{{.*"{re.escape(_CAUGHT_UP)}".*\}}', process.text)
    line = json.loads(found[0]) if found else {}
    return SpeedFigures(rate=line["entries"] / line["seconds"], cpu=spent / line["entries"] * 1e6, load=os.getloadavg()[0])


def _median(found: Sequence[SpeedFigures]) -> SpeedFigures:
    return SpeedFigures(**{name: median(getattr(one, name) for one in found) for name in ("rate", "cpu", "load")})


def privacy(rounds: int) -> dict[str, float]:
    """Returns microseconds of CPU an entry."""
    entries = slice_page(b"[" + b",".join(_entries(_HIDDEN)) + b"]")
    fields = frozenset(PiiField)
    ways: dict[str, Callable[[Event], object]] = {
        "json": lambda event: json.dumps(json.loads(event.raw)),
        **{
            mode.value: Privacy(mode=mode, fields=fields, key=b"a key of the benchmarks").apply
            for mode in (PiiMode.MASK, PiiMode.HASH)
        },
    }
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            began = time.process_time()
            for event in entries:
                way(event)
            found[name].append((time.process_time() - began) / len(entries) * 1e6)
    return {name: median(each) for name, each in found.items()}
