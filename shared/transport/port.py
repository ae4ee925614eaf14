"""The port between producer and consumer: one log, which both use through this. It has two adapters, Kafka and SQLite.

It pins what adapters could do differently, and one contract suite (`tests/contract`) runs against both:

- `publish` is all or nothing as seen from the checkpoint: the checkpoint moves only after every record is acknowledged. It
  publishes an event twice only if the process or the log died in between *and* `acquire` could not see that it is there already.
- Offsets of a partition ascend, with holes. `Position.offset` is the next offset to read (Kafka's meaning).
- `poll` never returns a record of a partition before `RebalanceListener.assigned` was called for it, nor after its `revoked`
  returned or its `lost` was called; after an assignment it begins at the committed position.
- `commit` commits only for partitions that this member owns, and is done when it returns. It may be called while `poll` or
  `close` is under way; one at a time. What is committed when partitions are revoked is committed after it.
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

    #: Empty: Auth0's log is read from the oldest entry that the tenant still has.
    log_id: str
    #: The `date` of that entry as Auth0 wrote it; may be empty.
    date: str = ""
    #: When Auth0 last had nothing newer than what had been read by then, in seconds since the epoch; None: not known.
    caught_up: float | None = None


#: The place before the oldest entry that the tenant still has.
OLDEST: Final = Checkpoint(log_id="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeats:
    """What a poller may publish again once its checkpoint was set back, as far as Auth0 still has it."""

    #: Events that are in the log and that a poller does not compare with.
    held: int
    #: Events that were in the log and were removed after their time. An upper bound: retried dead letters count too.
    removed: int

    @property
    def most(self) -> int:
        return self.held + self.removed


@dataclass(frozen=True, slots=True)
class Position:
    """A consumer's place in one partition."""

    #: The next offset to read: everything below is completed.
    offset: int
    #: What the consumer commits beside it: ASCII, at most `Transport.metadata_limit` characters.
    metadata: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far one partition is."""

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
    """The consumer group."""

    #: Its name; empty where the log has only one group.
    group: str
    #: Members at the moment; None: the log cannot tell.
    members: int | None


@dataclass(frozen=True, slots=True)
class PartitionRecords:
    """What one poll returned of one partition, in the order of offsets."""

    partition: int
    records: Sequence[Record]


class Publisher(Protocol):
    """The producer's side: at most one in the world is the active poller."""

    async def acquire(self) -> Checkpoint | None:
        """Waits until this process is the active poller. Returns the checkpoint to continue from; None: there never was one.

        Call it first, and again after `LeaseLost` or `PublishFailed`. Cancel it to stop waiting.
        Raises `TransportUnusable`.
        """

    async def renew(self) -> None:
        """Shows that the poller makes progress. Call it at least every 30 s, also while the poller waits.

        Raises `LeaseLost`, and `TransportUnusable` when the log cannot be used.
        """

    async def publish(self, events: Sequence[Event], checkpoint: Checkpoint) -> int:
        """Publishes a page, waits for every acknowledgement, then stores the checkpoint. An empty page moves the checkpoint.

        Returns how many of them this publisher has put into the log: what an interrupted page left there is not published again,
        and counts here if that page was its own.
        Raises `LeaseLost` and `PublishFailed`: the checkpoint did not move, call `acquire` again.
        """

    def too_large(self, events: Sequence[Event]) -> Sequence[Event]:
        """Returns those that are too large for the log: `publish` leaves them out, and its checkpoint passes them.

        After a `PublishFailed` there may be more: some logs find out only when they are given an event.
        """

    async def close(self) -> None:
        """Resigns the lease, if held. Idempotent."""


class RebalanceListener(Protocol):
    """What the worker offers to its member, which calls it in the worker's event loop. Must not raise."""

    def assigned(self, partition: int, position: Position) -> None:
        """This member owns the partition from now on; polls return its records from `position` on."""

    def share(self, calls: int) -> None:
        """This member's part of `WEBHOOK_CONCURRENT_CALLS`, which holds for the whole group. 0: it owns nothing."""

    async def revoked(self, partitions: Collection[int]) -> Mapping[int, Position]:
        """This member is about to lose the partitions. Completes or cancels what is under way; returns what to commit for them.

        Must not wait for the member's `poll` or `commit`, which may be waiting for this. After 50 s they count as lost.
        """

    def removed(self, partition: int, offsets: range, was_committed: bool) -> None:
        """The log has removed the records at these offsets, and this member has not read them. May be told again.

        `was_committed`: the group had a position there, so none of them was delivered but for what its metadata says. Otherwise
        the group never worked here, or its position was forgotten.
        """

    def lost(self, partitions: Collection[int]) -> None:
        """Another member may own the partitions already. Nothing can be committed for them any more."""


class Member(Protocol):
    """The consumer's side: one member of the consumer group."""

    @property
    def session(self) -> float:
        """Seconds from now after which the group may have given our partitions to another member, as of the last good `poll`.

        Read it again after each poll: polls succeed in an outage too, and it shrinks while the group does not respond.
        """

    async def poll(self, *, wait: float, limit: int, paused: Collection[int]) -> Sequence[PartitionRecords]:
        """Returns up to about `limit` records of the owned partitions but for `paused`; waits up to `wait` seconds for some.

        Call it all the time, also with everything paused: it keeps the membership.
        Raises `TransportUnusable`.
        """

    async def commit(self, positions: Mapping[int, Position]) -> bool:
        """Commits positions. False: refused or no response, and the adapter logged why; commit again later."""

    async def close(self) -> None:
        """Calls `revoked` for what is still owned, commits what that returns, and leaves the group. Idempotent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A record that is not delivered any more, and why."""

    record: Record
    #: The log id; for a record that has none, `PARTITION:OFFSET`.
    log_id: str
    #: The partition of the record.
    partition: int
    #: Failed attempts by the consumer that wrote this.
    attempts: int
    #: The status of the last response; None: there was none.
    status: int | None
    #: In a few words; for a skip by an operator: who, and why.
    reason: str
    #: When it was written, in seconds since the epoch.
    time: float


