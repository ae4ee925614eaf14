"""Order per key in one partition: the head of a lane is under way, the others wait behind it. Pure.

In a batch several of one lane may be under way, in their order: they come to their end together, or go back behind their head.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Generic, TypeVar

K = TypeVar("K")
T = TypeVar("T")


class Lanes(Generic[K, T]):
    def __init__(self) -> None:
        # None: the lane's one item is under way and nobody waits, which is the case of nearly every lane.
        self._lanes: dict[K, deque[T] | None] = {}
        #: How many are under way beside the head, where there are any.
        self._along: dict[K, int] = {}

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

    def waiting(self, key: K) -> int:
        """How many wait behind the head."""
        return len(self._lanes.get(key) or ())

    def peek(self, key: K) -> T | None:
        """The next one that waits."""
        queue = self._lanes.get(key)
        return queue[0] if queue else None

    def follow(self, key: K) -> None:
        """The next one that waits goes along with those under way. Raises KeyError if nobody waits."""
        queue = self._lanes[key]
        if not queue:
            raise KeyError(key)
        queue.popleft()
        self._along[key] = self._along.get(key, 0) + 1

    def back(self, key: K, items: Sequence[T]) -> None:
        """Those that went along with the head, in their order: they wait behind it again."""
        if items:
            del self._along[key]
            queue = self._lanes[key]
            self._lanes[key] = deque((*items, *(queue or ())))

    def leave(self, key: K) -> T | None:
        """One that was under way is done: the next of its lane, if nobody else of it is under way and one waits.

        Raises KeyError for an empty lane.
        """
        if along := self._along.pop(key, 0):
            if along > 1:
                self._along[key] = along - 1
            return None
        queue = self._lanes[key]
        if queue:
            return queue.popleft()
        del self._lanes[key]
        return None
