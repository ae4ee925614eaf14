"""Which offsets of one partition are done. Pure.

Offsets are taken in ascending order, with holes, and finish in any order. What may be committed is computed from what is
finished, never from what was seen: the position is the lowest offset that is not done. A new assignment of the same partition
gets a new ledger, so that a late result of the old one has nothing left to touch.
"""

from __future__ import annotations

from collections import deque

from consumer import metadata
from consumer.metadata import Known
from shared.transport.port import Position


class Ledger:
    """Begins at a committed position. Metadata that is not ours is ignored; `foreign_metadata` tells."""

    def __init__(self, committed: Position) -> None:
        known = metadata.decode(committed.offset, committed.metadata) if committed.metadata else None
        self.foreign_metadata = bool(committed.metadata) and known is None
        #: Open at the commit that we began from and not taken again yet, ascending.
        self._expected = deque(known.open if known else ())
        self._open: set[int] = set()
        self._next = known.until if known else committed.offset
        self._known_until = self._next
        self._lowest = committed.offset

    def take(self, offset: int) -> bool:
        """False: it was done before the restart, and nothing is to be done about it.

        Raises ValueError for an offset that does not ascend: it would be lost behind the position.
        """
        if offset < self._lowest:
            raise ValueError(f"offset {offset} comes after {self._lowest - 1}")
        self._lowest = offset + 1
        while self._expected and self._expected[0] < offset:
            self._expected.popleft()  # its record is gone from the log: nobody can deliver it any more
        if offset < self._known_until:
            if not self._expected or self._expected[0] != offset:
                return False
            self._expected.popleft()
        self._open.add(offset)
        self._next = max(self._next, offset + 1)
        return True

    def done(self, offset: int) -> None:
        """Raises KeyError for an offset that is not open."""
        self._open.remove(offset)

    @property
    def position(self) -> int:
        """Everything below is done."""
        expected = self._expected[0] if self._expected else self._next
        return min(expected, min(self._open, default=self._next))

    @property
    def committable(self) -> Position:
        """The position, and what is still open above it."""
        undone = sorted((*self._open, *self._expected))
        return Position(undone[0], metadata.encode(Known(undone, self._next))) if undone else Position(self._next)

    @property
    def open(self) -> int:
        """How many are taken and not yet done; the window counts these."""
        return len(self._open)

    @property
    def beyond(self) -> int:
        """How many are done above the position (holes count as done)."""
        return self._next - self.position - len(self._open) - len(self._expected)
