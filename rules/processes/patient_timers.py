"""Timers that know when this process stood still: what they wait for may have stood still too, and gets a little more time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class PatientTimers:
    """One that comes more than `patience` seconds late waits so long once more."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._loop = asyncio.get_running_loop()
        self._handles: list[asyncio.TimerHandle] = []

    def call_later(self, seconds: float, act: Callable[[], None]) -> None:
        due = self._loop.time() + seconds

        def look() -> None:
            if self._loop.time() - due > self._patience:
                self.call_later(self._patience, act)
            else:
                act()

        self._handles.append(self._loop.call_later(seconds, look))

    def cancel(self) -> None:
        for handle in self._handles:
            handle.cancel()
