"""Poller, courier or both in one process: for ever, or until Auth0's log is read to its end and delivered."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path

from admin.actions.status import status
from admin.health import signs_of_life
from admin.process import together
from consumer.courier import Courier
from producer.poller import Poller
from shared.log import get_logger
from shared.transport.port import Transport

_LOOK_EVERY = 0.1  # seconds between two looks at what is left

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Leftover:
    """What `once` did not get done in its time."""

    #: Events in the log that the webhook has not answered with 200.
    undelivered: int
    #: Whether Auth0's log was read to its end.
    caught_up: bool


async def forever(transport: Transport, loops: Sequence[Poller | Courier], stop: asyncio.Event, health: Path | None) -> None:
    """Run these loops on one log until `stop`. Raises `SurroundingsError`."""
    try:
        await together(stop, signs_of_life(health, stop, *loops), *(loop.run(transport, stop) for loop in loops))
    finally:
        await transport.close()
        _say_what_was_done(loops)


async def once(transport: Transport, poller: Poller, courier: Courier, stop: asyncio.Event, *, within: float) -> Leftover:
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
        await together(stop, poll(), courier.run(transport, stop))
        undelivered = sum(row.undelivered for row in await status(transport))
        return Leftover(undelivered, caught_up.is_set())
    finally:
        timer.cancel()
        await transport.close()
        _say_what_was_done((poller, courier))


def _say_what_was_done(loops: Sequence[Poller | Courier]) -> None:
    for loop in loops:
        counts = {field.name: getattr(loop.counts, field.name) for field in fields(loop.counts)}
        plain = {name: dict(count) if isinstance(count, Counter) else count for name, count in counts.items()}
        log.info("stopped", loop=type(loop).__name__.lower(), **plain)


async def _until_delivered(transport: Transport, stop: asyncio.Event) -> None:
    while any(progress.lag for progress in (await transport.progress()).values()):
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _LOOK_EVERY)
            return
