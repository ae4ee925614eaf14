"""The seam between our two halves and the log that lies between them. Two adapters stand behind it: Kafka and SQLite.

What adapters could do differently is pinned here, and one contract suite (`tests/contract`) runs against both:

- `publish` is all or nothing as seen from the checkpoint: the checkpoint moves only after every record is acknowledged. It
  publishes an event again only if the process or the log died in between *and* `acquire` could not see that it is there already.
- Offsets of a partition ascend, with holes. `Position.offset` is the next offset to read (Kafka's meaning).
- `poll` never returns a record of a partition before `RebalanceListener.assigned` was called for it, nor after its `revoked`
  returned or its `lost` was called; after an assignment it begins at the committed position.
- `commit` stores only for partitions that this member owns, and is done when it returns. It may be called while a `poll` is under
  way, or `close`; one at a time. What is stored when partitions are given back is stored after it.
- Everything is called from, and calls back into, one event loop. An adapter keeps its threads to itself.
- Errors of the libraries below stop at the adapter and come out as `shared.errors`.

Left out on purpose: transactions, exactly-once, seeking by the consumer, several topics, static membership.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from shared.event import Event
from shared.record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The producer's place in Auth0's log: everything up to and including `log_id` is in the topic or was filtered out."""

    #: Empty after a reset: Auth0's log is read from the oldest entry that the tenant still has.
    log_id: str
    #: The `date` of that entry as Auth0 wrote it; may be empty.
    date: str = ""