@dataclass(frozen=True, slots=True)
class Row:
    """One document of a table."""

    key: str
    document: bytes
    #: Where it is stored, for log lines.
    at: str


class Table(Protocol):
    """Documents by key, of which the newest counts. Several processes write and read a table at the same time.

    A table does not know what its documents mean; `shared.documents` does. A new kind of document needs no new method.
    """

    async def put(self, key: str, document: bytes) -> None:
        """Stores the document in place of the one before; it is acknowledged when this returns. Raises `PublishFailed`."""

    async def delete(self, key: str) -> None:
        """Deletes the document, if there is one; it is acknowledged when this returns. Raises `PublishFailed`."""

    def scan(self) -> AsyncIterator[Row]:
        """Yields every document once, in no order, in memory for all keys and a few documents.

        A document that is written meanwhile may be missed; one that was there all the time is not. Raises `TransportUnusable`.
        """

    async def keys(self) -> Collection[str]:
        """Returns the keys of all documents as of now. Raises `TransportUnusable`."""

    async def snapshot(self) -> Mapping[str, bytes]:
        """Returns all documents as of now. For small ones: all stay in memory. Cheap enough for a call every second.

        Raises `TransportUnusable`.
        """

    async def close(self) -> None:
        """Idempotent."""


#: The most records that a `Reader` yields at once, and about how many bytes.
STRETCH_RECORDS: Final = 500
STRETCH_BYTES: Final = 4 << 20


def size_of(record: Record) -> int:
    """Returns about how many bytes of memory it takes."""
    return len(record.key or b"") + len(record.value or b"")


class Reader(Protocol):
    """Reads records outside of any group: it commits nothing, and consumers do not notice it. One call at a time."""

    async def offsets(self) -> Mapping[int, range]:
        """Returns for each partition the offsets that are there now: from the oldest up to the one that the next record gets.

        Raises `TransportUnusable`.
        """

    async def offsets_since(self, moment: float) -> Mapping[int, int]:
        """Returns for each partition the first offset that was published at `moment` (seconds since the epoch) or later.

        Its end where there is none. Raises `TransportUnusable`.
        """

    def read(self, partition: int, offsets: range) -> AsyncIterator[Sequence[Record]]:
        """Yields the records at these offsets in their order, a stretch at a time, as far as they are still there.

        `offsets` must not go beyond the end. Raises `TransportUnusable`.
        """

    async def close(self) -> None:
        """Idempotent."""


class Transport(Protocol):
    """One log, seen from one process."""

    #: How many characters of `Position.metadata` the log keeps; None: any number.
    metadata_limit: int | None

    async def publisher(self) -> Publisher:
        """Checks that the log can be published to. Waits until the log responds; cancel it to stop waiting.

        Raises `TransportUnusable`.
        """

    async def member(self, listener: RebalanceListener) -> Member:
        """Joins the consumer group. Waits until the log responds; cancel it to stop waiting.

        Raises `TransportUnusable`, also when the log allows only one consumer and has one.
        """

    async def dead_letters(self) -> Table:
        """Returns the table of `shared.documents.dead_letter`, by log id. Raises `TransportUnusable`."""

    async def retry_dead_letter(self, dead_letter: DeadLetter) -> bool:
        """Appends its record to the log again, then deletes the dead letter; both are acknowledged when this returns.

        Returns False if another operator was quicker, as far as the log can tell; then nothing was appended. If the event has
        become a dead letter again by then, the newer one stays. Raises `PublishFailed`; before anything is appended also
        `TransportUnusable`.
        """

    async def control(self) -> Table:
        """Returns the table of `shared.documents.skip`, whose documents are small. Raises `TransportUnusable`."""

    async def progress(self) -> Mapping[int, Progress]:
        """Returns how far every partition is, by number. Raises `TransportUnusable`."""

    async def reader(self) -> Reader:
        """Raises `TransportUnusable`."""

    async def consumers(self) -> Consumers:
        """Raises `TransportUnusable`."""

    async def retention(self) -> float | None:
        """Returns after how many seconds the log removes an event, delivered or not; None: never, or it is not known.

        Raises `TransportUnusable`.
        """

    async def checkpoint(self) -> Checkpoint | None:
        """Returns how far Auth0's log was read; None: nothing was ever stored. Raises `TransportUnusable`."""

    async def set_checkpoint(self, checkpoint: Checkpoint, confirm: Callable[[Repeats], bool], *, force: bool = False) -> bool:
        """Stores it for the next poller if `confirm`, which may ask a person, returns True. Returns what it returned.

        Raises `PublishFailed` and `TransportUnusable`, without `force` also while a poller is active: that goes on from its own
        place, and stores it over this one.
        """

    async def close(self) -> None:
        """Closes what this opened for itself; publishers, members and tables close on their own. Idempotent."""
