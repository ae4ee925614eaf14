"""Poller, worker or both in one process: for ever, or until Auth0's log is read to its end and delivered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from admin.actions.reports import say_each_minute, say_what_was_done
from admin.actions.status import status
from admin.heartbeat import heartbeat
from admin.supervisor import supervise
from consumer.worker import Worker
from producer.poller import Poller
from shared.transport.port import Transport
from shared.waiting import stopped_within

_LOOK_EVERY = 0.1  # seconds between two looks at what is left


@dataclass(frozen=True, slots=True)
class Leftover:
    """What `once` did not get done in its time."""

    #: Events in the log that the webhook has not answered with 200.
    undelivered: int
    #: Whether Auth0's log was read to its end.
    caught_up: bool


async def serve(transport: Transport, loops: Sequence[Poller | Worker], stop: asyncio.Event, health: Path | None) -> None:
    """Run these loops on one log until `stop`. Raises `EnvironmentUnusable`."""
    besides = heartbeat(health, stop, *loops), say_each_minute(stop, *loops)
    async with _reported(transport, loops):
        await supervise(stop, *besides, *(loop.run(transport, stop) for loop in loops))


async def once(transport: Transport, poller: Poller, worker: Worker, stop: asyncio.Event, *, within: float) -> Leftover:
    """Fetch until an empty page, deliver all, end; after `within` seconds, or on `stop`, end with what is left."""
    caught_up = asyncio.Event()
    timer = asyncio.get_running_loop().call_later(within, stop.set)

    async def poll() -> None:
        await poller.run(transport, stop, once=True)
        if not stop.is_set():
            caught_up.set()
            await _until_delivered(transport, stop)
            stop.set()

    try:
        async with _reported(transport, (poller, worker)):
            await supervise(stop, say_each_minute(stop, poller, worker), poll(), worker.run(transport, stop))
            undelivered = sum(row.undelivered for row in await status(transport))
            return Leftover(undelivered, caught_up.is_set())
    finally:
        timer.cancel()


@asynccontextmanager
async def _reported(transport: Transport, loops: Sequence[Poller | Worker]) -> AsyncIterator[None]:
    """Closes the log at the end, and says what was done."""
    failed = True
    try:
        yield
        failed = False
    finally:
        await transport.close()
        say_what_was_done(loops, failed=failed)


async def _until_delivered(transport: Transport, stop: asyncio.Event) -> None:
    while any(progress.lag for progress in (await transport.progress()).values()):
        if await stopped_within(stop, _LOOK_EVERY):
            return
