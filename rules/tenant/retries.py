"""Asking the tenant again, for as long as a caller lets it: a chain has a time of its own."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from shared.backoff import Backoff
from shared.errors import RateLimited, Transient

_BACKOFF: Final = Backoff(base=0.25, cap=5.0)

T = TypeVar("T")


async def until_answered(ask: Callable[[], Awaitable[T]], heard: Callable[[Transient], None] = lambda _: None) -> T:
    """Returns what `ask` returns. Tries again after each `Transient`, and `heard` is told of it; cancel it to stop."""
    attempts = 0
    while True:
        attempts += 1
        try:
            return await ask()
        except Transient as error:
            heard(error)
            floor = error.wait if isinstance(error, RateLimited) else None
        await asyncio.sleep(_BACKOFF.delay(attempts, random.random(), retry_after=floor))
