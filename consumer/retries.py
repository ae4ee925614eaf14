"""Deliveries that wait for their next attempt: a heap, and one timer for the earliest of them however many wait."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from itertools import count

from consumer.delivery import Delivery


class Retries:
    """`due` is called in the event loop with each delivery whose time has come."""

    def __init__(self, due: Callable[[Delivery], None]) -> None:
        self._due = due
        self._heap: list[tuple[float, int, Delivery]] = []
        self._order = count()
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, delivery: Delivery, delay: float) -> None:
        """Give `delivery` back after `delay` seconds."""
        when = asyncio.get_running_loop().time() + delay
        heapq.heappush(self._heap, (when, next(self._order), delivery))
        if self._heap[0][2] is delivery:
            self._arm()

    def forget_dead(self) -> None:
        """Drop what belongs to partitions that are gone."""
        self._heap = [entry for entry in self._heap if entry[2].assignment.live]
        heapq.heapify(self._heap)
        self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(self._heap[0][0], self._fire) if self._heap else None

    def _fire(self) -> None:
        now = asyncio.get_running_loop().time()
        while self._heap and self._heap[0][0] <= now:
            self._due(heapq.heappop(self._heap)[2])
        self._arm()
