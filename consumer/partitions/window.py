"""The partitions that this member owns, and the window over them.

The window bounds everything that is taken and not yet stored as done: open, ready, behind another of its lane, waiting for a
retry, on its way to the dead letters, or done since the last commit that worked; so a crash, or an outage of the log, repeats no
more than that. What waits for room in a commit counts too, and its partition is held. One half of it is shared out: each owned
partition may always fill its part, so that blocked ones do not stop the others. The other half, less what one poll can overshoot,
is a pool for whoever has something to do. When the pool is used up, partitions beyond their part are held, until half of the pool
is free again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Final

from consumer.partitions.partition import Assignment
from shared.transport.port import Position

#: Events that are done and not stored: so many may be repeated after a crash, beside the open calls, at the rates that most have.
MANY: Final = 50
#: One in so many of the open events has to be done until another look for room in a commit is worth it.
_WORTH_IT: Final = 8


class Holdings:
    """`window` in records, `most` records in one poll.

    `eased` is called when it is worth looking again for room, `many` when one and when `MANY` events were done since the last
    `snapshot`.
    """

    def __init__(self, window: int, *, most: int, eased: Callable[[], None], many: Callable[[], None] = lambda: None) -> None:
        self._window = window
        self._most = most
        self._eased = eased
        self._many = many
        #: Until so many more are done.
        self._until_many = MANY
        self._owned: dict[int, Assignment] = {}
        self._held: set[int] = set()
        self._tight = False
        #: Fewer events than this cannot change anything about `full` and `pressing`.
        self._until_eased = 0
        self.owned: Mapping[int, Assignment] = MappingProxyType(self._owned)

    @property
    def taken(self) -> int:
        """Events that are taken and not yet done."""
        return sum(assignment.ledger.open for assignment in self._owned.values())

    @property
    def beyond(self) -> int:
        """Events that are done while an earlier one of their partition is not."""
        return sum(assignment.ledger.beyond for assignment in self._owned.values())

    @property
    def unstored(self) -> int:
        """Events that are done since the last commit that worked."""
        return sum(assignment.unstored for assignment in self._owned.values())

    @property
    def room(self) -> int:
        return self._window - sum(assignment.load + assignment.unstored for assignment in self._owned.values())

    @property
    def pressing(self) -> bool:
        """What is done and not stored takes up so much of the window that it is time for a commit."""
        return self.unstored > self._window // 2

    @property
    def many(self) -> bool:
        """`MANY` events were done since the last snapshot, or as many as leave no room in the window."""
        return self._until_many <= 0 or (self.unstored > 0 and self.room <= 0)

    @property
    def limit(self) -> int:
        """How many records to ask for: small enough that no partition gets far beyond its part in one poll."""
        return max(1, min(self.room, self._step))

    def add(self, partition: int, position: Position, limit: int | None = None) -> Assignment:
        """A new assignment, in the place of an old one of the same partition. `limit` as for the ledger."""
        assignment = self._owned[partition] = Assignment(partition, position, self._done, limit=limit)
        return assignment

    def snapshot(self) -> Mapping[Assignment, tuple[Position, int]]:
        """What to store, and to answer to `stored` then."""
        self._until_many = MANY
        return {owned: (owned.ledger.committable, owned.unstored) for owned in self._owned.values()}

    def stored(self, positions: Mapping[Assignment, tuple[Position, int]]) -> None:
        """A commit worked: for each assignment its position, and how many events had come to their end before it was made."""
        for assignment, (position, done) in positions.items():
            assignment.committed = position
            assignment.unstored -= done
        self._eased()

    def retire(self, partitions: Collection[int]) -> list[Assignment]:
        """Mark these dead: nothing of them starts any more. They stay until they are dropped."""
        leaving = [self._owned[partition] for partition in partitions if partition in self._owned]
        for assignment in leaving:
            assignment.live = False
        return leaving

    def drop(self, leaving: Collection[Assignment]) -> None:
        for assignment in leaving:
            if self._owned.get(assignment.partition) is assignment:
                del self._owned[assignment.partition]
                self._held.discard(assignment.partition)
        self._eased()

    def full(self) -> Collection[int]:
        """The partitions to take nothing from."""
        part, pool = self._part, self._window - self._part * len(self._owned) - self._step
        used = sum(max(0, assignment.load - part) for assignment in self._owned.values())
        self._tight = used >= pool if not self._tight else used > pool // 2
        for partition, assignment in self._owned.items():
            if self._tight and assignment.load >= part:
                self._held.add(partition)
            elif not self._tight or assignment.load <= part // 2:
                self._held.discard(partition)
        parked = [partition for partition, assignment in self._owned.items() if assignment.parked]
        held = self._owned.keys() if self.room <= 0 else self._held.union(parked)
        surplus = [self._owned[partition].load - part // 2 for partition in self._held]
        crowd = [self._owned[partition].ledger.open // _WORTH_IT for partition in parked]
        easing = [used - pool // 2] if self._tight or not parked else []
        until_pressing = self._window // 2 + 1 - self.unstored
        self._until_eased = max(1, min([*easing, until_pressing, *surplus, *crowd])) if held else 0
        return held

    @property
    def _part(self) -> int:
        return max(1, self._window // 2 // max(1, len(self._owned)))

    @property
    def _step(self) -> int:
        return min(self._most, self._part)

    def _done(self) -> None:
        self._until_eased -= 1
        if not self._until_eased:
            self._eased()
        self._until_many -= 1
        if self._until_many in (MANY - 1, 0):
            self._many()
