"""The partitions that this member owns, and the window over them.

The window bounds everything that is taken and not yet committed: in a call, ready, behind the head of its key's queue, waiting
for a retry, on its way to the dead letters, or completed since the last commit that worked. So a crash, or an outage of the log,
repeats no more than that. What waits for room in a commit counts too, and its partition is paused. One half of the window is
divided: each owned partition may always fill its part, so that blocked ones do not stop the others. The other half, less what one
poll can overshoot, is a pool for the partitions that have more to do. When the pool is used up, partitions beyond their part are
paused, until half of the pool is free again. It bounds the bytes of what is not completed in a like way: when they are used up,
partitions that have their part of one half are paused.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Final

from consumer.partitions.partition import Partition
from shared.transport.port import Position

#: Completed events that are not committed: at the usual rates a crash repeats so many, beside the open calls.
MANY: Final = 50
#: Of what is taken and not completed.
MOST_BYTES: Final = 64_000_000
#: One in so many of the open events has to be completed before it is worth looking for room in a commit again.
_WORTH_IT: Final = 8


class Window:
    """`size` in records, `most` records in one poll, `most_bytes` of the values of events and of what rules made of them.

    `on_room` is called when it is worth asking `full` again, `on_many` when one and when `MANY` events were completed since the
    last `snapshot`.
    """

    def __init__(
        self,
        size: int,
        *,
        most: int,
        most_bytes: int = MOST_BYTES,
        on_room: Callable[[], None],
        on_many: Callable[[], None] = lambda: None,
    ) -> None:
        self._size = size
        self._most_bytes = most_bytes
        self._most = most
        self._on_room = on_room
        self._on_many = on_many
        #: How many more until there are `MANY`.
        self._until_many = MANY
        self._owned: dict[int, Partition] = {}
        self._paused: set[int] = set()
        #: Bytes of an event; 0: none was taken yet.
        self._mean = 0.0
        #: The pool is used up.
        self._tight = False
        #: Completions until `full` or `commit_needed` may change; 0: nothing is paused.
        self._until_room = 0
        self.owned: Mapping[int, Partition] = MappingProxyType(self._owned)

    @property
    def taken(self) -> int:
        """Events that are taken and not yet completed."""
        return sum(partition.ledger.open for partition in self._owned.values())

    @property
    def beyond(self) -> int:
        """Events that are completed while an earlier one of their partition is not."""
        return sum(partition.ledger.beyond for partition in self._owned.values())

    @property
    def uncommitted(self) -> int:
        """Events that are completed since the last commit that worked."""
        return sum(partition.uncommitted for partition in self._owned.values())

    @property
    def room(self) -> int:
        return self._size - sum(partition.load + partition.uncommitted for partition in self._owned.values())

    @property
    def commit_needed(self) -> bool:
        """What is completed and not committed takes up more than half of the window."""
        return self.uncommitted > self._size // 2

    @property
    def many(self) -> bool:
        """`MANY` events were completed since the last snapshot, or as many as leave no room in the window."""
        return self._until_many <= 0 or (self.uncommitted > 0 and self.room <= 0)

    @property
    def limit(self) -> int:
        """How many records to ask for: small enough that no partition gets far beyond its part in one poll."""
        return max(1, min(self.room, self._step, self._room_by_size()))

    def add(self, number: int, position: Position, limit: int | None = None) -> Partition:
        """A new one, which replaces an old one of the same number. `limit` as for the ledger."""
        partition = self._owned[number] = Partition(number, position, self._on_completed, limit=limit)
        return partition

    def snapshot(self) -> Mapping[Partition, tuple[Position, int]]:
        """What to commit, and to hand to `committed` then."""
        self._until_many = MANY
        return {owned: (owned.ledger.committable, owned.uncommitted) for owned in self._owned.values()}

    def committed(self, positions: Mapping[Partition, tuple[Position, int]]) -> None:
        """A commit worked: for each partition its position, and how many events were completed before it was made."""
        for partition, (position, completed) in positions.items():
            partition.committed = position
            partition.uncommitted -= completed
        self._on_room()

    def retire(self, numbers: Collection[int]) -> list[Partition]:
        """Marks these as leaving: nothing of them starts any more. They stay until they are dropped."""
        leaving = [self._owned[number] for number in numbers if number in self._owned]
        for partition in leaving:
            partition.live = False
        return leaving

    def drop(self, leaving: Collection[Partition]) -> None:
        for partition in leaving:
            if self._owned.get(partition.number) is partition:
                del self._owned[partition.number]
                self._paused.discard(partition.number)
        self._on_room()

    def full(self) -> Collection[int]:
        """The partitions to take nothing from."""
        part, pool = self._part, self._size - self._part * len(self._owned) - self._step
        used = sum(max(0, partition.load - part) for partition in self._owned.values())
        self._tight = used >= pool if not self._tight else used > pool // 2
        for number, partition in self._owned.items():
            if self._tight and partition.load >= part:
                self._paused.add(number)
            elif not self._tight or partition.load <= part // 2:
                self._paused.discard(number)
        parked = [number for number, partition in self._owned.items() if partition.parked]
        heavy = self._heavy()
        paused = self._owned.keys() if self.room <= 0 else self._paused.union(parked, heavy)
        surplus = [self._owned[number].load - part // 2 for number in self._paused]
        crowd = [self._owned[number].ledger.open // _WORTH_IT for number in parked]
        easing = [used - pool // 2] if self._tight or not parked else []
        until_commit_needed = self._size // 2 + 1 - self.uncommitted
        self._until_room = max(1, min([*easing, until_commit_needed, *surplus, *crowd])) if paused else 0
        if heavy:
            self._until_room = 1  # the next one that is completed may be the one that takes it all
        return paused

    @property
    def bytes(self) -> int:
        """Of the events that are taken and not yet completed."""
        return sum(partition.bytes for partition in self._owned.values())

    def _heavy(self) -> list[int]:
        if self.bytes < self._most_bytes:
            return []
        part = self._most_bytes // 2 // len(self._owned)
        return [number for number, partition in self._owned.items() if partition.bytes >= part]

    def _room_by_size(self) -> int:
        """How many records have room if they are as large as those that are taken, or were last."""
        used = self.bytes
        if used:
            self._mean = used / self.taken
        return int((self._most_bytes - used) / self._mean) if self._mean else self._size

    @property
    def _part(self) -> int:
        return max(1, self._size // 2 // max(1, len(self._owned)))

    @property
    def _step(self) -> int:
        return min(self._most, self._part)

    def _on_completed(self) -> None:
        self._until_room -= 1
        if not self._until_room:
            self._on_room()
        self._until_many -= 1
        if self._until_many in (MANY - 1, 0):
            self._on_many()
