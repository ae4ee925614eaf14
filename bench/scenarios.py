"""The benchmarks besides the matrix: one hot user, a backlog with the webhook down, an idle consumer, the delay of one event."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles
from typing import Final

from bench.client import SECRET
from bench.events import log_id_of
from bench.logs import KafkaLog, SqliteLog
from bench.measure import Measurement, Span, consumer
from bench.processes import COMMAND, running
from simulator.receiver import Receiver
from simulator.tenant import Tenant
from simulator.tokens import Application
from tests.support.background import in_background, run_on
from tests.support.kafka.broker import Broker
from tests.support.listed_log import ListedLog

HOT_LATENCY: Final = 0.02
HOT_CALLS: Final = 50
_POLL_INTERVAL: Final = 1.0


def hot_key(log: KafkaLog, folder: Path, span: Span) -> Measurement:
    """Measure a log in which one user has more events than the others."""
    return consumer(log, folder, concurrency=HOT_CALLS, latency=HOT_LATENCY, span=span)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    events: int
    #: Resident memory in MB: when the window was full, at the end, and the maximum.
    early: float
    late: float
    most: float
    seconds: float
    #: Of one core, from 0 to 1.
    cpu: float


def backlog(log: KafkaLog | SqliteLog, folder: Path, count: int, seconds: float) -> Backlog:
    """Measure a consumer while nothing listens at the webhook."""
    environ = {**log.environ(), "WEBHOOK_URL": "http://127.0.0.1:9/hook", "WEBHOOK_SECRET": SECRET}
    with running([*COMMAND, "consume"], folder, {**environ, "WEBHOOK_CONCURRENT_CALLS": "50"}, name="backlog") as process:
        process.wait_for("breaker open")
        time.sleep(5)
        early, spent = process.rss, process.cpu
        time.sleep(seconds)
        return Backlog(
            events=count,
            early=early,
            late=process.rss,
            most=process.rss_most,
            seconds=seconds,
            cpu=(process.cpu - spent) / seconds,
        )


def idle(log: KafkaLog | SqliteLog, folder: Path, seconds: float, name: str) -> float:
    """Returns the part of a core that the consumer of an empty log uses."""
    environ = {**log.environ(), "WEBHOOK_URL": "http://127.0.0.1:9/hook", "WEBHOOK_SECRET": SECRET}
    with running([*COMMAND, "consume"], folder, environ, name=name) as process:
        process.wait_for("partition assigned")
        time.sleep(3)
        spent = process.cpu
        time.sleep(seconds)
        return (process.cpu - spent) / seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Delays:
    """From the moment an entry is in Auth0's log to the 200, in seconds."""

    count: int
    p50: float
    p99: float
    most: float


def visible(log: KafkaLog | SqliteLog, folder: Path, measurements: int, name: str) -> Delays:
    """Measure one entry after the other, at moments independent of the poller's; the system is otherwise idle."""
    entries = ListedLog()
    tenant = Tenant(entries, application=Application(client_id="client", client_secret="canary"))
    with in_background(tenant, Receiver()) as (tenant, receiver), ExitStack() as exits:
        environ = {
            **log.environ(),
            "AUTH0_DOMAIN": tenant.url,
            "AUTH0_CLIENT_ID": "client",
            "AUTH0_CLIENT_SECRET": "canary",
            "POLL_INTERVAL": f"{_POLL_INTERVAL:g}",
            "WEBHOOK_URL": receiver.url,
            "WEBHOOK_SECRET": SECRET,
        }
        commands = ["produce", "consume"] if isinstance(log, KafkaLog) else ["run"]
        for command in commands:
            exits.enter_context(running([*COMMAND, command], folder, environ, name=f"{name}-{command}"))
        delays = [_one(entries, receiver, number) for number in range(measurements + 1)]
    return _delays(delays[1:])  # the first one includes the start


def both_visible(broker: Broker, folder: Path, measurements: int) -> tuple[Delays, Delays]:
    """Measure on Kafka and on SQLite at the same time: both sleep nearly always."""
    with ThreadPoolExecutor(2) as pool:
        kafka = pool.submit(visible, KafkaLog(broker), folder, measurements, "kafka")
        sqlite = pool.submit(visible, SqliteLog(folder), folder, measurements, "sqlite")
        return kafka.result(), sqlite.result()


def _one(entries: ListedLog, receiver: Receiver, number: int) -> float:
    time.sleep(random.uniform(0.2, 0.2 + _POLL_INTERVAL))
    date = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    entry = {"log_id": log_id_of(number), "date": date, "type": "s", "user_id": "auth0|1", "description": "x" * 1200}
    since = time.monotonic_ns()
    entries.append(json.dumps(entry).encode())
    run_on(receiver, receiver.journal.wait_for(number + 1, timeout=60))
    found = next(one for one in reversed(receiver.journal.all) if one.call.log_id == log_id_of(number))
    return (found.answered_ns - since) / 1e9


def _delays(delays: Sequence[float]) -> Delays:
    cuts = quantiles(delays, n=100, method="inclusive")
    return Delays(count=len(delays), p50=cuts[49], p99=cuts[98], most=max(delays))
