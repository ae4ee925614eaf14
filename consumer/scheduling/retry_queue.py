"""Calls that wait for their next attempt: a heap, and one timer for the earliest of them however many wait."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import Generic, TypeVar

from consumer.webhook import Call

C = TypeVar("C", bound=Call)


class RetryQueue(Generic[C]):
    """`on_due` is called in the event loop with each call that is due."""

    def __init__(self, on_due: Callable[[C], None]) -> None:
        self._on_due = on_due
        self._heap: list[tuple[float, int, C]] = []
        self._order = count()
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._heap)

    def __iter__(self) -> Iterator[C]:
        return (call for _, _, call in self._heap)

    def add(self, call: C, delay: float) -> None:
        """`call` is due in `delay` seconds."""
        when = asyncio.get_running_loop().time() + delay
        heapq.heappush(self._heap, (when, next(self._order), call))
        if self._heap[0][2] is call:
            self._arm()

    def due_in(self, call: C) -> float:
        """Seconds until it is due; 0 if it is not here."""
        now = asyncio.get_running_loop().time()
        return next((max(0.0, when - now) for when, _, one in self._heap if one is call), 0.0)

    def in_order(self) -> Iterable[tuple[C, float]]:
        """Returns each call and when it is due, the soonest first."""
        return [(call, when) for when, _, call in sorted(self._heap)]

    def pop(self) -> tuple[C | None, float]:
        """Returns the one that is due next; or None, and the seconds until `Retry-After` allows one (0: none waits)."""
        first = min((entry for entry in self._heap if is_free(entry[2])), default=None)
        if first is None:
            now = asyncio.get_running_loop().time()
            return None, min((call.not_before - now for call in self), default=0.0)
        self.remove(lambda call: call is first[2])
        return first[2], 0.0

    def pop_all(self) -> Iterable[C]:
        """Takes out all of them. Returns them in the order in which they would have been due."""
        calls = [call for _, _, call in sorted(self._heap)]
        self._heap.clear()
        self._arm()
        return calls

    def remove(self, unwanted: Callable[[C], bool]) -> list[C]:
        """Takes out those that `unwanted` is true of. Returns them."""
        removed = [entry[2] for entry in self._heap if unwanted(entry[2])]
        if removed:
            self._heap = [entry for entry in self._heap if not unwanted(entry[2])]
            heapq.heapify(self._heap)
            self._arm()
        return removed

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(self._heap[0][0], self._fire) if self._heap else None

    def _fire(self) -> None:
        now = asyncio.get_running_loop().time()
        while self._heap and self._heap[0][0] <= now:
            self._on_due(heapq.heappop(self._heap)[2])
        self._arm()


def is_free(call: Call) -> bool:
    """Whether the moment that the receiver asked for is past."""
    return not call.not_before or call.not_before <= asyncio.get_running_loop().time()
