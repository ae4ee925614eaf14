"""Order per key in one partition: the head of a key's queue is under way, the others wait behind it. Pure.

In a batch several of one queue may be under way, in their order: they are completed together, or go back behind their head.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Generic, TypeVar

K = TypeVar("K")
T = TypeVar("T")


class KeyQueues(Generic[K, T]):
    def __init__(self) -> None:
        # None: the one item of the queue is under way and none waits behind it, which is so for nearly every key.
        self._queues: dict[K, deque[T] | None] = {}
        #: How many are under way beside the head, where there are any.
        self._along: dict[K, int] = {}

    def enter(self, key: K, item: T) -> bool:
        """True: the item is the head. False: it waits, and `leave` returns it when it becomes the head."""
        if key not in self._queues:
            self._queues[key] = None
            return True
        queue = self._queues[key]
        if queue is None:
            queue = self._queues[key] = deque()
        queue.append(item)
        return False

    def waiting(self, key: K) -> int:
        """How many wait behind the head."""
        return len(self._queues.get(key) or ())

    def peek(self, key: K) -> T | None:
        """The next one that waits."""
        queue = self._queues.get(key)
        return queue[0] if queue else None

    def follow(self, key: K) -> None:
        """The next one that waits goes along with those under way. Raises KeyError if none waits."""
        queue = self._queues[key]
        if not queue:
            raise KeyError(key)
        queue.popleft()
        self._along[key] = self._along.get(key, 0) + 1

    def back(self, key: K, items: Sequence[T]) -> None:
        """Those that went along with the head, in their order: they wait behind it again."""
        if items:
            del self._along[key]
            queue = self._queues[key]
            self._queues[key] = deque((*items, *(queue or ())))

    def leave(self, key: K) -> T | None:
        """One that was under way is completed. Returns the new head, if no other of this key is under way and one waits.

        Raises KeyError for an empty queue.
        """
        if along := self._along.pop(key, 0):
            if along > 1:
                self._along[key] = along - 1
            return None
        queue = self._queues[key]
        if queue:
            return queue.popleft()
        del self._queues[key]
        return None
