"""Order per key in one partition: one event of a key is under way, the others wait behind it. Pure."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

K = TypeVar("K")
T = TypeVar("T")


class Lanes(Generic[K, T]):
    def __init__(self) -> None:
        # None: the lane's one item is under way and nobody waits, which is the case of nearly every lane.
        self._lanes: dict[K, deque[T] | None] = {}

    def enter(self, key: K, item: T) -> bool:
        """True: the item may go at once. False: it waits, and `leave` gives it out when it is its turn."""
        if key not in self._lanes:
            self._lanes[key] = None
            return True
        queue = self._lanes[key]
        if queue is None:
            queue = self._lanes[key] = deque()
        queue.append(item)
        return False

    def leave(self, key: K) -> T | None:
        """The item under way is done: the next of its lane, if one waits. Raises KeyError for an empty lane."""
        queue = self._lanes[key]
        if queue:
            return queue.popleft()
        del self._lanes[key]
        return None
