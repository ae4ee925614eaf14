"""One partition while this member owns it. A new assignment is a new object: what a dead one still hears changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.lanes import Lanes
from consumer.ledger import Ledger
from shared.transport.port import Position

if TYPE_CHECKING:
    from consumer.delivery import Delivery


class Assignment:
    __slots__ = ("committed", "lanes", "ledger", "live", "partition", "unstored")

    def __init__(self, partition: int, committed: Position) -> None:
        self.partition = partition
        self.ledger = Ledger(committed)
        self.lanes: Lanes[bytes, Delivery] = Lanes()
        #: What was committed last.
        self.committed = committed
        #: Events that were done since then: a crash now would repeat them.
        self.unstored = 0
        #: False as soon as the partition is about to go: no call starts any more.
        self.live = True
