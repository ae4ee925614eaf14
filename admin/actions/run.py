"""Poller, worker or both in one process: until a stop, or until Auth0's log is read to its end and delivered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from admin.actions.alarms import sound_alarms
from admin.actions.looking.status_view import partitions
from admin.actions.past_logins import tell_past_logins
from admin.actions.reports import log_each_minute, log_totals
from admin.health import stuck
from admin.supervisor import supervise
from consumer.worker import Worker
from producer.poller import Poller
from shared.control import ControlReader, following
from shared.errors import EnvironmentUnusable
from shared.logging import get_logger
from shared.transport.port import Transport
from shared.waiting import stopped_within

_LOOK_EVERY: Final = 0.1  # seconds between two looks at what is left
_TOUCH_EVERY: Final = 2.0  # seconds

Loops = Sequence[Poller | Worker]
#: What runs beside the loops, until the stop.
Beside = Callable[[Transport, asyncio.Event], Coroutine[Any, Any, None]]

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Leftover:
    """What `once` did not get done in its time."""

    #: Events on the transport that are not delivered.
    undelivered: int
    #: Whether Auth0's log was read to its end.
    caught_up: bool
    #: Why nothing is delivered, where an operator has paused delivery; else empty.
    paused: str = ""


async def serve(
    transport: Transport,
    loops: Loops,
    stop: asyncio.Event,
    *,
    health: Path | None = None,
    reporter: ControlReader | None = None,
    beside: Beside | None = None,
) -> None:
    """Run these loops until `stop`; then close the transport. Raises `EnvironmentUnusable`.

    `reporter` writes this process's own document; `beside` runs until the stop, too.
    """
    async with _closing(transport, loops), _following(transport, loops, stop, reporter):
        work: list[Coroutine[Any, Any, None]] = [loop.run(transport, stop) for loop in loops]
        work.append(sound_alarms(transport, loops, stop))
        work += _tell_past_logins(transport, loops, stop)
        if beside is not None:
            work.append(beside(transport, stop))
        await supervise(stop, _heartbeat(health, stop, *loops), log_each_minute(stop, *loops), *work)


async def once(
    transport: Transport,
    poller: Poller,
    worker: Worker,
    stop: asyncio.Event,
    *,
    within: float,
    reporter: ControlReader | None = None,
) -> Leftover:
    """Fetch until an empty page, deliver all, close the transport. Returns what is left, after `within` seconds or a stop.

    While delivery is paused it fetches, delivers nothing and ends.
    """
    caught_up = asyncio.Event()
    timer = asyncio.get_running_loop().call_later(within, stop.set)

    async def poll() -> None:
        await poller.run(transport, stop, once=True)
        if not stop.is_set():
            caught_up.set()
            await _until_delivered(transport, worker, stop)
            stop.set()

    try:
        loops = (poller, worker)
        async with _closing(transport, loops), _following(transport, loops, stop, reporter):
            beside = _tell_past_logins(transport, loops, stop)
            await supervise(stop, log_each_minute(stop, poller, worker), poll(), worker.run(transport, stop), *beside)
            undelivered = sum(row.undelivered for row in await partitions(transport))
            return Leftover(undelivered, caught_up.is_set(), worker.desired.sentence)
    finally:
        timer.cancel()


@asynccontextmanager
async def _closing(transport: Transport, loops: Sequence[Poller | Worker]) -> AsyncIterator[None]:
    """Close the transport at the end, then log what was done."""
    failed = True
    try:
        yield
        failed = False
    finally:
        await transport.close()
        log_totals(loops, failed=failed)


def _following(
    transport: Transport, loops: Sequence[Poller | Worker], stop: asyncio.Event, reporter: ControlReader | None
) -> AbstractAsyncContextManager[None]:
    """Follows the control table for these loops."""
    workers = [loop for loop in loops if isinstance(loop, Worker)]
    readers = [reader for worker in workers for reader in worker.control_readers]
    if reporter:
        readers.append(reporter)
    return following(transport, readers, stop, wake=workers[0].control_wake if workers else None)


def _tell_past_logins(transport: Transport, loops: Loops, stop: asyncio.Event) -> list[Coroutine[Any, Any, None]]:
    rules = [loop.rules for loop in loops if isinstance(loop, Worker) and loop.rules]
    return [tell_past_logins(transport, one, stop) for one in rules]


async def _until_delivered(transport: Transport, worker: Worker, stop: asyncio.Event) -> None:
    """Or until delivery is paused."""
    while not worker.desired.paused and any(progress.lag for progress in (await transport.progress()).values()):
        if await stopped_within(stop, _LOOK_EVERY):
            return


async def _heartbeat(file: Path | None, stop: asyncio.Event, *loops: Poller | Worker) -> None:
    """Touch the health file while every loop makes progress; probes check its mtime. Raises `EnvironmentUnusable`."""
    while file is not None and not stop.is_set():
        if lines := stuck(loops):
            log.error("a loop makes no progress; the health file is not touched", loops=lines)
        else:
            _touch(file)
        await stopped_within(stop, _TOUCH_EVERY)


def _touch(file: Path) -> None:
    try:
        file.touch()
    except OSError as error:
        raise EnvironmentUnusable(f"HEALTH_FILE {file} cannot be written: {error.strerror or error}") from None