#: What a reset stores.
OLDEST: Final = Checkpoint(log_id="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeats:
    """What may be published again after a reset, as far as Auth0 still has it."""

    #: Events that the log holds and a poller does not recognise.
    held: int
    #: Events that the log held once and has removed (retention). At most: retried dead letters count too.
    removed: int

    @property
    def most(self) -> int:
        return self.held + self.removed


@dataclass(frozen=True, slots=True)
class Position:
    """A consumer's place in one partition."""

    #: The next offset to read: everything below is done.
    offset: int
    #: What the consumer wants to remember beside it: ASCII, at most `Transport.metadata_limit` characters.
    metadata: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """One partition as an onlooker sees it."""

    #: The oldest offset still there.
    begin: int
    #: The offset that the next record gets.
    end: int
    #: None: nothing was ever committed.
    committed: Position | None

    @property
    def lag(self) -> int:
        """Records that are not below the committed position."""
        return self.end - max(self.begin, self.committed.offset if self.committed else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumers:
    """The consumer group as an onlooker sees it."""

    #: Its name; empty where there is but one.
    group: str
    #: Members at the moment; None: the log cannot tell.
    members: int | None


@dataclass(frozen=True, slots=True)
class PartitionRecords:
    """What one poll brought of one partition, in the order of its offsets."""

    partition: int
    records: Sequence[Record]


class Publisher(Protocol):
    """The producer's side: at most one in the world is the active poller."""

    async def acquire(self) -> Checkpoint | None:
        """Wait until this process is the active poller; answer the checkpoint to go on from (None: there never was one).

        Call it first, and again after `LeaseLost` or `PublishFailed`. Cancel it to stop waiting.
        Raises `TransportUnusable`.
        """

    async def renew(self) -> None:
        """Show that the poller makes progress; to be called at least every 30 s, also while it waits.

        Raises `LeaseLost`, and `TransportUnusable` when the log itself is in trouble.
        """

    async def publish(self, events: Sequence[Event], checkpoint: Checkpoint) -> int:
        """Publish a page, wait for every acknowledgement, then write the checkpoint. An empty page moves the checkpoint.

        Answers how many events were new: those that a page cut short had left in the topic already are not published again.
        Raises `LeaseLost` and `PublishFailed`: the checkpoint did not move, call `acquire` again.
        """

    async def close(self) -> None:
        """Give up the lease, if held. Idempotent."""


class RebalanceListener(Protocol):
    """What the consumer's loop offers to the member that it holds. Called in its event loop; must not raise."""

    def assigned(self, partition: int, position: Position) -> None:
        """This member owns the partition from now on; its records follow from `position` on."""

    def share(self, calls: int) -> None:
        """This member's part of `WEBHOOK_CONCURRENT_CALLS`, which holds for the whole group. 0: it owns nothing."""

    async def revoked(self, partitions: Collection[int]) -> Mapping[int, Position]:
        """The partitions are about to go: finish or cancel what is under way, and answer what to commit for them.

        Must not wait for the member's `poll` or `commit`, which may be waiting for this. 50 s at most, else they count as lost.
        """

    def lost(self, partitions: Collection[int]) -> None:
        """The partitions are gone already; another member may be at work on them. Nothing can be committed any more."""


class Member(Protocol):
    """The consumer's side: one member of the consumer group."""

    @property
    def session(self) -> float:
        """Seconds from now after which the group may have given our partitions away, by what the last successful `poll` heard.

        Read it again after each poll: it shrinks while the group is not heard of, as polls succeed in an outage too.
        """

    async def poll(self, *, wait: float, limit: int, paused: Collection[int]) -> Sequence[PartitionRecords]:
        """Up to about `limit` records of the owned partitions that are not in `paused`; waits up to `wait` seconds for some.

        To be called all the time, also when nothing is wanted (`paused` everything): it is what keeps the membership.
        Raises `TransportUnusable`.
        """

    async def commit(self, positions: Mapping[int, Position]) -> bool:
        """Store positions. False: refused or unanswered (the adapter's log says why); keep them and commit again later."""

    async def close(self) -> None:
        """Leave the group: `revoked` for what is still owned, its positions committed, then gone. Idempotent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A record that is not delivered any more, and why: the envelope of the topic of dead letters."""

    record: Record
    #: The log id; for a record that has none, `PARTITION:OFFSET`.
    log_id: str
    #: Where the record stood in the log.
    partition: int
    #: Failed attempts by the consumer that gave up.
    attempts: int
    #: The status of the last answer; None where there was none.
    status: int | None
    #: In a few words; for a skip who, and why.
    reason: str
    #: When, in seconds since the epoch.
    time: float


@dataclass(frozen=True, slots=True)
class Row:
    """A document of a table."""

    key: str
    document: bytes
    #: Where it is stored, for a log line about it.
    at: str


class Table(Protocol):
    """Documents by key; the newest of each key counts. Consumers write and read it, and operators beside them.

    A table knows nothing of what its documents say: `shared.documents` does. A new kind of document is a new table, not a method.
    """

    async def put(self, key: str, document: bytes) -> None:
        """Store a document in place of the one before; acknowledged when it returns. Raises `PublishFailed`."""

    async def delete(self, key: str) -> None:
        """Acknowledged when it returns; nothing happens if there is none. Raises `PublishFailed`."""

    def scan(self) -> AsyncIterator[Row]:
        """Every document, in no order: memory is needed for the keys and for a few documents, however large they all are.

        What is written meanwhile may be missed; what is there all the time is not. Raises `TransportUnusable`.
        """

    async def snapshot(self) -> Mapping[str, bytes]:
        """All documents as of now, where they are small. Cheap enough to be called every second. Raises `TransportUnusable`."""

    async def close(self) -> None:
        """Idempotent."""


class Transport(Protocol):
    """One log, seen from one process."""

    #: How many characters of `Position.metadata` the log keeps; None: any number.
    metadata_limit: int | None

    async def publisher(self) -> Publisher:
        """Check that the log can be published to; may wait until it answers, cancel it to stop waiting.

        Raises `TransportUnusable`.
        """

    async def member(self, listener: RebalanceListener) -> Member:
        """Join the consumer group; may wait until the log answers, cancel it to stop waiting.

        Raises `TransportUnusable`, also when the log allows one consumer and has one.
        """

    async def dead_letters(self) -> Table:
        """Records that are not delivered any more, by log id. Raises `TransportUnusable`."""

    async def retry_dead_letter(self, dead_letter: DeadLetter) -> bool:
        """Append its record to the log again, then delete the dead letter; both are acknowledged. Raises `PublishFailed`.

        Returns False if another operator was quicker, as far as the log can tell, and nothing was appended. A dead letter that
        the event has become once more in the meantime stays.
        """

    async def control(self) -> Table:
        """What operators and consumers tell each other, in small documents. Raises `TransportUnusable`."""

    async def progress(self) -> Mapping[int, Progress]:
        """Every partition, by number. Raises `TransportUnusable`."""

    async def consumers(self) -> Consumers:
        """Who consumes this log. Raises `TransportUnusable`."""

    async def checkpoint(self) -> Checkpoint | None:
        """How far Auth0's log was read; None: nothing was ever stored. Raises `TransportUnusable`."""

    async def reset_checkpoint(self, confirm: Callable[[Repeats], bool]) -> bool:
        """Store `OLDEST` for the next poller, if `confirm` says so, which may ask a person. False: it did not.

        Raises `TransportUnusable`, also while a poller is active, and `PublishFailed`.
        """

    async def close(self) -> None:
        """Close what was opened here. Idempotent."""
