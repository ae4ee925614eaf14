"""A worker on a real log with a real receiver, in one event loop; all waits are short."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from admin.actions.dead_letters import Choice, chosen
from consumer.http.client import HttpWebhook
from consumer.observer import ConsumerObserver
from consumer.policy import Policy
from consumer.scheduling.batch import Batching
from consumer.scheduling.circuit_breaker import Breaker
from consumer.worker import Worker
from shared.backoff import Backoff
from shared.control import following
from shared.event import Event
from shared.event_rules import EventRules
from shared.transport.port import DeadLetter, Transport
from shared.transport.sqlite.transport import SqliteTransport
from shared.words import Ordering


def policy(
    *,
    max_attempts: int | None = None,
    ordering: Ordering = Ordering.KEY,
    batching: Batching | None = None,
    rate: float | None = None,
    base: float = 0.02,
    cap: float = 0.1,
) -> Policy:
    return Policy(
        backoff=Backoff(base=base, cap=cap),
        max_attempts=max_attempts,
        ordering=ordering,
        batching=batching,
        rate=rate,
        concurrent_calls=5,
    )


def worker(
    url: str,
    *,
    how: Policy | None = None,
    window: int = 100,
    timeout: float = 5.0,
    drain_timeout: float = 2.0,
    breaker_failures: int = 10_000,
    probe_interval: float = 0.1,
    longest_probe_interval: float = 0.5,
    commit_interval: float = 0.05,
    rules: EventRules | None = None,
    observers: Sequence[ConsumerObserver] = (),
) -> Worker:
    return Worker(
        webhook=HttpWebhook(url=url, headers={}, timeout=timeout, connect_timeout=1.0),
        policy=how or policy(),
        breaker=Breaker(failures=breaker_failures, probe_interval=probe_interval, longest=longest_probe_interval),
        window=window,
        commit_interval=commit_interval,
        drain_timeout=drain_timeout,
        rules=rules,
        observers=observers,
    )


def log_in(path: Path, calls: int = 5) -> SqliteTransport:
    return SqliteTransport(path / "log.db", retention_days=1, concurrent_calls=calls)


@asynccontextmanager
async def running(worker: Worker, log: Transport) -> AsyncIterator[None]:
    stop = asyncio.Event()
    async with following(log, worker.control_readers, stop, wake=worker.control_wake):
        task = asyncio.create_task(worker.run(log, stop))
        try:
            yield
        finally:
            stop.set()
            await task
    await log.close()


async def committed(path: Path) -> int:
    log = log_in(path)
    position = (await log.progress())[0].committed
    await log.close()
    return position.offset if position else 0


async def dead(path: Path) -> Sequence[DeadLetter]:
    return (await chosen(log_in(path), Choice())).dead_letters


async def until(condition: Callable[[], bool], within: float = 10) -> None:
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110  nothing announces it
            await asyncio.sleep(0.01)


def ids(sent: Sequence[Event]) -> list[str]:
    return [one.log_id for one in sent]
