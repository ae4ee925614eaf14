"""Which offsets of one partition are done. Pure.

Offsets are taken in ascending order, with holes, and finish in any order. What may be committed is computed from what is
finished, never from what was seen: `position` is the lowest offset that is taken and not done. A new assignment of the same
partition gets a new ledger, so that a late result of the old one has nothing left to touch.
"""

from __future__ import annotations


class Ledger:
    def __init__(self, position: int) -> None:
        self._open: set[int] = set()
        self._next = position

    def take(self, offset: int) -> None:
        """Raises ValueError for an offset that does not ascend: it would be lost behind the position."""
        if offset < self._next:
            raise ValueError(f"offset {offset} comes after {self._next - 1}")
        self._open.add(offset)
        self._next = offset + 1

    def done(self, offset: int) -> None:
        """Raises KeyError for an offset that is not open."""
        self._open.remove(offset)

    @property
    def position(self) -> int:
        """Everything below is done: what may be committed."""
        return min(self._open, default=self._next)

    @property
    def open(self) -> int:
        """How many are taken and not yet done; the window counts these."""
        return len(self._open)

    @property
    def beyond(self) -> int:
        """How many are done above the position (holes count as done)."""
        return self._next - self.position - len(self._open)
