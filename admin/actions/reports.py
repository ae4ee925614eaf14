"""What a long-running process logs about itself: from where to where at its start, a line a minute, and its counts at its end.

It reads the counts that the loops have anyway, so it costs no event anything.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Final
from urllib.parse import urlsplit

from consumer.scheduling.circuit_breaker import BreakerState
from consumer.worker import Worker
from producer.poller import Poller
from shared.logging import get_logger
from shared.settings import Auth0Settings, Settings, WebhookSettings
from shared.waiting import stopped_within

_EVERY: Final = 60.0  # seconds

log = get_logger(__name__)


def log_start(settings: Settings) -> None:
    """Logs from which tenant to which webhook over which transport; of the webhook's URL only what cannot be a secret."""
    ways = {}
    if Auth0Settings in settings.groups:
        ways["tenant"] = settings.auth0.domain
    if WebhookSettings in settings.groups:
        ways["webhook"] = shown_webhook(settings.webhook.url)
    log.info("starting", **ways, **transport_fields(settings))


def shown_webhook(url: str) -> str:
    """Returns of the webhook's URL what cannot be a secret: scheme, host and port."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


async def log_each_minute(stop: asyncio.Event, *loops: Poller | Worker, every: float = _EVERY) -> None:
    """Logs until `stop` what was done in each minute; where that is nothing, what is waited for."""
    before = totals(loops)
    while not await stopped_within(stop, every):
        now = totals(loops)
        done = {name: count - before[name] for name, count in now.items() if count != before[name]}
        waiting = tuple(_waiting(loops))
        if done:
            log.info("in the last minute", **done, **({"waiting_for": waiting} if waiting else {}))
        else:
            log.info("nothing was done in the last minute", waiting_for=waiting or ("new events",))
        before = now


def log_totals(loops: Sequence[Poller | Worker], *, failed: bool) -> None:
    """Logs the counts of each loop. `failed`: the process ends with an error; a loop that has done nothing gets no line then."""
    for loop in loops:
        if not failed or any(totals((loop,)).values()):
            log.info("stopped", loop=type(loop).__name__.lower(), **_counts(loop))


def totals(loops: Sequence[Poller | Worker]) -> Mapping[str, int]:
    """Returns the counts since the start, over these loops; what was filtered out in one sum."""
    plain = {name: count for loop in loops for name, count in _counts(loop).items()}
    return {name: sum(count.values()) if isinstance(count, dict) else count for name, count in plain.items()}


def _counts(loop: Poller | Worker) -> dict[str, int | dict[str, int]]:
    counts = {field.name: getattr(loop.counts, field.name) for field in fields(loop.counts)}
    return {name: dict(count) if isinstance(count, Counter) else count for name, count in counts.items()}


def _waiting(loops: Sequence[Poller | Worker]) -> Iterator[str]:
    for loop in loops:
        if isinstance(loop, Poller):
            if not loop.leading:
                yield "the lease of the active poller"
        elif (state := loop.state).breaker is not BreakerState.CLOSED:
            yield "the webhook to be up again"
        elif state.waiting_for_retry:
            yield f"the next attempts at {state.waiting_for_retry} events"
        elif state.in_flight:
            yield f"responses to {state.in_flight} calls"


def transport_fields(settings: Settings) -> dict[str, str]:
    """Returns which log the settings name, safe to be shown."""
    where = settings.transport
    if where.bootstrap_servers:
        servers = ",".join(where.bootstrap_servers)
        return {"transport": "Kafka", "servers": servers, "topic": where.topic, "group": where.group}
    return {"transport": "SQLite", "file": str(where.sqlite_path)}
