"""The partitions that this member owns, and the window over them.

The window bounds everything that is taken and not yet done: open, ready, behind another of its lane, waiting for a retry, or on
its way to the dead letters. Each owned partition may fill its equal part, so that one blocked partition does not stop the others.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

from consumer.assignment import Assignment
from shared.transport.port import Position


class Holdings:
    """`window` in records."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._owned: dict[int, Assignment] = {}
        self._held: set[int] = set()
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
    def room(self) -> int:
        return self._window - self.taken

    def add(self, partition: int, position: Position) -> Assignment:
        """A new assignment, in the place of an old one of the same partition."""
        assignment = self._owned[partition] = Assignment(partition, position)
        return assignment

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

    def full(self) -> Collection[int]:
        """The partitions to take nothing from: each that has filled its part, until half of it is free again."""
        part = max(1, self._window // max(1, len(self._owned)))
        for partition, assignment in self._owned.items():
            if assignment.ledger.open >= part:
                self._held.add(partition)
            elif assignment.ledger.open <= part // 2:
                self._held.discard(partition)
        return self._owned.keys() if self.room <= 0 else self._held
