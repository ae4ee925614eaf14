"""One partition while this member owns it. A new assignment is a new object: what a dead one still hears changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from consumer.delivery import Delivery
from consumer.partitions.key_queues import Lanes
from consumer.partitions.ledger import Ledger
from shared.record import Record
from shared.transport.port import Position


class Assignment:
    """`ended` is called for each event that has come to its end; `limit` as for the ledger."""

    __slots__ = ("_ended", "committed", "crowded", "lanes", "ledger", "live", "parked", "partition", "pending", "unstored")

    def __init__(
        self, partition: int, committed: Position, ended: Callable[[], None] = lambda: None, *, limit: int | None = None
    ) -> None:
        self._ended = ended
        self.partition = partition
        self.ledger = Ledger(committed, limit)
        self.lanes: Lanes[bytes | int, Delivery] = Lanes()
        #: What is taken and not done, by offset.
        self.pending: dict[int, Delivery] = {}
        #: Polled, and to be taken as soon as a commit has room for them beside what is open; the log gives them only once.
        self.parked: Sequence[Record] = ()
        #: That was the case at least once.
        self.crowded = False
        #: What was committed last.
        self.committed = committed
        #: Events that came to their end since then: a crash now would repeat them.
        self.unstored = 0
        #: False as soon as the partition is about to go: no call starts any more.
        self.live = True

    @property
    def load(self) -> int:
        """What takes up room in the window and is not done."""
        return self.ledger.open + len(self.parked)

    def done(self, delivery: Delivery) -> Delivery | None:
        """The event has come to its end; answers the next of its lane. What is unreadable has none."""
        offset = delivery.record.offset
        del self.pending[offset]
        self.ledger.done(offset)
        self.unstored += 1
        self._ended()
        return self.lanes.leave(delivery.lane) if delivery.readable else None
