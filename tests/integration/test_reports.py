"""What a process logs about itself each minute, and at its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from admin import compose, compose_transport
from admin.actions.reports import log_each_minute, log_start, log_totals, totals
from consumer.worker import Worker
from producer.poller import Poller
from shared.settings import Role, Settings, load
from simulator.receiver import Receiver
from simulator.tenant import Tenant
from simulator.tokens import Application
from tests.e2e.stack import simple
from tests.support import faults
from tests.support.listed_log import ListedLog

ENVIRON = {
    "AUTH0_CLIENT_ID": "client",
    "AUTH0_CLIENT_SECRET": "secret",
    "POLL_INTERVAL": "0.1",
    "WEBHOOK_BACKOFF_BASE": "0.05",
    "WEBHOOK_BACKOFF_CAP": "0.1",
    "WEBHOOK_PROBE_INTERVAL": "0.1",
    "WEBHOOK_BREAKER_FAILURES": "3",
}


async def _reports(
    folder: Path, receiver: Receiver, events: int, enough: Callable[[list[EventDict], Poller, Worker], bool]
) -> list[EventDict]:
    """Run poller and worker with a report every few milliseconds instead of each minute."""
    tenant = Tenant(ListedLog(simple(range(events))), application=Application(client_id="client", client_secret="secret"))
    await tenant.start()
    await receiver.start()
    where = {"AUTH0_DOMAIN": tenant.url, "WEBHOOK_URL": receiver.url, "SQLITE_PATH": str(folder / "log.db")}
    settings = load(Role.RUN, {**ENVIRON, **where}, None)
    poller, worker, transport = compose.poller(settings), compose.worker(settings), compose_transport.transport(settings)
    stop = asyncio.Event()
    with capture_logs() as lines:
        works = asyncio.gather(
            log_each_minute(stop, poller, worker, every=0.01), poller.run(transport, stop), worker.run(transport, stop)
        )
        async with asyncio.timeout(30):
            while not enough(lines, poller, worker):
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), 0.01)
        stop.set()
        await works
    await transport.close()
    await receiver.stop()
    await tenant.stop()
    return [line for line in lines if "last minute" in line["event"]]


async def test_the_reports_add_up_to_what_was_done_and_say_when_there_is_nothing(tmp_path: Path) -> None:
    def idle(lines: list[EventDict], _poller: Poller, worker: Worker) -> bool:
        return worker.counts.delivered == 30 and lines[-1].get("waiting_for") == ("new events",)

    reports = await _reports(tmp_path, Receiver(), 30, idle)
    for name in ("fetched", "published", "taken", "delivered"):
        assert sum(report.get(name, 0) for report in reports) == 30
    assert not any(report.get("failed_attempts") for report in reports)
    assert reports[-1]["event"] == "nothing was done in the last minute"


async def test_a_report_says_what_is_waited_for(tmp_path: Path) -> None:
    receiver = Receiver()
    receiver.script.add(faults.status(503))

    def down(lines: list[EventDict], _poller: Poller, _worker: Worker) -> bool:
        return any("the webhook to be up again" in line.get("waiting_for", ()) for line in lines)

    reports = await _reports(tmp_path, receiver, 30, down)
    assert any(report.get("failed_attempts") for report in reports)


def _settings(role: Role, **more: str) -> Settings:
    where = {"AUTH0_DOMAIN": "acme.eu.auth0.com", "WEBHOOK_URL": "https://hooks.example.com:8443/T0/key?token=key"}
    return load(role, {**ENVIRON, **where, **more}, None)


@pytest.mark.parametrize(
    ("role", "more", "said"),
    [
        (
            Role.RUN,
            {"SQLITE_PATH": "a.db"},
            {"tenant": "acme.eu.auth0.com", "webhook": "https://hooks.example.com:8443", "transport": "SQLite", "file": "a.db"},
        ),
        (
            Role.PRODUCE,
            {"KAFKA_BOOTSTRAP_SERVERS": "a:1,b:2"},
            {"tenant": "acme.eu.auth0.com", "transport": "Kafka", "servers": "a:1,b:2", "topic": "auth0.logs"},
        ),
        (Role.CONSUME, {}, {"webhook": "https://hooks.example.com:8443", "transport": "SQLite"}),
    ],
)
def test_the_first_line_says_from_where_to_where_and_no_secret(role: Role, more: dict[str, str], said: dict[str, str]) -> None:
    with capture_logs() as lines:
        log_start(_settings(role, **more))
    (line,) = lines
    assert line.items() >= said.items()
    assert ("tenant" in line, "webhook" in line) == ("tenant" in said, "webhook" in said)
    assert "key" not in str(line)


async def test_a_start_that_failed_counts_no_zeros() -> None:
    settings = _settings(Role.RUN)
    poller, worker = compose.poller(settings), compose.worker(settings)
    worker.counts.delivered = 1
    with capture_logs() as lines:
        log_totals((poller, worker), failed=True)
        log_totals((poller,), failed=False)
    assert [line["loop"] for line in lines] == ["worker", "poller"]
    assert totals((poller, worker))["delivered"] == 1
