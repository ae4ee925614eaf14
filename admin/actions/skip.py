"""Set a blocking event aside while consumers run: ask for it, and wait until the one who holds the event has done it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum, auto

from consumer.skips import PREFIX, document
from shared.transport.port import Transport

_LOOK_EVERY = 0.5  # seconds


class Skipped(Enum):
    SET_ASIDE = auto()
    #: It is a dead letter already.
    BEFORE = auto()
    #: A consumer had it, and it was delivered before it could be set aside.
    DELIVERED = auto()
    #: No consumer has it in hand.
    NOT_FOUND = auto()


async def skip(
    transport: Transport, log_id: str, *, by: str, reason: str, within: float, asked: Callable[[], None] = lambda: None
) -> Skipped:
    """Ask for it; give up after `within` seconds. Raises `TransportUnusable` and `PublishFailed`; then nothing is asked for."""
    letters, control = await transport.dead_letters(), await transport.control()
    try:
        if any(letter.log_id == log_id for letter in await letters.all()):
            return Skipped.BEFORE
        await control.put(PREFIX + log_id, document(by=by, reason=reason))
        asked()
        try:
            async with asyncio.timeout(within):
                while PREFIX + log_id in await control.snapshot():  # noqa: ASYNC110  nobody announces it
                    await asyncio.sleep(_LOOK_EVERY)
        except TimeoutError:
            await control.delete(PREFIX + log_id)
            return Skipped.NOT_FOUND
        done = any(letter.log_id == log_id for letter in await letters.all())
        return Skipped.SET_ASIDE if done else Skipped.DELIVERED
    finally:
        await letters.close()
        await control.close()
