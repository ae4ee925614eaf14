"""Waiting that `stop`, an event set once at the end of a process, breaks off."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, TypeVar

#: Seconds between two calls of `meanwhile`.
MEANWHILE_EVERY: Final = 1.0

T = TypeVar("T")


class Stopped(Exception):
    """`stop` was set before the work was done."""


async def unless_stopped(
    stop: asyncio.Event,
    work: Awaitable[T],
    *,
    grace: float = 0.0,
    meanwhile: Callable[[], Awaitable[None]] | None = None,
) -> T:
    """Returns what `work` returns. Raises `Stopped` if `stop` comes first and `work` is not done `grace` seconds after it.

    Calls `meanwhile` every second until then; what it raises ends the work. Work that is not done is cancelled and waited for.
    """
    task, stopped = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    every = MEANWHILE_EVERY if meanwhile else None
    try:
        while not task.done():
            await asyncio.wait((task, stopped), timeout=every, return_when=asyncio.FIRST_COMPLETED)
            if stopped.done() and not task.done():
                await asyncio.wait((task,), timeout=grace)
                if not task.done():
                    raise Stopped
            elif meanwhile is not None and not task.done():
                await meanwhile()
        return task.result()
    finally:
        task.cancel()
        stopped.cancel()
        await asyncio.gather(task, stopped, return_exceptions=True)


async def stopped_within(stop: asyncio.Event, seconds: float) -> bool:
    """Waits for `stop`, at most so many seconds. Returns whether it is set."""
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
    return stop.is_set()
