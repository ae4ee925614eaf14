"""One partition while this member owns it. A new assignment is a new object: what a dead one still hears changes nothing."""

from __future__ import annotations

from collections.abc import Callable

from consumer.delivery import Delivery
from consumer.lanes import Lanes
from consumer.ledger import Ledger
from shared.transport.port import Position


class Assignment:
    """`ended` is called for each event that has come to its end."""

    __slots__ = ("_ended", "committed", "lanes", "ledger", "live", "partition", "pending", "unstored")

    def __init__(self, partition: int, committed: Position, ended: Callable[[], None] = lambda: None) -> None:
        self._ended = ended
        self.partition = partition
        self.ledger = Ledger(committed)
        self.lanes: Lanes[bytes | int, Delivery] = Lanes()
        #: What is taken and not done, by offset.
        self.pending: dict[int, Delivery] = {}
        #: What was committed last.
        self.committed = committed
        #: Events that came to their end since then: a crash now would repeat them.
        self.unstored = 0
        #: False as soon as the partition is about to go: no call starts any more.
        self.live = True

    def done(self, delivery: Delivery) -> Delivery | None:
        """The event has come to its end; answers the next of its lane. What is unreadable has none."""
        offset = delivery.record.offset
        del self.pending[offset]
        self.ledger.done(offset)
        self.unstored += 1
        self._ended()
        return self.lanes.leave(delivery.lane) if delivery.readable else None
