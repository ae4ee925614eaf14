"""The health file: touched while every loop makes progress. Probes check its mtime."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final, Protocol

from shared.errors import EnvironmentUnusable
from shared.logging import get_logger
from shared.waiting import stopped_within

_EVERY: Final = 2.0  # seconds
#: Seconds without a turn after which a loop is stuck: above the deadline of a request to Auth0, and a broker's timeouts.
STUCK: Final = 90.0

log = get_logger(__name__)


class Loop(Protocol):
    @property
    def idle_for(self) -> float:
        """Seconds since the last turn of the loop."""


async def heartbeat(file: Path | None, stop: asyncio.Event, *loops: Loop) -> None:
    """Touch `file` every two seconds until `stop`, but not while a loop is stuck. Raises `EnvironmentUnusable`."""
    while file is not None and not stop.is_set():
        stuck = [type(loop).__name__ for loop in loops if loop.idle_for > STUCK]
        if stuck:
            log.error("a loop makes no progress; the health file is not touched", loops=stuck)
        else:
            _touch(file)
        await stopped_within(stop, _EVERY)


def _touch(file: Path) -> None:
    try:
        file.touch()
    except OSError as error:
        raise EnvironmentUnusable(f"HEALTH_FILE {file} cannot be written: {error.strerror or error}") from None
