"""Which offsets of one partition are done. Pure.

Offsets are taken in ascending order, with holes, and are done in any order. What may be committed is computed from what is
done, never from what was taken: the position is the lowest offset that is not done. A new assignment of the same partition gets a
new ledger, so that a late result of the old one has nothing left to change.
"""

from __future__ import annotations

from collections import deque

from shared import commit_metadata
from shared.commit_metadata import OpenOffsets
from shared.transport.port import Position


class Ledger:
    """Begins at a committed position. Metadata that is not ours is ignored; `foreign_metadata` is true then.

    `limit`: how many characters of metadata the log keeps; None: any number.
    """

    def __init__(self, committed: Position, limit: int | None = None) -> None:
        known = commit_metadata.decode(committed.offset, committed.metadata) if committed.metadata else None
        self.foreign_metadata = bool(committed.metadata) and known is None
        self._limit = limit
        #: Open at the commit that we began from and not taken again yet, ascending; all of them above `_open`.
        self._expected = deque(known.open if known else ())
        #: Taken and not done. A dict, because it keeps the order, which ascends.
        self._open: dict[int, None] = {}
        self._next = known.until if known else committed.offset
        self._known_until = self._next
        self._lowest = committed.offset
        #: No less than the characters that the distances between the undone offsets up to `_last` take, whichever of them are
        #: done by then: an offset that is done joins two distances, and one number is never longer than two.
        self._characters = 0
        self._last = self._next
        #: Something was done since `_characters` was exact.
        self._inexact = False
        self._measure()

    def fits(self, offset: int) -> bool:
        """Whether a commit has room for this offset beside what is open, whichever of it are done by then.

        Always, for an offset that was open when the ledger began: it counts already.
        """
        if self._limit is None or offset < self._known_until:
            return True
        self.forget_before(offset)
        if not self._open:
            return True
        if self._inexact and not self._has_room(offset):
            self._measure()
        return self._has_room(offset)

    def take(self, offset: int) -> bool:
        """Returns False for an offset that was done before the restart: there is nothing to do about it.

        Raises ValueError for an offset that does not ascend: it would be lost behind the position.
        """
        if offset < self._lowest:
            raise ValueError(f"offset {offset} comes after {self._lowest - 1}")
        self._lowest = offset + 1
        self.forget_before(offset)
        if offset < self._known_until:
            if not self._expected or self._expected[0] != offset:
                return False
            self._expected.popleft()
        else:
            self._characters = self._characters + commit_metadata.cost(offset - self._last) if self._open else 0
            self._last = offset
        self._open[offset] = None
        self._next = max(self._next, offset + 1)
        return True

    def done(self, offset: int) -> None:
        """Raises KeyError for an offset that is not open."""
        del self._open[offset]
        self._inexact = True

    @property
    def position(self) -> int:
        """Everything below is done."""
        return next(iter(self._open), self._expected[0] if self._expected else self._next)

    @property
    def committable(self) -> Position:
        """The position, and what is still open above it."""
        undone = [*self._open, *self._expected]
        if not undone:
            return Position(self._next)
        return Position(undone[0], commit_metadata.encode(OpenOffsets(undone, self._next), self._limit))

    @property
    def open(self) -> int:
        """How many are taken and not yet done; the window counts these."""
        return len(self._open)

    @property
    def beyond(self) -> int:
        """How many are done above the position; holes count as done."""
        return self._next - self.position - len(self._open) - len(self._expected)

    def forget_before(self, offset: int) -> None:
        """What was open and did not come before this one is gone from the log: it cannot be delivered any more."""
        while self._expected and self._expected[0] < offset:
            self._expected.popleft()
            self._inexact = True

    def _has_room(self, offset: int) -> bool:
        last, after = commit_metadata.cost(offset - self._last), commit_metadata.cost(1)
        return self._limit is None or commit_metadata.MARGIN + self._characters + last + after <= self._limit

    def _measure(self) -> None:
        """Makes `_characters` exact; costs as much as a commit."""
        undone = [*self._open, *self._expected]
        self._characters = sum(map(commit_metadata.cost, commit_metadata.distances(undone)))
        self._last = undone[-1] if undone else self._next
        self._inexact = False
