"""One partition while this member owns it, and its events on their way to the webhook.

A new assignment of a partition is a new object, so a late result of the old one has nothing left to change.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum, auto

from consumer.partitions.key_queues import KeyQueues
from consumer.partitions.ledger import Ledger
from consumer.webhook import Attempt, Call
from shared.event_rules import with_rules
from shared.record import Record
from shared.transport.port import Position


class SkipState(Enum):
    """How far an event is that an operator wants set aside."""

    #: It is withheld as soon as it is the head of its key's queue and no call carries it.
    REQUESTED = auto()
    #: Nothing of it starts; whether it is set aside is decided now.
    WITHHELD = auto()
    #: Its dead letter is being written.
    WRITING = auto()
    #: Its dead letter is acknowledged.
    DEAD = auto()


class Delivery(Call):
    """One event on its way to the webhook. The object is the call, too; nothing else is made for an event."""

    __slots__ = ("alone", "awaits_rules", "last_attempt", "partition", "queue_key", "record", "rules", "size", "skip", "valid")

    def __init__(self, partition: Partition, record: Record, log_id: str, queue_key: bytes | int) -> None:
        super().__init__(log_id, record.value or b"")
        #: Bytes that it takes up: its record's value, and what rules made of it.
        self.size = len(self.body)
        self.partition = partition
        self.record = record
        self.queue_key = queue_key
        #: What came of its last attempt; None: there was none that failed.
        self.last_attempt: Attempt | None = None
        #: None: no operator asks for it.
        self.skip: SkipState | None = None
        #: Its chain of rules is still to run, so it may go only through the stage.
        self.awaits_rules = False
        #: The member `rules` that its body has; None: no rule looked at it.
        self.rules: bytes | None = None
        #: It goes in a call of its own, also where events are sent in batches.
        self.alone = False
        #: False: it is no record of ours. It is never sent and stands in no key's queue.
        self.valid = True

    def add_rules(self, member: bytes) -> None:
        """Its body is the entry with this member `rules` from now on, on every attempt."""
        value = self.record.value or b""
        self.rules, self.body = member, with_rules(value, member)
        self.size = len(value) + len(self.body) + len(member)

    @property
    def status(self) -> int | None:
        """The status of its last response; None: there was none."""
        return self.last_attempt.status if self.last_attempt else None


class Partition:
    """`on_completed` is called for each event that is delivered or dead; `limit` as for the ledger."""

    __slots__ = (
        "_on_completed",
        "bytes",
        "committed",
        "crowded",
        "key_queues",
        "ledger",
        "live",
        "number",
        "parked",
        "pending",
        "uncommitted",
    )

    def __init__(
        self, number: int, committed: Position, on_completed: Callable[[], None] = lambda: None, *, limit: int | None = None
    ) -> None:
        self._on_completed = on_completed
        self.number = number
        self.ledger = Ledger(committed, limit)
        self.key_queues: KeyQueues[bytes | int, Delivery] = KeyQueues()
        #: What is taken and not completed, by offset.
        self.pending: dict[int, Delivery] = {}
        #: How much that is.
        self.bytes = 0
        #: Polled, and to be taken as soon as a commit has room for them beside what is open; a poll returns them only once.
        self.parked: Sequence[Record] = ()
        #: That was the case at least once.
        self.crowded = False
        #: What was committed last.
        self.committed = committed
        #: Events that were completed since then: a crash now would repeat them.
        self.uncommitted = 0
        #: False as soon as the partition is about to go: no call starts any more.
        self.live = True

    @property
    def load(self) -> int:
        """What takes up room in the window and is not completed."""
        return self.ledger.open + len(self.parked)

    def add(self, delivery: Delivery) -> None:
        """The event is taken."""
        self.pending[delivery.record.offset] = delivery
        self.bytes += delivery.size

    def add_rules(self, delivery: Delivery, member: bytes) -> None:
        """Rules have run on an event that is taken."""
        self.bytes -= delivery.size
        delivery.add_rules(member)
        self.bytes += delivery.size

    def complete(self, delivery: Delivery) -> Delivery | None:
        """The event is delivered or dead. Returns the new head of its key's queue, if there is one."""
        offset = delivery.record.offset
        del self.pending[offset]
        self.bytes -= delivery.size
        self.ledger.done(offset)
        self.uncommitted += 1
        self._on_completed()
        return self.key_queues.leave(delivery.queue_key) if delivery.valid else None
